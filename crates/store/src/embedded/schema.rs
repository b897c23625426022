//! The tables. Times are microseconds since 1970; kinds of events are 0 for updates and 1 for ends, which is their order.

use foreshow_contract::OrdinalKind;

/// `contexts.record` is the whole record, as JSON; the columns beside it are what is searched for, and `notices` counts the
/// changes that those who wait for the context care about. `history.outcome` is the word for what happened. `memory` has up to
/// three rows: `epoch`, there once the store has its whole memory, `nonce`, of the rebuild that was begun last, and `sweeper`.
/// `gate_entries` are those that count against an account's limit, a row each: a limit may be of thousands a day.
///
/// A file with contexts in it that is older than `memory` was never wiped, so it has all it ever knew.
pub(super) const STORE: &[&str] = &["
CREATE TABLE contexts (
    tenant TEXT NOT NULL,
    context TEXT NOT NULL,
    alias TEXT NOT NULL,
    desired_at INTEGER NOT NULL,
    expires_at INTEGER,
    live_revision INTEGER,
    notices INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (tenant, context)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX contexts_by_alias ON contexts (alias);
CREATE INDEX contexts_by_expiry ON contexts (expires_at) WHERE expires_at IS NOT NULL AND live_revision IS NOT NULL;
CREATE INDEX contexts_by_change ON contexts (desired_at);

CREATE TABLE outcomes (
    tenant TEXT NOT NULL,
    context TEXT NOT NULL,
    revision INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    digest TEXT NOT NULL,
    outcome TEXT NOT NULL,
    ready_as TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, context, revision, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX outcomes_by_deployment ON outcomes (tenant, context, ready_as) WHERE ready_as IS NOT NULL;
CREATE INDEX outcomes_by_age ON outcomes (at);

CREATE TABLE quota (
    tenant TEXT NOT NULL,
    quota_set TEXT NOT NULL,
    member TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (tenant, quota_set, member)
) STRICT, WITHOUT ROWID;
CREATE INDEX quota_by_deadline ON quota (tenant, quota_set, until);

CREATE TABLE history (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    context TEXT NOT NULL,
    revision INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX history_of_context ON history (tenant, context, seq);
", "
ALTER TABLE history ADD COLUMN worker TEXT;
ALTER TABLE history ADD COLUMN held_since INTEGER;

CREATE TABLE memory (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    until INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO memory (name, value)
SELECT 'epoch', 'from before' WHERE EXISTS (SELECT 1 FROM contexts) OR EXISTS (SELECT 1 FROM outcomes);
", "
CREATE TABLE gates (
    account TEXT NOT NULL,
    lane TEXT NOT NULL,
    closed_until INTEGER,
    closed_why TEXT,
    failures INTEGER NOT NULL,
    closings INTEGER NOT NULL,
    trial_until INTEGER,
    PRIMARY KEY (account, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE gate_entries (
    account TEXT NOT NULL,
    lane TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account, lane, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_entries_by_age ON gate_entries (account, lane, at);
", "
ALTER TABLE outcomes ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
"];

/// A row says that an event, published or about to be, needs the bundle.
pub(super) const BUNDLES: &[&str] = &["
CREATE TABLE bundle_refs (
    digest TEXT NOT NULL,
    tenant TEXT NOT NULL,
    context TEXT NOT NULL,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (digest, tenant, context, revision)
) STRICT, WITHOUT ROWID;
CREATE INDEX bundle_refs_by_age ON bundle_refs (at);
"];

pub(super) fn kind_number(kind: OrdinalKind) -> i64 {
    match kind {
        OrdinalKind::Update => 0,
        OrdinalKind::End => 1,
    }
}

pub(super) fn kind_of(number: i64) -> OrdinalKind {
    if number == 0 {
        OrdinalKind::Update
    } else {
        OrdinalKind::End
    }
}
