//! Paths that are safe to join to any folder, on any system.
//!
//! A path comes from strangers: an event, an archive. Once it is a [`SafePath`], joining it to a root stays below that root,
//! and two equal names are equal: the text is in Unicode normalisation form C, as git does with `core.precomposeUnicode`
//! (macOS' Finder decomposes what a page's author typed composed; both must name one file).

use std::borrow::Borrow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

/// A relative, `/`-separated path that can't leave the folder it is joined to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafePath(Arc<str>);

/// A path that was refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path \"{shown}\" {reason}")]
pub struct UnsafePath {
    /// The path with control characters escaped, cut to a readable length.
    pub shown: String,
    /// What is wrong with it.
    pub reason: UnsafePathReason,
}

/// What makes a path unsafe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsafePathReason {
    /// Nothing at all.
    Empty,
    /// It begins with `/`.
    Absolute,
    /// A part begins with a drive, such as `C:`.
    Drive,
    /// It has a backslash, which is a separator on Windows.
    Backslash,
    /// It has a NUL or another control character.
    ControlCharacter,
    /// Two separators in a row, or one at the end.
    EmptyPart,
    /// A part is `.` or `..`.
    DotPart,
    /// Longer than [`SafePath::MAX_BYTES`].
    TooLong,
    /// A part is longer than [`SafePath::MAX_PART_BYTES`].
    PartTooLong,
    /// Not UTF-8.
    NotUtf8,
}

impl fmt::Display for UnsafePathReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty: give every file a name",
            Self::Absolute => "is absolute: make it relative to the site's root",
            Self::Drive => "has a part that begins with a drive, such as C: rename it",
            Self::Backslash => "has a backslash: separate folders with /",
            Self::ControlCharacter => "has a control character: rename the file",
            Self::EmptyPart => "has an empty part: no // and no / at the end",
            Self::DotPart => "has a . or .. part: write the path without it",
            Self::TooLong => "is longer than 1024 bytes: shorten it",
            Self::PartTooLong => "has a part longer than 255 bytes: shorten it",
            Self::NotUtf8 => "is not UTF-8: rename the file",
        })
    }
}

impl SafePath {
    /// The longest path, in bytes of UTF-8. What the tightest hosting providers and macOS (`PATH_MAX`) take.
    pub const MAX_BYTES: usize = 1024;
    /// The longest part between separators, in bytes of UTF-8: what common file systems take (`NAME_MAX`).
    pub const MAX_PART_BYTES: usize = 255;

    /// Checks a path and brings it into normalisation form C.
    ///
    /// # Errors
    /// [`UnsafePath`], which names the path and the rule it breaks.
    pub fn parse(path: &str) -> Result<Self, UnsafePath> {
        let refuse = |reason| Err(UnsafePath::new(path, reason));
        // Composing shrinks text, if rarely by more than three to one: don't normalise what can't fit afterwards.
        if path.len() > 4 * Self::MAX_BYTES {
            return refuse(UnsafePathReason::TooLong);
        }
        let normal: Arc<str> = if path.is_ascii() {
            Arc::from(path)
        } else {
            path.nfc().collect::<String>().into()
        };
        match check(&normal) {
            Ok(()) => Ok(Self(normal)),
            Err(reason) => refuse(reason),
        }
    }

    /// The same for a name as archives and file systems give it.
    pub(crate) fn from_bytes(path: &[u8]) -> Result<Self, UnsafePath> {
        match std::str::from_utf8(path) {
            Ok(path) => Self::parse(path),
            Err(_) => Err(UnsafePath::new(
                &String::from_utf8_lossy(path),
                UnsafePathReason::NotUtf8,
            )),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders and, last, the file's name.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// How many parts it has: 1 for a file at the root.
    pub fn depth(&self) -> usize {
        self.parts().count()
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        split_last(&self.0).1
    }

    /// The path of the folder that holds it; empty at the root.
    pub fn folder(&self) -> &str {
        split_last(&self.0).0
    }

    /// Its place below `root`, never outside it (symbolic links in `root` aside).
    pub fn join_to(&self, root: &Path) -> PathBuf {
        let mut joined = root.to_path_buf();
        joined.extend(self.parts());
        joined
    }
}

/// Splits `a/b/c` into `a/b` and `c`.
pub(crate) fn split_last(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn check(path: &str) -> Result<(), UnsafePathReason> {
    if path.is_empty() {
        return Err(UnsafePathReason::Empty);
    }
    if path.starts_with('/') {
        return Err(UnsafePathReason::Absolute);
    }
    if path.contains('\\') {
        return Err(UnsafePathReason::Backslash);
    }
    if path.contains(char::is_control) {
        return Err(UnsafePathReason::ControlCharacter);
    }
    if path.len() > SafePath::MAX_BYTES {
        return Err(UnsafePathReason::TooLong);
    }
    for part in path.split('/') {
        match part {
            "" => return Err(UnsafePathReason::EmptyPart),
            "." | ".." => return Err(UnsafePathReason::DotPart),
            part if part.len() > SafePath::MAX_PART_BYTES => {
                return Err(UnsafePathReason::PartTooLong);
            }
            // In any part: joined part by part on Windows, it would replace all before it.
            part if is_drive(part) => return Err(UnsafePathReason::Drive),
            _ => {}
        }
    }
    Ok(())
}

fn is_drive(part: &str) -> bool {
    matches!(part.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

impl UnsafePath {
    fn new(path: &str, reason: UnsafePathReason) -> Self {
        /// Enough to recognise a path by in a log line.
        const SHOWN_CHARS: usize = 120;
        let mut shown: String = path
            .chars()
            .take(SHOWN_CHARS)
            .flat_map(char::escape_debug)
            .collect();
        if path.chars().nth(SHOWN_CHARS).is_some() {
            shown.push('…');
        }
        Self { shown, reason }
    }
}

impl fmt::Display for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for SafePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

// Derived comparison and hashing are those of the text, as `Borrow` demands.
impl Borrow<str> for SafePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for SafePath {
    type Err = UnsafePath;

    fn from_str(path: &str) -> Result<Self, UnsafePath> {
        Self::parse(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    #[test]
    fn unsafe_paths_are_refused_with_the_rule_they_break() {
        use UnsafePathReason::*;
        let long = "a".repeat(256);
        let longer = "abc/".repeat(256) + "d";
        for (path, reason) in [
            ("", Empty),
            ("/", Absolute),
            ("/etc/passwd", Absolute),
            ("//host/share", Absolute),
            ("C:/boot.ini", Drive),
            ("c:x", Drive),
            ("a/c:/x", Drive),
            ("..", DotPart),
            (".", DotPart),
            ("../x", DotPart),
            ("a/../../x", DotPart),
            ("a/./b", DotPart),
            ("./a", DotPart),
            ("a/..", DotPart),
            ("a//b", EmptyPart),
            ("a/", EmptyPart),
            ("a\\b", Backslash),
            ("..\\x", Backslash),
            ("a\0b", ControlCharacter),
            ("a\nb", ControlCharacter),
            ("a\u{7f}", ControlCharacter),
            ("a\u{85}", ControlCharacter),
            (&long, PartTooLong),
            (&longer, TooLong),
        ] {
            let refused = SafePath::parse(path).expect_err(path);
            assert_eq!(refused.reason, reason, "{path:?}");
        }
        let not_text = SafePath::from_bytes(b"a\xff").unwrap_err();
        assert_eq!(not_text.reason, NotUtf8);
    }

    #[test]
    fn ordinary_paths_are_kept_as_they_are() {
        for path in [
            "index.html",
            "a/b/c.txt",
            ".well-known/x",
            "...",
            "a..b",
            "日本/語.md",
            "a b",
            "~x",
            "xy:z",
            "-rf",
        ] {
            let safe = SafePath::parse(path).expect(path);
            assert_eq!(safe.as_str(), path);
        }
        let path = SafePath::parse("a/b/c").unwrap();
        assert_eq!(
            (path.folder(), path.file_name(), path.depth()),
            ("a/b", "c", 3)
        );
        assert_eq!(SafePath::parse("c").unwrap().folder(), "");
    }

    #[test]
    fn composed_and_decomposed_names_are_equal() {
        assert_eq!(SafePath::parse("cafe\u{301}"), SafePath::parse("caf\u{e9}"));
    }

    #[test]
    fn a_refused_path_is_shown_escaped_and_cut() {
        let refused = SafePath::parse(&format!("a\n{}", "b".repeat(500))).unwrap_err();
        assert!(refused.shown.starts_with("a\\nbb") && refused.shown.ends_with('…'));
        assert!(refused.shown.len() < 150);
    }

    proptest! {
        #[test]
        fn an_accepted_path_never_leaves_its_root(path in "([a-zA-Z:.\\\\/~\u{0}-\u{1f}\u{301}\u{e9}\u{ff0e}\u{ff0f}]|\\.\\.|/){0,24}") {
            if let Ok(path) = SafePath::parse(&path) {
                let root = Path::new("/srv/site");
                let joined = path.join_to(root);
                prop_assert!(joined.starts_with(root));
                let below = joined.strip_prefix(root).unwrap();
                prop_assert!(below.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(below.components().count(), path.depth());
                prop_assert_eq!(SafePath::parse(path.as_str()).unwrap(), path, "parsing is idempotent");
            }
        }
    }
}
