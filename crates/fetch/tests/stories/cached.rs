//! What was fetched before, and what somebody else is fetching.

use std::fs;
use std::sync::Arc;

use foreshow_contract::{BundleRef, Sha256, TenantId};
use foreshow_engine::Bundles as _;
use foreshow_fetch::{BundlesOptions, cache_size};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::origin::Answer;
use crate::world::{World, content, eventually, options};

impl World {
    fn serves(&self, content: &[u8]) {
        let content = content.to_vec();
        self.origin.tells(move |_| Answer::whole(&content));
    }

    fn asked_for(&self) -> usize {
        self.origin.asked().len()
    }
}

#[tokio::test]
async fn what_was_fetched_once_is_asked_for_no_more() {
    let world = World::start().await;
    let site = content(100_000);
    world.serves(&site);
    world.arrives(&site).await;
    world.arrives(&site).await;
    let elsewhere = world.url("/the-same-elsewhere.tar.gz");
    world.fetch_from(&elsewhere, "acme", &site).await.unwrap();
    assert_eq!(world.asked_for(), 1);
    // Another process, or the next start.
    let bundle = BundleRef {
        url: elsewhere,
        sha256: Sha256::of(&site),
    };
    let acme = TenantId::try_new("acme").unwrap();
    let another = world.restarted(options());
    let file = another.fetch(&bundle, &acme).await.unwrap();
    assert!(fs::read(&*file).unwrap() == site);
    assert_eq!(world.asked_for(), 1);
    drop(file);
    world.leaves_nothing().await;
}

#[tokio::test]
async fn a_tenant_gets_nothing_by_another_tenants_digest() {
    let world = World::start().await;
    let site = content(1_000);
    world.serves(&site);
    world.fetch_for("acme", &site).await.unwrap();
    world.origin.tells(|_| Answer::status(403));
    let error = world.fetch_for("globex", &site).await.unwrap_err();
    crate::world::assert_permanent(&error, "bundle_forbidden");
    assert_eq!(world.asked_for(), 2);
    world.fetch_for("acme", &site).await.unwrap();
    assert_eq!(world.asked_for(), 2);
}

#[tokio::test]
async fn a_url_that_is_not_allowed_is_refused_whatever_is_here() {
    let world = World::start().await;
    let site = content(1_000);
    world.serves(&site);
    world.arrives(&site).await;
    for url in [
        "http://127.0.0.2/site.tar.gz",
        "https://10.0.0.1/site.tar.gz",
    ] {
        let error = world.fetch_from(url, "acme", &site).await.unwrap_err();
        assert!(error.to_string().contains("not allowed"), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_copy_is_fetched_again() {
    let world = World::start().await;
    let site = content(10_000);
    world.serves(&site);
    world.arrives(&site).await;
    let folder = world.folder.path().join("fetched");
    for file in fs::read_dir(&folder).unwrap() {
        fs::write(file.unwrap().path(), "damaged").unwrap();
    }
    world.arrives(&site).await;
    assert_eq!(world.asked_for(), 2);
    world.arrives(&site).await;
    assert_eq!(world.asked_for(), 2, "the new one is kept");
}

#[tokio::test]
async fn the_disk_that_is_taken_up_is_bounded_and_readers_keep_what_they_read() {
    let world = World::with(BundlesOptions {
        cache_bytes: 25_000,
        ..options()
    })
    .await;
    let mut readers = Vec::new();
    for seed in 0..5 {
        let site = content(10_000 + seed);
        world.serves(&site);
        readers.push((world.fetch(&site).await.unwrap(), site));
        let kept = cache_size(&world.folder.path().join("fetched")).unwrap();
        assert!(kept.bytes <= 25_000, "{kept:?}");
    }
    for (file, site) in &readers {
        assert!(fs::read(&**file).unwrap() == *site);
    }
    drop(readers);
    world.leaves_nothing().await;
    // The last is there, the first has made room.
    world.origin.tells(|_| Answer::status(404));
    world.fetch(&content(10_004)).await.unwrap();
    world.fetch(&content(10_000)).await.unwrap_err();
}

#[tokio::test]
async fn many_who_want_the_same_at_once_cost_one_transfer() {
    for cache_bytes in [1 << 30, 0] {
        let world = World::with(BundlesOptions {
            cache_bytes,
            ..options()
        })
        .await;
        let site = content(200_000);
        let gate = Arc::new(Semaphore::new(0));
        let (opens, sent) = (Arc::clone(&gate), site.clone());
        world
            .origin
            .tells(move |_| Answer::whole(&sent).once_open(&opens));
        // All of them take their places before anybody is answered.
        let fetches = join_all((0..16).map(|_| world.fetch(&site)));
        let opened = async {
            eventually("somebody asks", || world.asked_for() == 1).await;
            gate.add_permits(1);
        };
        let (files, ()) = tokio::join!(fetches, opened);
        let files: Vec<_> = files.into_iter().map(Result::unwrap).collect();
        for file in &files {
            assert!(fs::read(&**file).unwrap() == site);
        }
        assert_eq!(world.asked_for(), 1, "with {cache_bytes} bytes of cache");
        drop(files);
        world.leaves_nothing().await;
    }
}

#[tokio::test]
async fn whoever_waited_for_a_transfer_that_was_dropped_makes_its_own() {
    let world = World::start().await;
    let site = content(50_000);
    let sent = site.clone();
    world.origin.tells(move |asked| match asked.nth {
        0 => Answer::whole(&sent).cut_after(20_000).then_silence(),
        _ => Answer::whole(&sent),
    });
    let mut dropped = Box::pin(world.fetch(&site));
    tokio::select! {
        _ = &mut dropped => panic!("it does not arrive"),
        () = eventually("it is under way", || world.scratch_files() == 1) => {}
    }
    eventually("it was asked for", || world.asked_for() == 1).await;
    let waiting = world.arrives(&site);
    tokio::pin!(waiting);
    tokio::select! {
        biased;
        () = &mut waiting => panic!("it waits"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(world.asked_for(), 1);
    drop(dropped);
    waiting.await;
    assert_eq!(world.asked_for(), 2);
    world.leaves_nothing().await;
}

#[tokio::test]
async fn a_fetch_that_is_dropped_leaves_no_file() {
    let world = World::start().await;
    let site = content(500_000);
    let sent = site.clone();
    world
        .origin
        .tells(move |_| Answer::whole(&sent).cut_after(400_000).then_silence());
    let mut fetching = Box::pin(world.fetch(&site));
    tokio::select! {
        _ = &mut fetching => panic!("it does not arrive"),
        () = eventually("it is under way", || world.scratch_files() == 1) => {}
    }
    drop(fetching);
    world.leaves_nothing().await;
    assert_eq!(
        cache_size(&world.folder.path().join("fetched"))
            .unwrap()
            .bundles,
        0
    );
}

#[tokio::test]
async fn what_a_killed_process_left_goes_with_a_later_start() {
    let world = World::start().await;
    let left = world.folder.path().join("fetched/.receiving-dead");
    let file = fs::File::create(&left).unwrap();
    world.restarted(options());
    assert!(left.exists(), "it may be somebody's who is at it");
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    drop(file);
    world.restarted(options());
    assert!(!left.exists());
}
