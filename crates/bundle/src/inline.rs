//! Files that arrive inside an event.

use foreshow_contract::{Encoding, InlineFile};

use crate::error::BundleError;
use crate::limits::{Budget, Limits};
use crate::path::SafePath;
use crate::tree::{Tree, TreeFile};

/// Prepares an event's files. Blocking (it hashes them all).
///
/// # Errors
/// What is wrong with the files, see [`BundleError`]; never `Io`.
pub fn tree_from_inline(files: &[InlineFile], limits: &Limits) -> Result<Tree, BundleError> {
    let mut budget = Budget::new(limits);
    let files = files
        .iter()
        .map(|file| {
            let path = SafePath::parse(&file.path)?;
            budget.admit_file(&path, decoded_len_bytes(file))?;
            match file.decoded() {
                Ok(content) => Ok(TreeFile::in_memory(path, content.into_owned().into())),
                Err(source) => Err(BundleError::InvalidBase64 { path, source }),
            }
        })
        .collect::<Result<_, BundleError>>()?;
    Tree::build(files)
}

/// The content's length, told without decoding it.
fn decoded_len_bytes(file: &InlineFile) -> u64 {
    let text = file.content.as_str();
    let len = match file.encoding {
        Encoding::Utf8 => text.len(),
        // Four digits are three bytes. Padding, which may be left out, are none.
        Encoding::Base64 => {
            let digits = text.trim_end_matches('=').len();
            digits / 4 * 3 + digits % 4 * 3 / 4
        }
    };
    len as u64
}
