//! Dead letters: what was given up, with all that a replay needs, and the walk through them.
//!
//! A walk reads one letter after the other (`basic.get`) over a channel of its own and acknowledges none but those that are
//! decided about, so the broker keeps what was come by out of everybody else's sight, and takes it back when the channel
//! ends. Bodies do not stay here: of ten thousand letters of 8 MiB one is in memory.
//!
//! The channel may end in the middle: a lost connection, or the broker's consumer timeout (30 minutes by default), which
//! a slow replay meets while it holds what it left. Then all that was held is in the queue again, and the walk goes on over a
//! new channel. It knows the ids of what it has given, and does not give those twice; it also ends after as many letters
//! as there were when it began.
//!
//! A replay is published and confirmed before its letter is acknowledged. Die between the two, or lose the
//! acknowledgement, and the letter is there again beside its replay: doubled, never lost.

use std::{
    collections::{BTreeSet, HashSet},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{HeaderValue, Sha256, Timestamp};
use foreshow_engine::{
    Attempts, BrokerError, DeadLetter, DeadLetterReason, DeadLetters, Decided, LetterId,
};
use lapin::{
    Acker, Channel,
    message::Delivery as Raw,
    options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, QueueDeclareOptions},
    types::FieldTable,
};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::{
    RabbitMqError,
    error::{NOT_FOUND, unavailable},
    incoming::{Incoming, Original},
    inner::{ACK_WITHIN, ANSWER_WITHIN, Inner},
    metrics::Kind,
    outgoing, stamp, table,
    topology::Names,
};

const READ: &str = "read its dead letters";

/// How long one letter may take: it may be large.
const LETTER_WITHIN: Duration = Duration::from_mins(1);

/// How long it is waited, at the end of a walk, until the broker shows what was given back.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// Between two looks at that.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Of a body longer than this only the beginning counts for a letter's id.
const BODY_IN_ID_BYTES: usize = 64 * 1024;

/// How many hexadecimal digits an id has: one in ten thousand letters shares its own with another's once in ten million lists.
const ID_DIGITS: usize = 12;

/// One way through; see the module.
pub(super) struct Walk {
    inner: Arc<Inner>,
    channel: Option<Channel>,
    /// How many letters are still to be given.
    to_come: u32,
    /// The tags of those that are out with the channel.
    held: BTreeSet<u64>,
    given: HashSet<LetterId>,
    /// Whether the channel is not the first, and letters come that were given before.
    is_resumed: bool,
    current: Option<Current>,
}

/// The letter given last.
struct Current {
    letter: DeadLetter,
    original: Original,
    tag: u64,
    acker: Acker,
}

impl Walk {
    pub(super) async fn begin(inner: Arc<Inner>) -> Result<Self, RabbitMqError> {
        let channel = open(&inner).await?;
        let to_come = ready(&inner, &channel).await?;
        Ok(Self {
            inner,
            channel: Some(channel),
            to_come,
            held: BTreeSet::new(),
            given: HashSet::new(),
            is_resumed: false,
            current: None,
        })
    }

    /// The next letter that was not given before.
    async fn get(&mut self) -> Result<Option<Current>, RabbitMqError> {
        while self.to_come > 0 {
            let channel = match &self.channel {
                Some(channel) if channel.status().connected() => channel,
                Some(_) | None => {
                    self.held.clear();
                    self.is_resumed = true;
                    self.channel = None;
                    self.channel.insert(open(&self.inner).await?)
                }
            };
            let name = self.inner.names.dead_letters();
            let got = channel.basic_get(name.into(), BasicGetOptions::default());
            let got = match timeout(LETTER_WITHIN, got).await {
                Ok(Ok(got)) => got,
                Ok(Err(error)) => {
                    self.channel = None;
                    return Err(error.into());
                }
                Err(_elapsed) => {
                    // Whatever still comes is the broker's again.
                    self.channel = None;
                    let within = LETTER_WITHIN;
                    return Err(RabbitMqError::Timeout { within });
                }
            };
            let Some(got) = got else {
                self.to_come = 0;
                break;
            };
            self.held.insert(got.delivery.delivery_tag);
            let current = read(got.delivery, &self.inner.names);
            if self.is_resumed && self.given.contains(&current.letter.id) {
                continue;
            }
            self.to_come -= 1;
            self.given.insert(current.letter.id.clone());
            return Ok(Some(current));
        }
        Ok(None)
    }

    /// The letter given last, if the broker has not taken it back.
    fn take_current(&mut self) -> Option<Current> {
        let current = self.current.take()?;
        if current.acker.usable() {
            return Some(current);
        }
        // It comes again.
        if self.given.remove(&current.letter.id) {
            self.to_come += 1;
        }
        None
    }

    async fn acknowledge(&mut self, tag: u64, acker: &Acker) {
        self.held.remove(&tag);
        // Where it does not reach the broker, the letter is there again, as after any acknowledgement that got lost.
        timeout(ACK_WITHIN, acker.ack(BasicAckOptions::default()))
            .await
            .ok();
    }

    /// Gives everything back, and waits until it is seen; or until it can be supposed that another has it.
    async fn give_back(&mut self) -> Result<(), RabbitMqError> {
        self.current = None;
        let Some(channel) = self.channel.take() else {
            return Ok(());
        };
        if self.held.is_empty() || !channel.status().connected() {
            return Ok(());
        }
        let back = BasicNackOptions {
            multiple: false,
            requeue: true,
        };
        // One by one: the order of several at once is not kept.
        for tag in &self.held {
            channel.basic_nack(*tag, back).await?;
        }
        let held = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        let until = Instant::now() + SEEN_WITHIN;
        while ready(&self.inner, &channel).await? < held && Instant::now() < until {
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Walk {
    async fn next(&mut self) -> Result<Option<DeadLetter>, BrokerError> {
        self.current = None;
        self.current = self.get().await.map_err(unavailable(READ))?;
        Ok(self.current.as_ref().map(|current| current.letter.clone()))
    }

    async fn replay(&mut self, attempts: Attempts) -> Result<Decided, BrokerError> {
        let Some(current) = self.take_current() else {
            return Ok(Decided::TakenBack);
        };
        let queue = match current.letter.destination() {
            Ok(queue) => queue,
            Err(reason) => {
                self.current = Some(current);
                return Err(BrokerError::NotReplayable(reason));
            }
        };
        let message = outgoing::replayed(
            &current.letter,
            &current.original,
            attempts,
            queue,
            Timestamp::now(),
            &self.inner.names,
            self.inner.header_limit(),
        );
        if let Err(error) = self.inner.publisher.publish(Kind::Replay, &message).await {
            self.current = Some(current);
            return Err(unavailable("replay a dead letter")(error));
        }
        self.acknowledge(current.tag, &current.acker).await;
        Ok(Decided::Done)
    }

    async fn discard(&mut self) -> Result<Decided, BrokerError> {
        let Some(current) = self.take_current() else {
            return Ok(Decided::TakenBack);
        };
        self.acknowledge(current.tag, &current.acker).await;
        Ok(Decided::Done)
    }

    async fn end(mut self: Box<Self>) -> Result<(), BrokerError> {
        self.give_back()
            .await
            .map_err(unavailable("take dead letters back"))
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        if !self.held.is_empty() && self.channel.is_some() {
            debug!(
                "{} dead letters go back as their channel ends",
                self.held.len()
            );
        }
    }
}

async fn open(inner: &Inner) -> Result<Channel, RabbitMqError> {
    let open = async { Ok(inner.consuming.connection().await?.create_channel().await?) };
    let within = ANSWER_WITHIN;
    timeout(within, open)
        .await
        .unwrap_or(Err(RabbitMqError::Timeout { within }))
}

/// How many letters nobody holds.
async fn ready(inner: &Inner, channel: &Channel) -> Result<u32, RabbitMqError> {
    let name = inner.names.dead_letters();
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let declare = channel.queue_declare(name.as_str().into(), passive, FieldTable::default());
    match timeout(LETTER_WITHIN, declare).await {
        Ok(Ok(declared)) => Ok(declared.message_count()),
        Ok(Err(error)) => Err(match RabbitMqError::from(error) {
            error if error.reply_code() == Some(NOT_FOUND) => RabbitMqError::Topology {
                drift: format!("the queue `{name}` is missing"),
            },
            error => error,
        }),
        Err(_elapsed) => Err(RabbitMqError::Timeout {
            within: LETTER_WITHIN,
        }),
    }
}

fn read(mut raw: Raw, names: &Names) -> Current {
    // Only we write to that exchange, and the broker, as the events' alternate.
    let given_up = raw.exchange.as_str() == names.dead_letters();
    let headers = raw.properties.headers().clone();
    let header = |name: &str| {
        let headers = headers.as_ref().filter(|_| given_up)?;
        headers.inner().get(name).map(table::value)
    };
    let text = |name| header(name).and_then(|value| Some(value.as_text()?.to_owned()));
    let number = |name| match header(name)? {
        HeaderValue::Integer(number) => Some(number),
        HeaderValue::Text(_)
        | HeaderValue::Boolean(_)
        | HeaderValue::Timestamp { .. }
        | HeaderValue::Other { .. } => None,
    };
    let reason = text(stamp::REASON_CODE).map(|code| {
        text(stamp::REASON)
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or(DeadLetterReason {
                code,
                message: String::new(),
                attempts: Vec::new(),
            })
    });
    let origin = text(stamp::ORIGIN_QUEUE);
    let died_at = number(stamp::DIED_AT);
    let body_left_out_bytes =
        number(stamp::BODY_LEFT_OUT).and_then(|bytes| u64::try_from(bytes).ok());
    let id = id(&raw, origin.as_deref(), died_at);
    if given_up {
        // As if it came back from a delay: then what we wrote on it is believed.
        raw.exchange = "".into();
    }
    let (tag, acker) = (raw.delivery_tag, raw.acker.clone());
    let incoming = Incoming::read(&mut raw, Timestamp::now());
    Current {
        letter: DeadLetter {
            id,
            message: incoming.message,
            queue: origin.and_then(|name| names.queue_called(&name)),
            attempt: incoming.attempt,
            history: incoming.history,
            replay: incoming.replay,
            accepted_at: incoming.accepted_at,
            reason,
            died_at: died_at.map(Timestamp::from_micros),
            body_left_out_bytes,
        },
        original: incoming.original,
        tag,
        acker,
    }
}

/// A digest of what does not change while a letter lies there: where it came from, what it says, and when it died.
fn id(raw: &Raw, origin: Option<&str>, died_at: Option<i64>) -> LetterId {
    let mut told = Vec::new();
    let mut tell = |part: &[u8]| {
        told.extend((part.len() as u64).to_be_bytes());
        told.extend(part);
    };
    tell(raw.exchange.as_str().as_bytes());
    tell(raw.routing_key.as_str().as_bytes());
    tell(origin.unwrap_or_default().as_bytes());
    tell(&died_at.unwrap_or_default().to_be_bytes());
    // The broker's own notes count how often somebody looked.
    for (name, value) in table::headers(raw.properties.headers().as_ref(), stamp::is_the_senders) {
        tell(name.as_bytes());
        tell(format!("{value:?}").as_bytes());
    }
    let message_id = raw.properties.message_id().as_ref();
    tell(message_id.map_or(&b""[..], |id| id.as_str().as_bytes()));
    tell(&(raw.data.len() as u64).to_be_bytes());
    tell(&raw.data[..raw.data.len().min(BODY_IN_ID_BYTES)]);
    Sha256::of(&told).to_hex()[..ID_DIGITS]
        .parse()
        .expect("hexadecimal digits are a word")
}

/// For the copy of a letter: which attempt it is, with which history, and since when.
pub(super) fn life(
    letter: &DeadLetter,
    attempts: Attempts,
    now: Timestamp,
) -> (NonZeroU32, &[foreshow_contract::AttemptReport], Timestamp) {
    match attempts {
        Attempts::Reset => (NonZeroU32::MIN, &[], now),
        Attempts::Keep => (letter.attempt, &letter.history, letter.accepted_at),
    }
}
