//! Paths that can't live side by side on every file system.
//!
//! A tree that is fine on Linux must not lose a file on macOS, on Windows or at a provider that folds case. So two paths that
//! are equal after normalisation and case folding are refused, and so is a path that is a file and a folder at once.

use std::borrow::Cow;
use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization as _;

use crate::error::BundleError;
use crate::path::SafePath;

/// Refuses paths that collide. `files` are in order, so that the message doesn't depend on how they arrived.
pub(crate) fn refuse_collisions<'a>(
    files: impl Iterator<Item = &'a SafePath> + Clone,
) -> Result<(), BundleError> {
    let mut by_key = HashMap::new();
    for path in files.clone() {
        if let Some(first) = by_key.insert(folded(path.as_str()), path) {
            return Err(if first == path {
                BundleError::DuplicatePath { path: path.clone() }
            } else {
                BundleError::CaseCollision {
                    first: first.clone(),
                    second: path.clone(),
                }
            });
        }
    }
    for below in files {
        let key = folded(below.as_str());
        for (end, _) in key.match_indices('/') {
            if let Some(file) = by_key.get(&key[..end]) {
                return Err(BundleError::FileIsFolder {
                    file: (*file).clone(),
                    below: below.clone(),
                });
            }
        }
    }
    Ok(())
}

/// Equal for paths that a case-insensitive file system may take for one.
///
/// Upper, then lower case is Unicode's full case folding for all but a few letters, and errs towards refusing
/// (`ß` and `ss` are one). Part by part, for lower case depends on what follows (the final sigma).
fn folded(path: &str) -> Cow<'_, str> {
    if path.is_ascii() {
        return if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(path.to_ascii_lowercase())
        } else {
            Cow::Borrowed(path)
        };
    }
    let parts: Vec<String> = path
        .split('/')
        .map(|part| part.to_uppercase().to_lowercase().nfc().collect())
        .collect();
    Cow::Owned(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paths: &[&str]) -> Result<(), BundleError> {
        let mut paths: Vec<_> = paths.iter().map(|p| SafePath::parse(p).unwrap()).collect();
        paths.sort();
        refuse_collisions(paths.iter())
    }

    #[test]
    fn paths_that_differ_only_in_case_collide() {
        for pair in [
            ["readme.md", "README.md"],
            ["a/É.txt", "a/e\u{301}.txt"],
            ["straße", "STRASSE"],
            ["ΟΔΟΣ", "οδος"],
            ["\u{212a}elvin", "kelvin"],
        ] {
            let error = check(&pair).expect_err(pair[0]);
            assert!(
                matches!(error, BundleError::CaseCollision { .. }),
                "{pair:?}"
            );
            assert_eq!(error.code(), "path_collision");
        }
    }

    #[test]
    fn a_path_twice_collides_even_in_two_normalisation_forms() {
        for pair in [["a", "a"], ["caf\u{e9}", "cafe\u{301}"]] {
            let error = check(&pair).unwrap_err();
            assert!(matches!(error, BundleError::DuplicatePath { .. }));
        }
    }

    #[test]
    fn a_file_can_not_be_a_folder_too() {
        for paths in [&["a", "a/b"][..], &["a/b/c/d", "A/B"], &["a", "a-b", "a/b"]] {
            let error = check(paths).unwrap_err();
            assert!(
                matches!(error, BundleError::FileIsFolder { .. }),
                "{paths:?}"
            );
        }
    }

    #[test]
    fn neighbours_do_not_collide() {
        check(&["a/b", "a/c", "ab", "a.b", "A/d", "b"]).unwrap();
    }
}
