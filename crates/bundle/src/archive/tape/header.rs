//! One header block.

use tar::EntryType;

/// Everything in a tar comes in blocks of this many bytes.
pub(in crate::archive) const BLOCK: usize = 512;

/// Where the checksum stands. It is computed as if there were spaces.
const CHECKSUM: std::ops::Range<usize> = 148..156;
const SIZE: std::ops::Range<usize> = 124..136;
const MAGIC: std::ops::Range<usize> = 257..262;

/// A header whose checksum and numbers are right.
pub(super) struct Header {
    raw: tar::Header,
    size_bytes: u64,
}

/// What an entry is.
pub(super) enum Kind {
    File,
    Folder,
    LongName,
    Pax,
    GlobalPax,
    /// Nothing that is accepted.
    Other(&'static str),
}

/// Whether a file that begins like this is a tar: by its first header, or because it has nothing but its end.
pub(in crate::archive) fn is_header(first: &[u8]) -> bool {
    <&[u8; BLOCK]>::try_from(first).is_ok_and(|block| *block == [0; BLOCK] || has_checksum(block))
}

/// Whether it claims to be one. Its checksum may be wrong or cut off.
pub(in crate::archive) fn has_magic(first: &[u8]) -> bool {
    first.get(MAGIC) == Some(b"ustar")
}

impl Header {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(block: &[u8; BLOCK]) -> Result<Self, &'static str> {
        if !has_checksum(block) {
            return Err("a header has the wrong checksum");
        }
        let size = block[SIZE].first_chunk().expect("the range has twelve");
        let size_bytes = number(size)?;
        Ok(Self {
            raw: tar::Header::from_byte_slice(block).clone(),
            size_bytes,
        })
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The name, as far as it fits into the header.
    pub(super) fn name(&self) -> Vec<u8> {
        self.raw.path_bytes().into_owned()
    }

    pub(super) fn kind(&self) -> Kind {
        match self.raw.entry_type() {
            EntryType::Regular => Kind::File,
            EntryType::Directory => Kind::Folder,
            EntryType::GNULongName => Kind::LongName,
            EntryType::XHeader => Kind::Pax,
            EntryType::XGlobalHeader => Kind::GlobalPax,
            EntryType::Link => Kind::Other("a hard link"),
            EntryType::Symlink => Kind::Other("a symbolic link"),
            EntryType::GNULongLink => Kind::Other("a link with a long name"),
            EntryType::Char | EntryType::Block => Kind::Other("a device"),
            EntryType::Fifo => Kind::Other("a pipe"),
            EntryType::GNUSparse => Kind::Other("a sparse file"),
            // The library's enum is open.
            other => Kind::Other(match other.as_byte() {
                b'D' => "a list of what a folder held (pack without --incremental)",
                b'M' => "the rest of a file that begins in another volume",
                b'V' => "a volume's label (pack without --label)",
                _ => "of an unknown kind",
            }),
        }
    }
}

/// The sum of all bytes, as the format's first programs computed it: some of them with signed bytes.
fn has_checksum(block: &[u8; BLOCK]) -> bool {
    let Ok(expected) = octal(&block[CHECKSUM]) else {
        return false;
    };
    let counted = block[..CHECKSUM.start].iter().chain(&block[CHECKSUM.end..]);
    let (mut unsigned, mut signed) = (8 * i64::from(b' '), 8 * i64::from(b' '));
    for &byte in counted {
        unsigned += i64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    [unsigned, signed].contains(&i64::try_from(expected).unwrap_or(-1))
}

/// A number of twelve bytes: octal, or in base 256 where the first bit is set.
fn number(field: &[u8; 12]) -> Result<u64, &'static str> {
    const NEGATIVE: u8 = 0xff;
    const BASE_256: u8 = 0x80;
    let (first, rest) = field.split_first().expect("it has twelve");
    match *first {
        NEGATIVE => Err("a negative size"),
        first if first & BASE_256 != 0 => {
            let (low, high) = (rest.last_chunk(), &rest[..3]);
            let low = u64::from_be_bytes(*low.expect("it has eleven"));
            let is_small = first == BASE_256 && high == [0; 3];
            // No file is larger, and no sum of sizes and places overflows below it.
            if is_small && low <= u64::MAX >> 2 {
                Ok(low)
            } else {
                Err("a size that no file has")
            }
        }
        _ => octal(field),
    }
}

/// Octal digits with spaces before them, and spaces or zeros behind. At most twelve, so that no sum overflows.
fn octal(field: &[u8]) -> Result<u64, &'static str> {
    let digits = field.trim_ascii_start();
    let end = digits
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'7'))
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() || rest.iter().any(|byte| !matches!(byte, b' ' | 0)) {
        return Err("a number that is none");
    }
    Ok(digits
        .iter()
        .fold(0, |sum, digit| sum * 8 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_honest_way() {
        for (field, expected) in [
            (b"00000000017\0", 15),
            (b"        17 \0", 15),
            (b"17 \0\0\0\0\0\0\0\0\0", 15),
            (b"777777777777", (1 << 36) - 1),
            (b"\x80\0\0\0\0\0\0\0\0\0\x01\0", 256),
        ] {
            assert_eq!(number(field), Ok(expected), "{field:?}");
        }
    }

    #[test]
    fn garbage_and_what_no_file_has_is_refused() {
        for field in [
            b"\0\0\0\0\0\0\0\0\0\0\0\0",
            b"            ",
            b"+0000000017\0",
            b"-0000000017\0",
            b"0000000001x\0",
            b"1\x001\0\0\0\0\0\0\0\0\0",
            b"00000000089\0",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x80\0\0\x01\0\0\0\0\0\0\0\0",
            b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x81\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert!(number(field).is_err(), "{field:?}");
        }
    }
}
