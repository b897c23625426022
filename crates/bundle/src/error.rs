//! What can be wrong with a context's files.

use std::borrow::Cow;
use std::io;
use std::path::{Display, Path, PathBuf};

use foreshow_contract::{ContentError, Sha256};

use crate::ignored::{IgnoreReason, Ignored};
use crate::path::{SafePath, UnsafePath};

/// Why files could not be prepared, collected or stored.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A path could leave its root or can't exist everywhere.
    #[error(transparent)]
    UnsafePath(#[from] UnsafePath),

    /// One path, two files.
    #[error("{path} is there twice: send every path once")]
    DuplicatePath {
        /// The path.
        path: SafePath,
    },

    /// Two paths that are one on a file system that ignores case.
    #[error(
        "{first} and {second} differ only in case and can't be told apart everywhere: rename one"
    )]
    CaseCollision {
        /// The one that sorts first.
        first: SafePath,
        /// The other.
        second: SafePath,
    },

    /// A path is a file and has files below it.
    #[error("{file} is a file, so {below} can't be below it: rename one")]
    FileIsFolder {
        /// The file.
        file: SafePath,
        /// What would need it to be a folder.
        below: SafePath,
    },

    /// Over [`Limits::files`](crate::Limits::files).
    #[error(
        "more than {limit} files or folders: leave some out with a .foreshowignore, or raise the limit `files`"
    )]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },

    /// Over [`Limits::file_bytes`](crate::Limits::file_bytes).
    #[error(
        "{path} has {size_bytes} bytes, more than {limit_bytes}: leave it out with a .foreshowignore, or raise the limit `file_bytes`"
    )]
    FileTooLarge {
        /// The file.
        path: SafePath,
        /// Its size (for base64, as far as it can be told before decoding).
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },

    /// Over [`Limits::total_bytes`](crate::Limits::total_bytes).
    #[error(
        "the files have more than {limit_bytes} bytes together: leave some out with a .foreshowignore, or raise the limit `total_bytes`"
    )]
    BundleTooLarge {
        /// The limit.
        limit_bytes: u64,
    },

    /// Over [`Limits::depth`](crate::Limits::depth).
    #[error(
        "{path} is {depth} levels deep, more than {limit}: flatten it, or raise the limit `depth`"
    )]
    TooDeep {
        /// The path.
        path: SafePath,
        /// Its parts.
        depth: usize,
        /// The limit.
        limit: usize,
    },

    /// An inline file says it is base64 and isn't.
    #[error("the content of {path} can't be decoded: encode the file again, or send it as utf8")]
    InvalidBase64 {
        /// The file.
        path: SafePath,
        /// What was expected.
        source: ContentError,
    },

    /// A line of an ignore file is no pattern. Guessing could publish what was meant to stay private.
    #[error("line {line} of {file} is not an ignore pattern: mend or remove it")]
    InvalidIgnoreRule {
        /// The ignore file.
        file: SafePath,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: ignore::Error,
    },

    /// Ignore files so large that compiling them would be an attack.
    #[error(
        "the ignore rules up to {file} are too many to apply (at most {limit_bytes} bytes together): use fewer, broader patterns"
    )]
    IgnoreRulesTooLarge {
        /// The ignore file that broke the limit.
        file: SafePath,
        /// The limit for all ignore files together.
        limit_bytes: usize,
    },

    /// There is no such bundle.
    #[error("there is no bundle {}: publish the files again", name(path))]
    BundleMissing {
        /// Where it should be.
        path: PathBuf,
    },

    /// The bundle is not the one that was meant.
    #[error(
        "the bundle {} has the digest {actual}, not {expected}: it is damaged or another; publish the files again",
        name(path)
    )]
    BundleDigestMismatch {
        /// The bundle.
        path: PathBuf,
        /// What was announced.
        expected: Sha256,
        /// What it is.
        actual: Sha256,
    },

    /// The bundle is the one that was meant, and no archive that is read here.
    #[error(
        "the bundle {} is {found}, and not a tar, tar.gz, tar.zst or zip: pack the files as one of these",
        name(path)
    )]
    BundleFormat {
        /// The bundle.
        path: PathBuf,
        /// What it seems to be.
        found: Cow<'static, str>,
    },

    /// The bundle begins as an archive and isn't a good one, or one that readers disagree about.
    #[error(
        "the bundle {} can't be read as {format}: {reason}; pack the files again",
        name(path)
    )]
    BundleInvalid {
        /// The bundle.
        path: PathBuf,
        /// What it begins as: "a tar" and the like.
        format: &'static str,
        /// What is wrong with it.
        reason: Cow<'static, str>,
        /// What the decoder says, where it is one that speaks.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// What was decompressed is not what was compressed, by the archive's own checksum.
    #[error(
        "{what} in the bundle {} has another checksum than it should: it was damaged before it was announced; pack the files again",
        name(path)
    )]
    BundleDamaged {
        /// The bundle.
        path: PathBuf,
        /// An entry, a member or a frame.
        what: String,
    },

    /// Over [`Limits::ratio`](crate::Limits::ratio).
    #[error(
        "the bundle {} becomes more than {limit_bytes} bytes, over {ratio} for each of its own: if that is meant, send it uncompressed or raise the limit `ratio`",
        name(path)
    )]
    CompressionBomb {
        /// The bundle.
        path: PathBuf,
        /// What it may become.
        limit_bytes: u64,
        /// The limit.
        ratio: u64,
    },

    /// Two entries of a zip share bytes: how a few of them are made into petabytes.
    #[error("{entry:?} in the bundle shares bytes with another entry: pack the files again")]
    OverlappingEntries {
        /// The entry's name.
        entry: String,
    },

    /// A zstd frame that needs more memory than is given to it.
    #[error(
        "the bundle {} needs a window of {window_bytes} bytes to be decompressed, more than {limit_bytes}: compress with zstd -19 or lower, without --ultra and --long",
        name(path)
    )]
    WindowTooLarge {
        /// The bundle.
        path: PathBuf,
        /// What it asks for.
        window_bytes: u64,
        /// What it may ask for.
        limit_bytes: u64,
    },

    /// An encrypted entry of a zip.
    #[error("{entry:?} in the bundle is encrypted: pack the files without a password")]
    EncryptedEntry {
        /// The entry's name.
        entry: String,
    },

    /// An entry of a zip that is neither stored nor deflated.
    #[error(
        "{entry:?} in the bundle is compressed with method {method}{}: only stored (0) and deflated (8) entries are read; pack the files again",
        method_name(*method)
    )]
    UnsupportedMethod {
        /// The entry's name.
        entry: String,
        /// The method's number in zip's own list.
        method: u16,
    },

    /// The bundle holds something that is neither a file nor a folder.
    #[error(
        "{entry:?} in the bundle is {kind}: only regular files and folders are accepted; pack without it"
    )]
    UnsupportedEntry {
        /// The entry's name as it stands there.
        entry: String,
        /// What it is.
        kind: &'static str,
    },

    /// Nothing to deploy.
    #[error("there are no files to deploy{}", left_out(ignored))]
    NoFiles {
        /// What the ignore rules left out.
        ignored: Vec<Ignored>,
    },

    /// A file changed between being listed and being read.
    #[error("{path} changed while it was read: try again when nothing writes to it")]
    FileChanged {
        /// The file.
        path: SafePath,
    },

    /// What should be a directory isn't.
    #[error("{path} is not a directory: name the directory that holds the files")]
    NotADirectory {
        /// What was given.
        path: PathBuf,
    },

    /// The file system said no.
    #[error("could not {operation} {path}")]
    Io {
        /// What was tried: "read", "list" and the like.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the file system answered.
        source: io::Error,
    },
}

impl BundleError {
    /// A stable name for results, metrics and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsafePath(_) => "unsafe_path",
            Self::DuplicatePath { .. } | Self::CaseCollision { .. } | Self::FileIsFolder { .. } => {
                "path_collision"
            }
            Self::TooManyFiles { .. } => "too_many_files",
            Self::FileTooLarge { .. } => "file_too_large",
            Self::BundleTooLarge { .. } => "bundle_too_large",
            Self::TooDeep { .. } => "too_deep",
            Self::InvalidBase64 { .. } => "invalid_base64",
            Self::InvalidIgnoreRule { .. } | Self::IgnoreRulesTooLarge { .. } => {
                "invalid_ignore_rule"
            }
            Self::BundleMissing { .. } => "bundle_missing",
            Self::BundleDigestMismatch { .. } => "bundle_digest_mismatch",
            Self::BundleFormat { .. } => "bundle_format",
            Self::BundleInvalid { .. } | Self::UnsupportedEntry { .. } => "bundle_invalid",
            Self::BundleDamaged { .. } => "bundle_damaged",
            Self::CompressionBomb { .. } | Self::OverlappingEntries { .. } => "compression_bomb",
            Self::WindowTooLarge { .. } => "window_too_large",
            Self::EncryptedEntry { .. } => "encrypted_entry",
            Self::UnsupportedMethod { .. } => "unsupported_method",
            Self::NoFiles { .. } => "no_files",
            Self::FileChanged { .. } => "file_changed",
            Self::NotADirectory { .. } => "not_a_directory",
            Self::Io { .. } => "bundle_io",
        }
    }

    /// Whether the same files could succeed later. All else is the files' own fault and stays so.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io { .. } | Self::FileChanged { .. } => true,
            Self::UnsafePath(_)
            | Self::DuplicatePath { .. }
            | Self::CaseCollision { .. }
            | Self::FileIsFolder { .. }
            | Self::TooManyFiles { .. }
            | Self::FileTooLarge { .. }
            | Self::BundleTooLarge { .. }
            | Self::TooDeep { .. }
            | Self::InvalidBase64 { .. }
            | Self::InvalidIgnoreRule { .. }
            | Self::IgnoreRulesTooLarge { .. }
            | Self::BundleMissing { .. }
            | Self::BundleDigestMismatch { .. }
            | Self::BundleFormat { .. }
            | Self::BundleInvalid { .. }
            | Self::BundleDamaged { .. }
            | Self::CompressionBomb { .. }
            | Self::OverlappingEntries { .. }
            | Self::WindowTooLarge { .. }
            | Self::EncryptedEntry { .. }
            | Self::UnsupportedMethod { .. }
            | Self::UnsupportedEntry { .. }
            | Self::NoFiles { .. }
            | Self::NotADirectory { .. } => false,
        }
    }

    /// For `map_err`: what was tried, and on what.
    pub(crate) fn io(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }
}

/// A bundle's name: where it lies is nobody's business but the machine's.
fn name(path: &Path) -> Display<'_> {
    Path::new(path.file_name().unwrap_or(path.as_os_str())).display()
}

/// The numbers that packers are known to use.
fn method_name(method: u16) -> &'static str {
    match method {
        1..=6 => " (of the eighties)",
        9 => " (Deflate64)",
        12 => " (bzip2)",
        14 => " (LZMA)",
        20 | 93 => " (zstd)",
        95 => " (xz)",
        98 => " (PPMd)",
        99 => " (AES)",
        _ => "",
    }
}

/// The usual cause is a `.gitignore` that lists the build's output.
fn left_out(ignored: &[Ignored]) -> String {
    let mut by_rule = ignored
        .iter()
        .filter(|ignored| ignored.reason != IgnoreReason::IgnoreFile);
    let Some(first) = by_rule.next() else {
        return ": send at least one".to_owned();
    };
    let more = match by_rule.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        ": left out are {first}{more}; take back what should be published with a line like `!dist/` in a .foreshowignore"
    )
}
