//! Zips.

use foreshow_bundle::Limits;

use crate::support::{Changed as _, OnDisk, accepted, assert_refused_within, contents, refused};
use crate::zip_maker::{Entry, Zip};

fn zip() -> Zip {
    Zip::default()
}

fn one(entry: Entry) -> Vec<u8> {
    zip().entry(entry).bytes()
}

fn a() -> Entry {
    Entry::deflated("a", &[7; 700])
}

/// An entry that is changed in some way.
fn changed(change: impl FnOnce(&mut Entry)) -> Vec<u8> {
    one(a().with(change))
}

fn site() -> Zip {
    zip()
        .entry(Entry::stored("index.html", b"hi"))
        .entry(Entry::deflated("sub/a", &[7; 700]))
}

fn named(name: &str) -> Vec<u8> {
    one(Entry::stored(name, b"x"))
}

fn raw_name(name: &[u8], flags: u16) -> Vec<u8> {
    one(Entry::stored("", b"x").with(|entry| {
        entry.name = name.to_vec();
        entry.local_name = name.to_vec();
        entry.flags = flags;
        entry.local_flags = flags;
    }))
}

fn mode(mode: u32) -> Vec<u8> {
    one(Entry::stored("evil", b"/etc").mode(mode))
}

fn zip_64(numbers: &[u64]) -> Vec<u8> {
    let mut field = vec![1, 0, u8::try_from(8 * numbers.len()).unwrap(), 0];
    field.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    field
}

/// Its sizes and place in zip64 fields, as a tool writes them that didn't know how long it would get.
fn wide() -> Entry {
    let content = [7; 700];
    Entry::stored("a", &content).with(|entry| {
        entry.extra = zip_64(&[700, 700, 0]);
        entry.local_extra = zip_64(&[700, 700]);
        entry.size_bytes = u32::MAX;
        entry.packed_bytes = u32::MAX;
        entry.local_size_bytes = u32::MAX;
        entry.local_packed_bytes = u32::MAX;
        entry.at = Some(u32::MAX);
    })
}

fn unicode_name(name: &[u8]) -> Vec<u8> {
    let mut field = vec![0x75, 0x70, u8::try_from(5 + name.len()).unwrap(), 0, 1];
    field.extend([0; 4]);
    field.extend_from_slice(name);
    field
}

/// Many entries that are all one kernel of compressed zeros.
fn one_kernel(entries: u32) -> Vec<u8> {
    (1..entries)
        .fold(
            zip().entry(Entry::deflated("0", &vec![0; 1 << 20])),
            |zip, nth| {
                let name = format!("{nth}");
                zip.entry(Entry::deflated(&name, b"").with(|entry| entry.at = Some(0)))
            },
        )
        .bytes()
}

refused! {
    a_symbolic_link: mode(0o120_777) => "bundle_invalid", "\"evil\" in the bundle is a symbolic link";
    a_character_device: mode(0o020_666) => "bundle_invalid", "is a device";
    a_block_device: mode(0o060_666) => "bundle_invalid", "is a device";
    a_pipe: mode(0o010_666) => "bundle_invalid", "is a pipe";
    a_socket: mode(0o140_666) => "bundle_invalid", "is a socket";
    an_unknown_kind: mode(0o150_666) => "bundle_invalid", "is of an unknown kind";
    a_folder_named_as_a_file: mode(0o040_755) => "bundle_invalid", "its name doesn't end in /";
    a_folder_of_dos_named_as_a_file: changed(|a| a.attributes = 0x10) => "bundle_invalid", "its name doesn't end in /";
    a_folder_with_content: one(Entry::stored("d/", b"x")) => "bundle_invalid", "it is a folder, and has a size";
    an_encrypted_entry: changed(|a| a.flags = 1) => "encrypted_entry", "\"a\" in the bundle is encrypted";
    a_strongly_encrypted_entry: changed(|a| a.flags = 0x41) => "encrypted_entry", "without a password";
    an_entry_encrypted_with_aes: changed(|a| a.method = 99) => "encrypted_entry", "is encrypted";
    a_masked_header: changed(|a| a.flags = 1 << 13) => "encrypted_entry", "is encrypted";
    a_patch: changed(|a| a.flags = 1 << 5) => "bundle_invalid", "a difference to another file";
    deflate64: changed(|a| a.method = 9) => "unsupported_method", "with method 9 (Deflate64)";
    bzip2: changed(|a| a.method = 12) => "unsupported_method", "with method 12 (bzip2)";
    lzma: changed(|a| a.method = 14) => "unsupported_method", "with method 14 (LZMA)";
    zstd: changed(|a| a.method = 93) => "unsupported_method", "with method 93 (zstd)";
    an_unknown_method: changed(|a| a.method = 1234) => "unsupported_method", "with method 1234: only stored (0)";
    a_wrong_checksum: changed(|a| { a.crc ^= 1; a.local_crc ^= 1; }) => "bundle_damaged", "a in the bundle";
    a_wrong_checksum_of_a_stored_entry: one(Entry::stored("a", b"1").with(|a| { a.crc ^= 1; a.local_crc ^= 1; })) => "bundle_damaged", "a in the bundle";
    two_checksums: changed(|a| a.local_crc ^= 1) => "bundle_invalid", "the directory and its header differ";
    two_names: changed(|a| a.local_name = b"b".to_vec()) => "bundle_invalid", "name it differently";
    a_folder_and_a_file: changed(|a| a.local_name = b"a/".to_vec()) => "bundle_invalid", "name it differently";
    a_name_that_climbs_in_its_header_alone: changed(|a| a.local_name = b"../a".to_vec()) => "unsafe_path", ". or .. part";
    two_methods: changed(|a| a.local_method = 0) => "bundle_invalid", "the directory and its header differ";
    two_sizes: changed(|a| a.local_size_bytes += 1) => "bundle_invalid", "the directory and its header differ";
    two_flags: changed(|a| a.local_flags = 8) => "bundle_invalid", "the directory and its header differ";
    a_name_in_another_field: changed(|a| a.extra = unicode_name(b"b")) => "bundle_invalid", "it has two names";
    a_size_that_is_too_small: changed(|a| { a.size_bytes = 699; a.local_size_bytes = 699; }) => "bundle_invalid", "a is not as long as it says";
    a_size_that_is_too_large: changed(|a| { a.size_bytes = 701; a.local_size_bytes = 701; }) => "bundle_invalid", "a is not as long as it says";
    stored_with_two_sizes: one(Entry::stored("a", b"12").with(|a| { a.size_bytes = 1; a.local_size_bytes = 1; })) => "bundle_invalid", "it is stored, and has two sizes";
    more_compressed_data_than_the_stream: changed(|a| { a.packed.push(0); a.packed_bytes += 1; a.local_packed_bytes += 1; }) => "bundle_invalid", "a is not as long as it says";
    less_compressed_data_than_the_stream: changed(|a| { a.packed_bytes -= 2; a.local_packed_bytes -= 2; }) => "bundle_invalid", "it ends within a";
    compressed_data_that_makes_no_sense: changed(|a| a.packed[0] = 0xff) => "bundle_invalid", "makes no sense";
    a_size_beyond_the_limits: changed(|a| a.size_bytes = 1 << 30) => "file_too_large", "a has 1073741824 bytes";
    a_zip64_size_of_exabytes: one(wide().with(|a| a.extra = zip_64(&[1 << 60, 1 << 60, 0]))) => "file_too_large", "1152921504606846976 bytes";
    a_zip64_field_that_is_too_short: one(wide().with(|a| a.extra = zip_64(&[700]))) => "bundle_invalid", "its zip64 field is too short";
    two_zip64_fields: one(wide().with(|a| a.extra.extend(zip_64(&[1, 1, 0])))) => "bundle_invalid", "its extra fields make no sense";
    an_extra_field_that_is_cut: changed(|a| a.extra = vec![0x55, 0x54, 9, 0, 1]) => "bundle_invalid", "its extra fields make no sense";
    entries_that_share_bytes: one_kernel(3) => "compression_bomb", "shares bytes with another entry";
    an_entry_that_reaches_into_the_next: zip().entry(a().with(|a| { a.packed_bytes += 40; a.local_packed_bytes += 40; })).entry(Entry::stored("b", b"1")).bytes() => "compression_bomb", "\"a\" in the bundle shares bytes";
    an_entry_that_reaches_into_the_directory: changed(|a| { a.packed_bytes += 40; a.local_packed_bytes += 40; }) => "compression_bomb", "shares bytes";
    one_header_for_two_entries: zip().entry(a()).entry(a().with(|b| { b.name = b"b".to_vec(); b.at = Some(0); })).bytes() => "compression_bomb", "shares bytes";
    a_bomb: Zip::of(&[("a", &vec![0; 20 << 20]), ("b", &vec![0; 20 << 20])]) => "compression_bomb", "over 200 for each of its own";
    data_between_entries: zip().entry(a().with(|a| a.behind = b"hidden".to_vec())).entry(Entry::stored("b", b"1")).bytes() => "bundle_invalid", "there is something between it and the next";
    data_before_the_directory: site().with(|zip| zip.between = b"hidden".to_vec()).bytes() => "bundle_invalid", "there is something between it and the next";
    an_entry_that_the_directory_does_not_know: [one(Entry::stored("hidden", b"x")).cut(37), site().bytes()].concat() => "bundle_invalid", "its directory is not where it should be";
    data_in_front: site().with(|zip| zip.before = b"PK\x03\x04 hidden".to_vec()).bytes() => "bundle_invalid", "something before or between its entries";
    data_in_front_that_is_not_told: b"PK\x03\x04 hidden".to_vec().and(&site().bytes()) => "bundle_invalid", "its directory is not where it should be";
    data_behind: site().bytes().and(b"x") => "bundle_invalid", "there is more after it";
    a_second_zip_behind: site().bytes().and(&site().bytes()) => "bundle_invalid", "its directory is not where it should be";
    a_comment_with_another_end: site().with(|zip| zip.comment = [b"PK\x05\x06".as_slice(), &[0; 18]].concat()).bytes() => "bundle_invalid", "it has two ends";
    a_comment_with_half_an_end: site().with(|zip| zip.comment = [b"PK\x05\x06".as_slice(), &[9; 40]].concat()).bytes() => "bundle_invalid", "it has two ends";
    one_disk_of_two: site().with(|zip| zip.disk = 1).bytes() => "bundle_invalid", "one part of a split zip";
    a_directory_of_a_trillion: site().with(|zip| { zip.large = true; zip.claimed_entries = Some(1 << 40); }).bytes() => "too_many_files", "more than 20000 files or folders";
    a_directory_with_fewer_entries: site().with(|zip| zip.claimed_entries = Some(3)).bytes() => "bundle_invalid", "fewer entries";
    a_directory_with_more_entries: site().with(|zip| zip.claimed_entries = Some(1)).bytes() => "bundle_invalid", "more entries";
    a_directory_elsewhere: site().with(|zip| zip.claimed_at = Some(3)).bytes() => "bundle_invalid", "its directory is not where it should be";
    ends_that_differ: site().with(|zip| zip.large = true).bytes().with(|bytes| { let at = bytes.len() - 12; bytes[at] = 9; }) => "bundle_invalid", "its two ends differ";
    cut_within_its_first_entry: site().bytes().cut(20) => "bundle_invalid", "its directory's end is missing";
    cut_within_its_directory: site().bytes().with(|bytes| bytes.truncate(bytes.len() - 50)) => "bundle_invalid", "its directory's end is missing";
    cut_within_its_end: site().bytes().with(|bytes| bytes.truncate(bytes.len() - 3)) => "bundle_invalid", "its directory's end is missing";
    a_descriptor_that_lies: one(a().streamed(true, false).with(|a| a.behind[4] ^= 1)) => "bundle_invalid", "what stands behind it differs";
    a_descriptor_with_another_signature: one(a().streamed(true, false).with(|a| a.behind[0] ^= 1)) => "bundle_invalid", "what stands behind it differs";
    a_descriptor_that_is_missing: one(a().streamed(true, false).with(|a| a.behind.clear())) => "bundle_invalid", "something between it and the next";
    a_descriptor_that_is_not_announced: one(a().streamed(true, false).with(|a| { a.flags = 0; a.local_flags = 0; a.local_crc = a.crc; a.local_packed_bytes = a.packed_bytes; a.local_size_bytes = a.size_bytes; })) => "bundle_invalid", "something between it and the next";
    a_name_that_climbs: named("a/../../b") => "unsafe_path", ". or .. part";
    an_absolute_name: named("/etc/passwd") => "unsafe_path", "is absolute";
    a_drive: named("C:/x") => "unsafe_path", "a drive";
    a_backslash: named("a\\b") => "unsafe_path", "a backslash";
    a_nul: named("a\0b") => "unsafe_path", "a control character";
    no_name: named("") => "unsafe_path", "is empty";
    a_name_in_an_old_code_page: raw_name(b"caf\x82", 0) => "unsafe_path", "not UTF-8";
    a_name_that_is_not_the_utf8_it_says: raw_name(b"caf\x82", 1 << 11) => "unsafe_path", "not UTF-8";
    a_folder_that_climbs: zip().entry(Entry::stored("../d/", b"")).entry(a()).bytes() => "unsafe_path", ". or .. part";
    a_name_twice: zip().entry(a()).entry(Entry::stored("a", b"2")).bytes() => "path_collision", "a is there twice";
    a_file_that_is_a_folder_too: zip().entry(a()).entry(Entry::stored("a/", b"")).bytes() => "path_collision", "a is there twice";
    a_file_with_files_below: zip().entry(a()).entry(Entry::stored("a/b", b"2")).bytes() => "path_collision", "a is a file";
    names_that_differ_in_case: zip().entry(a()).entry(Entry::stored("A", b"2")).bytes() => "path_collision", "differ only in case";
    names_that_differ_in_normalisation: zip().entry(Entry::stored("caf\u{e9}", b"1")).entry(Entry::stored("cafe\u{301}", b"2")).bytes() => "path_collision", "is there twice";
    nothing_but_folders: one(Entry::stored("d/", b"")) => "no_files", "there are no files";
    nothing_at_all: zip().bytes() => "no_files", "there are no files";
}

accepted! {
    stored_and_deflated: site().bytes() => [("index.html", b"hi"), ("sub/a", [7; 700])];
    a_directory_in_another_order: zip().entry(Entry::stored("b", b"2").with(|b| b.at = Some(32))).entry(Entry::stored("a", b"1").with(|a| a.at = Some(0))).bytes().with(|bytes| bytes[..64].rotate_left(32)) => [("a", b"1"), ("b", b"2")];
    a_comment: site().with(|zip| zip.comment = b"0123456789abcdef".to_vec()).bytes() => [("index.html", b"hi"), ("sub/a", [7; 700])];
    the_longest_comment: site().with(|zip| zip.comment = vec![b'x'; 65_535]).bytes() => [("index.html", b"hi"), ("sub/a", [7; 700])];
    folders_are_passed_over: zip().entry(Entry::stored("e/", b"").mode(0o040_755)).entry(Entry::deflated("d/", b"")).entry(Entry::stored("d/a", b"1")).bytes() => [("d/a", b"1")];
    empty_files_stay: zip().entry(Entry::stored("a", b"")).entry(Entry::deflated("b", b"")).bytes() => [("a", b""), ("b", b"")];
    a_stream_with_signature: one(a().streamed(true, false)) => [("a", [7; 700])];
    a_stream_without_signature: one(a().streamed(false, false)) => [("a", [7; 700])];
    a_stream_with_large_numbers: one(a().streamed(true, true)) => [("a", [7; 700])];
    a_stream_with_large_numbers_without_signature: one(a().streamed(false, true)) => [("a", [7; 700])];
    a_zip64: site().with(|zip| zip.large = true).bytes() => [("index.html", b"hi"), ("sub/a", [7; 700])];
    zip64_numbers: one(wide()) => [("a", [7; 700])];
    padding_among_extra_fields: changed(|a| { a.extra = vec![0; 7]; a.local_extra = vec![0; 2]; }) => [("a", [7; 700])];
    the_same_name_in_another_field: changed(|a| a.extra = unicode_name(b"a")) => [("a", [7; 700])];
    utf8_without_its_flag: named("caf\u{e9}") => [("caf\u{e9}", b"x")];
    utf8_with_its_flag: raw_name("caf\u{e9}".as_bytes(), 1 << 11) => [("caf\u{e9}", b"x")];
    an_executable_is_a_file: one(a().mode(0o100_755)) => [("a", [7; 700])];
}

#[test]
fn every_limit_holds() {
    let limits = Limits {
        files: 2,
        total_bytes: 8,
        file_bytes: 4,
        depth: 3,
        ratio: 1,
    };
    let two = || {
        zip()
            .entry(Entry::stored("a", b"1234"))
            .entry(Entry::stored("d/e/", b""))
    };
    let fits = two().entry(Entry::deflated("c/d/e", b"1234"));
    assert!(OnDisk::new(&fits.bytes()).read(&limits).is_ok());
    for (entry, code) in [
        (Entry::stored("c", b"12345"), "file_too_large"),
        (Entry::stored("c/d/e/f", b""), "too_deep"),
        (Entry::stored("c/d/e/f/", b""), "too_deep"),
    ] {
        assert_refused_within(&limits, &two().entry(entry).bytes(), code, "");
    }
    let more = |name: &str, content: &[u8]| {
        let zip = two().entry(Entry::stored("b", b"1234"));
        zip.entry(Entry::stored(name, content)).bytes()
    };
    assert_refused_within(&limits, &more("c", b""), "too_many_files", "");
    let limits = Limits { files: 3, ..limits };
    assert_refused_within(&limits, &more("c", b"1"), "bundle_too_large", "");
}

#[test]
fn stored_entries_are_read_where_they_are() {
    let bundle = OnDisk::new(&one(Entry::stored("a", b"1")));
    let tree = bundle.read(&Limits::default()).unwrap();
    assert_eq!(bundle.beside(), 0);
    assert_eq!(contents(&tree), [("a", b"1".to_vec())]);

    let bundle = OnDisk::new(&site().bytes());
    let tree = bundle.read(&Limits::default()).unwrap();
    assert_eq!(bundle.beside(), 1, "deflated ones aren't");
    drop(tree);
    assert_eq!(bundle.beside(), 0);
}
