//! The index's tables.

/// The component's name among the schema versions.
pub(crate) const COMPONENT: &str = "previews";

/// The steps, oldest first. Released ones are never edited.
///
/// - `blobs`: a row exists exactly if some deployment has the blob, and then its file is on disk, whole and synced. The
///   foreign key of `files` makes the database itself refuse to forget a blob that is in use.
/// - `aliases` go with their deployment: there is one source of truth for what an alias shows.
/// - `tombstones`: labels of what was removed, so that their address can say so for a while.
/// - Times are microseconds since the Unix epoch; `failure` is a JSON array of log lines, NULL where the build succeeds.
pub(crate) const STEPS: &[&str] = &["
CREATE TABLE deployments (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    context TEXT NOT NULL,
    revision INTEGER NOT NULL,
    label TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    spa_fallback INTEGER NOT NULL,
    failure TEXT,
    UNIQUE (tenant, context, revision)
) STRICT;
CREATE TABLE blobs (
    row INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size_bytes INTEGER NOT NULL
) STRICT;
CREATE TABLE files (
    deployment INTEGER NOT NULL REFERENCES deployments (row) ON DELETE CASCADE,
    path TEXT NOT NULL,
    blob INTEGER NOT NULL REFERENCES blobs (row),
    PRIMARY KEY (deployment, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX files_by_blob ON files (blob);
CREATE TABLE aliases (
    label TEXT PRIMARY KEY,
    deployment INTEGER NOT NULL REFERENCES deployments (row) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_by_deployment ON aliases (deployment);
CREATE TABLE tombstones (
    label TEXT PRIMARY KEY,
    removed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_age ON tombstones (removed_at);
"];
