//! What was left out of a tree, and which rule said so.

use std::fmt;

use crate::path::SafePath;

/// A file or folder that is not deployed. Of an ignored folder only the folder is named, not what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ignored {
    /// Where it is, `/`-separated; a folder ends with `/`. Not a [`SafePath`]: an unsafe name may be ignored too.
    pub path: String,
    /// Why it is left out.
    pub reason: IgnoreReason,
}

/// Why something is left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IgnoreReason {
    /// Never deployed, whatever the rules say: version control's and Foreshow's own data.
    Never,
    /// A default, which an ignore file can take back with `!`.
    BuiltIn {
        /// The pattern that matched.
        pattern: String,
    },
    /// A line of an ignore file.
    Rule {
        /// The ignore file.
        file: SafePath,
        /// The line that matched.
        pattern: String,
    },
    /// An ignore file itself: it travels with the files, for its rules hold at the receiver, but isn't deployed.
    IgnoreFile,
    /// A symbolic link: links are never followed.
    SymbolicLink,
    /// A socket, pipe or device.
    SpecialFile,
}

impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never deployed"),
            Self::BuiltIn { pattern } => write!(f, "`{pattern}`, a default"),
            Self::Rule { file, pattern } => write!(f, "`{pattern}` in {file}"),
            Self::IgnoreFile => f.write_str("an ignore file"),
            Self::SymbolicLink => f.write_str("a symbolic link"),
            Self::SpecialFile => f.write_str("not a regular file"),
        }
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.escape_debug(), self.reason)
    }
}
