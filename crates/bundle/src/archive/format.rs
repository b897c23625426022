//! What a file is, by its first bytes.
//!
//! A tar is told by its first header's checksum, before anything else: the name in it may begin like any other format's
//! magic. What is no archive of ours is named as well as can be, since who sent a login page for a bundle needs to hear of
//! the page and not of magic numbers.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use super::tape;

/// An archive that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Tar,
    Gzip,
    Zstd,
    Zip,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tar => "a tar",
            Self::Gzip => "a gzip file",
            Self::Zstd => "a zstd file",
            Self::Zip => "a zip",
        }
    }

    /// How to call it where something else is in it.
    pub(super) fn around(self) -> &'static str {
        match self {
            Self::Tar => "a tar",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Zip => "a zip",
        }
    }

    /// How to call it where it can't be read.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Tar => "a tar",
            Self::Gzip => "a tar.gz",
            Self::Zstd => "a tar.zst",
            Self::Zip => "a zip",
        }
    }
}

/// What a zstd frame begins with.
pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A zstd frame that holds nothing to decompress. Any of sixteen numbers.
pub(super) fn is_skippable(magic: [u8; 4]) -> bool {
    (magic[0] & 0xf0) == 0x50 && magic[1..] == [0x2a, 0x4d, 0x18]
}

/// What the file is; if it is none of ours, what it seems to be. Leaves it at its beginning.
pub(super) fn detect(file: &mut File) -> io::Result<Result<Format, &'static str>> {
    let mut first = Vec::with_capacity(tape::BLOCK);
    file.rewind()?;
    file.by_ref()
        .take(tape::BLOCK as u64)
        .read_to_end(&mut first)?;
    file.rewind()?;
    Ok(name(&first))
}

fn name(first: &[u8]) -> Result<Format, &'static str> {
    if tape::is_header(first) {
        return Ok(Format::Tar);
    }
    if first.starts_with(&[0x1f, 0x8b]) {
        return Ok(Format::Gzip);
    }
    if let Some(magic) = first.first_chunk()
        && (*magic == ZSTD || is_skippable(*magic))
    {
        return Ok(Format::Zstd);
    }
    // An empty one has nothing but its end.
    if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") {
        return Ok(Format::Zip);
    }
    if tape::has_magic(first) {
        return Ok(Format::Tar);
    }
    Err(other(first))
}

fn other(first: &[u8]) -> &'static str {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"Rar!\x1a\x07", "a rar archive"),
        (b"\xfd7zXZ\0", "an xz file"),
        (b"BZh", "a bzip2 file"),
        (b"\x04\x22\x4d\x18", "an lz4 file"),
        (b"LZIP", "an lzip file"),
        (b"\x1f\x9d", "a compress (.Z) file"),
        (b"PK\x07\x08", "one part of a split zip"),
        (b"PK00", "one part of a split zip"),
        (b"!<arch>\n", "an ar archive"),
        (b"07070", "a cpio archive"),
        (b"MZ", "a program"),
        (b"\x7fELF", "a program"),
        (b"%PDF-", "a PDF"),
        (b"version https://git-lfs", "a pointer to a file in Git LFS"),
    ];
    if first.is_empty() {
        return "empty";
    }
    if let Some((_, found)) = MAGIC.iter().find(|(magic, _)| first.starts_with(magic)) {
        return found;
    }
    text(first).unwrap_or("of no known format")
}

/// A page or an error's document, if it is text.
fn text(first: &[u8]) -> Option<&'static str> {
    let text = match std::str::from_utf8(first) {
        Ok(text) => text,
        // Cut within a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&first[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let is_binary = |char: char| char.is_control() && !char.is_whitespace();
    if text.contains(is_binary) {
        return None;
    }
    let begins = |with: &str| {
        text.get(..with.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(with))
    };
    Some(if begins("<!doctype html") || begins("<html") {
        "an HTML page (a login or an error, perhaps)"
    } else if begins("<") {
        "an XML document (an error, perhaps)"
    } else if begins("{") || begins("[") {
        "a JSON document (an error, perhaps)"
    } else {
        "a text"
    })
}
