//! The files that trees are read from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;

/// A file that contents lie in. Everyone who may still read from it holds it; what was made for its readers alone goes with the last one.
#[derive(Debug)]
pub struct Backing(Place);

#[derive(Debug)]
enum Place {
    /// Somebody else's: it stays, and must stay until the last read.
    Kept(PathBuf),
    /// Ours. It is kept open for its lock, which tells others that it isn't a dead process's.
    Scratch(NamedTempFile),
}

impl Backing {
    /// A file that is somebody else's to remove, after the last read.
    pub fn kept(path: impl Into<PathBuf>) -> Arc<Self> {
        Arc::new(Self(Place::Kept(path.into())))
    }

    pub(crate) fn scratch(file: NamedTempFile) -> Arc<Self> {
        Arc::new(Self(Place::Scratch(file)))
    }

    /// Where it is. Hold the backing until it is opened; after that it can be read to the end.
    pub fn path(&self) -> &Path {
        match &self.0 {
            Place::Kept(path) => path,
            Place::Scratch(file) => file.path(),
        }
    }
}
