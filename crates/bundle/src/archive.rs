//! A bundle made into a tree, without unpacking it.
//!
//! One pass over the tar computes the digest of the whole and those of every file, and notes where each file lies; its content is
//! read from there when it is wanted. Entries are walked one by one in the raw: only regular files and folders are accepted,
//! and the two ways of writing long names. A file that isn't the one that was announced is reported as that, whatever
//! else may be wrong with it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use foreshow_contract::Sha256;
use tar::EntryType;

use crate::content::Content;
use crate::digest::{FileHasher, Hashing};
use crate::error::BundleError;
use crate::limits::{Budget, Limits};
use crate::path::SafePath;
use crate::tree::{Tree, TreeFile};

/// How much is read from the disk at a time.
const READ_BYTES: usize = 128 << 10;

/// The most that a long name's entry, or a pax header, may have. Twice what the longest path needs in either.
const MAX_META_BYTES: u64 = 4 * SafePath::MAX_BYTES as u64;

/// Opens the bundle (an uncompressed tar) at `path`, which must have the digest `expected`. Blocking.
///
/// The tree's contents are read from the bundle on demand: it must stay until the tree is gone.
///
/// # Errors
/// [`BundleError::BundleMissing`], [`BundleError::BundleDigestMismatch`], [`BundleError::BundleInvalid`], and
/// what may be wrong with the files in it.
pub fn tree_from_bundle(
    path: &Path,
    expected: Sha256,
    limits: &Limits,
) -> Result<Tree, BundleError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => BundleError::BundleMissing {
            path: path.to_owned(),
        },
        _ => BundleError::io("open", path)(source),
    })?;
    let size_bytes = file
        .metadata()
        .map_err(BundleError::io("read", path))?
        .len();
    if size_bytes > limits.archive_bytes() {
        return Err(BundleError::BundleTooLarge {
            limit_bytes: limits.total_bytes,
        });
    }
    let reader = BufReader::with_capacity(READ_BYTES, file);
    let mut archive = tar::Archive::new(Hashing::new(reader));
    let files = Reading::new(path, limits).files(&mut archive);

    let mut rest = archive.into_inner();
    let ends_clean = drain(&mut rest).map_err(BundleError::io("read", path))?;
    let (actual, _) = rest.finish();
    if actual != expected {
        return Err(BundleError::BundleDigestMismatch {
            path: path.to_owned(),
            expected,
            actual,
        });
    }
    let files = files?;
    if !ends_clean {
        return Err(invalid(path, "there is more after the archive's end"));
    }
    Tree::build(files)
}

fn invalid(path: &Path, what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BundleError {
    BundleError::BundleInvalid {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, what),
    }
}

/// Reads to the end. Whether it was all zeros, as the padding behind a tar is.
fn drain(reader: &mut impl Read) -> io::Result<bool> {
    let mut buffer = vec![0; READ_BYTES];
    let mut all_zero = true;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(all_zero),
            Ok(read) => all_zero &= buffer[..read].iter().all(|&byte| byte == 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// One pass over a tar.
struct Reading<'a> {
    path: &'a Path,
    shared_path: Arc<Path>,
    budget: Budget<'a>,
    /// What is known of the next entry's name, from the entry before it.
    long_name: Option<Vec<u8>>,
    entries: BTreeMap<SafePath, Found>,
    buffer: Vec<u8>,
}

/// What a path in the tar is.
enum Found {
    File(TreeFile),
    Folder,
}

impl<'a> Reading<'a> {
    fn new(path: &'a Path, limits: &'a Limits) -> Self {
        Self {
            path,
            shared_path: path.into(),
            budget: Budget::new(limits),
            long_name: None,
            entries: BTreeMap::new(),
            buffer: vec![0; READ_BYTES],
        }
    }

    fn files<R: Read>(
        mut self,
        archive: &mut tar::Archive<R>,
    ) -> Result<Vec<TreeFile>, BundleError> {
        let entries = archive
            .entries()
            .map_err(|error| invalid(self.path, error))?;
        for entry in entries.raw(true) {
            let entry = entry.map_err(|error| invalid(self.path, error))?;
            self.entry(entry)?;
        }
        if self.long_name.is_some() {
            return Err(invalid(self.path, "it ends with a name that has no entry"));
        }
        let files = self.entries.into_values().filter_map(|found| match found {
            Found::File(file) => Some(file),
            Found::Folder => None,
        });
        Ok(files.collect())
    }

    fn entry<R: Read>(&mut self, mut entry: tar::Entry<'_, R>) -> Result<(), BundleError> {
        let entry_type = entry.header().entry_type();
        match entry_type {
            EntryType::GNULongName => {
                let mut name = self.meta(&mut entry)?;
                if name.last() == Some(&0) {
                    name.pop();
                }
                self.name_next(name)
            }
            EntryType::XHeader => {
                let records = self.meta(&mut entry)?;
                match self.pax_path(&records)? {
                    Some(name) => self.name_next(name),
                    None => Ok(()),
                }
            }
            EntryType::XGlobalHeader => {
                // `git archive` puts the commit there. A path for all files would be nonsense.
                let records = self.meta(&mut entry)?;
                match self.pax_path(&records)? {
                    Some(_) => Err(invalid(self.path, "one name for all entries")),
                    None => Ok(()),
                }
            }
            EntryType::Regular => {
                let name = self.take_name(&entry);
                self.file(&name, entry)
            }
            EntryType::Directory => {
                let name = self.take_name(&entry);
                self.folder(&name)
            }
            other => {
                let name = self.take_name(&entry);
                Err(BundleError::UnsupportedEntry {
                    entry: String::from_utf8_lossy(&name).into_owned(),
                    kind: describe(other),
                })
            }
        }
    }

    fn file<R: Read>(
        &mut self,
        name: &[u8],
        mut entry: tar::Entry<'_, R>,
    ) -> Result<(), BundleError> {
        let path = SafePath::from_bytes(strip_dot(name))?;
        let size_bytes = entry.size();
        self.budget.admit_file(&path, size_bytes)?;
        let offset_bytes = entry.raw_file_position();
        let mut hasher = FileHasher::default();
        let mut read_bytes = 0;
        loop {
            match entry.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&self.buffer[..read]);
                    read_bytes += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(invalid(self.path, error)),
            }
        }
        if read_bytes != size_bytes {
            return Err(invalid(self.path, format!("it ends within {path}")));
        }
        let (sha256, sha1) = hasher.finish();
        let file = TreeFile {
            path: path.clone(),
            size_bytes,
            sha256,
            sha1,
            content: Content::Slice {
                file: Arc::clone(&self.shared_path),
                offset_bytes,
                len_bytes: size_bytes,
            },
        };
        self.found(path, Found::File(file))
    }

    fn folder(&mut self, name: &[u8]) -> Result<(), BundleError> {
        let name = name.strip_suffix(b"/").unwrap_or(name);
        // `tar -c .` begins with the folder itself.
        if name == b"." {
            return Ok(());
        }
        let path = SafePath::from_bytes(strip_dot(name))?;
        self.budget.admit_folder(&path)?;
        self.found(path, Found::Folder)
    }

    fn found(&mut self, path: SafePath, found: Found) -> Result<(), BundleError> {
        match self.entries.insert(path.clone(), found) {
            None => Ok(()),
            Some(_) => Err(BundleError::DuplicatePath { path }),
        }
    }

    fn name_next(&mut self, name: Vec<u8>) -> Result<(), BundleError> {
        match self.long_name.replace(name) {
            None => Ok(()),
            Some(_) => Err(invalid(self.path, "two long names for one entry")),
        }
    }

    fn take_name<R: Read>(&mut self, entry: &tar::Entry<'_, R>) -> Vec<u8> {
        self.long_name
            .take()
            .unwrap_or_else(|| entry.header().path_bytes().into_owned())
    }

    /// What an entry about the next entry says.
    fn meta<R: Read>(&self, entry: &mut tar::Entry<'_, R>) -> Result<Vec<u8>, BundleError> {
        if entry.size() > MAX_META_BYTES {
            return Err(invalid(self.path, "a name is too long"));
        }
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| invalid(self.path, error))?;
        if bytes.len() as u64 != entry.size() {
            return Err(invalid(self.path, "it ends within a name"));
        }
        Ok(bytes)
    }

    /// The path in a pax header. Records that change what the entry's bytes mean are refused: readers disagree about them.
    fn pax_path(&self, records: &[u8]) -> Result<Option<Vec<u8>>, BundleError> {
        let mut path = None;
        for record in tar::PaxExtensions::new(records) {
            let record = record.map_err(|error| invalid(self.path, error))?;
            match record.key_bytes() {
                b"path" => path = Some(record.value_bytes().to_vec()),
                b"size" | b"linkpath" => {
                    return Err(invalid(
                        self.path,
                        "a pax header that changes an entry's size or target",
                    ));
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(invalid(self.path, "a sparse file: pack without --sparse"));
                }
                _ => {}
            }
        }
        Ok(path)
    }
}

/// `tar -c .` writes `./a`; that one way of saying `a` is accepted here.
fn strip_dot(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"./").unwrap_or(name)
}

fn describe(entry_type: EntryType) -> &'static str {
    match entry_type {
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        // The library's enum is open.
        _ => "of an unknown kind",
    }
}
