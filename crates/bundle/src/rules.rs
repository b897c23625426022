//! The ignore rules: git's patterns, from the defaults and from ignore files among the files.
//!
//! Rules are applied to names, never to a disk, so that inline files, bundles and directories come out the same.
//! Which rule wins, from the weakest:
//!
//! 1. the defaults ([`built_in::DEFAULTS`]),
//! 2. `.gitignore`, 3. `.vercelignore`, 4. `.foreshowignore`: a later kind beats an earlier one at whatever depth,
//! 5. within a kind the deeper file, which speaks for its own folder alone,
//! 6. within a file the later line.
//!
//! `!` takes back what a weaker rule leaves out. As in git, nothing can be taken back from within a folder that is left
//! out: the folder is never looked into. That is also why the rules can be applied while walking a directory.
//!
//! A pitfall: a `.gitignore` often lists the very build output that is to be published. A `.foreshowignore` with
//! `!dist/` publishes it and leaves the repository's rules alone.
//!
//! Two differences to git, both from the `ignore` crate: `{a,b}` is an alternative, and an unclosed `{` is an error.

use std::collections::HashMap;
use std::sync::LazyLock;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::built_in;
use crate::error::BundleError;
use crate::ignored::IgnoreReason;
use crate::path::{SafePath, split_last};

static NEVER: LazyLock<Gitignore> = LazyLock::new(|| built_in_matcher(built_in::NEVER));
static DEFAULTS: LazyLock<Gitignore> = LazyLock::new(|| built_in_matcher(built_in::DEFAULTS));

/// The kinds of ignore files, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Git,
    Vercel,
    Foreshow,
}

impl Kind {
    const STRONGEST_FIRST: [Self; 3] = [Self::Foreshow, Self::Vercel, Self::Git];

    fn named(file_name: &str) -> Option<Self> {
        match file_name {
            ".gitignore" => Some(Self::Git),
            ".vercelignore" => Some(Self::Vercel),
            ".foreshowignore" => Some(Self::Foreshow),
            _ => None,
        }
    }
}

/// Whether a name is a folder's. Patterns such as `dist/` match only those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    File,
    Folder,
}

/// Whether a file of this name has rules in it.
pub(crate) fn is_ignore_file(file_name: &str) -> bool {
    Kind::named(file_name).is_some()
}

/// All rules that are known so far. Add a folder's ignore files before asking about what is in it.
#[derive(Default)]
pub(crate) struct Rules {
    git: HashMap<String, Rulebook>,
    vercel: HashMap<String, Rulebook>,
    foreshow: HashMap<String, Rulebook>,
    bytes: usize,
}

/// One ignore file.
struct Rulebook {
    file: SafePath,
    matcher: Gitignore,
}

impl Rules {
    /// The most that all ignore files together may have, in bytes. Large projects have a few KiB. The rules may come from a
    /// stranger: the worst of this size take a quarter of a second to compile and a millisecond for each file (measured).
    pub(crate) const MAX_BYTES: usize = 64 << 10;

    /// Adds an ignore file's rules.
    ///
    /// # Errors
    /// `IgnoreRulesTooLarge`, and `InvalidIgnoreRule` where git would pass over a broken line in silence: here the
    /// line may be what keeps a file from being published.
    pub(crate) fn add(&mut self, file: &SafePath, content: &[u8]) -> Result<(), BundleError> {
        let Some(kind) = Kind::named(file.file_name()) else {
            return Ok(());
        };
        self.bytes = self.bytes.saturating_add(content.len());
        if self.bytes > Self::MAX_BYTES {
            return Err(too_large(file));
        }
        let matcher = compile(file, &String::from_utf8_lossy(content))?;
        let book = Rulebook {
            file: file.clone(),
            matcher,
        };
        self.books_mut(kind).insert(file.folder().to_owned(), book);
        Ok(())
    }

    /// Why this is left out, if it is. The folder it lies in must not be left out itself.
    pub(crate) fn leave_out(&self, path: &str, subject: Subject) -> Option<IgnoreReason> {
        let is_folder = subject == Subject::Folder;
        if NEVER.matched(path, is_folder).is_ignore() {
            return Some(IgnoreReason::Never);
        }
        for kind in Kind::STRONGEST_FIRST {
            let books = self.books(kind);
            if books.is_empty() {
                continue;
            }
            for folder in folders_above(path) {
                let Some(book) = books.get(folder) else {
                    continue;
                };
                let below = path[folder.len()..].trim_start_matches('/');
                match book.matcher.matched(below, is_folder) {
                    Match::None => {}
                    Match::Whitelist(_) => return None,
                    Match::Ignore(glob) => {
                        return Some(IgnoreReason::Rule {
                            file: book.file.clone(),
                            pattern: glob.original().to_owned(),
                        });
                    }
                }
            }
        }
        match DEFAULTS.matched(path, is_folder) {
            Match::None | Match::Whitelist(_) => None,
            Match::Ignore(glob) => Some(IgnoreReason::BuiltIn {
                pattern: glob.original().to_owned(),
            }),
        }
    }

    fn books(&self, kind: Kind) -> &HashMap<String, Rulebook> {
        match kind {
            Kind::Git => &self.git,
            Kind::Vercel => &self.vercel,
            Kind::Foreshow => &self.foreshow,
        }
    }

    fn books_mut(&mut self, kind: Kind) -> &mut HashMap<String, Rulebook> {
        match kind {
            Kind::Git => &mut self.git,
            Kind::Vercel => &mut self.vercel,
            Kind::Foreshow => &mut self.foreshow,
        }
    }
}

/// `a/b/c` → `a/b`, `a` and the root, which is empty.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(split_last(path).0), |folder| {
        (!folder.is_empty()).then(|| split_last(folder).0)
    })
}

fn too_large(file: &SafePath) -> BundleError {
    BundleError::IgnoreRulesTooLarge {
        file: file.clone(),
        limit_bytes: Rules::MAX_BYTES,
    }
}

fn compile(file: &SafePath, text: &str) -> Result<Gitignore, BundleError> {
    let mut builder = GitignoreBuilder::new("");
    // Windows' editors put a byte order mark first; git passes over it too.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        builder
            .add_line(None, line)
            .map_err(|source| BundleError::InvalidIgnoreRule {
                file: file.clone(),
                line: index + 1,
                source,
            })?;
    }
    // Each line is a pattern; what can fail now is their sum.
    builder.build().map_err(|_| too_large(file))
}

fn built_in_matcher(patterns: &[&str]) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    // `.ENV` is as secret as `.env`, and on many laptops the same file.
    builder
        .case_insensitive(true)
        .expect("switching case folding on never fails");
    for pattern in patterns {
        builder
            .add_line(None, pattern)
            .expect("the built-in patterns are valid");
    }
    builder.build().expect("the built-in patterns are valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(files: &[(&str, &str)]) -> Rules {
        let mut rules = Rules::default();
        for (path, content) in files {
            rules
                .add(&SafePath::parse(path).unwrap(), content.as_bytes())
                .unwrap();
        }
        rules
    }

    fn out(rules: &Rules, file: &str) -> bool {
        rules.leave_out(file, Subject::File).is_some()
    }

    #[test]
    fn defaults_leave_out_secrets_and_clutter_at_any_depth() {
        let rules = Rules::default();
        for file in [
            ".env",
            "api/.env.local",
            ".ENV.Production",
            ".DS_Store",
            "a/b/x.pyc",
            ".git",
        ] {
            assert!(out(&rules, file), "{file}");
        }
        for folder in [
            ".git",
            "node_modules",
            "a/NODE_MODULES",
            "a/__pycache__",
            ".foreshow",
        ] {
            assert!(
                rules.leave_out(folder, Subject::Folder).is_some(),
                "{folder}"
            );
        }
        for file in [
            ".env.example",
            "env",
            "index.html",
            ".well-known/security.txt",
            "dist/x.js",
            ".github/x",
        ] {
            assert!(!out(&rules, file), "{file}");
        }
    }

    #[test]
    fn a_later_kind_wins_at_whatever_depth() {
        let rules = rules(&[
            (".foreshowignore", "!keep.log\n"),
            ("a/.gitignore", "*.log\n"),
            ("a/.vercelignore", "!b.log\n"),
        ]);
        assert!(!out(&rules, "a/keep.log"));
        assert!(!out(&rules, "a/b.log"));
        assert!(out(&rules, "a/c.log"));
        assert!(!out(&rules, "c.log"));
    }

    #[test]
    fn a_deeper_file_of_a_kind_wins_and_speaks_for_its_folder_alone() {
        let rules = rules(&[
            (".gitignore", "*.txt\n/only-root\n"),
            ("a/.gitignore", "!*.txt\n/x.md\n"),
            ("a/b/.gitignore", "no.txt\n"),
        ]);
        assert!(out(&rules, "x.txt"));
        assert!(!out(&rules, "a/x.txt"));
        assert!(!out(&rules, "a/b/x.txt"));
        assert!(out(&rules, "a/b/no.txt"));
        assert!(!out(&rules, "a/no.txt"));
        assert!(out(&rules, "a/x.md") && !out(&rules, "a/b/x.md") && !out(&rules, "x.md"));
        assert!(out(&rules, "only-root") && !out(&rules, "a/only-root"));
        // A folder whose name begins like another's is not below it.
        assert!(out(&rules, "ab/x.txt"));
    }

    #[test]
    fn a_default_can_be_taken_back_and_version_control_can_not() {
        let rules = rules(&[(".gitignore", "!.env\n!*/\n!.git\n!node_modules/\n")]);
        assert!(!out(&rules, ".env"));
        assert_eq!(rules.leave_out("node_modules", Subject::Folder), None);
        assert_eq!(
            rules.leave_out(".git", Subject::Folder),
            Some(IgnoreReason::Never)
        );
    }

    #[test]
    fn the_reason_names_file_and_line() {
        let rules = rules(&[("a/.gitignore", "# output\r\ndist/\r\n")]);
        let reason = rules.leave_out("a/dist", Subject::Folder).unwrap();
        assert_eq!(reason.to_string(), "`dist/` in a/.gitignore");
        assert_eq!(rules.leave_out("a/dist", Subject::File), None);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_pattern() {
        assert!(out(&rules(&[(".gitignore", "\u{feff}x\n")]), "x"));
    }

    #[test]
    fn a_broken_line_is_refused_by_number() {
        let file = SafePath::parse(".gitignore").unwrap();
        let error = Rules::default().add(&file, b"ok\n{broken\n").unwrap_err();
        assert_eq!(error.code(), "invalid_ignore_rule");
        assert_eq!(
            error.to_string(),
            "line 2 of .gitignore is not an ignore pattern: mend or remove it"
        );
    }

    #[test]
    fn all_ignore_files_together_are_bounded() {
        let mut rules = Rules::default();
        let half = vec![b'#'; Rules::MAX_BYTES / 2];
        for path in ["a/.gitignore", "b/.gitignore"] {
            rules.add(&SafePath::parse(path).unwrap(), &half).unwrap();
        }
        let one_more = rules.add(&SafePath::parse("c/.gitignore").unwrap(), b"#");
        assert_eq!(one_more.unwrap_err().code(), "invalid_ignore_rule");
    }
}
