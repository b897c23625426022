//! Ignore files of strangers: compiled and applied within bounds, and nothing lost without a word.

use foreshow_bundle::{BundleError, Limits, SafePath, tree_from_inline};
use foreshow_contract::InlineFile;

/// The most names that are tried on one set of rules.
const NAMES: usize = 24;

/// `.gitignore`, `.vercelignore`, `.foreshowignore` and then names of files, set apart by NUL.
pub fn ignore_files(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let mut files = Vec::new();
    for name in [".gitignore", ".vercelignore", "sub/.foreshowignore"] {
        files.push(InlineFile::text(name, parts.next().unwrap_or_default()));
    }
    let mut names: Vec<&str> = parts.take(NAMES).filter(|name| is_plain(name)).collect();
    names.extend(["index.html", "sub/dir/page.html", ".git/config", ".env"]);
    names.sort_unstable();
    names.dedup();
    files.extend(names.iter().map(|name| InlineFile::text(*name, "x")));
    let (kept, ignored) = match tree_from_inline(&files, &Limits::default()) {
        Ok(tree) => {
            let kept = tree.files().iter().map(|file| file.path.to_string());
            (kept.collect::<Vec<_>>(), tree.ignored().to_vec())
        }
        Err(BundleError::NoFiles { ignored }) => (Vec::new(), ignored),
        Err(error) => {
            let words = error.to_string();
            assert!(!words.is_empty() && words.len() <= 20_000, "{words:.200}");
            return;
        }
    };
    for path in &kept {
        assert!(names.contains(&path.as_str()), "{path} came from nowhere");
        assert!(
            !path
                .split('/')
                .any(|part| part == ".git" || part == ".foreshow"),
            "{path} is never deployed"
        );
    }
    for name in names {
        let is_told = ignored.iter().any(|left_out| {
            let path = left_out.path.as_str();
            path == name || (path.ends_with('/') && name.starts_with(path))
        });
        let is_kept = kept.iter().any(|path| path == name);
        assert!(is_told != is_kept, "{name}: kept {is_kept}, told {is_told}");
    }
}

/// A name that means itself: others are `paths`' subject.
fn is_plain(name: &str) -> bool {
    SafePath::parse(name).is_ok_and(|path| path.as_str() == name)
}
