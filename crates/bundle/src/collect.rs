//! A directory's files: found, not yet read.
//!
//! The rules are applied while walking, so that `node_modules` is never opened. Symbolic links are never followed:
//! one that leads out of the directory would publish what nobody meant to publish.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use foreshow_contract::InlineFile;

use crate::collisions::refuse_collisions;
use crate::error::BundleError;
use crate::ignored::{IgnoreReason, Ignored};
use crate::limits::{Budget, Limits};
use crate::path::SafePath;
use crate::rules::{Rules, Subject, is_ignore_file};

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedFile {
    /// Where it goes.
    pub path: SafePath,
    /// Where it is now.
    pub source: PathBuf,
    /// How large it was when it was found.
    pub size_bytes: u64,
}

/// What of a directory is to be published. Never empty.
#[derive(Clone, Debug)]
pub struct Collected {
    files: Vec<CollectedFile>,
    ignore_files: Vec<CollectedFile>,
    ignored: Vec<Ignored>,
    total_bytes: u64,
}

/// Walks `dir`. Blocking.
///
/// # Errors
/// [`BundleError::NotADirectory`], `Io`, and whatever the receiver would refuse: better told here.
pub fn collect(dir: &Path, limits: &Limits) -> Result<Collected, BundleError> {
    let metadata = fs::metadata(dir).map_err(BundleError::io("read", dir))?;
    if !metadata.is_dir() {
        return Err(BundleError::NotADirectory {
            path: dir.to_owned(),
        });
    }
    let mut walk = Walk {
        budget: Budget::new(limits),
        rules: Rules::default(),
        folders: vec![(dir.to_owned(), String::new())],
        files: Vec::new(),
        ignore_files: Vec::new(),
        ignored: Vec::new(),
    };
    while let Some((source, folder)) = walk.folders.pop() {
        walk.enter(&source, &folder)?;
    }
    walk.finish()
}

impl Collected {
    /// The files to deploy, sorted by path.
    pub fn files(&self) -> &[CollectedFile] {
        &self.files
    }

    /// What is not deployed, and why, sorted by path.
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// The sizes of the files to deploy together, in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// What is sent: the files and the ignore files that they came through, sorted by path. Without the latter the receiver's
    /// defaults would drop again what they take back.
    pub(crate) fn sent(&self) -> Vec<&CollectedFile> {
        let mut sent: Vec<_> = self.files.iter().chain(&self.ignore_files).collect();
        sent.sort_by(|a, b| a.path.cmp(&b.path));
        sent
    }

    /// About how large the files are inside an event, in bytes: as if all were base64. Text takes less, unless
    /// it is mostly quotes, line ends or backslashes, so whoever encodes the event still has to look at its size.
    pub fn encoded_size_bytes(&self) -> u64 {
        /// `{"path":"","content":"","encoding":"base64"},`
        const FRAME_BYTES: u64 = 46;
        self.files
            .iter()
            .chain(&self.ignore_files)
            .map(|file| {
                FRAME_BYTES + file.path.as_str().len() as u64 + file.size_bytes.div_ceil(3) * 4
            })
            .sum()
    }

    /// Reads them all for an event: UTF-8 as it is, anything else as base64. Blocking.
    ///
    /// # Errors
    /// `Io`, or [`BundleError::FileChanged`] where a file is no longer the one that was found.
    pub fn inline(&self) -> Result<Vec<InlineFile>, BundleError> {
        self.sent()
            .into_iter()
            .map(|file| Ok(InlineFile::from_bytes(file.path.as_str(), file.read()?)))
            .collect()
    }
}

impl CollectedFile {
    /// Opens it, if it is still the regular file that was found.
    pub(crate) fn open(&self) -> Result<File, BundleError> {
        let changed = || BundleError::FileChanged {
            path: self.path.clone(),
        };
        let found =
            fs::symlink_metadata(&self.source).map_err(BundleError::io("read", &self.source))?;
        if !found.is_file() || found.len() != self.size_bytes {
            return Err(changed());
        }
        let file = File::open(&self.source).map_err(BundleError::io("open", &self.source))?;
        let opened = file
            .metadata()
            .map_err(BundleError::io("read", &self.source))?;
        // A link may have taken its place between the look and the opening.
        if !same_file(&found, &opened) {
            return Err(changed());
        }
        Ok(file)
    }

    fn read(&self) -> Result<Vec<u8>, BundleError> {
        let mut content = Vec::with_capacity(usize::try_from(self.size_bytes).unwrap_or(0));
        // One byte more than expected tells that it has grown.
        self.open()?
            .take(self.size_bytes.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(BundleError::io("read", &self.source))?;
        if content.len() as u64 != self.size_bytes {
            return Err(BundleError::FileChanged {
                path: self.path.clone(),
            });
        }
        Ok(content)
    }
}

#[cfg(unix)]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    b.is_file() && (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    b.is_file() && a.len() == b.len()
}

/// The walk's state. One folder is entered at a time; those found wait in `folders`.
struct Walk<'a> {
    budget: Budget<'a>,
    rules: Rules,
    folders: Vec<(PathBuf, String)>,
    files: Vec<CollectedFile>,
    ignore_files: Vec<CollectedFile>,
    ignored: Vec<Ignored>,
}

/// What an entry is. The file system's word about the entry itself, not about what a link leads to.
struct Entry {
    path: PathBuf,
    file_type: fs::FileType,
}

impl Walk<'_> {
    fn enter(&mut self, source: &Path, folder: &str) -> Result<(), BundleError> {
        let is_ignore_file = |name: &OsStr, entry: &Entry| {
            entry.file_type.is_file() && name.to_str().is_some_and(is_ignore_file)
        };
        // The folder's own rules first: they speak for everything else in it.
        let (ignore_files, entries): (BTreeMap<_, _>, BTreeMap<_, _>) = list(source)?
            .into_iter()
            .partition(|(name, entry)| is_ignore_file(name, entry));
        for (name, entry) in ignore_files {
            self.ignore_file(&below(folder, &name), entry.path)?;
        }
        for (name, entry) in entries {
            self.entry(folder, &name, entry)?;
        }
        Ok(())
    }

    fn ignore_file(&mut self, path: &str, source: PathBuf) -> Result<(), BundleError> {
        let file = self.admit(path, source)?;
        self.rules.add(&file.path, &file.read()?)?;
        self.ignored.push(Ignored {
            path: path.to_owned(),
            reason: IgnoreReason::IgnoreFile,
        });
        self.ignore_files.push(file);
        Ok(())
    }

    fn entry(&mut self, folder: &str, name: &OsStr, entry: Entry) -> Result<(), BundleError> {
        let path = below(folder, name);
        let subject = if entry.file_type.is_dir() {
            Subject::Folder
        } else {
            Subject::File
        };
        // First the rules: a file with an unsafe name may be ignored, and then it is no trouble.
        let reason = self.rules.leave_out(&path, subject).or_else(|| {
            if entry.file_type.is_symlink() {
                Some(IgnoreReason::SymbolicLink)
            } else if subject == Subject::File && !entry.file_type.is_file() {
                Some(IgnoreReason::SpecialFile)
            } else {
                None
            }
        });
        if let Some(reason) = reason {
            let path = match subject {
                Subject::Folder => path + "/",
                Subject::File => path,
            };
            self.ignored.push(Ignored { path, reason });
            return Ok(());
        }
        if name.to_str().is_none() {
            // `path` has replacement characters in the place of what isn't text; the file has not.
            SafePath::from_bytes(name.as_encoded_bytes())?;
        }
        match subject {
            Subject::Folder => {
                self.budget.admit_folder(&SafePath::parse(&path)?)?;
                self.folders.push((entry.path, path));
            }
            Subject::File => {
                let file = self.admit(&path, entry.path)?;
                self.files.push(file);
            }
        }
        Ok(())
    }

    fn admit(&mut self, path: &str, source: PathBuf) -> Result<CollectedFile, BundleError> {
        let path = SafePath::parse(path)?;
        let size_bytes = fs::symlink_metadata(&source)
            .map_err(BundleError::io("read", &source))?
            .len();
        self.budget.admit_file(&path, size_bytes)?;
        Ok(CollectedFile {
            path,
            source,
            size_bytes,
        })
    }

    fn finish(mut self) -> Result<Collected, BundleError> {
        self.ignored.sort();
        if self.files.is_empty() {
            return Err(BundleError::NoFiles {
                ignored: self.ignored,
            });
        }
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        refuse_collisions(self.files.iter().map(|file| &file.path))?;
        Ok(Collected {
            total_bytes: self.files.iter().map(|file| file.size_bytes).sum(),
            files: self.files,
            ignore_files: self.ignore_files,
            ignored: self.ignored,
        })
    }
}

/// A folder's entries by name, so that what is reported doesn't depend on the file system's order.
fn list(folder: &Path) -> Result<BTreeMap<std::ffi::OsString, Entry>, BundleError> {
    let failed = |source| BundleError::Io {
        operation: "list",
        path: folder.to_owned(),
        source,
    };
    fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| {
            let entry = entry.map_err(failed)?;
            let file_type = entry.file_type().map_err(failed)?;
            let path = entry.path();
            Ok((entry.file_name(), Entry { path, file_type }))
        })
        .collect()
}

fn below(folder: &str, name: &OsStr) -> String {
    let name = name.to_string_lossy();
    if folder.is_empty() {
        name.into_owned()
    } else {
        format!("{folder}/{name}")
    }
}
