//! Creating a deployment: first the files it brings, then one transaction that makes it exist.
//!
//! Idempotent by its tags: a context's revision has one deployment, and creating it again answers the one there is. Two
//! callers at once write the same files under the same names; the second one's transaction finds the first one's
//! deployment. If we die half-way there is no deployment, only files without a row, which the next start removes; the
//! caller creates it anew. See [`crate::host`] for why a committed deployment has all its files.
//!
//! Cancel safe: dropping the future lets the creation go on unheard, so that nothing stays half-done in a process that
//! lives on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use foreshow_bundle::Tree;
use foreshow_contract::{ContextKey, HostLabel, Revision, Sha256, Timestamp};

use crate::blobs::Blob;
use crate::host::blocking;
use crate::record::{Looked, Recorded, blobs_of, look, record};
use crate::{PreviewDeployment, PreviewError, PreviewHost};

/// How often files that vanish before they are committed are written again in the usual way. Each time another process
/// must have started, or have removed the last deployment with that file, just then. After that they are written inside
/// the transaction, where nobody can remove them, but where everybody else's writes wait as well.
const ROUNDS: usize = 3;

/// What to deploy.
#[derive(Clone, Debug)]
pub struct NewDeployment {
    /// The context.
    pub key: ContextKey,
    /// Its revision.
    pub revision: Revision,
    /// The host label of this revision.
    pub label: HostLabel,
    /// The files.
    pub tree: Arc<Tree>,
    /// Whether unknown paths are answered with `/index.html`.
    pub spa_fallback: bool,
    /// How its build goes.
    pub build: Build,
}

/// How a build goes. There is nothing to build about static files: this is for tests and demos.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// How long it takes, from the creation.
    pub duration: Duration,
    /// The last lines of its log, if it fails.
    pub failure: Option<Vec<String>>,
}

/// A deployment that was created, or was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The deployment.
    pub deployment: PreviewDeployment,
    /// Bytes of the blobs that had to be written.
    pub bytes_uploaded: u64,
    /// Bytes of the files whose blob was there.
    pub bytes_reused: u64,
}

impl PreviewHost {
    /// Creates the deployment, or answers the one that this revision has.
    ///
    /// # Errors
    /// [`PreviewError::Full`], [`PreviewError::LabelTaken`] and the like. The deployment does not exist then, and no blob
    /// of it stays, except where the index failed to answer: then it may.
    pub async fn create(
        &self,
        new: NewDeployment,
        now: Timestamp,
    ) -> Result<Created, PreviewError> {
        let host = self.clone();
        let creation =
            tokio::spawn(async move { host.create_whatever_happens(Arc::new(new), now).await });
        creation.await.unwrap_or(Err(PreviewError::Interrupted))
    }

    async fn create_whatever_happens(
        &self,
        new: Arc<NewDeployment>,
        now: Timestamp,
    ) -> Result<Created, PreviewError> {
        let mut written = Arc::new(HashSet::new());
        let recorded = self.write_and_record(&new, now, &mut written).await;
        let in_vain = !matches!(&recorded, Ok(Recorded::Created(_))) && !written.is_empty();
        if in_vain
            && let Err(error) = self
                .remove_files_without_row(written.iter().copied().collect())
                .await
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "files of a deployment that failed stay until the next start"
            );
        }
        let (deployment, bytes_uploaded) = match recorded? {
            Recorded::Created(deployment) => (deployment, bytes_of(&new.tree, &written)),
            Recorded::Existing(deployment) => (deployment, 0),
        };
        Ok(Created {
            deployment,
            bytes_uploaded,
            bytes_reused: new.tree.total_bytes().saturating_sub(bytes_uploaded),
        })
    }

    /// Writes what is missing and commits, until both agree. `written` grows by what was written, also on an error.
    async fn write_and_record(
        &self,
        new: &Arc<NewDeployment>,
        now: Timestamp,
        written: &mut Arc<HashSet<Sha256>>,
    ) -> Result<Recorded, PreviewError> {
        let (asked, folder) = (Arc::clone(new), self.blobs.clone());
        let mut looked = self
            .index
            .read(move |index| look(index, &asked, now, &folder))
            .await?;
        let mut round = 0;
        loop {
            let missing = match looked {
                Looked::Recorded(recorded) => return Ok(recorded),
                Looked::Missing(missing) => missing,
            };
            let insist = round == ROUNDS;
            round += 1;
            let blobs = blobs_of(&new.tree, &missing);
            Arc::make_mut(written).extend(missing);
            if !insist && !blobs.is_empty() {
                self.store(blobs).await?;
            }
            let (new, written, folder) = (Arc::clone(new), Arc::clone(written), self.blobs.clone());
            looked = self
                .index
                .write(move |tx| record(tx, &new, now, &written, &folder, insist))
                .await?;
        }
    }

    async fn store(&self, blobs: Vec<Blob>) -> Result<(), PreviewError> {
        let folder = self.blobs.clone();
        let _place = self
            .writers
            .acquire()
            .await
            .map_err(|_| PreviewError::Interrupted)?;
        blocking(move || folder.store(&blobs)).await
    }
}

fn bytes_of(tree: &Tree, blobs: &HashSet<Sha256>) -> u64 {
    let mut seen = HashSet::new();
    let files = tree
        .files()
        .iter()
        .filter(|file| blobs.contains(&file.sha256) && seen.insert(file.sha256));
    files.map(|file| file.size_bytes).sum()
}
