//! gzip: members, one behind the other (RFC 1952).
//!
//! Every member's checksum and size are compared, and nothing may follow the last one: not even zeros, which only tapes need.

use flate2::Crc;

use super::inflate::Inflate;
use super::input::Input;
use super::unpacked::Unpacked;
use crate::error::BundleError;

/// The most members. Some tools begin one for each file; an empty one takes 20 bytes and costs more than its share.
const MAX_MEMBERS: u32 = 1 << 20;
/// The longest name, comment or extra field of a member: what 16 bits can count.
const MAX_FIELD: usize = 1 << 16;

const DEFLATE: u8 = 8;
const HAS_CRC: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

pub(super) fn unpack(input: &mut Input<'_>, tar: &mut Unpacked<'_>) -> Result<(), BundleError> {
    let mut inflate = Inflate::new();
    for _ in 0..MAX_MEMBERS {
        member(input, &mut inflate, tar)?;
        if input.has_ended()? {
            return Ok(());
        }
    }
    Err(input.subject().invalid("it has too many members"))
}

fn member(
    input: &mut Input<'_>,
    inflate: &mut Inflate,
    tar: &mut Unpacked<'_>,
) -> Result<(), BundleError> {
    let subject = input.subject();
    let is_first = input.at() == 0;
    header(input, is_first)?;
    let mut crc = Crc::new();
    inflate.stream(input, u64::MAX, "compressed data", |bytes| {
        crc.update(bytes);
        tar.push(bytes)
    })?;
    let expected = u32::from_le_bytes(input.exact("a member's checksum")?);
    let size = u32::from_le_bytes(input.exact("a member's checksum")?);
    // Its counter has 32 bits and wraps, as the field does.
    if crc.sum() != expected || crc.amount() != size {
        return Err(subject.damaged("a member"));
    }
    Ok(())
}

fn header(input: &mut Input<'_>, is_first: bool) -> Result<(), BundleError> {
    let subject = input.subject();
    let behind = || subject.invalid("there is more after its end");
    let mut crc = Crc::new();
    let magic = input.fill()?;
    if !is_first && (magic[0] != 0x1f || magic.get(1).is_some_and(|&second| second != 0x8b)) {
        return Err(behind());
    }
    let fixed: [u8; 10] = input.exact("a header")?;
    if fixed[..2] != [0x1f, 0x8b] {
        return Err(behind());
    }
    crc.update(&fixed);
    let [_, _, method, flags, ..] = fixed;
    if method != DEFLATE {
        return Err(subject.invalid(format!("it is compressed with the unknown method {method}")));
    }
    if flags & RESERVED != 0 {
        return Err(subject.invalid("it has flags that mean nothing"));
    }
    if flags & HAS_EXTRA != 0 {
        let len: [u8; 2] = input.exact("a header")?;
        crc.update(&len);
        let len = u64::from(u16::from_le_bytes(len));
        input.each(len, "a header", |bytes| crc.update(bytes))?;
    }
    for has in [HAS_NAME, HAS_COMMENT] {
        if flags & has != 0 {
            text(input, &mut crc)?;
        }
    }
    if flags & HAS_CRC != 0 {
        let expected: [u8; 2] = input.exact("a header")?;
        if crc.sum().to_le_bytes()[..2] != expected {
            return Err(subject.damaged("a member's header"));
        }
    }
    Ok(())
}

/// Passes over a text that a zero ends.
fn text(input: &mut Input<'_>, crc: &mut Crc) -> Result<(), BundleError> {
    for _ in 0..MAX_FIELD {
        let byte: [u8; 1] = input.exact("a header")?;
        crc.update(&byte);
        if byte == [0] {
            return Ok(());
        }
    }
    Err(input.subject().invalid("a member's name is too long"))
}
