//! Bundles on disk, named by their digests.
//!
//! A bundle appears whole or not at all: it is written (packed, or copied from elsewhere) under another name in the same folder, flushed to the disk, and then renamed.
//! Any number of processes may use one folder: two that store the same bundle write the same bytes, and the later rename
//! replaces equal by equal. Who dies half-way leaves a `.packing-…` file, or one of [`scratch`](crate::scratch); both are
//! removed by [`BundleStore::remove_abandoned`].
//! Bundles can be read by the user who stored them alone: all processes of an installation that share a folder run as one user.
//! Who removes a bundle must know that no event needs it any more; the store doesn't count.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use foreshow_contract::Sha256;
use tempfile::NamedTempFile;

use crate::archive::tree_from_bundle;
use crate::collect::{Collected, collect};
use crate::digest::Hashing;
use crate::error::BundleError;
use crate::limits::Limits;
use crate::pack::Packed;
use crate::scratch;
use crate::tree::Tree;

const PACKING: &str = ".packing-";

/// How much is read or written at a time.
const BUFFER_BYTES: usize = 128 << 10;

/// A folder of bundles.
#[derive(Clone, Debug)]
pub struct BundleStore {
    dir: PathBuf,
}

/// A bundle in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBundle {
    /// Its digest and name.
    pub sha256: Sha256,
    /// How large it is.
    pub size_bytes: u64,
    /// When it was last put there. Storing it again counts: an event that needs it may be on its way.
    pub stored_at: SystemTime,
}

impl BundleStore {
    /// Opens the store in `dir`, which is created where it is missing. Blocking, as are all operations.
    ///
    /// # Errors
    /// `Io` if the folder can't be made.
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, BundleError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(BundleError::io("create", &dir))?;
        Ok(Self { dir })
    }

    /// Packs the directory `source` and keeps the bundle. The same files give the same bundle: doing it again changes nothing.
    ///
    /// # Errors
    /// Those of [`collect()`], and `Io` where the store can't be written.
    pub fn put_packed(&self, source: &Path, limits: &Limits) -> Result<Packed, BundleError> {
        self.put(&collect(source, limits)?)
    }

    /// The same for files that were collected already.
    ///
    /// # Errors
    /// Those of [`Collected::pack`], and `Io` where the store can't be written.
    pub fn put(&self, collected: &Collected) -> Result<Packed, BundleError> {
        let mut out = io::BufWriter::with_capacity(BUFFER_BYTES, self.temporary()?);
        let packed = collected.pack(&mut out)?;
        let temporary = out
            .into_inner()
            .map_err(|error| BundleError::io("write", &self.dir)(error.into_error()))?;
        self.keep(temporary, packed.sha256)?;
        Ok(packed)
    }

    /// Keeps a copy of the bundle at `file`, which must have the digest `sha256`: that is checked on the copy's own bytes,
    /// so that whoever writes to `file` meanwhile gets an error and no bundle.
    ///
    /// # Errors
    /// `BundleMissing` where there is no such file, `BundleDigestMismatch`, and `Io` where it can't be read or the store
    /// can't be written.
    pub fn adopt(&self, sha256: Sha256, file: &Path) -> Result<(), BundleError> {
        let mut source = File::open(file).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BundleError::BundleMissing {
                path: file.to_owned(),
            },
            _ => BundleError::io("open", file)(error),
        })?;
        let mut copy = Hashing::new(self.temporary()?);
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let read = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(BundleError::io("read", file)(error)),
            };
            copy.write_all(&buffer[..read])
                .map_err(BundleError::io("write", &self.dir))?;
        }
        let (temporary, actual) = copy.into_parts();
        if actual != sha256 {
            return Err(BundleError::BundleDigestMismatch {
                path: file.to_owned(),
                expected: sha256,
                actual,
            });
        }
        self.keep(temporary, sha256)
    }

    /// Where a bundle is, if it is there.
    pub fn path(&self, sha256: Sha256) -> Option<PathBuf> {
        let path = self.place(sha256);
        path.is_file().then_some(path)
    }

    /// Opens a bundle: [`tree_from_bundle`] under the name it has here.
    ///
    /// # Errors
    /// Those of [`tree_from_bundle`].
    pub fn tree(&self, sha256: Sha256, limits: &Limits) -> Result<Tree, BundleError> {
        tree_from_bundle(&self.place(sha256), sha256, limits)
    }

    /// Removes a bundle. Answers whether it was there; that it wasn't is no error.
    ///
    /// # Errors
    /// `Io` if it is still there.
    pub fn remove(&self, sha256: Sha256) -> Result<bool, BundleError> {
        remove(&self.place(sha256))
    }

    /// All bundles, sorted by digest. Other files in the folder are passed over.
    ///
    /// # Errors
    /// `Io` if the folder can't be read.
    pub fn list(&self) -> Result<Vec<StoredBundle>, BundleError> {
        let mut bundles = Vec::new();
        self.each_file(|name, metadata| {
            if let Some(sha256) = parse_name(name) {
                bundles.push(StoredBundle {
                    sha256,
                    size_bytes: metadata.len(),
                    stored_at: metadata
                        .modified()
                        .map_err(BundleError::io("read the age of", self.place(sha256)))?,
                });
            }
            Ok(())
        })?;
        bundles.sort_by_key(|bundle| bundle.sha256);
        Ok(bundles)
    }

    /// Removes what processes that died while packing or reading have left, last written before `before`; answers how many.
    /// Choose an hour ago: packing takes seconds, and a younger file may be somebody's who is at it.
    ///
    /// # Errors
    /// `Io` if the folder can't be read or a file can't be removed.
    pub fn remove_abandoned(&self, before: SystemTime) -> Result<usize, BundleError> {
        let mut removed = 0;
        self.each_file(|name, metadata| {
            let path = self.dir.join(name);
            if (name.starts_with(PACKING) || scratch::is_named(name))
                && metadata
                    .modified()
                    .map_err(BundleError::io("read the age of", &path))?
                    < before
                && !scratch::is_held(&path)
            {
                removed += usize::from(remove(&path)?);
            }
            Ok(())
        })?;
        Ok(removed)
    }

    fn temporary(&self) -> Result<NamedTempFile, BundleError> {
        tempfile::Builder::new()
            .prefix(PACKING)
            .tempfile_in(&self.dir)
            .map_err(BundleError::io("create a file in", &self.dir))
    }

    /// Gives a written bundle its name. Also where it is there already: that mends a damaged one and renews its age.
    fn keep(&self, temporary: NamedTempFile, sha256: Sha256) -> Result<(), BundleError> {
        temporary
            .as_file()
            .sync_all()
            .map_err(BundleError::io("write", temporary.path()))?;
        let path = self.place(sha256);
        temporary
            .persist(&path)
            .map_err(|error| BundleError::io("rename a bundle to", &path)(error.error))?;
        self.sync()
    }

    fn place(&self, sha256: Sha256) -> PathBuf {
        self.dir.join(format!("sha256-{sha256}.tar"))
    }

    fn each_file(
        &self,
        mut visit: impl FnMut(&str, fs::Metadata) -> Result<(), BundleError>,
    ) -> Result<(), BundleError> {
        let failed = |source| BundleError::Io {
            operation: "list",
            path: self.dir.clone(),
            source,
        };
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Somebody else removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            if let Some(name) = entry.file_name().to_str()
                && metadata.is_file()
            {
                visit(name, metadata)?;
            }
        }
        Ok(())
    }

    /// Makes a rename outlast a power cut.
    fn sync(&self) -> Result<(), BundleError> {
        if cfg!(unix) {
            File::open(&self.dir)
                .and_then(|dir| dir.sync_all())
                .map_err(BundleError::io("write", &self.dir))?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<bool, BundleError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(BundleError::io("remove", path)(error)),
    }
}

fn parse_name(name: &str) -> Option<Sha256> {
    name.strip_prefix("sha256-")?
        .strip_suffix(".tar")?
        .parse()
        .ok()
}
