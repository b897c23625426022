//! A bundle is there while an event needs it, and goes with the last one.

use std::{fs, path::Path, sync::Arc, time::Duration};

use foreshow_bundle::{BundleStore, Limits};
use foreshow_contract::{BundleRef, ContextKey, Sha256, Timestamp};
use foreshow_engine::{BundleVault, Bundles, Clock, Failure, code};
use foreshow_store::embedded::EmbeddedBundles;

use crate::support::{Folder, HandClock, key, revision};

struct World {
    folder: Folder,
    files: BundleStore,
    bundles: EmbeddedBundles,
}

impl World {
    async fn new() -> Self {
        let clock = HandClock::new();
        // The folder's files have their ages by the real clock.
        clock.advance(Timestamp::now().saturating_since(clock.now()));
        let folder = Folder::new(clock);
        let files = BundleStore::open(folder.path("bundles")).unwrap();
        fs::create_dir(folder.path("site")).unwrap();
        fs::write(folder.path("site/index.html"), "<h1>hi</h1>").unwrap();
        let bundles = open(&folder, &files).await;
        Self {
            folder,
            files,
            bundles,
        }
    }

    fn put(&self) -> Sha256 {
        self.files
            .put_packed(&self.folder.path("site"), &Limits::default())
            .unwrap()
            .sha256
    }

    fn is_there(&self, sha256: Sha256) -> bool {
        self.files
            .path(sha256)
            .as_deref()
            .is_some_and(Path::is_file)
    }
}

async fn open(folder: &Folder, files: &BundleStore) -> EmbeddedBundles {
    let clock = Arc::new(folder.clock.clone());
    EmbeddedBundles::open(folder.database().await, files.clone(), clock)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_stays_until_the_last_event_that_needs_it_has_ended() {
    let world = World::new().await;
    let sha256 = world.put();
    let bundle = BundleRef::local(sha256);
    for (context, number) in [("a", 1), ("a", 2), ("b", 1)] {
        assert!(
            world
                .bundles
                .hold(sha256, &key(context), revision(number))
                .await
                .unwrap()
        );
        assert!(
            world
                .bundles
                .hold(sha256, &key(context), revision(number))
                .await
                .unwrap()
        );
    }
    let path = world
        .bundles
        .fetch(&bundle, &key("a").tenant)
        .await
        .unwrap();
    assert!(path.is_file());
    for (context, number) in [("a", 1), ("b", 1), ("b", 1)] {
        world
            .bundles
            .release(&bundle, &key(context), revision(number))
            .await
            .unwrap();
        assert!(world.is_there(sha256));
    }
    world
        .bundles
        .release(&bundle, &key("a"), revision(2))
        .await
        .unwrap();
    assert!(!world.is_there(sha256));
    world
        .bundles
        .release(&bundle, &key("a"), revision(2))
        .await
        .unwrap();
    let error = world
        .bundles
        .fetch(&bundle, &key("a").tenant)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Permanent("bundle_missing"));
    assert!(error.message.contains("publish the files again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_was_packed_elsewhere_is_put_whole_or_not_at_all() {
    let world = World::new().await;
    let packed = world.folder.path("packed.tar");
    fs::write(&packed, "site").unwrap();
    let (sha256, another) = (Sha256::of(b"site"), Sha256::of(b"another"));
    let error = world.bundles.put(another, &packed).await.unwrap_err();
    let mismatch = Failure::Permanent("bundle_digest_mismatch");
    assert_eq!(error.failure, mismatch);
    assert!(!world.is_there(another) && !world.is_there(sha256));

    let held = world.bundles.hold(sha256, &key("a"), revision(1)).await;
    assert!(!held.unwrap());
    world.bundles.put(sha256, &packed).await.unwrap();
    let held = world.bundles.hold(sha256, &key("a"), revision(1)).await;
    assert!(held.unwrap());
    let bundle = BundleRef::local(sha256);
    let path = world
        .bundles
        .fetch(&bundle, &key("a").tenant)
        .await
        .unwrap();
    assert_eq!(fs::read(&*path).unwrap(), b"site");
    drop(path);
    assert!(world.is_there(sha256), "the vault's own file is no copy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_handed_out_to_the_tenants_whose_events_hold_it_and_to_nobody_else() {
    let world = World::new().await;
    let sha256 = world.put();
    let bundle = BundleRef::local(sha256);
    let ours = key("a");
    let theirs = ContextKey::try_new("somebody-else", "a").unwrap();
    let hold = async |key: &ContextKey| {
        let held = world.bundles.hold(sha256, key, revision(1)).await;
        assert!(held.unwrap());
    };
    let fetch = async |key: &ContextKey| world.bundles.fetch(&bundle, &key.tenant).await;
    let missing = Failure::Permanent(code::BUNDLE_MISSING);
    assert_eq!(fetch(&ours).await.unwrap_err().failure, missing);
    hold(&theirs).await;
    assert_eq!(fetch(&ours).await.unwrap_err().failure, missing);
    assert!(fetch(&theirs).await.is_ok());
    hold(&ours).await;
    assert!(fetch(&ours).await.is_ok());
    let released = world.bundles.release(&bundle, &theirs, revision(1)).await;
    released.unwrap();
    assert_eq!(fetch(&theirs).await.unwrap_err().failure, missing);
    assert!(fetch(&ours).await.is_ok(), "still held by another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_from_elsewhere_is_refused_with_its_reason() {
    let world = World::new().await;
    let url = "https://user:secret@example.com/site.tar?signature=secret".to_owned();
    let bundle = BundleRef {
        url,
        sha256: Sha256::of(b"site"),
    };
    let error = world
        .bundles
        .fetch(&bundle, &key("a").tenant)
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Permanent(code::BUNDLE_UNSUPPORTED));
    assert!(!error.message.contains("secret"), "{error}");
    world
        .bundles
        .release(&bundle, &key("a"), revision(1))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_races_with_the_end_of_another_event_keeps_its_files() {
    let world = World::new().await;
    let other_process = open(&world.folder, &world.files).await;
    let sha256 = world.put();
    let bundle = BundleRef::local(sha256);
    for number in 1..=40 {
        let held = world
            .bundles
            .hold(sha256, &key("a"), revision(number))
            .await
            .unwrap();
        if !held {
            world.put();
        }
        let ended_context = key("a");
        let ending = other_process.release(&bundle, &ended_context, revision(number));
        let publishing = async {
            let is_there = world
                .bundles
                .hold(sha256, &key("b"), revision(number))
                .await
                .unwrap();
            if !is_there {
                world.put();
            }
        };
        let (ended, ()) = tokio::join!(ending, publishing);
        ended.unwrap();
        assert!(world.is_there(sha256), "held, and taken away all the same");
        world
            .bundles
            .release(&bundle, &key("b"), revision(number))
            .await
            .unwrap();
        assert!(!world.is_there(sha256));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_publisher_left_that_died_is_swept_by_age() {
    let world = World::new().await;
    let sha256 = world.put();
    world
        .bundles
        .hold(sha256, &key("a"), revision(1))
        .await
        .unwrap();
    let hour = Duration::from_hours(1);
    assert_eq!(
        world
            .bundles
            .sweep(world.folder.clock.now().saturating_sub(hour))
            .await
            .unwrap(),
        0
    );
    assert!(world.is_there(sha256));
    // Held again meanwhile, by an event that is still on its way.
    world.folder.clock.advance(hour * 2);
    world
        .bundles
        .hold(sha256, &key("b"), revision(1))
        .await
        .unwrap();
    assert_eq!(
        world
            .bundles
            .sweep(world.folder.clock.now().saturating_sub(hour))
            .await
            .unwrap(),
        0
    );
    assert!(world.is_there(sha256));
    world.folder.clock.advance(hour * 2);
    assert_eq!(
        world
            .bundles
            .sweep(world.folder.clock.now().saturating_sub(hour))
            .await
            .unwrap(),
        1
    );
    assert!(!world.is_there(sha256));
}
