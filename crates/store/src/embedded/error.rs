//! What can go wrong in a step, and how the port says it.

use foreshow_contract::{ContextKey, NameError, Revision, RevisionError};
use foreshow_engine::StoreError;
use foreshow_sqlite::{DatabaseError, rusqlite};

/// Why a step was undone.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Damaged, or written by a newer version.
    #[error(
        "the {what} of {key} can't be read: it was written by a newer version of this program, or is damaged"
    )]
    Unreadable {
        what: &'static str,
        key: ContextKey,
        source: serde_json::Error,
    },
    #[error("a row has a name that is none")]
    Name(#[from] NameError),
    #[error("a row has a revision that is none")]
    Revision(#[from] RevisionError),
}

impl From<rusqlite::Error> for StepError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// For `map_err`: what was asked.
pub(super) fn on<E: std::error::Error + Send + Sync + 'static>(
    operation: &'static str,
) -> impl FnOnce(E) -> StoreError {
    move |error| StoreError {
        operation,
        source: Box::new(error),
    }
}

/// A revision, as SQLite has it; 2^53 - 1 at most, so nothing is lost.
pub(super) fn to_integer(revision: Revision) -> i64 {
    revision.get().cast_signed()
}

/// A revision, as it was written.
pub(super) fn to_revision(stored: i64) -> Result<Revision, StepError> {
    Ok(Revision::try_new(stored.cast_unsigned())?)
}

pub(super) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings, numbers and lists are always JSON")
}
