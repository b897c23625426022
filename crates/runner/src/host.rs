//! The folder of previews: opening it, and removing what nothing uses.
//!
//! # Why no deployment ever lacks a blob, and no blob stays without a deployment
//!
//! A blob is a row in the index and a file. Rows change in transactions, files don't, and several processes work on both.
//! Four rules keep them together:
//!
//! 1. **File before row.** A deployment and the rows of its new blobs are committed in one transaction, after the files
//!    were written and synced. The transaction looks at each new file once more; if one is gone, it commits nothing and
//!    the files are written again ([`create`](PreviewHost::create)).
//! 2. **Row before file.** A deployment and the rows of the blobs that only it had are deleted in one transaction; only
//!    then are their files removed ([`remove`](PreviewHost::remove)).
//! 3. **A file is removed inside a write transaction that has seen that it has no row.** SQLite lets one process at a
//!    time write, so no creation can come between the look and the removal: one that commits before is seen, one that
//!    comes after sees that the file is gone (rule 1). So a creation always ends: at worst it writes its files inside
//!    the transaction itself.
//! 4. **At every start, files without a row are removed** by rule 3. That is what a crash between two steps leaves: after
//!    1 the files of a deployment that never was, after 2 those of one that no longer is. It may hit another process's
//!    upload in flight, which rule 1 then repeats.
//!
//! None of this holds against a hand that deletes or cuts a blob's file. Its row stays then, and the next creation that has
//! the blob writes the file again, also for the deployments that had it before.
//!
//! A rolled-back transaction is harmless everywhere: the only thing done outside of the index is the removal of a file
//! without a row.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foreshow_contract::{Sha256, Timestamp};
use foreshow_sqlite::{Database, Options};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::blobs::BlobFolder;
use crate::{PreviewError, schema};

/// How long the label of something removed is remembered.
pub const TOMBSTONES_KEPT: Duration = Duration::from_hours(30 * 24);

/// Files removed in one transaction: others wait meanwhile.
const REMOVED_AT_ONCE: usize = 256;

/// Creations that write files at the same moment. Enough for the disk to flush many at once; each takes a thread.
const WRITERS: usize = 32;

/// The folder of previews. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PreviewHost {
    pub(crate) index: Database,
    pub(crate) blobs: BlobFolder,
    pub(crate) writers: Arc<Semaphore>,
}

/// What [`PreviewHost::collect`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs that no deployment had.
    pub blobs: usize,
    /// Labels that were remembered for long enough.
    pub tombstones: usize,
}

impl PreviewHost {
    /// Opens the folder, creating it where it is missing, and removes what a crash may have left.
    ///
    /// # Errors
    /// [`PreviewError::NotWritable`] and its kin; each message says what to do.
    pub async fn open(folder: &Path, now: Timestamp) -> Result<Self, PreviewError> {
        let folder: Arc<Path> = std::path::absolute(folder)
            .map_err(|error| PreviewError::on("find", folder, error))?
            .into();
        let parent = Arc::clone(&folder);
        let blobs = blocking(move || BlobFolder::open(&parent)).await?;
        let index = Database::open(&folder.join("index.db"), Options::default()).await?;
        index.migrate(schema::COMPONENT, schema::STEPS).await?;
        let host = Self {
            index,
            blobs,
            writers: Arc::new(Semaphore::new(WRITERS)),
        };
        let collected = host.collect(now).await?;
        if collected.blobs > 0 {
            tracing::info!(
                blobs = collected.blobs,
                "removed blobs that an earlier process left behind"
            );
        }
        Ok(host)
    }

    /// Removes blobs that no deployment has, and labels remembered for longer than [`TOMBSTONES_KEPT`].
    ///
    /// Needed at a start only, which does it; harmless at any time, and then it forgets old labels as well.
    pub async fn collect(&self, now: Timestamp) -> Result<Collected, PreviewError> {
        let forget_before = now.saturating_sub(TOMBSTONES_KEPT).as_micros();
        let tombstones = self
            .index
            .write(move |tx| -> Result<usize, PreviewError> {
                // No row should be without a file that uses it; where one is, it would keep its file for ever.
                tx.prepare_cached("DELETE FROM blobs WHERE NOT EXISTS (SELECT 1 FROM files WHERE blob = blobs.row)")?
                    .execute([])?;
                Ok(tx.prepare_cached("DELETE FROM tombstones WHERE removed_at < ?1")?.execute([forget_before])?)
            })
            .await?;
        let folder = self.blobs.clone();
        let on_disk = blocking(move || folder.list()).await?;
        let without_row = self
            .index
            .read(move |index| -> Result<Vec<Sha256>, PreviewError> {
                let mut without_row = Vec::new();
                for sha256 in on_disk {
                    if blob_row(index, &sha256)?.is_none() {
                        without_row.push(sha256);
                    }
                }
                Ok(without_row)
            })
            .await?;
        let blobs = self.remove_files_without_row(without_row).await?;
        Ok(Collected { blobs, tombstones })
    }

    /// Rule 3 of the theory above. Answers how many had no row.
    pub(crate) async fn remove_files_without_row(
        &self,
        blobs: Vec<Sha256>,
    ) -> Result<usize, PreviewError> {
        let mut removed = 0;
        for chunk in blobs.chunks(REMOVED_AT_ONCE) {
            let (chunk, folder) = (chunk.to_vec(), self.blobs.clone());
            removed += self
                .index
                .write(move |tx| -> Result<usize, PreviewError> {
                    let mut removed = 0;
                    for sha256 in &chunk {
                        if blob_row(tx, sha256)?.is_none() {
                            folder.remove(sha256)?;
                            removed += 1;
                        }
                    }
                    Ok(removed)
                })
                .await?;
        }
        Ok(removed)
    }

    /// Closes the index in order, if this is its last handle.
    pub async fn close(self) {
        self.index.close().await;
    }
}

/// The row of a blob in the index.
pub(crate) fn blob_row(index: &Connection, sha256: &Sha256) -> Result<Option<i64>, PreviewError> {
    use rusqlite::OptionalExtension as _;
    Ok(index
        .prepare_cached("SELECT row FROM blobs WHERE sha256 = ?1")?
        .query_row([sha256.as_bytes().as_slice()], |row| row.get(0))
        .optional()?)
}

/// Runs blocking work on a thread made for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PreviewError> + Send + 'static,
) -> Result<T, PreviewError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(PreviewError::Interrupted))
}
