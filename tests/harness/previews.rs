//! What the provider of an installation has, and what it ever had: its folder of previews, read beside the processes
//! that use it.

use std::collections::BTreeSet;

use foreshow_contract::{ContextKey, Timestamp};
use foreshow_engine::Store;
use foreshow_runner::{PreviewDeployment, PreviewHost};
use foreshow_sqlite::{Database, DatabaseError, Options};

use crate::Foreshow;

/// The folder of previews.
pub struct Previews {
    host: PreviewHost,
    index: Database,
}

/// What a provider was made to do over the life of an installation, by its own books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Deployments that were created.
    pub created: u64,
    /// Revisions of contexts that had one: fewer than were created where one was built twice.
    pub revisions: u64,
}

impl Previews {
    /// Opens the folder of an installation.
    ///
    /// # Panics
    /// Where that can't be done.
    pub async fn of(foreshow: &Foreshow) -> Self {
        let folder = foreshow.data_dir().join("previews");
        let host = PreviewHost::open(&folder, Timestamp::now()).await;
        let index = Database::open(&folder.join("index.db"), Options::default()).await;
        Self {
            host: host.expect("the folder opens"),
            index: index.expect("its index opens"),
        }
    }

    /// What is deployed of a context, the oldest revision first.
    ///
    /// # Panics
    /// Where the index does not answer.
    pub async fn deployed(&self, key: &ContextKey) -> Vec<PreviewDeployment> {
        let listed = self.host.list(key, Timestamp::now()).await;
        listed.expect("the index answers")
    }

    /// Revisions of a context that are deployed, the oldest first.
    ///
    /// # Panics
    /// Where the index does not answer.
    pub async fn revisions(&self, key: &ContextKey) -> Vec<u64> {
        let deployed = self.deployed(key).await;
        deployed.iter().map(|one| one.revision.get()).collect()
    }

    /// What was ever done here. A row's number is never given out twice, and what was removed leaves its label, so the
    /// index itself knows; of the labels those that are aliases are no revision's, and the store knows these.
    ///
    /// # Panics
    /// Where index or store do not answer.
    pub async fn ledger(&self, store: &dyn Store) -> Ledger {
        let contexts = store.contexts(None, 100_000).await;
        let contexts = contexts.expect("the store answers");
        let aliases: BTreeSet<String> = contexts
            .iter()
            .map(|context| context.record.alias.as_str().to_owned())
            .collect();
        let read = self.index.read(|index| {
            let created: i64 = index.query_row(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'deployments'",
                [],
                |row| row.get(0),
            )?;
            let labels: Vec<String> = index
                .prepare("SELECT label FROM deployments UNION SELECT label FROM tombstones")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            Ok::<_, DatabaseError>((created, labels))
        });
        let (created, labels) = read.await.expect("the index answers");
        let revisions = labels.iter().filter(|label| !aliases.contains(*label));
        Ledger {
            created: u64::try_from(created).expect("a count is not negative"),
            revisions: revisions.count() as u64,
        }
    }
}
