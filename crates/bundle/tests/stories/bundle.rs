//! Bundles read: what is accepted and what is not.

use std::fs;

use crate::support::{HandMade, OnDisk, directory, packed, paths};
use foreshow_bundle::{BundleError, Limits, tree_from_bundle};
use foreshow_contract::Sha256;
use tar::EntryType;

fn read(bytes: &[u8]) -> Result<Vec<String>, BundleError> {
    let bundle = OnDisk::new(bytes);
    let tree = tree_from_bundle(&bundle.path, bundle.sha256, &Limits::default())?;
    Ok(paths(&tree).into_iter().map(str::to_owned).collect())
}

fn code(tar: HandMade) -> &'static str {
    read(&tar.bytes()).unwrap_err().code()
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let records = records.iter().map(|(key, value)| (*key, value.as_bytes()));
    builder.append_pax_extensions(records).unwrap();
    let bytes = builder.into_inner().unwrap();
    // Without the end of the archive, to be continued by hand.
    bytes[..bytes.len() - 1024].to_vec()
}

#[test]
fn archives_of_other_tools_are_read() {
    let tar = HandMade::default()
        .entry(
            EntryType::XGlobalHeader,
            b"pax_global_header",
            b"52 comment=0123456789012345678901234567890123456789\n",
        )
        .folder("./")
        .file("./index.html", "hi")
        .folder("./sub/")
        .file("./sub/a", "a");
    assert_eq!(read(&tar.bytes()).unwrap(), ["index.html", "sub/a"]);

    let mut bytes = pax(&[("path", "caf\u{e9}/x"), ("mtime", "1.5")]);
    bytes.extend(HandMade::default().file("caf?/x", "x").bytes());
    assert_eq!(read(&bytes).unwrap(), ["caf\u{e9}/x"]);
}

#[test]
fn links_devices_and_their_like_are_refused_by_name() {
    for (entry_type, kind) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::GNUSparse, "a sparse file"),
        (EntryType::Continuous, "of an unknown kind"),
        (EntryType::GNULongLink, "a link with a long name"),
        (EntryType::new(b'Z'), "of an unknown kind"),
    ] {
        let tar = HandMade::default()
            .file("a", "")
            .entry(entry_type, b"evil", b"");
        let error = read(&tar.bytes()).unwrap_err();
        assert_eq!(error.code(), "bundle_invalid");
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("\"evil\" in the bundle is {kind}")),
            "{message}"
        );
    }
}

#[test]
fn unsafe_names_are_refused_in_every_way_to_write_them() {
    for name in [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "a//b",
        "././a",
        "C:/x",
        "a\\b",
    ] {
        assert_eq!(
            code(HandMade::default().file(name, "")),
            "unsafe_path",
            "{name}"
        );
        let long = HandMade::default()
            .entry(
                EntryType::GNULongName,
                b"././@LongLink",
                format!("{name}\0").as_bytes(),
            )
            .file("harmless", "");
        assert_eq!(code(long), "unsafe_path", "{name}");
        let mut bytes = pax(&[("path", name)]);
        bytes.extend(HandMade::default().file("harmless", "").bytes());
        assert_eq!(read(&bytes).unwrap_err().code(), "unsafe_path", "{name}");
    }
    assert_eq!(
        code(HandMade::default().folder("../x/").file("a", "")),
        "unsafe_path"
    );
    assert_eq!(
        code(HandMade::default().entry(EntryType::Regular, b"a\xff", b"")),
        "unsafe_path"
    );
    let hidden = HandMade::default()
        .entry(EntryType::GNULongName, b"././@LongLink", b"a\0/../x\0")
        .file("harmless", "");
    assert_eq!(code(hidden), "unsafe_path");
}

#[test]
fn an_entry_twice_is_refused_also_as_file_and_folder() {
    assert_eq!(
        code(HandMade::default().file("a", "1").file("a", "2")),
        "path_collision"
    );
    assert_eq!(
        code(HandMade::default().file("a", "1").file("./a", "2")),
        "path_collision"
    );
    assert_eq!(
        code(HandMade::default().file("a", "1").folder("a/")),
        "path_collision"
    );
    assert_eq!(
        code(HandMade::default().file("a", "1").file("A", "2")),
        "path_collision"
    );
    assert_eq!(
        code(HandMade::default().file("a", "1").file("a/b", "2")),
        "path_collision"
    );
}

#[test]
fn records_that_readers_disagree_about_are_refused() {
    for record in [("size", "0"), ("linkpath", "x"), ("GNU.sparse.major", "1")] {
        let mut bytes = pax(&[record]);
        bytes.extend(HandMade::default().file("a", "1").bytes());
        assert_eq!(
            read(&bytes).unwrap_err().code(),
            "bundle_invalid",
            "{record:?}"
        );
    }
    let named_twice = HandMade::default()
        .entry(EntryType::GNULongName, b"././@LongLink", b"a\0")
        .entry(EntryType::GNULongName, b"././@LongLink", b"b\0")
        .file("c", "");
    assert_eq!(code(named_twice), "bundle_invalid");
    let unnamed =
        HandMade::default()
            .file("c", "")
            .entry(EntryType::GNULongName, b"././@LongLink", b"a\0");
    assert_eq!(code(unnamed), "bundle_invalid");
    let endless = HandMade::default()
        .entry(EntryType::GNULongName, b"././@LongLink", &[b'a'; 5000])
        .file("c", "");
    assert_eq!(code(endless), "bundle_invalid");
}

#[test]
fn what_is_no_tar_is_refused() {
    assert_eq!(read(&[7; 2048]).unwrap_err().code(), "bundle_format");
    assert_eq!(read(b"short").unwrap_err().code(), "bundle_format");
    assert_eq!(read(b"").unwrap_err().code(), "bundle_format");
    assert_eq!(read(&[0; 1024]).unwrap_err().code(), "no_files");
    let mut two = HandMade::default().file("a", "").bytes();
    two.extend(HandMade::default().file("b", "").bytes());
    assert_eq!(
        read(&two).unwrap_err().code(),
        "bundle_invalid",
        "a second archive behind the first"
    );
}

#[test]
fn a_bundle_with_another_digest_is_refused_and_both_are_named() {
    let dir = directory(&[("a", b"1")]);
    let (packed, mut bytes) = packed(dir.path());
    bytes[600] ^= 1;
    let bundle = OnDisk::new(&bytes);
    let error = tree_from_bundle(&bundle.path, packed.sha256, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "bundle_digest_mismatch");
    let message = error.to_string();
    assert!(
        message.contains(&bundle.sha256.to_string())
            && message.contains(&packed.sha256.to_string())
    );
}

#[test]
fn a_truncated_bundle_is_told_as_damaged_wherever_it_was_cut() {
    let dir = directory(&[("a", &[1; 1000]), ("b", &[2; 700])]);
    let (packed, bytes) = packed(dir.path());
    for len in [
        0,
        1,
        511,
        512,
        513,
        1000,
        1536,
        2048,
        2300,
        bytes.len() - 1024,
        bytes.len() - 1,
    ] {
        let bundle = OnDisk::new(&bytes[..len]);
        let error = tree_from_bundle(&bundle.path, packed.sha256, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "bundle_digest_mismatch", "cut at {len}");
    }
    // Under its own digest it is an archive that can't be read, also where it was cut between entries.
    for len in [
        262,
        511,
        512,
        513,
        1000,
        1535,
        1536,
        2048,
        2300,
        bytes.len() - 1024,
    ] {
        assert_eq!(
            read(&bytes[..len]).unwrap_err().code(),
            "bundle_invalid",
            "cut at {len}"
        );
    }
}

#[test]
fn every_limit_holds_for_bundles() {
    let tar = || {
        HandMade::default()
            .file("a", "1234")
            .folder("c/")
            .folder("c/d/")
            .file("c/d/e", "1234")
            .bytes()
    };
    let limits = |files, total_bytes, file_bytes, depth| Limits {
        files,
        total_bytes,
        file_bytes,
        depth,
        ..Limits::default()
    };
    let bundle = OnDisk::new(&tar());
    let read = |limits| tree_from_bundle(&bundle.path, bundle.sha256, &limits);
    assert!(read(limits(2, 8, 4, 3)).is_ok());
    for (limits, code) in [
        (limits(1, 8, 4, 3), "too_many_files"),
        (limits(2, 7, 4, 3), "bundle_too_large"),
        (limits(2, 8, 3, 3), "file_too_large"),
        (limits(2, 8, 4, 2), "too_deep"),
    ] {
        assert_eq!(read(limits).unwrap_err().code(), code);
    }
    // A file that is larger than any tar within the limits isn't read at all.
    let huge = OnDisk::new(b"");
    fs::File::options()
        .write(true)
        .open(&huge.path)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let error = tree_from_bundle(&huge.path, huge.sha256, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "bundle_too_large");
}

#[test]
fn a_missing_bundle_is_told_by_its_path() {
    let dir = directory(&[]);
    let path = dir.path().join("sha256-x.tar");
    let error = tree_from_bundle(&path, Sha256::of(b""), &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "bundle_missing");
    assert!(error.to_string().contains("sha256-x.tar"));
}

#[test]
fn content_that_is_gone_is_an_error_and_not_empty() {
    let dir = directory(&[("a", &[1; 1000])]);
    let (packed, bytes) = packed(dir.path());
    let bundle = OnDisk::new(&bytes);
    let tree = tree_from_bundle(&bundle.path, packed.sha256, &Limits::default()).unwrap();
    let content = &tree.files()[0].content;
    assert_eq!(content.len_bytes(), 1000);
    fs::write(&bundle.path, &bytes[..800]).unwrap();
    assert_eq!(
        content.read().unwrap_err().kind(),
        std::io::ErrorKind::UnexpectedEof
    );
    fs::remove_file(&bundle.path).unwrap();
    assert_eq!(
        content.read().unwrap_err().kind(),
        std::io::ErrorKind::NotFound
    );
}
