//! Directories collected and packed.

use std::fs;

use crate::support::{OnDisk, contents, directory, packed, paths};
use foreshow_bundle::{Limits, collect, pack, tree_from_bundle, tree_from_inline};

#[test]
fn a_packed_directory_and_its_inline_files_give_the_same_tree() {
    let long = format!("{}/{}.txt", "d".repeat(120), "f".repeat(200));
    let dir = directory(&[
        ("index.html", b"<h1>hi</h1>"),
        ("img/logo.png", &[0x89, b'P', 0xff, 0]),
        ("empty", b""),
        ("caf\u{e9}/men\u{fc}.txt", b"x"),
        (&long, b"long"),
        (".env", b"SECRET=1"),
        (".gitignore", b"*.log\n"),
        ("x.log", b"noise"),
        ("node_modules/a/index.js", b"noise"),
    ]);
    let (packed, bytes) = packed(dir.path());
    let bundle = OnDisk::new(&bytes);
    assert_eq!(packed.sha256, bundle.sha256);
    assert_eq!(packed.size_bytes, bytes.len() as u64);
    let limits = Limits::default();
    let from_bundle = tree_from_bundle(&bundle.path, packed.sha256, &limits).unwrap();

    let collected = collect(dir.path(), &limits).unwrap();
    let files = collected.inline().unwrap();
    let from_inline = tree_from_inline(&files, &limits).unwrap();

    assert_eq!(contents(&from_bundle), contents(&from_inline));
    assert_eq!(from_bundle.digest(), from_inline.digest());
    assert_eq!(packed.files, from_bundle.files().len());
    assert_eq!(packed.total_bytes, from_bundle.total_bytes());
    let read: Vec<_> = from_bundle
        .files()
        .iter()
        .map(|file| {
            let mut bytes = Vec::new();
            let mut reader = file.content.open().unwrap();
            std::io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
            bytes
        })
        .collect();
    let expected: Vec<_> = contents(&from_bundle).into_iter().map(|c| c.1).collect();
    assert_eq!(read, expected);
}

#[test]
fn packing_is_deterministic_and_blind_to_times_and_modes() {
    let files: [(&str, &[u8]); 3] = [("b", b"2"), ("a/c", b"3"), ("a.txt", b"1")];
    let first = directory(&files);
    let second = directory(&[files[2], files[0], files[1]]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(second.path().join("b"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::File::options()
        .append(true)
        .open(second.path().join("b"))
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    fs::create_dir(second.path().join("empty-folder")).unwrap();
    let (a, b) = (packed(first.path()), packed(second.path()));
    assert_eq!(a.1, b.1);
    assert_eq!(
        a.0.sha256.to_string(),
        "b0e4522709766f5fb08fb1658dca1aed4186cace88dd64d40a9665fff5c26167"
    );
}

#[test]
fn what_the_sender_takes_back_is_not_dropped_by_the_receivers_defaults() {
    let dir = directory(&[
        (
            ".foreshowignore",
            b"!node_modules/\nnode_modules/*\n!node_modules/keep/\n",
        ),
        ("node_modules/keep/a.js", b"a"),
        ("node_modules/drop/b.js", b"b"),
        ("index.html", b""),
    ]);
    let (packed, bytes) = packed(dir.path());
    let bundle = OnDisk::new(&bytes);
    let tree = tree_from_bundle(&bundle.path, packed.sha256, &Limits::default()).unwrap();
    assert_eq!(paths(&tree), ["index.html", "node_modules/keep/a.js"]);
}

#[test]
fn the_secret_is_not_in_the_bundle() {
    let dir = directory(&[
        ("index.html", b""),
        (".env", b"TOP-SECRET"),
        (".git/config", b"TOP-SECRET"),
    ]);
    let (packed, bytes) = packed(dir.path());
    assert!(!bytes.windows(10).any(|window| window == b"TOP-SECRET"));
    let ignored: Vec<_> = packed.ignored.iter().map(ToString::to_string).collect();
    assert_eq!(
        ignored,
        [".env (`.env`, a default)", ".git/ (never deployed)"]
    );
}

#[test]
fn limits_hold_for_what_is_left_after_the_ignore_rules() {
    let dir = directory(&[
        ("node_modules/large.bin", &[0; 100]),
        ("a", b"1234"),
        ("b", b"1234"),
        ("c/d/e", b""),
    ]);
    let limits = |files, total_bytes, file_bytes, depth| Limits {
        files,
        total_bytes,
        file_bytes,
        depth,
        ..Limits::default()
    };
    let code = |limits| collect(dir.path(), &limits).unwrap_err().code();
    assert!(collect(dir.path(), &limits(3, 8, 4, 3)).is_ok());
    assert_eq!(code(limits(2, 8, 4, 3)), "too_many_files");
    assert_eq!(code(limits(3, 7, 4, 3)), "bundle_too_large");
    assert_eq!(code(limits(3, 8, 3, 3)), "file_too_large");
    assert_eq!(code(limits(3, 8, 4, 2)), "too_deep");
}

#[test]
fn a_directory_without_files_to_publish_is_refused() {
    let dir = directory(&[(".gitignore", b"*\n"), ("index.html", b"")]);
    assert_eq!(
        collect(dir.path(), &Limits::default()).unwrap_err().code(),
        "no_files"
    );
    let file = dir.path().join("index.html");
    assert_eq!(
        collect(&file, &Limits::default()).unwrap_err().code(),
        "not_a_directory"
    );
    let nowhere = dir.path().join("nowhere");
    assert_eq!(
        collect(&nowhere, &Limits::default()).unwrap_err().code(),
        "bundle_io"
    );
}

#[test]
fn a_file_that_changes_after_it_was_found_is_refused() {
    let dir = directory(&[("a", b"1234")]);
    let collected = collect(dir.path(), &Limits::default()).unwrap();
    for changed in [&b"12345"[..], b"123"] {
        fs::write(dir.path().join("a"), changed).unwrap();
        let error = collected.pack(&mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), "file_changed");
        assert!(error.is_transient());
        assert_eq!(collected.inline().unwrap_err().code(), "file_changed");
    }
    fs::remove_file(dir.path().join("a")).unwrap();
    assert_eq!(
        collected.pack(&mut Vec::new()).unwrap_err().code(),
        "bundle_io"
    );
}

#[test]
fn a_writer_that_refuses_is_reported() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dir = directory(&[("a", b"1234")]);
    let error = pack(dir.path(), &Limits::default(), &mut Full).unwrap_err();
    assert_eq!(error.to_string(), "could not write the bundle");
}

#[test]
fn the_estimate_covers_binary_files_and_is_close_for_text() {
    let dir = directory(&[("a.bin", &[0xff; 1000]), ("b.txt", b"some text")]);
    let collected = collect(dir.path(), &Limits::default()).unwrap();
    let exact: usize = collected
        .inline()
        .unwrap()
        .iter()
        .map(|file| file.content.len() + file.path.len() + 46)
        .sum();
    let estimate = collected.encoded_size_bytes();
    assert!(
        (exact as u64..exact as u64 + 8).contains(&estimate),
        "{estimate} for {exact}"
    );
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_special_files_are_left_out_and_reported_and_never_followed() {
        let secret = directory(&[("passwd", b"TOP-SECRET")]);
        let dir = directory(&[("index.html", b"hi"), (".git/x", b"")]);
        symlink(secret.path().join("passwd"), dir.path().join("link")).unwrap();
        symlink(secret.path(), dir.path().join("folder")).unwrap();
        symlink("nowhere", dir.path().join("dangling")).unwrap();
        symlink(dir.path(), dir.path().join("loop")).unwrap();
        symlink(secret.path().join("passwd"), dir.path().join(".gitignore")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();

        let (packed, bytes) = packed(dir.path());
        assert_eq!(packed.files, 1);
        assert!(!bytes.windows(10).any(|window| window == b"TOP-SECRET"));
        let ignored: Vec<_> = packed.ignored.iter().map(ToString::to_string).collect();
        assert_eq!(
            ignored,
            [
                ".git/ (never deployed)",
                ".gitignore (a symbolic link)",
                "dangling (a symbolic link)",
                "folder (a symbolic link)",
                "link (a symbolic link)",
                "loop (a symbolic link)",
                "socket (not a regular file)",
            ]
        );
    }

    #[test]
    fn a_file_replaced_by_a_link_after_it_was_found_is_refused() {
        let dir = directory(&[("a", b"1234"), ("b", b"5678")]);
        let collected = collect(dir.path(), &Limits::default()).unwrap();
        fs::remove_file(dir.path().join("a")).unwrap();
        symlink(dir.path().join("b"), dir.path().join("a")).unwrap();
        assert_eq!(
            collected.pack(&mut Vec::new()).unwrap_err().code(),
            "file_changed"
        );
    }

    #[test]
    fn the_directory_itself_may_be_reached_through_a_link() {
        let dir = directory(&[("a", b"1")]);
        let links = directory(&[]);
        symlink(dir.path(), links.path().join("site")).unwrap();
        assert_eq!(
            collect(&links.path().join("site"), &Limits::default())
                .unwrap()
                .files()
                .len(),
            1
        );
    }

    #[test]
    fn an_unsafe_name_is_refused_unless_it_is_ignored() {
        for name in [&b"a\\b"[..], b"a\nb", b"a\xff"] {
            let dir = directory(&[("index.html", b"")]);
            fs::write(dir.path().join(OsStr::from_bytes(name)), "").unwrap();
            let code = collect(dir.path(), &Limits::default()).unwrap_err().code();
            assert_eq!(code, "unsafe_path");
            fs::write(dir.path().join(".foreshowignore"), "a*\n").unwrap();
            collect(dir.path(), &Limits::default()).unwrap();
        }
    }
}
