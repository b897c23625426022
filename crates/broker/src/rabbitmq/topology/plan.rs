//! The whole of it.

use std::{collections::BTreeMap, num::NonZeroU8};

use foreshow_engine::Queue;

use super::Names;
use crate::rabbitmq::octave;

/// How often a message may be given back before the broker drops it: so often that it never does. Unlimited would be
/// the honest word, but on 3.10 "-1" destroys messages, and from 4.0 the default is 20.
const DELIVERY_LIMIT: i64 = 1_000_000;

/// How many results that nobody subscribed to are kept.
const UNROUTED_KEPT: i64 = 10_000;

/// One installation's exchanges, queues and bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Declared first.
    pub exchanges: Vec<Exchange>,
    /// Declared second.
    pub queues: Vec<QueueShape>,
    /// Bound last.
    pub bindings: Vec<Binding>,
}

/// An exchange. Durable, not internal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeType,
    /// Where what it can't route goes.
    pub alternate: Option<String>,
}

/// How an exchange routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeType {
    /// By patterns of words.
    Topic,
    /// To every queue that is bound.
    Fanout,
}

impl ExchangeType {
    /// The word in AMQP.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Fanout => "fanout",
        }
    }
}

/// A quorum queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueShape {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: BTreeMap<&'static str, Argument>,
}

/// A queue's argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A word.
    Text(String),
    /// A number.
    Number(i64),
}

/// What an exchange passes on to a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// From here.
    pub exchange: String,
    /// To here.
    pub queue: String,
    /// Messages with such a key; empty for a fanout exchange.
    pub key: String,
}

impl Topology {
    /// The topology under a prefix, with so many delay octaves.
    pub fn new(prefix: &str, octaves: NonZeroU8) -> Self {
        let names = Names::new(prefix);
        let (dead_letters, unrouted) = (names.dead_letters(), names.unrouted());
        let backlog = names.queue(Queue::Backlog);
        let mut topology = Self {
            exchanges: vec![
                exchange(&dead_letters, ExchangeType::Fanout, None),
                exchange(&unrouted, ExchangeType::Fanout, None),
                // Workers may not write to the default exchange, through which they could put a message into any queue.
                exchange(&backlog, ExchangeType::Fanout, None),
                exchange(&names.events(), ExchangeType::Topic, Some(&dead_letters)),
                exchange(&names.results(), ExchangeType::Topic, Some(&unrouted)),
            ],
            queues: vec![keeping(&dead_letters), ring(&unrouted)],
            bindings: vec![
                binding(&dead_letters, &dead_letters, ""),
                binding(&unrouted, &unrouted, ""),
            ],
        };
        for queue in Queue::ALL {
            let name = names.queue(queue);
            topology.queues.push(handing_on(&name, &dead_letters));
            for key in keys(queue) {
                topology.bindings.push(binding(&names.events(), &name, key));
            }
        }
        topology.bindings.push(binding(&backlog, &backlog, ""));
        for octave_s in octave::lengths(octaves) {
            let name = names.delay(octave_s);
            topology
                .exchanges
                .push(exchange(&name, ExchangeType::Fanout, None));
            // The default exchange takes a message to the queue that its key names. Published to the delay queue by
            // name, a message would be dropped there for going in a circle.
            topology.queues.push(handing_on(&name, ""));
            topology.bindings.push(binding(&name, &name, ""));
        }
        topology
    }
}

/// The keys of the events that a queue takes.
fn keys(queue: Queue) -> &'static [&'static str] {
    match queue {
        Queue::Deploy => &["context.updated.*", "context.touched.*"],
        Queue::Cleanup => &["context.ended.*", "context.expired.*", "context.reset.*"],
        // Only workers put something there.
        Queue::Backlog => &[],
    }
}

fn exchange(name: &str, kind: ExchangeType, alternate: Option<&str>) -> Exchange {
    Exchange {
        name: name.to_owned(),
        kind,
        alternate: alternate.map(str::to_owned),
    }
}

fn binding(exchange: &str, queue: &str, key: &str) -> Binding {
    Binding {
        exchange: exchange.to_owned(),
        queue: queue.to_owned(),
        key: key.to_owned(),
    }
}

/// A queue that never loses: what leaves it otherwise than by an acknowledgement is handed on at least once.
fn handing_on(name: &str, dead_letter_exchange: &str) -> QueueShape {
    quorum(
        name,
        [
            ("x-dead-letter-exchange", text(dead_letter_exchange)),
            ("x-dead-letter-strategy", text("at-least-once")),
            ("x-overflow", text("reject-publish")),
        ],
    )
}

/// A queue that nothing leaves but by an acknowledgement.
fn keeping(name: &str) -> QueueShape {
    quorum(
        name,
        [
            ("x-dead-letter-strategy", text("at-most-once")),
            ("x-overflow", text("reject-publish")),
        ],
    )
}

/// A queue that keeps the newest.
fn ring(name: &str) -> QueueShape {
    quorum(
        name,
        [
            ("x-dead-letter-strategy", text("at-most-once")),
            ("x-max-length", Argument::Number(UNROUTED_KEPT)),
            ("x-overflow", text("drop-head")),
        ],
    )
}

fn quorum<const N: usize>(name: &str, more: [(&'static str, Argument); N]) -> QueueShape {
    let mut arguments = BTreeMap::from(more);
    arguments.insert("x-queue-type", text("quorum"));
    arguments.insert("x-delivery-limit", Argument::Number(DELIVERY_LIMIT));
    QueueShape {
        name: name.to_owned(),
        arguments,
    }
}

fn text(text: &str) -> Argument {
    Argument::Text(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bindings_are_what_the_port_says_about_keys() {
        for queue in Queue::ALL {
            for key in keys(queue) {
                let key = key.replace('*', "acme");
                assert_eq!(Queue::for_routing_key(&key), Some(queue), "{key}");
            }
        }
    }

    #[test]
    fn everything_bound_is_declared() {
        let topology = Topology::new("foreshow", octave::MAX_OCTAVES);
        for binding in &topology.bindings {
            assert!(
                topology
                    .exchanges
                    .iter()
                    .any(|it| it.name == binding.exchange)
            );
            assert!(topology.queues.iter().any(|it| it.name == binding.queue));
        }
        for exchange in &topology.exchanges {
            let alternate = exchange.alternate.as_ref();
            assert!(
                alternate.is_none_or(|name| topology.exchanges.iter().any(|it| it.name == *name))
            );
        }
    }
}
