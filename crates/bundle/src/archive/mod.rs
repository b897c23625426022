//! A bundle made into a tree, without unpacking it.
//!
//! What it keeps true: nothing is parsed before the whole file has the digest that was announced, so who isn't trusted to
//! announce bundles never reaches a parser. What the file is, its first bytes tell: a URL's ending and a content type are hearsay.
//! No entry ever becomes a file with its name: a tree is a list of safe paths and of places in one file.
//!
//! | room | idea |
//! | --- | --- |
//! | `format` | which archive it is, and what else it may be |
//! | `input` | reading with a place and with named errors |
//! | `entries` | what was found so far, within the limits |
//! | `tape` | the walk over a tar |
//! | `gzip`, `zstd` | streams, decompressed into a tar beside the bundle, bounded while they are written |
//! | `zip` | the directory, then the entries in the order they lie in |
//! | `inflate` | what gzip and zip have in common |
//!
//! Memory is bounded whatever comes in: buffers are made once, names are short, and what grows with an archive grows with the
//! number of its entries, which is limited. Where readers of archives disagree, nothing is guessed: the bundle is refused.
//! A scratch file goes with the tree's last reader, or on any error; a killed process leaves it for
//! [`scratch`](crate::scratch) to remove.

mod entries;
mod format;
mod gzip;
mod inflate;
mod input;
mod tape;
mod unpacked;
mod zip;
mod zstd;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use foreshow_contract::Sha256;
use sha2::Digest as _;

use self::format::Format;
use self::input::{Input, Subject};
use self::unpacked::Unpacked;
use crate::backing::Backing;
use crate::digest;
use crate::error::BundleError;
use crate::limits::Limits;
use crate::tree::{Tree, TreeFile};

/// How much is read from the disk, or decompressed, at a time.
const BUFFER_BYTES: usize = 128 << 10;

/// Opens the bundle (a tar, plain or compressed with gzip or zstd, or a zip) at `path`, which must have the digest
/// `expected`. Blocking.
///
/// The tree's contents are read on demand, from the bundle or from a file beside it: the bundle must stay until the tree
/// is gone, and its folder must be one that can be written to.
///
/// # Errors
/// [`BundleError::BundleMissing`]; [`BundleError::BundleDigestMismatch`], whatever else may be wrong with it; the errors
/// of bundles that can't be read, and what may be wrong with the files in it.
pub fn tree_from_bundle(
    path: &Path,
    expected: Sha256,
    limits: &Limits,
) -> Result<Tree, BundleError> {
    let mut file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => BundleError::BundleMissing {
            path: path.to_owned(),
        },
        _ => BundleError::io("open", path)(source),
    })?;
    let size_bytes = file
        .metadata()
        .map_err(BundleError::io("read", path))?
        .len();
    if size_bytes > limits.archive_bytes() {
        return Err(BundleError::BundleTooLarge {
            limit_bytes: limits.total_bytes,
        });
    }
    let actual = digest_of(&mut file).map_err(BundleError::io("read", path))?;
    if actual != expected {
        return Err(BundleError::BundleDigestMismatch {
            path: path.to_owned(),
            expected,
            actual,
        });
    }
    let format = format::detect(&mut file)
        .map_err(BundleError::io("read", path))?
        .map_err(|found| not_an_archive(path, found.into()))?;
    let subject = Subject { path, format };
    let input = Input::new(subject, file)?;
    Tree::build(files(input, size_bytes, limits)?)
}

fn files(
    mut input: Input<'_>,
    size_bytes: u64,
    limits: &Limits,
) -> Result<Vec<TreeFile>, BundleError> {
    let subject = input.subject();
    match subject.format {
        Format::Tar => tape::files(input, &Backing::kept(subject.path), limits),
        Format::Zip => zip::files(input, size_bytes, limits),
        Format::Gzip => {
            let mut tar = Unpacked::create(subject, size_bytes, limits)?;
            gzip::unpack(&mut input, &mut tar)?;
            files_in(subject, &tar.finish()?, limits)
        }
        Format::Zstd => {
            let mut tar = Unpacked::create(subject, size_bytes, limits)?;
            zstd::unpack(&mut input, &mut tar)?;
            files_in(subject, &tar.finish()?, limits)
        }
    }
}

/// The files of what was decompressed, which must be a tar: an archive in an archive in an archive is nobody's site.
fn files_in(
    subject: Subject<'_>,
    tar: &Arc<Backing>,
    limits: &Limits,
) -> Result<Vec<TreeFile>, BundleError> {
    let path = tar.path();
    let mut file = File::open(path).map_err(BundleError::io("open", path))?;
    let found = match format::detect(&mut file).map_err(BundleError::io("read", path))? {
        Ok(Format::Tar) => return tape::files(Input::new(subject, file)?, tar, limits),
        Ok(other) => other.name(),
        Err(found) => found,
    };
    let outer = subject.format.around();
    Err(not_an_archive(
        subject.path,
        format!("{found} within {outer}").into(),
    ))
}

fn not_an_archive(path: &Path, found: std::borrow::Cow<'static, str>) -> BundleError {
    BundleError::BundleFormat {
        path: path.to_owned(),
        found,
    }
}

fn digest_of(file: &mut File) -> io::Result<Sha256> {
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(digest::sha256(hasher)),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
