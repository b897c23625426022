//! Previews whose retention is over: each is told to the workers, as an event that one of them carries out like an end.
//!
//! The event names the newest revision that was wanted when it was seen, and whoever claims the context for it looks again in
//! that very step. So nothing here has to be certain: what is told twice, late, or for nothing is harmless, and what is not told
//! is seen again at the next turn. What was told is remembered, while this worker leads, so that a preview whose removal takes
//! its time is not told of at every turn; and told once more after a while, for whoever carried it out may have given up.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use foreshow_contract::{
    ContextEvent, ContextExpired, ContextKey, Envelope, Headers, IncomingEvent, Ordinal,
    RESULT_SOURCE, Revision, STRUCTURED_JSON, Timestamp, encode, event_routing_key,
};
use tokio::time::Instant;
use tracing::debug;

use super::{
    SweepError,
    report::{Finding, Walk},
};
use crate::{ContextRecord, Message, observe, worker::Engine};

/// Contexts looked at in one question.
const PAGE: u32 = 200;

/// Questions in one turn: a backlog is worked off over several, so that the sweeper's other work goes on.
const PAGES_AT_ONCE: usize = 10;

/// Previews that are remembered as told. Beyond, the rest is told when the first of these are gone: a worker that can remove
/// nothing now is not to fill the queue.
const REMEMBERED: usize = 100_000;

/// When a preview that is still there is told of again.
const AGAIN_AFTER: Duration = Duration::from_mins(10);

/// Tells of previews whose retention is over, while this worker leads the sweep.
#[derive(Default)]
pub(super) struct Expiries {
    /// With the expiry that was seen, and when it was told.
    told: HashMap<ContextKey, (Timestamp, Instant)>,
    /// Where the next question goes on: those before may wait for an update that is on its way.
    since: Option<Timestamp>,
}

impl Expiries {
    /// Tells of some.
    pub(super) async fn tell(&mut self, walk: &mut Walk<'_>) -> Result<(), SweepError> {
        for _ in 0..PAGES_AT_ONCE {
            self.tell_page(walk).await?;
            if self.since.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Tells of all.
    pub(super) async fn tell_all(&mut self, walk: &mut Walk<'_>) -> Result<(), SweepError> {
        loop {
            self.tell_page(walk).await?;
            if self.since.is_none() {
                return Ok(());
            }
        }
    }

    async fn tell_page(&mut self, walk: &mut Walk<'_>) -> Result<(), SweepError> {
        let engine = walk.engine;
        let store = engine.store();
        let now = store.now().await?;
        let since = self.since.unwrap_or(Timestamp::MIN);
        let page = store.expired(since, now, PAGE).await?;
        let last = page.last().and_then(|(_, record)| record.expires_at);
        for (key, record) in &page {
            let Some(expires_at) = record.expires_at.filter(|_| walk.scope.takes(key)) else {
                continue;
            };
            if self.was_told(key, expires_at) || !self.has_room() {
                continue;
            }
            if let Some(revision) = due(engine, key, record, now).await? {
                if walk.carries_out() {
                    tell(engine, key, revision, expires_at).await?;
                    self.remember(key.clone(), expires_at);
                }
                walk.report.swept.expired += 1;
                walk.note(key, Some(record), || Finding::Expired {
                    revision,
                    expires_at,
                });
            }
        }
        self.since = last
            .filter(|_| page.len() >= PAGE as usize)
            // Where all of a page expired at one instant, the next begins after it.
            .map(|last| if last > since { last } else { just_after(last) });
        Ok(())
    }

    fn was_told(&self, key: &ContextKey, expires_at: Timestamp) -> bool {
        self.told
            .get(key)
            .is_some_and(|(of, at)| *of == expires_at && at.elapsed() < AGAIN_AFTER)
    }

    fn has_room(&mut self) -> bool {
        if self.told.len() >= REMEMBERED {
            self.told.retain(|_, (_, at)| at.elapsed() < AGAIN_AFTER);
        }
        self.told.len() < REMEMBERED
    }

    fn remember(&mut self, key: ContextKey, expires_at: Timestamp) {
        self.told.insert(key, (expires_at, Instant::now()));
    }
}

fn just_after(at: Timestamp) -> Timestamp {
    at.saturating_add(Duration::from_micros(1))
}

/// The revision to tell of; `None` where the preview stays for now: an update is on its way, or somebody is at work.
async fn due(
    engine: &Engine,
    key: &ContextKey,
    record: &ContextRecord,
    now: Timestamp,
) -> Result<Option<Revision>, SweepError> {
    let is_held = record.is_held(now);
    let revision = record.desired.revision;
    if record.is_expiring() {
        // Accepted before. Whoever carries it out may be waiting for a provider, and says so in the record; else they gave up.
        let comes_back = record.waits.as_ref().is_some_and(|waits| {
            waits.ordinal == record.desired && waits.until.saturating_add(AGAIN_AFTER) > now
        });
        return Ok(Some(revision).filter(|_| !is_held && !comes_back));
    }
    let store = engine.store();
    let kept = store.keeps_outcomes_for();
    if record.may_expire(false, kept, now) {
        return Ok(Some(revision));
    }
    // Only of the few whose newest update is not what is live is it worth asking how that ended.
    if !record.may_expire(true, kept, now) {
        return Ok(None);
    }
    let outcome = store.outcome(key, Ordinal::update(revision)).await?;
    Ok(outcome.map(|_| revision))
}

async fn tell(
    engine: &Engine,
    key: &ContextKey,
    revision: Revision,
    expires_at: Timestamp,
) -> Result<(), SweepError> {
    // The same at every repeat, so that whoever reads the queue sees that it is one.
    let id = format!("expired/{key}/{revision}/{}", expires_at.as_micros());
    let incoming = IncomingEvent {
        envelope: Envelope {
            subject: Some(key.context.as_str().to_owned()),
            time: Some(engine.now()),
            ..Envelope::new(id, RESULT_SOURCE)
        },
        event: ContextEvent::Expired(ContextExpired {
            key: key.clone(),
            revision,
        }),
    };
    let message = Message {
        routing_key: event_routing_key(incoming.event.kind(), &key.tenant),
        content_type: Some(STRUCTURED_JSON.to_owned()),
        message_type: None,
        headers: Headers::new(),
        body: Bytes::from(encode(&incoming)),
    };
    engine.broker().publish_event(message).await?;
    observe::expired();
    debug!(context.id = %key, "the retention of {key} is over");
    Ok(())
}
