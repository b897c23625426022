//! What has arrived so far: a scratch file, and the digest of what is in it.
//!
//! It goes when it is dropped, finished or not; what a killed process leaves goes by its age.

use std::io::{self, SeekFrom};
use std::path::Path;

use foreshow_bundle::scratch;
use foreshow_contract::Sha256;
use http::HeaderValue;
use sha2::Digest as _;
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _, BufWriter};

use super::part::Version;

/// How much is written at a time: each write is a trip to another thread.
const WRITE_BYTES: usize = 256 << 10;

/// A bundle that is arriving.
pub(crate) struct Partial {
    path: TempPath,
    file: BufWriter<File>,
    hasher: sha2::Sha256,
    received_bytes: u64,
    version: Version,
}

impl Partial {
    pub(crate) async fn create(folder: &Path) -> io::Result<Self> {
        let folder = folder.to_owned();
        let created = tokio::task::spawn_blocking(move || scratch::create(&folder)).await;
        let (file, path) = created
            .unwrap_or_else(|error| Err(io::Error::other(error)))?
            .into_parts();
        Ok(Self {
            path,
            file: BufWriter::with_capacity(WRITE_BYTES, File::from_std(file)),
            hasher: sha2::Sha256::new(),
            received_bytes: 0,
            version: Version::default(),
        })
    }

    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    pub(crate) fn version(&self) -> &Version {
        &self.version
    }

    /// How long the whole will be, where that is known.
    pub(crate) fn is_whole(&self) -> bool {
        self.version
            .total_bytes
            .is_none_or(|total_bytes| total_bytes == self.received_bytes)
    }

    /// From which byte on to ask, and for which version; `None` where only the whole can be asked for.
    pub(crate) fn missing(&self) -> Option<(u64, &HeaderValue)> {
        let if_range = self.version.if_range()?;
        (self.received_bytes > 0).then_some((self.received_bytes, if_range))
    }

    /// Forgets what has arrived: what comes now is the whole of this version.
    pub(crate) async fn begin(&mut self, version: Version) -> io::Result<()> {
        if self.received_bytes > 0 {
            self.file.flush().await?;
            let file = self.file.get_mut();
            file.set_len(0).await?;
            file.seek(SeekFrom::Start(0)).await?;
            self.hasher = sha2::Sha256::new();
            self.received_bytes = 0;
        }
        self.version = version;
        Ok(())
    }

    pub(crate) async fn append(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hasher.update(chunk);
        self.received_bytes += chunk.len() as u64;
        self.file.write_all(chunk).await
    }

    /// The digest of all that has arrived, which is all on its way to the disk then.
    pub(crate) async fn digest(&mut self) -> io::Result<Sha256> {
        self.file.flush().await?;
        Ok(Sha256::from_bytes(self.hasher.clone().finalize().into()))
    }

    /// The file.
    pub(crate) fn into_path(self) -> TempPath {
        self.path
    }
}
