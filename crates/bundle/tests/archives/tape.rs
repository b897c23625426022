//! Tars.

use foreshow_bundle::Limits;
use tar::EntryType;

use crate::support::{Changed as _, OnDisk, accepted, assert_refused_within, refused};

/// A tar written entry by entry, for what no tool would write.
#[derive(Clone, Default)]
pub(crate) struct Tar(Vec<u8>);

pub(crate) fn tar() -> Tar {
    Tar::default()
}

/// A small good one.
pub(crate) fn site() -> Vec<u8> {
    tar()
        .file("index.html", b"hi")
        .file("sub/a", &[7; 700])
        .bytes()
}

impl Tar {
    pub(crate) fn entry(self, kind: EntryType, name: &[u8], content: &[u8]) -> Self {
        self.header(kind, name, content, |_| ())
    }

    /// An entry whose header is changed before its checksum is made.
    pub(crate) fn header(
        mut self,
        kind: EntryType,
        name: &[u8],
        content: &[u8],
        change: impl FnOnce(&mut [u8; 512]),
    ) -> Self {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        change(header.as_mut_bytes());
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), content)
    }

    pub(crate) fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name.as_bytes(), b"")
    }

    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        self.entry(EntryType::XHeader, b"pax", &pax(records))
    }

    fn size(self, size: &[u8; 12]) -> Self {
        let size = *size;
        self.header(EntryType::Regular, b"a", b"1", move |header| {
            header[124..136].copy_from_slice(&size);
        })
    }

    fn without_end(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let rest = format!(" {key}={value}\n");
        let digits = |len: usize| len.to_string().len();
        let mut len = rest.len() + digits(rest.len());
        len = rest.len() + digits(len);
        bytes.extend(format!("{len}{rest}").into_bytes());
    }
    bytes
}

fn of_kind(kind: u8) -> Vec<u8> {
    tar()
        .file("a", b"")
        .entry(EntryType::new(kind), b"evil", b"")
        .bytes()
}

fn named(name: &[u8]) -> Vec<u8> {
    tar().entry(EntryType::Regular, name, b"x").bytes()
}

refused! {
    a_hard_link: of_kind(b'1') => "bundle_invalid", "\"evil\" in the bundle is a hard link";
    a_symbolic_link: of_kind(b'2') => "bundle_invalid", "\"evil\" in the bundle is a symbolic link";
    a_character_device: of_kind(b'3') => "bundle_invalid", "is a device";
    a_block_device: of_kind(b'4') => "bundle_invalid", "is a device";
    a_pipe: of_kind(b'6') => "bundle_invalid", "is a pipe";
    an_old_sparse_file: of_kind(b'S') => "bundle_invalid", "is a sparse file";
    a_part_of_a_file_in_another_volume: of_kind(b'M') => "bundle_invalid", "begins in another volume";
    a_label_of_a_volume: of_kind(b'V') => "bundle_invalid", "is a volume's label";
    a_list_of_an_incremental_dump: of_kind(b'D') => "bundle_invalid", "is a list of what a folder held";
    an_unknown_kind: of_kind(b'Z') => "bundle_invalid", "is of an unknown kind";
    a_sparse_file_of_0_0: tar().pax(&[("GNU.sparse.size", "9"), ("GNU.sparse.numblocks", "1")]).file("a", b"1").bytes() => "bundle_invalid", "a sparse file";
    a_sparse_file_of_0_1: tar().pax(&[("GNU.sparse.map", "0,1")]).file("a", b"1").bytes() => "bundle_invalid", "a sparse file";
    a_sparse_file_of_1_0: tar().pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.name", "b")]).file("a", b"1").bytes() => "bundle_invalid", "a sparse file";
    a_pax_header_that_changes_the_size: tar().pax(&[("size", "0")]).file("a", b"1").bytes() => "bundle_invalid", "changes an entry's size";
    a_pax_header_that_changes_the_target: tar().pax(&[("linkpath", "/etc")]).file("a", b"1").bytes() => "bundle_invalid", "changes an entry's size or target";
    a_global_header_that_changes_the_size: tar().entry(EntryType::XGlobalHeader, b"g", &pax(&[("size", "0")])).file("a", b"1").bytes() => "bundle_invalid", "changes an entry's size";
    a_global_header_that_names_all: tar().entry(EntryType::XGlobalHeader, b"g", &pax(&[("path", "b")])).file("a", b"1").bytes() => "bundle_invalid", "one name for all";
    a_pax_header_that_does_not_add_up: tar().entry(EntryType::XHeader, b"x", b"99 path=a\n").file("a", b"1").bytes() => "bundle_invalid", "makes no sense";
    a_pax_header_with_two_names: tar().pax(&[("path", "b"), ("path", "c")]).file("a", b"1").bytes() => "bundle_invalid", "two long names";
    one_volume_of_several: tar().pax(&[("GNU.volume.offset", "9")]).file("a", b"1").bytes() => "bundle_invalid", "one volume of several";
    two_long_names: tar().pax(&[("path", "b")]).entry(EntryType::GNULongName, b"l", b"c\0").file("a", b"1").bytes() => "bundle_invalid", "two long names";
    a_name_without_an_entry: tar().file("a", b"1").pax(&[("path", "b")]).bytes() => "bundle_invalid", "a header that has no entry";
    a_flood_of_headers: (0..100_000).fold(tar(), |tar, _| tar.pax(&[("mtime", "1")])).file("a", b"1").bytes() => "bundle_invalid", "too many headers";
    a_flood_of_global_headers: (0..9).fold(tar(), |tar, _| tar.entry(EntryType::XGlobalHeader, b"g", b"")).file("a", b"1").bytes() => "bundle_invalid", "too many headers";
    a_flood_of_roots: tar().folder("./").folder("./").file("a", b"1").bytes() => "bundle_invalid", "its root is there twice";
    a_long_name_without_end: tar().entry(EntryType::GNULongName, b"l", &[b'a'; 5000]).file("a", b"").bytes() => "bundle_invalid", "too long";
    a_pax_header_without_end: tar().pax(&[("comment", &"x".repeat(70_000))]).file("a", b"").bytes() => "bundle_invalid", "too long";
    a_negative_size: tar().size(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").bytes() => "bundle_invalid", "a negative size";
    a_size_beyond_64_bits: tar().size(b"\x80\0\0\x01\0\0\0\0\0\0\0\0").bytes() => "bundle_invalid", "a size that no file has";
    a_huge_size: tar().size(b"\x80\0\0\0\0\0\x01\0\0\0\0\0").bytes() => "file_too_large", "a has 1099511627776 bytes";
    a_size_with_garbage: tar().size(b"0000000001x\0").bytes() => "bundle_invalid", "a number that is none";
    a_size_with_a_sign: tar().size(b"-0000000001\0").bytes() => "bundle_invalid", "a number that is none";
    no_size: tar().size(&[0; 12]).bytes() => "bundle_invalid", "a number that is none";
    a_folder_with_a_size: tar().entry(EntryType::Directory, b"d/", b"x").file("a", b"1").bytes() => "bundle_invalid", "a folder has a size";
    a_size_that_lies: tar().header(EntryType::Regular, b"a", b"1", |header| header[124..136].copy_from_slice(b"00000004000\0")).bytes() => "bundle_invalid", "it ends within a";
    a_wrong_checksum: site().put(1, b"N") => "bundle_invalid", "the wrong checksum";
    a_wrong_checksum_later: site().put(1025, b"N") => "bundle_invalid", "the wrong checksum";
    cut_within_its_first_header: site().cut(300) => "bundle_invalid", "it ends within a header";
    cut_within_a_file: site().cut(1800) => "bundle_invalid", "it ends within sub/a";
    cut_within_padding: site().cut(2100) => "bundle_invalid", "it ends within sub/a";
    cut_between_files: site().cut(1024) => "bundle_invalid", "its end is missing";
    cut_before_its_end: tar().file("a", b"1").without_end() => "bundle_invalid", "its end is missing";
    a_second_tar_behind: site().and(&site()) => "bundle_invalid", "there is more after its end";
    garbage_behind: site().and(b"x") => "bundle_invalid", "there is more after its end";
    a_name_that_climbs: named(b"a/../../b") => "unsafe_path", ". or .. part";
    an_absolute_name: named(b"/etc/passwd") => "unsafe_path", "is absolute";
    a_drive: named(b"C:/x") => "unsafe_path", "a drive";
    a_backslash: named(b"a\\b") => "unsafe_path", "a backslash";
    a_name_that_is_not_utf8: named(b"a\xff") => "unsafe_path", "not UTF-8";
    a_control_character: named(b"a\nb") => "unsafe_path", "a control character";
    a_nul_in_a_pax_path: tar().pax(&[("path", "a\0/../b")]).file("a", b"1").bytes() => "unsafe_path", "a control character";
    an_empty_pax_path: tar().pax(&[("path", "")]).file("a", b"1").bytes() => "unsafe_path", "is empty";
    a_name_twice: tar().file("a", b"1").file("./a", b"2").bytes() => "path_collision", "a is there twice";
    a_file_that_is_a_folder_too: tar().file("a", b"1").folder("a/").bytes() => "path_collision", "a is there twice";
    a_file_with_files_below: tar().file("a", b"1").file("a/b", b"2").bytes() => "path_collision", "a is a file";
    names_that_differ_in_case: tar().file("a", b"1").file("A", b"2").bytes() => "path_collision", "differ only in case";
    names_that_differ_in_normalisation: tar().file("caf\u{e9}", b"1").file("cafe\u{301}", b"2").bytes() => "path_collision", "is there twice";
    nothing_but_folders: tar().folder("a/").folder("a/b/").bytes() => "no_files", "there are no files";
    nothing_but_an_end: [0; 10_240] => "no_files", "there are no files";
}

accepted! {
    a_good_one: site() => [("index.html", b"hi"), ("sub/a", [7; 700])];
    folders_are_passed_over: tar().folder("./").folder("./e/").folder("d").file("./d/a", b"1").bytes() => [("d/a", b"1")];
    an_empty_file_stays: tar().file("a", b"").bytes() => [("a", b"")];
    padding_of_a_tapes_record: site().and(&[0; 10_240]) => [("index.html", b"hi"), ("sub/a", [7; 700])];
    one_block_at_the_end: site().with(|tar| tar.truncate(tar.len() - 512)) => [("index.html", b"hi"), ("sub/a", [7; 700])];
    a_size_in_base_256: tar().size(b"\x80\0\0\0\0\0\0\0\0\0\0\x01").bytes() => [("a", b"1")];
    a_commit_in_a_global_header: tar().entry(EntryType::XGlobalHeader, b"g", &pax(&[("comment", "0123")])).file("a", b"1").bytes() => [("a", b"1")];
    a_long_name_of_gnu: tar().entry(EntryType::GNULongName, b"l", b"long/name\0").file("a", b"1").bytes() => [("long/name", b"1")];
    a_long_name_of_pax: tar().pax(&[("mtime", "1.5"), ("path", "caf\u{e9}/x")]).file("a", b"1").bytes() => [("caf\u{e9}/x", b"1")];
    large_attributes: tar().pax(&[("SCHILY.xattr.user.x", &"x".repeat(60_000))]).file("a", b"1").bytes() => [("a", b"1")];
    an_executable_is_a_file: tar().header(EntryType::Regular, b"a", b"1", |header| header[100..108].copy_from_slice(b"0000755\0")).bytes() => [("a", b"1")];
}

#[test]
fn too_many_files_and_too_many_folders_are_refused() {
    let limits = Limits {
        files: 2,
        depth: 3,
        ..Limits::default()
    };
    let three = |tar: Tar| tar.file("c", b"").bytes();
    let files = three(tar().file("a", b"").file("b", b""));
    assert_refused_within(&limits, &files, "too_many_files", "more than 2 files");
    let folders = three(tar().folder("d").folder("e").folder("f"));
    assert_refused_within(
        &limits,
        &folders,
        "too_many_files",
        "more than 2 files or folders",
    );
    let deep = tar().file("a/b/c/d", b"").bytes();
    assert_refused_within(&limits, &deep, "too_deep", "4 levels deep");
    let deep = three(tar().folder("a/b/c/d"));
    assert_refused_within(&limits, &deep, "too_deep", "4 levels deep");
}

#[test]
fn a_checksum_of_signed_bytes_is_one() {
    let mut bytes = tar().file("caf\u{e9}", b"1").bytes();
    let sum: i64 = bytes[..512]
        .iter()
        .enumerate()
        .map(|(at, &byte)| match at {
            148..156 => i64::from(b' '),
            _ => i64::from(byte.cast_signed()),
        })
        .sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let bundle = OnDisk::new(&bytes);
    assert_eq!(bundle.read(&Limits::default()).unwrap().files().len(), 1);
}
