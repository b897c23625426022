//! zstd.

use crate::support::{Changed as _, accepted, refused, zstd};
use crate::tape::{site, tar};

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame by hand: its header, then one raw block.
fn frame(header: &[u8], content: &[u8], behind: &[u8]) -> Vec<u8> {
    let block = u32::try_from(content.len()).unwrap() << 3 | 1;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&block.to_le_bytes()[..3]);
    bytes.extend_from_slice(content);
    bytes.extend_from_slice(behind);
    bytes
}

/// A window of 128 KiB, no size.
fn plain(content: &[u8]) -> Vec<u8> {
    frame(&[0, 7 << 3], content, b"")
}

fn skippable(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x50 | number, 0x2a, 0x4d, 0x18];
    bytes.extend_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// 128 KiB of zeros in four bytes, again and again.
fn bomb(blocks: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&[0, 7 << 3]);
    for _ in 0..blocks {
        let block: u32 = (128 << 10) << 3 | 1 << 1;
        bytes.extend_from_slice(&block.to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}

refused! {
    a_window_of_gigabytes: frame(&[0, 21 << 3], &site(), b"") => "window_too_large", "a window of 2147483648 bytes";
    a_window_just_too_large: frame(&[0, 13 << 3 | 1], &site(), b"") => "window_too_large", "more than 8388608: compress with zstd -19";
    a_single_segment_of_terabytes: frame(&[0xe0, 0, 0, 0, 0, 0, 1, 0, 0], &site(), b"") => "window_too_large", "a window of 1099511627776 bytes";
    a_dictionary_that_is_not_there: frame(&[1, 7 << 3, 9], &site(), b"") => "bundle_invalid", "a dictionary, which isn't in it";
    a_wrong_checksum: frame(&[4, 7 << 3], &site(), b"\0\0\0\0") => "bundle_damaged", "a frame in the bundle";
    a_size_that_lies: frame(&[0x80, 7 << 3, 9, 0, 0, 0], &site(), b"") => "bundle_invalid", "a frame is not as long as it says";
    a_reserved_block: MAGIC.to_vec().and(&[0, 7 << 3, 7, 0, 0]) => "bundle_invalid", "can't be read as a tar.zst: its compressed data makes no sense";
    garbage_behind: zstd(&site()).and(b"garbage") => "bundle_invalid", "there is more after its end";
    zeros_behind: zstd(&site()).and(&[0; 512]) => "bundle_invalid", "there is more after its end";
    a_byte_behind: zstd(&site()).and(b"x") => "bundle_invalid", "it ends within a frame's header";
    a_tar_behind: plain(&site()).and(&site()) => "bundle_invalid", "there is more after its end";
    cut_within_its_header: plain(&site()).cut(5) => "bundle_invalid", "it ends within a frame's header";
    cut_within_a_block: plain(&site()).cut(1000) => "bundle_invalid", "it ends within a frame";
    cut_before_its_checksum: frame(&[4, 7 << 3], &site(), b"\0\0") => "bundle_invalid", "it ends within a frame";
    cut_within_a_skippable_frame: plain(&site()).and(&skippable(3, b"abc")[..10]) => "bundle_invalid", "it ends within a skippable frame";
    nothing_but_a_skippable_frame: skippable(0, b"abc") => "bundle_format", "is empty within zstd";
    a_bomb: bomb(400).with(|bytes| { let at = bytes.len() - 4; bytes[at] |= 1; }) => "compression_bomb", "over 200 for each of its own";
    a_tar_that_is_cut: zstd(&site().cut(1800)) => "bundle_invalid", "it ends within sub/a";
    a_link_within: zstd(&tar().entry(tar::EntryType::Link, b"evil", b"").bytes()) => "bundle_invalid", "is a hard link";
}

accepted! {
    one_frame: zstd(&site()) => [("index.html", b"hi"), ("sub/a", [7; 700])];
    many_frames: [plain(&site()[..700]), plain(b""), zstd(&site()[700..1000]), plain(&site()[1000..])].concat() => [("index.html", b"hi"), ("sub/a", [7; 700])];
    skippable_frames_anywhere: [skippable(0, b"x"), plain(&site()[..700]), skippable(15, &[7; 300_000]), plain(&site()[700..]), skippable(1, b"")].concat() => [("index.html", b"hi"), ("sub/a", [7; 700])];
    the_largest_window: frame(&[0, 13 << 3], &site(), b"") => [("index.html", b"hi"), ("sub/a", [7; 700])];
    a_size_that_is_true: frame(&[0x40, 7 << 3, 0, 0x0d], &site(), b"") => [("index.html", b"hi"), ("sub/a", [7; 700])];
}
