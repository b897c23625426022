//! The ignore rules, applied to files that are already listed.
//!
//! Keeps what walking a directory under the same rules would keep: folders are asked from the top down, a folder that is left out
//! takes everything below along (and is reported once), and ignore files inside it have no say.

use std::collections::HashMap;

use crate::error::BundleError;
use crate::ignored::{IgnoreReason, Ignored};
use crate::path::split_last;
use crate::rules::{Rules, Subject, is_ignore_file};
use crate::tree::TreeFile;

/// Parts the files into those to deploy, in their order, and what is left out, sorted.
pub(crate) fn sift(files: Vec<TreeFile>) -> Result<(Vec<TreeFile>, Vec<Ignored>), BundleError> {
    let mut sieve = Sieve::new(&files)?;
    let mut kept = Vec::with_capacity(files.len());
    for file in files {
        if sieve.keeps(&file) {
            kept.push(file);
        }
    }
    sieve.ignored.sort();
    Ok((kept, sieve.ignored))
}

struct Sieve {
    rules: Rules,
    /// Folders already asked about, and whether they are kept.
    folders: HashMap<String, bool>,
    ignored: Vec<Ignored>,
}

impl Sieve {
    fn new(files: &[TreeFile]) -> Result<Self, BundleError> {
        let mut sieve = Self {
            rules: Rules::default(),
            folders: HashMap::new(),
            ignored: Vec::new(),
        };
        let mut ignore_files: Vec<&TreeFile> = files
            .iter()
            .filter(|file| is_ignore_file(file.path.file_name()))
            .collect();
        // Whether a folder is kept is up to files further up alone: from the top down, each answer is final.
        ignore_files.sort_by_key(|file| file.path.depth());
        for file in ignore_files {
            if sieve.keeps_folder(file.path.folder()) {
                let content = file
                    .content
                    .read()
                    .map_err(BundleError::io("read", file.path.as_str()))?;
                sieve.rules.add(&file.path, &content)?;
            }
        }
        Ok(sieve)
    }

    fn keeps(&mut self, file: &TreeFile) -> bool {
        if !self.keeps_folder(file.path.folder()) {
            return false;
        }
        let reason = if is_ignore_file(file.path.file_name()) {
            Some(IgnoreReason::IgnoreFile)
        } else {
            self.rules.leave_out(file.path.as_str(), Subject::File)
        };
        match reason {
            None => true,
            Some(reason) => {
                self.ignored.push(Ignored {
                    path: file.path.to_string(),
                    reason,
                });
                false
            }
        }
    }

    fn keeps_folder(&mut self, folder: &str) -> bool {
        if folder.is_empty() {
            return true;
        }
        if let Some(kept) = self.folders.get(folder) {
            return *kept;
        }
        let kept = self.keeps_folder(split_last(folder).0)
            && match self.rules.leave_out(folder, Subject::Folder) {
                None => true,
                Some(reason) => {
                    self.ignored.push(Ignored {
                        path: format!("{folder}/"),
                        reason,
                    });
                    false
                }
            };
        self.folders.insert(folder.to_owned(), kept);
        kept
    }
}
