use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use foreshow_contract::{
    Content, ContextEnded, ContextEvent, ContextKey, ContextUpdated, Envelope, IncomingEvent,
    InlineFile, ResultEvent, Revision, STRUCTURED_JSON, encode, event_routing_key,
};
use foreshow_engine::{Broker, Message, ResultFilter, Results};
use tokio::{task::JoinSet, time::timeout};

use crate::Foreshow;

/// An upstream service: publishes events. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    broker: Arc<dyn Broker>,
}

/// An upstream service and a consumer in one: publishes events, and hears the results.
pub struct Upstream {
    publisher: Publisher,
    results: Box<dyn Results>,
}

impl Upstream {
    /// Connects to an installation's broker, and subscribes to every result from now on.
    ///
    /// # Panics
    /// Where that can't be done.
    pub async fn connect(foreshow: &Foreshow) -> Self {
        let broker = foreshow.broker().await;
        let results = broker
            .subscribe(ResultFilter::default())
            .await
            .expect("results can be heard");
        Self {
            publisher: Publisher { broker },
            results,
        }
    }

    /// Publishes an event.
    ///
    /// # Panics
    /// Where the broker does not take it.
    pub async fn publish(&self, event: &IncomingEvent) {
        self.publisher.publish(event).await;
    }

    /// Publishes whatever it is given.
    ///
    /// # Panics
    /// Where the broker does not take it.
    pub async fn publish_raw(&self, routing_key: &str, body: &[u8]) {
        self.publisher.publish_raw(routing_key, body).await;
    }

    /// The half that publishes, for a task of its own.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// The next result that is an event's end.
    ///
    /// # Panics
    /// Where none comes within three minutes.
    pub async fn next_end(&mut self) -> ResultEvent {
        loop {
            let next = timeout(Duration::from_mins(3), self.results.next()).await;
            let result = next
                .expect("a result comes within three minutes")
                .expect("results can be read");
            if result.is_end() {
                return result;
            }
        }
    }
}

impl Publisher {
    /// Publishes with this handle.
    pub fn new(broker: Arc<dyn Broker>) -> Self {
        Self { broker }
    }

    /// Publishes many events at once, each again until the broker has confirmed it.
    pub async fn insist_all(&self, events: &[IncomingEvent]) {
        futures_util::future::join_all(events.iter().map(|event| self.insist(event))).await;
    }

    async fn insist(&self, event: &IncomingEvent) {
        let routing_key = event_routing_key(event.event.kind(), &event.event.key().tenant);
        let message = message(&routing_key, &encode(event));
        while self.broker.publish_event(message.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Publishes an event.
    ///
    /// # Panics
    /// Where the broker does not take it.
    pub async fn publish(&self, event: &IncomingEvent) {
        let routing_key = event_routing_key(event.event.kind(), &event.event.key().tenant);
        self.publish_raw(&routing_key, &encode(event)).await;
    }

    /// Publishes an event once: whether the broker confirmed it. Where it did not, nobody knows what became of it.
    pub async fn try_publish(&self, event: &IncomingEvent) -> bool {
        let routing_key = event_routing_key(event.event.kind(), &event.event.key().tenant);
        let message = message(&routing_key, &encode(event));
        self.broker.publish_event(message).await.is_ok()
    }

    /// Publishes many events at once.
    ///
    /// # Panics
    /// Where the broker does not take one.
    pub async fn publish_all(&self, events: &[IncomingEvent]) {
        futures_util::future::join_all(events.iter().map(|event| self.publish(event))).await;
    }

    /// Publishes an event each `every`, whether or not the one before is confirmed; returns once all are.
    ///
    /// # Panics
    /// Where the broker does not take one.
    pub async fn publish_each(
        &self,
        every: Duration,
        events: impl IntoIterator<Item = IncomingEvent>,
    ) {
        let mut ticks = tokio::time::interval(every);
        let mut publishing = JoinSet::new();
        for event in events {
            ticks.tick().await;
            let publisher = self.clone();
            publishing.spawn(async move { publisher.publish(&event).await });
        }
        publishing.join_all().await;
    }

    /// Publishes whatever it is given.
    ///
    /// # Panics
    /// Where the broker does not take it.
    pub async fn publish_raw(&self, routing_key: &str, body: &[u8]) {
        self.broker
            .publish_event(message(routing_key, body))
            .await
            .expect("the broker takes it");
    }
}

fn message(routing_key: &str, body: &[u8]) -> Message {
    Message {
        routing_key: routing_key.to_owned(),
        content_type: Some(STRUCTURED_JSON.to_owned()),
        message_type: None,
        headers: foreshow_contract::Headers::new(),
        body: Bytes::copy_from_slice(body),
    }
}

/// The name of a context.
///
/// # Panics
/// Where it is none.
pub fn key(tenant: &str, context: &str) -> ContextKey {
    ContextKey::try_new(tenant, context).expect("a legal name")
}

/// An update with one page.
///
/// # Panics
/// Where the revision is out of range.
pub fn update(key: &ContextKey, revision: u64, page: &str) -> IncomingEvent {
    let files = Content::Files(vec![InlineFile::text("index.html", page)]);
    let revision = Revision::try_new(revision).expect("a legal revision");
    event(ContextEvent::Updated(ContextUpdated::new(
        key.clone(),
        revision,
        files,
    )))
}

/// An end.
///
/// # Panics
/// Where the revision is out of range.
pub fn end(key: &ContextKey, revision: u64) -> IncomingEvent {
    let revision = Revision::try_new(revision).expect("a legal revision");
    event(ContextEvent::Ended(ContextEnded {
        key: key.clone(),
        revision,
        reason: None,
    }))
}

/// The event in an envelope.
pub fn event(event: ContextEvent) -> IncomingEvent {
    let id = format!("{:032x}", fastrand::u128(..));
    IncomingEvent {
        envelope: Envelope::new(id, "/tests"),
        event,
    }
}
