//! What can go wrong between us and Redis, and how the port says it.

use foreshow_contract::ContextKey;
use foreshow_engine::StoreError;
use redis::RedisError;

/// Why a call to Redis has no answer. Nothing here holds a password: servers are named by their addresses.
#[derive(Debug, thiserror::Error)]
pub enum RedisStoreError {
    /// No connection, and the next try is still to come or has just failed.
    #[error("Redis at {server} is away: {why}")]
    Away {
        /// Its address, or addresses.
        server: String,
        /// What the last try to connect met.
        why: String,
    },
    /// It may have been done.
    #[error("Redis at {server} did not answer within {within_ms} ms")]
    Late {
        /// Its address, or addresses.
        server: String,
        /// The limit.
        within_ms: u128,
    },
    /// The connection broke, in which case it may have been done, or Redis refused.
    #[error("Redis at {server} did not do it")]
    Refused {
        /// Its address, or addresses.
        server: String,
        /// What it said.
        #[source]
        source: RedisError,
    },
    /// Damaged, or written by a newer version.
    #[error(
        "the {what} of {key} can't be read: it was written by a newer version of this program, or is damaged"
    )]
    Unreadable {
        /// A record, or an end.
        what: &'static str,
        /// Whose.
        key: ContextKey,
    },
    /// An answer that no script of ours gives.
    #[error(
        "Redis gave an answer to {what} that makes no sense: is something else using its keys or its scripts?"
    )]
    Strange {
        /// The script, or the command.
        what: &'static str,
    },
    /// The certificate authority's file can't be read.
    #[error("can't read the certificate authority of Redis, {path}")]
    CaFile {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was configured can't be used.
    #[error("{0}")]
    Options(&'static str),
}

/// For `map_err`: what was asked.
pub(super) fn on(operation: &'static str) -> impl FnOnce(RedisStoreError) -> StoreError {
    move |error| StoreError {
        operation,
        source: Box::new(error),
    }
}
