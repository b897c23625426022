//! Waiting for the result that ends an event.
//!
//! Subscribe first, publish then, wait last: no result falls in between. An event's end is known by its deterministic id,
//! a rejection by the event's own.

use std::time::Duration;

use foreshow_contract::{
    Building, ContextKey, EventKind, IncomingEvent, ResultBody, ResultEvent, Revision,
};
use foreshow_engine::{Broker, Queue, ResultFilter, Results};
use tokio::time::sleep;
use tracing::warn;

use crate::failure::{Exit, Failure, OrFail as _};

/// Nobody who reads the queue: worth a word after this long.
const UNATTENDED_AFTER: Duration = Duration::from_secs(2);
/// A broker that cannot be read for this many times in a row will not come back by itself.
const READS_TRIED: u32 = 50;

/// A subscription to one context's results.
pub(crate) struct Hearing<'a> {
    broker: &'a dyn Broker,
    results: Box<dyn Results>,
}

/// The event whose end is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// `<tenant>/<context>/<revision>/<kind>/`: how the ids of its results begin.
    prefix: String,
    source: String,
    id: String,
    queue: Queue,
}

impl Awaited {
    /// An event, whoever published it. Its rejection is not heard: only its sender knows its id.
    pub(crate) fn known(key: &ContextKey, revision: Revision, kind: EventKind) -> Self {
        Self {
            prefix: format!("{key}/{revision}/{}/", kind.word()),
            source: String::new(),
            id: String::new(),
            queue: match kind {
                EventKind::Update | EventKind::Touch => Queue::Deploy,
                EventKind::End | EventKind::Expire | EventKind::Reset => Queue::Cleanup,
            },
        }
    }

    /// The same event, as we sent it.
    pub(crate) fn sent_as(mut self, incoming: &IncomingEvent) -> Self {
        self.source.clone_from(&incoming.envelope.source);
        self.id.clone_from(&incoming.envelope.id);
        self
    }

    fn is_meant_by(&self, result: &ResultEvent) -> bool {
        match &result.body {
            ResultBody::Rejected(rejected) => {
                rejected.event_id.as_deref() == Some(&self.id)
                    && rejected.event_source.as_deref() == Some(&self.source)
            }
            ResultBody::Ready(_)
            | ResultBody::Failed(_)
            | ResultBody::Superseded(_)
            | ResultBody::Removed(_)
            | ResultBody::Building(_) => result.id.starts_with(&self.prefix),
        }
    }
}

/// What is heard before the end.
pub(crate) enum Heard<'a> {
    /// It goes on.
    Progress(&'a Building),
    /// Nobody reads the queue.
    Unattended,
}

impl<'a> Hearing<'a> {
    /// Subscribes to the context's results, from now on.
    pub(crate) async fn of(broker: &'a dyn Broker, key: &ContextKey) -> Result<Self, Failure> {
        let filter = ResultFilter {
            tenant: Some(key.tenant.clone()),
            context: Some(key.context.clone()),
            outcome: None,
        };
        let results = broker.subscribe(filter).await.or_fail(Exit::Environment)?;
        Ok(Self { broker, results })
    }

    /// Waits for the event's end, telling what happens until then.
    pub(crate) async fn end_of(
        &mut self,
        awaited: &Awaited,
        mut heard: impl FnMut(Heard<'_>),
    ) -> Result<ResultEvent, Failure> {
        let mut unattended = Box::pin(unattended(self.broker, awaited.queue));
        let mut is_told = false;
        loop {
            let result = tokio::select! {
                result = next(&mut *self.results) => result?,
                () = &mut unattended, if !is_told => {
                    is_told = true;
                    heard(Heard::Unattended);
                    continue;
                }
            };
            if !awaited.is_meant_by(&result) {
                continue;
            }
            // Somebody is at work.
            is_told = true;
            match &result.body {
                ResultBody::Building(building) => heard(Heard::Progress(building)),
                // A notice of something that had been ready, of the same revision.
                ResultBody::Removed(_) if !result.is_end() => {}
                ResultBody::Removed(_)
                | ResultBody::Ready(_)
                | ResultBody::Failed(_)
                | ResultBody::Superseded(_)
                | ResultBody::Rejected(_) => return Ok(result),
            }
        }
    }
}

/// Returns once nobody reads the queue, and never where somebody does.
async fn unattended(broker: &dyn Broker, queue: Queue) {
    loop {
        sleep(UNATTENDED_AFTER).await;
        if matches!(broker.has_consumers(queue).await, Ok(false)) {
            return;
        }
    }
}

/// The next result, also where the broker is away for a moment.
pub(crate) async fn next(results: &mut dyn Results) -> Result<ResultEvent, Failure> {
    let mut tried = 1;
    loop {
        match results.next().await {
            Ok(result) => return Ok(result),
            Err(error) if tried >= READS_TRIED => {
                return Err(Failure::of(Exit::Environment, error));
            }
            Err(error) => {
                if tried == 1 {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "results cannot be read; trying on"
                    );
                }
                tried += 1;
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use foreshow_contract::{RemovalReason, Removed, Timestamp};
    use foreshow_engine::testing::{MemoryBroker, PausedClock};

    use super::*;

    fn key() -> ContextKey {
        ContextKey::try_new("acme", "ctx").unwrap()
    }

    fn removed(number: u64, reason: RemovalReason, kind: EventKind) -> ResultEvent {
        let body = ResultBody::Removed(Removed {
            key: key(),
            revision: Revision::try_new(number).unwrap(),
            reason,
        });
        ResultEvent::of(kind, 0, body, Timestamp::from_micros(0)).unwrap()
    }

    fn end(number: u64) -> Awaited {
        Awaited::known(&key(), Revision::try_new(number).unwrap(), EventKind::End)
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_events_own_end_ends_the_wait() {
        let broker = MemoryBroker::new(Arc::new(PausedClock::start()));
        let mut hearing = Hearing::of(&broker, &key()).await.unwrap();
        let results = [
            removed(6, RemovalReason::Ended, EventKind::End),
            removed(7, RemovalReason::Replaced, EventKind::Update),
            removed(7, RemovalReason::Ended, EventKind::End),
        ];
        broker.publish_results(&results).await.unwrap();
        let awaited = end(7);
        let heard = hearing.end_of(&awaited, |_| {}).await.unwrap();
        assert_eq!(heard, results[2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_nobody_reads_is_told_once() {
        let broker = MemoryBroker::new(Arc::new(PausedClock::start()));
        let mut hearing = Hearing::of(&broker, &key()).await.unwrap();
        let mut told = 0;
        let awaited = end(7);
        let wait = hearing.end_of(&awaited, |heard| {
            told += u32::from(matches!(heard, Heard::Unattended));
        });
        assert!(
            tokio::time::timeout(Duration::from_mins(1), wait)
                .await
                .is_err()
        );
        assert_eq!(told, 1);
    }
}
