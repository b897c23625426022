//! What upstream services publish while things break: hundreds of contexts of several tenants, their updates, ends, repeats and
//! late older revisions, all from one seed.
//!
//! Each event is published as a service does that may give up: a copy whose confirm does not come is of unknown fate, and is not
//! sent again by itself.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use foreshow_contract::IncomingEvent;
use foreshow_tests::{Publisher, end, key, update};
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};

use crate::check::{Event, Kind, Published};

/// After this long nobody waits for a confirm.
const GIVES_UP_AFTER: Duration = Duration::from_secs(5);

/// Tenants that share the contexts.
pub(crate) const TENANTS: usize = 5;

/// What is published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Contexts.
    pub(crate) contexts: usize,
    /// Revisions of each.
    pub(crate) revisions: u64,
    /// How many of a hundred are ends.
    pub(crate) ends_percent: u8,
    /// Copies of each event.
    pub(crate) copies: u32,
    /// How many of a hundred come at any time later than their turn.
    pub(crate) late_percent: u8,
    /// For how long.
    pub(crate) lasts: Duration,
}

/// An event and when it is published, from the beginning.
struct Planned {
    at: Duration,
    event: usize,
}

/// What is to be published.
pub(crate) struct Plan {
    events: Vec<(Event, IncomingEvent)>,
    turns: Vec<Planned>,
}

impl Plan {
    /// Draws a plan; contexts' names begin with the prefix.
    pub(crate) fn draw(prefix: &str, shape: Shape, rng: &mut fastrand::Rng) -> Self {
        let (mut events, mut turns) = (Vec::new(), Vec::new());
        for context in 0..shape.contexts {
            let key = key(&tenant(context), &format!("{prefix}-{context}"));
            for revision in 1..=shape.revisions {
                let is_end = revision > 1 && rng.u8(0..100) < shape.ends_percent;
                let (kind, incoming) = if is_end {
                    (Kind::End, end(&key, revision))
                } else {
                    let page = format!("<h1>{key} at {revision}</h1>");
                    (Kind::Update, update(&key, revision, &page))
                };
                let name = Event {
                    context: key.to_string(),
                    revision,
                    kind,
                };
                #[expect(clippy::cast_precision_loss, reason = "a context has few revisions")]
                let turn = (revision as f64 - rng.f64()) / shape.revisions as f64;
                for _ in 0..shape.copies {
                    let is_late = rng.u8(0..100) < shape.late_percent;
                    let part = if is_late {
                        turn + (1.0 - turn) * rng.f64()
                    } else {
                        turn
                    };
                    turns.push(Planned {
                        at: shape.lasts.mul_f64(part),
                        event: events.len(),
                    });
                }
                events.push((name, incoming));
            }
        }
        turns.sort_by_key(|turn| turn.at);
        Self { events, turns }
    }

    /// One update of each context at this revision, within so long.
    pub(crate) fn round(
        contexts: impl IntoIterator<Item = String>,
        revision: u64,
        lasts: Duration,
    ) -> Self {
        let (mut events, mut turns) = (Vec::new(), Vec::new());
        for context in contexts {
            let (tenant, name) = context.split_once('/').expect("a context has a tenant");
            let page = format!("<h1>{context} at last</h1>");
            let incoming = update(&key(tenant, name), revision, &page);
            turns.push(Planned {
                at: lasts.mul_f64(fastrand::f64()),
                event: events.len(),
            });
            let event = Event {
                context,
                revision,
                kind: Kind::Update,
            };
            events.push((event, incoming));
        }
        turns.sort_by_key(|turn| turn.at);
        Self { events, turns }
    }

    /// Every event's name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().map(|(name, _)| name)
    }

    /// Publishes everything in its turn, from a task of its own; instants are told from `began`.
    pub(crate) fn publish(self, publisher: Publisher, began: Instant) -> Load {
        let fates: Fates = Arc::default();
        let kept = Arc::clone(&fates);
        let names: Vec<_> = self.names().cloned().collect();
        let publishing = tokio::spawn(async move {
            let from = tokio::time::Instant::now();
            let mut confirming = JoinSet::new();
            for turn in self.turns {
                sleep_until(from + turn.at).await;
                let (publisher, fates) = (publisher.clone(), Arc::clone(&kept));
                let event = self.events[turn.event].1.clone();
                confirming.spawn(async move {
                    let confirmed = timeout(GIVES_UP_AFTER, publisher.try_publish(&event));
                    let is_confirmed = confirmed.await.unwrap_or(false);
                    let mut fates = fates.lock().unwrap_or_else(PoisonError::into_inner);
                    let fate = fates.entry(turn.event).or_default();
                    fate.0 += 1;
                    if is_confirmed {
                        fate.1.get_or_insert(began.elapsed());
                    }
                });
            }
            confirming.join_all().await;
        });
        Load {
            names,
            fates,
            publishing,
        }
    }
}

/// The copies sent of each event, and when the first was confirmed.
type Fates = Arc<Mutex<BTreeMap<usize, (u32, Option<Duration>)>>>;

/// What is being published.
pub(crate) struct Load {
    names: Vec<Event>,
    fates: Fates,
    publishing: tokio::task::JoinHandle<()>,
}

impl Load {
    /// Waits until the last copy's fate is known, or given up.
    pub(crate) async fn published(self) -> Vec<Published> {
        self.publishing.await.expect("publishing does not panic");
        let fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.names.into_iter().enumerate();
        names
            .map(|(event, name)| {
                let (copies, confirmed_at) = fates.get(&event).copied().unwrap_or_default();
                Published {
                    event: name,
                    confirmed_at,
                    copies,
                }
            })
            .collect()
    }
}

/// The tenant of the context with this number.
pub(crate) fn tenant(context: usize) -> String {
    format!("tenant-{}", context % TENANTS)
}
