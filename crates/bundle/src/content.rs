//! Where a file's bytes are.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;

use crate::backing::Backing;

/// A file's bytes, or the place to read them from. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Bytes(Bytes),
    /// A stretch of a larger file: a bundle, or what was decompressed from one.
    Slice {
        /// The file that holds it.
        file: Arc<Backing>,
        /// Where it starts, in bytes.
        offset_bytes: u64,
        /// How long it is, in bytes.
        len_bytes: u64,
    },
}

impl Content {
    /// How long it is, in bytes.
    pub fn len_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Slice { len_bytes, .. } => *len_bytes,
        }
    }

    /// All of it, in memory. Blocking. Bytes that are there already aren't copied.
    ///
    /// # Errors
    /// What the file system answers; `UnexpectedEof` if the file has become shorter.
    pub fn read(&self) -> io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Slice {
                file,
                offset_bytes,
                len_bytes,
            } => {
                let len = usize::try_from(*len_bytes).map_err(io::Error::other)?;
                let mut bytes = vec![0; len];
                let mut file = File::open(file.path())?;
                file.seek(SeekFrom::Start(*offset_bytes))?;
                file.read_exact(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }

    /// A reader over it. Blocking.
    ///
    /// # Errors
    /// What the file system answers. A file that has become shorter ends early: compare with [`Content::len_bytes`].
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match self {
            Self::Bytes(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            Self::Slice {
                file,
                offset_bytes,
                len_bytes,
            } => {
                let mut file = File::open(file.path())?;
                file.seek(SeekFrom::Start(*offset_bytes))?;
                Ok(Box::new(file.take(*len_bytes)))
            }
        }
    }
}
