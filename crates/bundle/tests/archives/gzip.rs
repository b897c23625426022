//! gzip.

use std::fmt::Write as _;

use foreshow_bundle::Limits;

use crate::support::{
    Changed as _, OnDisk, accepted, assert_refused_within, contents, gzip, refused,
};
use crate::tape::{site, tar};

/// A tar in one member for each piece of it.
fn members(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| gzip(piece)).collect()
}

/// A member with a header of its own.
fn headed(flags: u8, fields: &[u8]) -> Vec<u8> {
    let plain = gzip(&site());
    let mut bytes = plain[..10].to_vec();
    bytes[3] = flags;
    bytes.extend_from_slice(fields);
    bytes.extend_from_slice(&plain[10..]);
    bytes
}

fn behind(bytes: &[u8]) -> Vec<u8> {
    gzip(&site()).and(bytes)
}

fn from_behind(back: usize, change: u8) -> Vec<u8> {
    gzip(&site()).with(|bytes| {
        let at = bytes.len() - back;
        bytes[at] ^= change;
    })
}

refused! {
    a_wrong_checksum: from_behind(8, 1) => "bundle_damaged", "a member in the bundle";
    a_wrong_size: from_behind(4, 1) => "bundle_damaged", "a member in the bundle";
    a_wrong_checksum_of_a_header: headed(2, b"\0\0") => "bundle_damaged", "a member's header";
    data_that_makes_no_sense: gzip(&site()).put(10, &[0xff; 4]) => "bundle_invalid", "can't be read as a tar.gz: its compressed data makes no sense";
    an_unknown_method: gzip(&site()).put(2, &[7]) => "bundle_invalid", "the unknown method 7";
    reserved_flags: gzip(&site()).put(3, &[0x20]) => "bundle_invalid", "flags that mean nothing";
    garbage_behind: behind(b"garbage that is long enough") => "bundle_invalid", "there is more after its end";
    a_byte_behind: behind(b"x") => "bundle_invalid", "there is more after its end";
    zeros_behind: behind(&[0; 512]) => "bundle_invalid", "there is more after its end";
    a_half_member_behind: behind(&gzip(b"")[..12]) => "bundle_invalid", "it ends within";
    cut_within_its_header: gzip(&site()).cut(5) => "bundle_invalid", "it ends within a header";
    cut_within_its_data: gzip(&site()).cut(40) => "bundle_invalid", "it ends within compressed data";
    cut_within_its_checksum: gzip(&site()).with(|bytes| bytes.truncate(bytes.len() - 3)) => "bundle_invalid", "it ends within a member's checksum";
    a_name_without_end: headed(8, &vec![b'x'; 70_000]) => "bundle_invalid", "a member's name is too long";
    a_tar_that_is_cut: gzip(&site().cut(1800)) => "bundle_invalid", "it ends within sub/a";
    more_behind_the_tar_within: gzip(&site().and(b"x")) => "bundle_invalid", "there is more after its end";
    a_link_within: gzip(&tar().entry(tar::EntryType::Symlink, b"evil", b"").bytes()) => "bundle_invalid", "is a symbolic link";
    a_bomb: gzip(&vec![0; 40 << 20]) => "compression_bomb", "over 200 for each of its own";
}

accepted! {
    one_member: gzip(&site()) => [("index.html", b"hi"), ("sub/a", [7; 700])];
    many_members: members(&[&site()[..700], b"", &site()[700..1000], &site()[1000..]]) => [("index.html", b"hi"), ("sub/a", [7; 700])];
    a_name_a_comment_and_an_extra_field: headed(4 | 8 | 16, b"\x03\0abcsite.tar\0made by hand\0") => [("index.html", b"hi"), ("sub/a", [7; 700])];
}

#[test]
fn what_was_decompressed_goes_with_the_last_reader() {
    let bundle = OnDisk::new(&gzip(&site()));
    let tree = bundle.read(&Limits::default()).unwrap();
    assert_eq!(bundle.beside(), 1);
    let file = tree.files()[1].clone();
    drop(tree);
    assert_eq!(file.content.read().unwrap(), [7; 700][..]);
    let mut reader = file.content.open().unwrap();
    assert_eq!(bundle.beside(), 1);
    drop(file);
    assert_eq!(bundle.beside(), 0);
    let mut read = Vec::new();
    reader.read_to_end(&mut read).unwrap();
    assert_eq!(read, [7; 700], "what was open stays readable");
}

#[test]
fn the_same_files_have_the_same_digest_plain_or_compressed() {
    let read = |bytes: &[u8]| OnDisk::new(bytes).read(&Limits::default()).unwrap();
    assert_eq!(read(&site()).digest(), read(&gzip(&site())).digest());
}

#[test]
fn a_bomb_within_the_ratio_ends_at_the_limits_for_all_bundles() {
    let limits = Limits {
        total_bytes: 1 << 20,
        files: 1,
        ratio: u64::MAX,
        ..Limits::default()
    };
    let bomb = gzip(&vec![0; 2 << 20]);
    assert_refused_within(
        &limits,
        &bomb,
        "bundle_too_large",
        "more than 1048576 bytes",
    );
}

#[test]
fn a_ratio_that_is_raised_lets_more_in() {
    let large = tar().file("a", &vec![0; 20 << 20]).bytes();
    let bytes = gzip(&large);
    assert_refused_within(
        &Limits {
            ratio: 100,
            ..Limits::default()
        },
        &bytes,
        "compression_bomb",
        "",
    );
    let bundle = OnDisk::new(&bytes);
    let limits = Limits {
        ratio: 1100,
        ..Limits::default()
    };
    let tree = bundle.read(&limits).unwrap();
    assert_eq!(tree.total_bytes(), 20 << 20);
}

#[test]
fn a_site_that_shrinks_well_is_no_bomb() {
    let mut log = String::new();
    for line in 0..300_000 {
        writeln!(log, "2026-11-23 10:00:00 INFO request served in {line} ms").unwrap();
    }
    let bundle = OnDisk::new(&gzip(&tar().file("log", log.as_bytes()).bytes()));
    let tree = bundle.read(&Limits::default()).unwrap();
    assert_eq!(contents(&tree)[0].1, log.as_bytes());
}
