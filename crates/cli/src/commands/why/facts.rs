//! What store and broker tell of a context.

use std::num::NonZeroU32;

use foreshow_contract::{ContextKey, Ordinal, OrdinalKind, Timestamp};
use foreshow_engine::{ContextRecord, HistoryEntry, Queue, QuotaSet, SettledOutcome, TenantLimits};

use crate::failure::{Exit, Failure, OrFail as _};
use crate::wiring::Client;

/// One context, as it was when it was asked about.
pub(super) struct Facts {
    pub(super) key: ContextKey,
    /// By the store's clock, which all deadlines go by.
    pub(super) now: Timestamp,
    pub(super) record: ContextRecord,
    /// How the newest event ended, where it has.
    pub(super) last: Option<SettledOutcome>,
    /// How what is live became so.
    pub(super) went_live: Option<SettledOutcome>,
    /// Each set, who is in it, and how many may be.
    pub(super) limits: Vec<(QuotaSet, u64, Option<NonZeroU32>)>,
    /// Whether anybody reads the queue of the newest event; `None` where the broker did not say.
    pub(super) is_attended: Option<bool>,
    /// Whether the store has its whole memory.
    pub(super) remembers: bool,
    /// Newest first.
    pub(super) history: Vec<HistoryEntry>,
}

impl Facts {
    /// Asks; `None` where the store does not know the context.
    pub(super) async fn ask(
        client: &Client,
        key: &ContextKey,
        limits: &TenantLimits,
        happenings: u32,
    ) -> Result<Option<Self>, Failure> {
        let store = &client.backends.store;
        // The history first: an event that ends meanwhile is then told as ended by the record, and not as if it had never been.
        let history = store.history(Some(key), happenings).await;
        let history = history.or_fail(Exit::Environment)?;
        let Some(record) = store.context(key).await.or_fail(Exit::Environment)? else {
            return Ok(None);
        };
        let last = store.outcome(key, record.desired).await;
        let last = last.or_fail(Exit::Environment)?;
        let went_live = match &record.live {
            Some(live) => {
                let ready = store.outcome(key, Ordinal::update(live.revision)).await;
                ready.or_fail(Exit::Environment)?
            }
            None => None,
        };
        let mut used = Vec::new();
        for (set, limit) in [
            (QuotaSet::LivePreviews, limits.live_previews),
            (QuotaSet::ConcurrentBuilds, limits.concurrent_builds),
        ] {
            let members = store.quota_used(&key.tenant, set).await;
            used.push((set, members.or_fail(Exit::Environment)?, limit));
        }
        let queue = match record.desired.kind {
            OrdinalKind::Update => Queue::Deploy,
            OrdinalKind::End => Queue::Cleanup,
        };
        Ok(Some(Self {
            key: key.clone(),
            last,
            went_live,
            limits: used,
            is_attended: client.backends.broker.has_consumers(queue).await.ok(),
            remembers: store.remembers().await.or_fail(Exit::Environment)?,
            history,
            record,
            now: store.now().await.or_fail(Exit::Environment)?,
        }))
    }
}
