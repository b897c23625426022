//! A deployment, as the index has it.

use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Revision, Timestamp};
use rusqlite::Row;

use crate::PreviewError;

/// One revision's files, hosted or about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewDeployment {
    /// Its row in the index. Never used again for another deployment while this one exists.
    pub(crate) row: i64,
    /// Its name, random and never given out twice.
    pub id: DeploymentId,
    /// The context in its tags.
    pub key: ContextKey,
    /// The revision in its tags.
    pub revision: Revision,
    /// The host label of this revision.
    pub label: HostLabel,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether unknown paths are answered with `/index.html`.
    pub spa_fallback: bool,
    /// How its build stood when it was looked up.
    pub state: DeploymentState,
}

/// How a build stands.
///
/// Static files need no build; its time and its failure are settings, for tests and demos. They are decided when the
/// deployment is created, so the state follows from the clock alone and survives any crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentState {
    /// It will end at `until`.
    Building {
        /// The end of the build.
        until: Timestamp,
    },
    /// It serves.
    Ready,
    /// It failed.
    Failed {
        /// The last lines of the build's log.
        log_tail: Vec<String>,
    },
}

/// What a label names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// One revision's deployment.
    Revision(PreviewDeployment),
    /// The deployment that an alias shows.
    Alias(PreviewDeployment),
    /// Something that was removed.
    Removed {
        /// When.
        at: Timestamp,
    },
    /// Nothing that this folder remembers.
    Unknown,
}

/// What [`PreviewDeployment::from_row`] reads, in its order.
pub(crate) const COLUMNS: &str = "d.row, d.id, d.tenant, d.context, d.revision, d.label, d.created_at, d.ready_at, d.spa_fallback, d.failure";

impl PreviewDeployment {
    /// Its place in the order of creation: what to ask for the [page](crate::PreviewHost::page) that follows it.
    pub fn row(&self) -> i64 {
        self.row
    }

    /// Reads [`COLUMNS`].
    pub(crate) fn from_row(row: &Row<'_>, now: Timestamp) -> Result<Self, PreviewError> {
        let unreadable = |what| PreviewError::Unreadable { what };
        let ready_at = Timestamp::from_micros(row.get(7)?);
        let failure: Option<String> = row.get(9)?;
        let state = match failure {
            _ if now < ready_at => DeploymentState::Building { until: ready_at },
            None => DeploymentState::Ready,
            Some(log) => DeploymentState::Failed {
                log_tail: serde_json::from_str(&log).map_err(|_| unreadable("build log"))?,
            },
        };
        Ok(Self {
            row: row.get(0)?,
            id: DeploymentId::new(row.get::<_, String>(1)?),
            key: ContextKey::try_new(&row.get::<_, String>(2)?, &row.get::<_, String>(3)?)
                .map_err(|_| unreadable("context"))?,
            revision: u64::try_from(row.get::<_, i64>(4)?)
                .ok()
                .and_then(|number| Revision::try_new(number).ok())
                .ok_or(unreadable("revision"))?,
            label: HostLabel::try_new(row.get::<_, String>(5)?).map_err(|_| unreadable("label"))?,
            created_at: Timestamp::from_micros(row.get(6)?),
            spa_fallback: row.get(8)?,
            state,
        })
    }
}
