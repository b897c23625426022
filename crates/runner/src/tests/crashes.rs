use foreshow_contract::Sha256;

use super::*;
use crate::PreviewError;
use crate::blobs::Blob;

fn blob(text: &'static str) -> Blob {
    Blob {
        sha256: Sha256::of(text.as_bytes()),
        size_bytes: text.len() as u64,
        content: foreshow_bundle::Content::Bytes(text.into()),
        path: "index.html".to_owned(),
    }
}

#[tokio::test]
async fn dying_after_the_files_leaves_nothing_and_the_next_attempt_succeeds() {
    let world = World::new().await;
    world
        .host
        .blobs
        .store(&[blob("hello"), blob("world")])
        .unwrap();
    assert_eq!(world.stored(), 2);
    let world = world.restart().await;
    assert_eq!((world.stored(), world.half_written()), (0, 0));
    let created = world
        .deploy("a", 1, &[("index.html", "hello"), ("b.txt", "world")])
        .await;
    assert_eq!(created.bytes_uploaded, 10);
    assert_eq!(world.host.list(&key("a"), NOW).await.unwrap().len(), 1);
}

#[tokio::test]
async fn dying_after_the_transaction_loses_nothing() {
    let world = World::new().await;
    let before = world.deploy("a", 1, &[("index.html", "hello")]).await;
    let world = world.restart().await;
    let again = world.deploy("a", 1, &[("index.html", "hello")]).await;
    assert_eq!(again.deployment, before.deployment);
    assert_eq!((again.bytes_uploaded, again.bytes_reused), (0, 5));
    assert_eq!(world.stored(), 1);
}

#[tokio::test]
async fn dying_between_the_two_steps_of_a_removal_leaves_nothing_after_the_next_start() {
    let world = World::new().await;
    let kept = world
        .deploy("a", 1, &[("index.html", "kept")])
        .await
        .deployment;
    let id = world
        .deploy("a", 2, &[("index.html", "gone")])
        .await
        .deployment
        .id;
    // The first step alone, as `remove` has it.
    world
        .host
        .index
        .write(move |tx| -> Result<(), PreviewError> {
            tx.execute("DELETE FROM deployments WHERE id = ?1", [id.as_str()])?;
            tx.execute(
                "DELETE FROM blobs WHERE row NOT IN (SELECT blob FROM files)",
                [],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(world.stored(), 2);
    let world = world.restart().await;
    assert_eq!(world.stored(), 1);
    assert_eq!(world.host.list(&key("a"), NOW).await.unwrap(), [kept]);
}

#[tokio::test]
async fn files_that_vanish_before_the_commit_are_written_again() {
    let world = World::new().await;
    // Another process starts in the middle of an upload and takes the files for a dead one's.
    let digest = Sha256::of(b"hello");
    world.host.blobs.store(&[blob("hello")]).unwrap();
    world.host.collect(NOW).await.unwrap();
    assert!(!world.host.blobs.has(&digest, 5));
    world.deploy("a", 1, &[("index.html", "hello")]).await;
    assert!(world.host.blobs.has(&digest, 5));
}

#[tokio::test]
async fn a_torn_file_of_an_unknown_blob_is_replaced() {
    let world = World::new().await;
    let path = world.host.blobs.path(&Sha256::of(b"hello"));
    std::fs::write(&path, "he").unwrap();
    world.deploy("a", 1, &[("index.html", "hello")]).await;
    assert_eq!(std::fs::read(&path).unwrap(), b"hello");
}

#[tokio::test]
async fn a_blob_that_lost_its_file_is_written_again_with_the_next_deployment_that_has_it() {
    let world = World::new().await;
    let files = [
        ("index.html", "hello"),
        ("a.txt", "gone"),
        ("b.txt", "torn"),
    ];
    let first = world.deploy("a", 1, &files).await.deployment;
    let path = |text: &str| world.host.blobs.path(&Sha256::of(text.as_bytes()));
    std::fs::remove_file(path("gone")).unwrap();
    std::fs::write(path("torn"), "to").unwrap();

    let again = world.deploy("a", 2, &files).await;
    assert_eq!((again.bytes_uploaded, again.bytes_reused), (8, 5));
    for text in ["hello", "gone", "torn"] {
        assert_eq!(std::fs::read_to_string(path(text)).unwrap(), text);
    }
    // One row each, as before: they go with the last deployment that has them.
    for id in [first.id, again.deployment.id] {
        assert_eq!(world.stored(), 3);
        world.host.remove(&id, NOW).await.unwrap();
    }
    assert_eq!((world.stored(), world.half_written()), (0, 0));
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_whole_deployment() {
    let world = World::new().await;
    let files: Vec<_> = (0..50)
        .map(|n| (format!("f{n}.txt"), format!("content {n}")))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| (path.as_str(), content.as_str()))
        .collect();
    let creation = world.host.create(new("a", 1, &files), NOW);
    assert!(
        tokio::time::timeout(std::time::Duration::ZERO, creation)
            .await
            .is_err()
    );
    while world.host.list(&key("a"), NOW).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!((world.stored(), world.half_written()), (50, 0));
}

#[tokio::test]
async fn a_bundle_that_changed_is_an_error_and_leaves_nothing() {
    let world = World::new().await;
    let bundle = world.folder.path().join("site.tar");
    std::fs::write(&bundle, "tampered").unwrap();
    let altered = Blob {
        content: foreshow_bundle::Content::Slice {
            file: foreshow_bundle::Backing::kept(bundle),
            offset_bytes: 0,
            len_bytes: 8,
        },
        size_bytes: 8,
        ..blob("original")
    };
    let error = world.host.blobs.store(&[altered]).unwrap_err();
    assert!(
        matches!(&error, PreviewError::Source { file, .. } if file == "index.html"),
        "{error}"
    );
    assert_eq!((world.stored(), world.half_written()), (0, 0));
}

#[cfg(unix)]
#[tokio::test]
async fn its_folders_are_for_this_user_alone_whatever_is_around_them() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    let data = tempfile::tempdir().unwrap();
    std::fs::set_permissions(data.path(), Permissions::from_mode(0o755)).unwrap();
    let previews = data.path().join("previews");
    let _host = PreviewHost::open(&previews, NOW).await.unwrap();
    let scratch = previews.join("scratch");
    let own = std::fs::read_dir(&scratch)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let blobs = previews.join("blobs");
    for folder in [&previews, &blobs, &blobs.join("00"), &scratch, &own] {
        let mode = folder.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
    }
}

#[tokio::test]
async fn a_folder_that_is_a_file_says_what_to_do() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("previews");
    std::fs::write(&path, "").unwrap();
    let error = PreviewHost::open(&path, NOW).await.unwrap_err();
    assert!(error.to_string().contains("previews"), "{error}");
}
