//! What was told: a durable queue bound to `foreshow.results` before anything happens, read beside everybody else.
//!
//! A delivery is noted first and acknowledged after, so a broker that is killed in between has the log read it twice; the broker
//! says so of the second one, and it is not noted again.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use foreshow_contract::{RawMessage, ResultBody, ResultEvent, STRUCTURED_JSON};
use foreshow_servers::Vhost;
use foreshow_tests::eventually;
use futures_util::StreamExt;
use lapin::{
    Connection, ConnectionProperties,
    options::{BasicAckOptions, BasicConsumeOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::task::JoinHandle;

use crate::check::{End, Event, Heard, Kind};

/// The log's queue.
const QUEUE: &str = "chaos.results";

/// A result as it came.
#[derive(Clone, Debug)]
struct Entry {
    heard: Heard,
    at: Instant,
}

/// Everything told so far.
#[derive(Debug, Default)]
struct Told {
    ends: Vec<Entry>,
    ended: BTreeSet<Event>,
    ids: BTreeSet<String>,
    rejected: BTreeSet<String>,
}

/// The log. Dropping it stops reading.
pub(crate) struct Log {
    told: Arc<Mutex<Told>>,
    reading: JoinHandle<()>,
}

impl Drop for Log {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Log {
    /// Binds the queue and begins to read it.
    pub(crate) async fn bind(vhost: &Vhost) -> Self {
        vhost
            .declare_queue(QUEUE)
            .await
            .expect("the broker declares a queue");
        eventually("results have an exchange", async || {
            vhost.bind("foreshow.results", QUEUE, "#").await.is_ok()
        })
        .await;
        let told = Arc::<Mutex<Told>>::default();
        let (url, noted) = (vhost.amqp_url(), Arc::clone(&told));
        let reading = tokio::spawn(async move {
            loop {
                // The broker may be away: that is what this is for.
                read(&url, &noted).await.ok();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { told, reading }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the event has ended.
    pub(crate) fn has_ended(&self, event: &Event) -> bool {
        self.told().ended.contains(event)
    }

    /// Whether any event of the context ended since then.
    pub(crate) fn ended_since(&self, context: &str, since: Instant) -> bool {
        let told = self.told();
        let mut newest = told.ends.iter().rev().take_while(|entry| entry.at >= since);
        newest.any(|entry| entry.heard.event.context == context)
    }

    /// Ends that were told since then of contexts whose names have the prefix, with instants from there.
    pub(crate) fn heard_since(&self, prefix: &str, began: Instant) -> Vec<Heard> {
        let told = self.told();
        let ends = told.ends.iter().filter(|entry| {
            let name = entry.heard.event.context.split_once('/');
            name.is_some_and(|(_, name)| name.starts_with(prefix))
        });
        ends.map(|entry| Heard {
            at: entry.at.saturating_duration_since(began),
            ..entry.heard.clone()
        })
        .collect()
    }

    /// Ends that were told since then, of all contexts, instants from there.
    pub(crate) fn all_heard(&self, began: Instant) -> Vec<Heard> {
        self.heard_since("", began)
    }

    /// Events that were rejected so far.
    pub(crate) fn rejected(&self) -> usize {
        self.told().rejected.len()
    }
}

async fn read(url: &str, told: &Mutex<Told>) -> Result<(), lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut consumer = channel
        .basic_consume(
            QUEUE.into(),
            "chaos".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    while let Some(delivery) = consumer.next().await {
        let delivery = delivery?;
        let at = Instant::now();
        let message = RawMessage::structured(Some(STRUCTURED_JSON), &delivery.data);
        let result = ResultEvent::from_message(message).expect("results can be read");
        note(
            &mut told.lock().unwrap_or_else(PoisonError::into_inner),
            result,
            at,
            delivery.redelivered,
        );
        delivery.acker.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

fn note(told: &mut Told, result: ResultEvent, at: Instant, redelivered: bool) {
    if !result.is_end() || (redelivered && told.ids.contains(&result.id)) {
        return;
    }
    told.ids.insert(result.id.clone());
    let end = match &result.body {
        ResultBody::Ready(ready) => End::Ready {
            deployment: ready.deployment_id.to_string(),
        },
        ResultBody::Removed(_) => End::Removed,
        ResultBody::Superseded(_) => End::Superseded,
        ResultBody::Failed(failed) => End::Failed {
            code: failed.error.code.to_string(),
        },
        ResultBody::Rejected(_) => End::Rejected,
        ResultBody::Building(_) => return,
    };
    let (Some(key), Some(revision)) = (result.key(), result.revision()) else {
        told.rejected.insert(result.id);
        return;
    };
    let kind = match result.id.split('/').nth(3) {
        Some("ended") => Kind::End,
        _ => Kind::Update,
    };
    let event = Event {
        context: key.to_string(),
        revision: revision.get(),
        kind,
    };
    told.ended.insert(event.clone());
    let heard = Heard {
        event,
        id: result.id,
        end,
        at: Duration::ZERO,
    };
    told.ends.push(Entry { heard, at });
}

/// What is in a queue, exactly: messages that nobody holds, and consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) messages: u32,
    pub(crate) consumers: u32,
}

/// Asks after queues; one that is missing is empty.
pub(crate) async fn depths(url: &str, queues: &[String]) -> Result<Vec<Depth>, lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let mut depths = Vec::new();
    for queue in queues {
        // A missing queue closes its channel.
        let channel = connection.create_channel().await?;
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel
            .queue_declare(queue.as_str().into(), passive, FieldTable::default())
            .await;
        depths.push(match declared {
            Ok(declared) => Depth {
                messages: declared.message_count(),
                consumers: declared.consumer_count(),
            },
            Err(_) => Depth {
                messages: 0,
                consumers: 0,
            },
        });
    }
    connection.close(200, "asked".into()).await.ok();
    Ok(depths)
}
