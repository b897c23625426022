use std::path::Path;

use foreshow_sqlite::{Database, DatabaseError, Options};

use crate::{Folder, insert};

async fn open_error(path: &Path) -> DatabaseError {
    let error = Database::open(path, Options::default()).await.unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains(&path.display().to_string()) || message.contains("folder"),
        "{message}"
    );
    error
}

#[tokio::test]
async fn folder_that_cannot_be_made_is_named() {
    let folder = Folder::new();
    let plain = folder.0.path().join("plain");
    std::fs::write(&plain, "a file").unwrap();
    let error = open_error(&plain.join("sub").join("test.db")).await;
    assert!(matches!(error, DatabaseError::Folder { .. }), "{error:?}");
    assert!(
        error.to_string().contains("choose a data folder"),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn read_only_place_is_named_with_a_way_out() {
    let error = open_error(Path::new("/proc/test.db")).await;
    assert!(
        matches!(error, DatabaseError::NotWritable { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("read-only"), "{error}");
}

#[tokio::test]
async fn folder_in_the_file_s_place_is_an_error() {
    let folder = Folder::new();
    let error = open_error(folder.0.path()).await;
    assert!(
        matches!(error, DatabaseError::NotWritable { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn other_file_is_not_taken_for_a_database() {
    let folder = Folder::new();
    let path = folder.0.path().join("letter.txt");
    let letter = "Dear reader, this is no database. ".repeat(100);
    std::fs::write(&path, &letter).unwrap();
    let error = open_error(&path).await;
    assert!(
        matches!(error, DatabaseError::NotADatabase { .. }),
        "{error:?}"
    );
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        letter,
        "it was changed"
    );
}

#[tokio::test]
async fn damaged_file_is_called_damaged() {
    let folder = Folder::new();
    let db = folder.open().await;
    for id in 0..2000 {
        db.write(move |tx| {
            Ok::<_, DatabaseError>(tx.execute("INSERT INTO rows VALUES (?1, zeroblob(100))", [id])?)
        })
        .await
        .unwrap();
    }
    db.close().await;
    let mut bytes = std::fs::read(folder.file()).unwrap();
    bytes[4096..].fill(0xA5);
    std::fs::write(folder.file(), bytes).unwrap();
    let db = Database::open(&folder.file(), Options::default())
        .await
        .unwrap();
    let error = insert(&db, 5000).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains(".recover"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let db = folder.open().await;
    insert(&db, 1).await.unwrap();
    for name in ["test.db", "test.db-wal", "test.db-shm"] {
        let found = std::fs::metadata(folder.file().with_file_name(name)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
