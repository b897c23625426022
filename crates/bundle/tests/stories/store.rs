//! Bundles kept on disk.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::{directory, paths};
use foreshow_bundle::{BundleStore, Limits, scratch};
use foreshow_contract::Sha256;
use tempfile::TempDir;

fn store() -> (TempDir, BundleStore) {
    let dir = TempDir::new().unwrap();
    let store = BundleStore::open(dir.path().join("data/bundles")).unwrap();
    (dir, store)
}

#[test]
fn a_bundle_is_kept_under_its_digest_and_found_again() {
    let (_dir, store) = store();
    let site = directory(&[("index.html", b"hi")]);
    let packed = store.put_packed(site.path(), &Limits::default()).unwrap();

    let path = store.path(packed.sha256).unwrap();
    assert_eq!(
        path.file_name().unwrap().to_str().unwrap(),
        format!("sha256-{}.tar", packed.sha256)
    );
    assert_eq!(Sha256::of(&fs::read(&path).unwrap()), packed.sha256);
    assert_eq!(
        paths(&store.tree(packed.sha256, &Limits::default()).unwrap()),
        ["index.html"]
    );

    let list = store.list().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(
        (list[0].sha256, list[0].size_bytes),
        (packed.sha256, packed.size_bytes)
    );

    assert!(store.remove(packed.sha256).unwrap());
    assert!(!store.remove(packed.sha256).unwrap());
    assert_eq!(store.path(packed.sha256), None);
    assert_eq!(store.list().unwrap(), []);
    let gone = store.tree(packed.sha256, &Limits::default()).unwrap_err();
    assert_eq!(gone.code(), "bundle_missing");
}

#[test]
fn storing_again_changes_nothing_but_mends_a_damaged_bundle() {
    let (_dir, store) = store();
    let site = directory(&[("index.html", b"hi")]);
    let packed = store.put_packed(site.path(), &Limits::default()).unwrap();
    fs::write(store.path(packed.sha256).unwrap(), "damaged").unwrap();
    let again = store.put_packed(site.path(), &Limits::default()).unwrap();
    assert_eq!(again.sha256, packed.sha256);
    store.tree(packed.sha256, &Limits::default()).unwrap();
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn a_bundle_from_elsewhere_is_copied_if_it_is_the_one_that_was_meant() {
    let (dir, store) = store();
    let bundles = dir.path().join("data/bundles");
    let received = dir.path().join("received");
    let content = vec![7; 300_000];
    fs::write(&received, &content).unwrap();
    let sha256 = Sha256::of(&content);

    let error = store.adopt(Sha256::of(b"another"), &received).unwrap_err();
    assert_eq!(error.code(), "bundle_digest_mismatch");
    assert!(!error.is_transient());
    let error = store.adopt(sha256, &dir.path().join("gone")).unwrap_err();
    assert_eq!(error.code(), "bundle_missing");
    assert_eq!(fs::read_dir(&bundles).unwrap().count(), 0);

    store.adopt(sha256, &received).unwrap();
    assert!(received.is_file(), "it stays its owner's");
    let path = store.path(sha256).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content);
    fs::write(&path, "damaged").unwrap();
    store.adopt(sha256, &received).unwrap();
    assert_eq!(fs::read(&path).unwrap(), content, "mended");
    assert_eq!(fs::read_dir(&bundles).unwrap().count(), 1);
}

#[test]
fn many_writers_of_one_bundle_do_not_disturb_each_other_or_a_reader() {
    let (_dir, store) = store();
    let site = directory(&[("index.html", &vec![7; 100_000])]);
    let sha256 = store
        .put_packed(site.path(), &Limits::default())
        .unwrap()
        .sha256;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    store.put_packed(site.path(), &Limits::default()).unwrap();
                    store.tree(sha256, &Limits::default()).unwrap();
                }
            });
        }
    });
    let left = fs::read_dir(store.path(sha256).unwrap().parent().unwrap())
        .unwrap()
        .count();
    assert_eq!(left, 1, "no temporary files are left");
}

#[test]
fn a_failed_put_leaves_nothing() {
    let (dir, store) = store();
    let empty = directory(&[]);
    store
        .put_packed(empty.path(), &Limits::default())
        .unwrap_err();
    assert_eq!(
        fs::read_dir(dir.path().join("data/bundles"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn what_a_dead_process_left_is_removed_once_it_is_old() {
    let (dir, store) = store();
    let bundles = dir.path().join("data/bundles");
    for abandoned in [".packing-abc", ".receiving-abc"] {
        fs::write(bundles.join(abandoned), "half").unwrap();
    }
    let held = scratch::create(&bundles).unwrap();
    fs::write(bundles.join("README"), "not ours").unwrap();
    fs::write(bundles.join("sha256-short.tar"), "not ours").unwrap();
    let written_at = UNIX_EPOCH + Duration::from_secs(1000);
    for old in [".packing-abc", ".receiving-abc"] {
        let old = fs::File::options().write(true).open(bundles.join(old));
        old.unwrap().set_modified(written_at).unwrap();
    }
    held.as_file().set_modified(written_at).unwrap();

    assert_eq!(store.list().unwrap(), []);
    assert_eq!(store.remove_abandoned(written_at).unwrap(), 0);
    assert_eq!(
        store
            .remove_abandoned(written_at + Duration::from_secs(1))
            .unwrap(),
        2
    );
    assert!(held.path().is_file(), "somebody reads it");
    assert_eq!(fs::read_dir(&bundles).unwrap().count(), 3);
}

#[test]
fn our_own_data_folder_is_never_packed_into_a_bundle() {
    let site = directory(&[("index.html", b"hi")]);
    let store = BundleStore::open(site.path().join(".foreshow/bundles")).unwrap();
    let first = store.put_packed(site.path(), &Limits::default()).unwrap();
    let second = store.put_packed(site.path(), &Limits::default()).unwrap();
    assert_eq!(first.sha256, second.sha256);
    assert_eq!(second.files, 1);
}
