//! Where a tree's bytes are, and what of it is seldom needed.

use foreshow_contract::{CouldIgnore, IgnoredFile, SizeReport, SizedFile};

use crate::tree::Tree;

/// Files that are named, and ignored ones.
const NAMED: usize = 5;
/// Patterns that are proposed.
const PROPOSED: usize = 3;
/// Less than this is not worth a line in an ignore file, in bytes.
const WORTH_IT: u64 = 16 * 1024;

/// What is often deployed by mistake: patterns for an ignore file, and how to tell that a file matches. Proposed, never applied: any of
/// it may be meant.
const OFTEN_MISTAKEN: &[(&str, Mistaken)] = &[
    ("*.map", Mistaken::Ending(".map")),
    ("coverage/", Mistaken::Folder("coverage")),
    ("test/", Mistaken::Folder("test")),
    ("tests/", Mistaken::Folder("tests")),
    ("__tests__/", Mistaken::Folder("__tests__")),
    ("docs/", Mistaken::Folder("docs")),
    (".storybook/", Mistaken::Folder(".storybook")),
    ("vendor/", Mistaken::Folder("vendor")),
    ("*.psd", Mistaken::Ending(".psd")),
    ("*.ai", Mistaken::Ending(".ai")),
    ("*.fig", Mistaken::Ending(".fig")),
    ("*.zip", Mistaken::Ending(".zip")),
    ("*.tar.gz", Mistaken::Ending(".tar.gz")),
    ("*.log", Mistaken::Ending(".log")),
    ("*.sqlite", Mistaken::Ending(".sqlite")),
    ("*.tsbuildinfo", Mistaken::Ending(".tsbuildinfo")),
];

enum Mistaken {
    Ending(&'static str),
    Folder(&'static str),
}

impl Mistaken {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Ending(ending) => path.ends_with(ending),
            Self::Folder(folder) => {
                let mut folders = path.rsplit('/').skip(1);
                folders.any(|one| one == *folder)
            }
        }
    }
}

impl Tree {
    /// Where its bytes are, what was left out, and what could be.
    pub fn size_report(&self) -> SizeReport {
        let mut largest: Vec<_> = self.files().iter().collect();
        largest.sort_by_key(|file| std::cmp::Reverse(file.size_bytes));
        let mut could_ignore: Vec<_> = OFTEN_MISTAKEN
            .iter()
            .map(|(pattern, mistaken)| {
                let files = self.files().iter();
                let matched = files.filter(|file| mistaken.matches(file.path.as_str()));
                let (mut files, mut bytes) = (0, 0);
                for file in matched {
                    files += 1;
                    bytes += file.size_bytes;
                }
                CouldIgnore {
                    pattern: (*pattern).to_owned(),
                    files,
                    bytes,
                }
            })
            .filter(|one| one.bytes >= WORTH_IT)
            .collect();
        could_ignore.sort_by_key(|one| std::cmp::Reverse(one.bytes));
        could_ignore.truncate(PROPOSED);
        SizeReport {
            files: self.files().len() as u64,
            bytes: self.total_bytes(),
            largest: largest
                .into_iter()
                .take(NAMED)
                .map(|file| SizedFile {
                    path: file.path.as_str().to_owned(),
                    bytes: file.size_bytes,
                })
                .collect(),
            ignored: self.ignored().len() as u64,
            ignored_first: self
                .ignored()
                .iter()
                .take(NAMED)
                .map(|one| IgnoredFile {
                    path: one.path.clone(),
                    reason: one.reason.to_string(),
                })
                .collect(),
            could_ignore,
        }
    }
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{Encoding, InlineFile};

    use crate::{Limits, tree_from_inline};

    #[test]
    fn a_report_names_what_is_large_what_was_left_out_and_what_could_be() {
        let file = |path: &str, bytes: usize| InlineFile {
            path: path.to_owned(),
            content: "x".repeat(bytes),
            encoding: Encoding::Utf8,
        };
        let files = [
            file("index.html", 10),
            file("app.js", 40_000),
            file("app.js.map", 90_000),
            file("a/coverage/lcov.info", 20_000),
            file("coverage.html", 70_000),
            file("node_modules/x/index.js", 10),
        ];
        let tree = tree_from_inline(&files, &Limits::default()).unwrap();
        let report = tree.size_report();
        let largest: Vec<_> = report.largest.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(largest[..2], ["app.js.map", "coverage.html"]);
        assert_eq!((report.files, report.bytes), (5, 220_010));
        assert_eq!(report.ignored, 1);
        assert_eq!(report.ignored_first[0].path, "node_modules/");
        let patterns: Vec<_> = report
            .could_ignore
            .iter()
            .map(|one| (one.pattern.as_str(), one.files))
            .collect();
        assert_eq!(patterns, [("*.map", 1), ("coverage/", 1)]);
    }
}
