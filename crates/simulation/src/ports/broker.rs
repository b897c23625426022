//! The broker: every message at least once, in no particular order, and no acknowledgement is ever sure.
//!
//! A consumer holds a few messages ahead of what its worker has read, as a prefetch does. When its connection ends, by its
//! worker's death or by itself, all it held comes back to whoever reads next, marked as redelivered.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{AttemptReport, ContextKey, ResultEvent, Timestamp};
use foreshow_engine::{
    Broker, BrokerError, Clock as _, DeadLetterReason, DeadLetters, Delay, Deliveries, Delivery,
    Message, Pull, Queue, Receipt, ResultFilter, Results,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    link::Link,
    stats::Count,
    weather::Port,
    world::{WallClock, World, lock},
};

/// The broker that everybody shares.
#[derive(Clone)]
pub(crate) struct SharedBroker {
    world: World,
    clock: WallClock,
    arrived: Arc<Notify>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<Queue, Vec<Waiting>>,
    out: BTreeMap<Receipt, (Queue, Waiting)>,
    /// Consumers whose connection is up, and the process that each belongs to.
    consumers: BTreeMap<u64, u64>,
    next: u64,
}

#[derive(Clone)]
struct Waiting {
    /// Nobody sees it earlier.
    from: Instant,
    message: Message,
    attempt: NonZeroU32,
    history: Vec<AttemptReport>,
    accepted_at: Timestamp,
    redelivered: bool,
}

impl SharedBroker {
    pub(crate) fn new(world: &World, clock: WallClock) -> Self {
        Self {
            world: world.clone(),
            clock,
            arrived: Arc::new(Notify::new()),
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// An upstream service publishes an event.
    pub(crate) fn publish(&self, message: Message) {
        let queue =
            Queue::for_routing_key(&message.routing_key).expect("a queue takes every event");
        let disorder = self.world.weather().disorder;
        let copies = if self.world.happens(disorder) { 2 } else { 1 };
        for _ in 0..copies {
            let late = if self.world.happens(disorder) {
                self.world.dice().u64(0..5_000)
            } else {
                self.world.dice().u64(0..10)
            };
            let waiting = Waiting {
                from: Instant::now() + Duration::from_millis(late),
                message: message.clone(),
                attempt: NonZeroU32::MIN,
                history: Vec::new(),
                accepted_at: self.clock.now(),
                redelivered: false,
            };
            self.world.stats().count(Count::Events);
            self.lock().waiting.entry(queue).or_default().push(waiting);
        }
        self.arrived.notify_waiters();
    }

    /// Messages that have not come to their end.
    pub(crate) fn pending(&self) -> usize {
        let state = self.lock();
        state.waiting.values().map(Vec::len).sum::<usize>() + state.out.len()
    }

    /// The connections of a process end, whether it notices or not.
    pub(crate) fn disconnect(&self, process: u64) {
        let mut state = self.lock();
        let gone: Vec<_> = state
            .consumers
            .iter()
            .filter(|(_, of)| **of == process)
            .map(|(consumer, _)| *consumer)
            .collect();
        for consumer in gone {
            state.end(consumer);
        }
        drop(state);
        self.world.stats().count(Count::Disconnects);
        self.arrived.notify_waiters();
    }

    fn done(&self, receipt: Receipt) {
        let lost = self.world.weather().lose_ack;
        if !self.world.happens(lost) {
            self.lock().out.remove(&receipt);
            self.arrived.notify_waiters();
            return;
        }
        // The broker never hears of it; after a while it takes the message back.
        let broker = self.clone();
        let after = Duration::from_millis(self.world.dice().u64(10..8_000));
        tokio::spawn(async move {
            sleep(after).await;
            broker.lock().take_back(receipt);
            broker.arrived.notify_waiters();
        });
    }
}

impl State {
    fn end(&mut self, consumer: u64) {
        self.consumers.remove(&consumer);
        let held: Vec<_> = self
            .out
            .keys()
            .filter(|receipt| receipt.consumer == consumer)
            .copied()
            .collect();
        for receipt in held {
            self.take_back(receipt);
        }
    }

    /// Takes what is there, at most so many.
    fn hand_out(&mut self, consumer: u64, queue: Queue, most: usize) -> Vec<Delivery> {
        let now = Instant::now();
        let mut taken = Vec::new();
        while taken.len() < most {
            let waiting = self.waiting.entry(queue).or_default();
            let Some(place) = waiting.iter().position(|one| one.from <= now) else {
                break;
            };
            let waiting = waiting.remove(place);
            self.next += 1;
            let receipt = Receipt {
                consumer,
                tag: self.next,
            };
            taken.push(Delivery {
                message: waiting.message.clone(),
                queue,
                attempt: waiting.attempt,
                history: waiting.history.clone(),
                replay: 0,
                accepted_at: waiting.accepted_at,
                redelivered: waiting.redelivered,
                receipt,
            });
            self.out.insert(receipt, (queue, waiting));
        }
        taken
    }

    /// When something more can be seen.
    fn next_after_now(&self, queue: Queue) -> Option<Instant> {
        let waiting = self.waiting.get(&queue)?;
        let later = waiting.iter().map(|one| one.from);
        later.filter(|from| *from > Instant::now()).min()
    }

    fn take_back(&mut self, receipt: Receipt) {
        if let Some((queue, waiting)) = self.out.remove(&receipt) {
            self.waiting.entry(queue).or_default().push(Waiting {
                redelivered: true,
                from: Instant::now(),
                ..waiting
            });
        }
    }
}

/// A worker's link to the broker.
pub(crate) struct BrokerLink {
    link: Link,
    broker: SharedBroker,
}

impl BrokerLink {
    pub(crate) fn new(link: Link, broker: SharedBroker) -> Self {
        Self { link, broker }
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        landing: impl FnOnce(&SharedBroker) -> T + Send + 'static,
    ) -> Result<T, BrokerError> {
        let unavailable = |source: Box<dyn std::error::Error + Send + Sync>| {
            BrokerError::Unavailable { operation, source }
        };
        let down_until = self.link.world.weather().broker_down_until;
        if down_until.is_some_and(|until| Instant::now() < until) {
            return Err(unavailable("it is switched off".into()));
        }
        let broker = self.broker.clone();
        let asked = self
            .link
            .call(Port::Broker, false, || (), move || landing(&broker));
        asked.await.map_err(|lost| unavailable(lost.into()))
    }
}

#[async_trait]
impl Broker for BrokerLink {
    async fn publish_event(&self, message: Message) -> Result<(), BrokerError> {
        self.ask("publish an event", move |broker| broker.publish(message))
            .await
    }

    async fn consume(
        &self,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Box<dyn Deliveries>, BrokerError> {
        let process = self.link.process.number();
        let id = self
            .ask("consume a queue", move |broker| broker.connect(process))
            .await?;
        Ok(Box::new(Consumer {
            broker: self.broker.clone(),
            link: self.link.clone(),
            id,
            queue,
            prefetch: prefetch.get() as usize,
            ahead: VecDeque::new(),
            is_stopped: false,
        }))
    }

    async fn pull(&self, queue: Queue) -> Result<Box<dyn Pull>, BrokerError> {
        let process = self.link.process.number();
        let id = self
            .ask("read a queue", move |broker| broker.connect(process))
            .await?;
        Ok(Box::new(Puller {
            broker: self.broker.clone(),
            link: self.link.clone(),
            id,
            queue,
        }))
    }

    async fn publish_results(&self, results: &[ResultEvent]) -> Result<(), BrokerError> {
        let results = results.to_vec();
        let who = self.link.process.name().to_owned();
        self.ask("publish a result", move |broker| {
            for result in &results {
                broker.world.stats().count(Count::Results);
                if result.is_end() {
                    broker
                        .world
                        .tell(&who, || format!("tells {}", words(result)));
                }
                let at = broker.world.elapsed();
                broker.world.tower().told(result, at, &broker.world);
            }
        })
        .await
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        let receipt = *receipt;
        self.ask("acknowledge a delivery", move |broker| broker.done(receipt))
            .await
    }

    async fn requeue(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        let receipt = *receipt;
        self.ask("give a delivery back", move |broker| {
            broker.lock().take_back(receipt);
            broker.arrived.notify_waiters();
        })
        .await
    }

    async fn delay(&self, delivery: &Delivery, delay: Delay) -> Result<(), BrokerError> {
        let delivery = delivery.clone();
        let who = self.link.process.name().to_owned();
        self.ask("delay a delivery", move |broker| {
            let late = broker.world.dice().f64() / 2.0;
            broker.world.stats().count(Count::Delays);
            broker.world.tell(&who, || {
                format!(
                    "delays {} for {} ms, attempt {}",
                    event_words(&delivery.message),
                    delay.after.as_millis(),
                    delay.attempt
                )
            });
            let waiting = Waiting {
                from: Instant::now() + delay.after.mul_f64(1.0 + late),
                message: delivery.message,
                attempt: delay.attempt,
                history: delay.history,
                accepted_at: delivery.accepted_at,
                redelivered: delivery.redelivered,
            };
            broker
                .lock()
                .waiting
                .entry(delivery.queue)
                .or_default()
                .push(waiting);
            broker.done(delivery.receipt);
            broker.arrived.notify_waiters();
        })
        .await
    }

    async fn move_to(&self, delivery: &Delivery, queue: Queue) -> Result<(), BrokerError> {
        let delivery = delivery.clone();
        let who = self.link.process.name().to_owned();
        self.ask("move a delivery", move |broker| {
            broker.world.stats().count(Count::Moves);
            broker.world.tell(&who, || {
                let what = event_words(&delivery.message);
                format!("moves {what} to {}", queue.name())
            });
            let waiting = Waiting {
                from: Instant::now(),
                message: delivery.message,
                attempt: delivery.attempt,
                history: delivery.history,
                accepted_at: delivery.accepted_at,
                redelivered: delivery.redelivered,
            };
            broker
                .lock()
                .waiting
                .entry(queue)
                .or_default()
                .push(waiting);
            broker.done(delivery.receipt);
            broker.arrived.notify_waiters();
        })
        .await
    }

    async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), BrokerError> {
        let (delivery, code) = (delivery.clone(), reason.code.clone());
        let who = self.link.process.name().to_owned();
        self.ask("keep a dead letter", move |broker| {
            broker.world.stats().count(Count::DeadLetters);
            broker.world.tell(&who, || {
                format!("dead-letters {}: {code}", event_words(&delivery.message))
            });
            broker.world.tower().dead_lettered(&delivery.message, &code);
            broker.done(delivery.receipt);
        })
        .await
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        Err(BrokerError::Unavailable {
            operation: "go through its dead letters",
            source: "no operator is there in a simulation".into(),
        })
    }

    async fn subscribe(&self, _: ResultFilter) -> Result<Box<dyn Results>, BrokerError> {
        Err(BrokerError::Unavailable {
            operation: "subscribe to results",
            source: "nobody subscribes in a simulation".into(),
        })
    }

    async fn has_consumers(&self, _: Queue) -> Result<bool, BrokerError> {
        Ok(true)
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerError> {
        self.ask("measure a queue", move |broker| {
            let state = broker.lock();
            state.waiting.get(&queue).map_or(0, Vec::len) as u64
        })
        .await
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.ask("answer", |_| ()).await
    }
}

impl SharedBroker {
    fn connect(&self, process: u64) -> u64 {
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        state.consumers.insert(id, process);
        id
    }
}

struct Consumer {
    broker: SharedBroker,
    link: Link,
    id: u64,
    queue: Queue,
    prefetch: usize,
    /// Taken from the broker, and not read yet.
    ahead: VecDeque<Delivery>,
    is_stopped: bool,
}

impl Consumer {
    /// Takes what is there; when to look again, where there is nothing; an error where the connection is gone.
    fn fetch(&mut self) -> Result<Option<Instant>, BrokerError> {
        let broker = self.broker.clone();
        let mut state = broker.lock();
        if !state.consumers.contains_key(&self.id) {
            drop(state);
            self.ahead.clear();
            self.id = broker.connect(self.link.process.number());
            return Err(BrokerError::Unavailable {
                operation: "read a queue",
                source: "the connection was lost".into(),
            });
        }
        let held = state
            .out
            .keys()
            .filter(|receipt| receipt.consumer == self.id)
            .count();
        let places = self.prefetch.saturating_sub(held).min(3);
        self.ahead
            .extend(state.hand_out(self.id, self.queue, places));
        let next = state.next_after_now(self.queue);
        Ok(next)
    }
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        loop {
            let broker = self.broker.clone();
            if !self.is_stopped
                && broker.lock().consumers.contains_key(&self.id)
                && let Some(delivery) = self.ahead.pop_front()
            {
                return Ok(delivery);
            }
            let mut arrived = std::pin::pin!(broker.arrived.notified());
            arrived.as_mut().enable();
            let next = self.fetch()?;
            if !self.ahead.is_empty() {
                continue;
            }
            match next {
                Some(at) => tokio::select! {
                    biased;
                    () = arrived => {}
                    () = sleep_until(at) => {}
                },
                None => arrived.await,
            }
            // Not always the same worker first.
            let apart = self.link.world.dice().u64(0..3);
            sleep(Duration::from_millis(apart)).await;
        }
    }

    async fn stop(&mut self) {
        self.is_stopped = true;
        let mut state = self.broker.lock();
        for delivery in self.ahead.drain(..) {
            state.take_back(delivery.receipt);
        }
        drop(state);
        self.broker.arrived.notify_waiters();
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.broker.lock().end(self.id);
        self.broker.arrived.notify_waiters();
    }
}

/// Reads a queue on demand.
struct Puller {
    broker: SharedBroker,
    link: Link,
    id: u64,
    queue: Queue,
}

#[async_trait]
impl Pull for Puller {
    async fn ready(&mut self) {
        loop {
            let broker = self.broker.clone();
            let mut arrived = std::pin::pin!(broker.arrived.notified());
            arrived.as_mut().enable();
            let (is_ready, next) = {
                let state = broker.lock();
                let now = Instant::now();
                let waiting = state.waiting.get(&self.queue);
                let is_ready = waiting.is_some_and(|all| all.iter().any(|one| one.from <= now));
                (is_ready, state.next_after_now(self.queue))
            };
            if is_ready {
                return;
            }
            match next {
                Some(at) => tokio::select! {
                    biased;
                    () = arrived => {}
                    () = sleep_until(at) => {}
                },
                None => arrived.await,
            }
            // Not always the same worker first.
            let apart = self.link.world.dice().u64(0..3);
            sleep(Duration::from_millis(apart)).await;
        }
    }

    async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, BrokerError> {
        let mut state = self.broker.lock();
        if !state.consumers.contains_key(&self.id) {
            drop(state);
            self.id = self.broker.connect(self.link.process.number());
            return Err(BrokerError::Unavailable {
                operation: "read a queue",
                source: "the connection was lost".into(),
            });
        }
        Ok(state.hand_out(self.id, self.queue, most))
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        self.broker.lock().end(self.id);
        self.broker.arrived.notify_waiters();
    }
}

/// A result in a story.
fn words(result: &ResultEvent) -> String {
    let context = result.key().map_or_else(String::new, |key: ContextKey| {
        key.context.as_str().to_owned()
    });
    let revision = result
        .revision()
        .map_or_else(String::new, |revision| revision.to_string());
    format!("{} of {context}/{revision}", result.outcome())
}

/// An event in a story.
pub(crate) fn event_words(message: &Message) -> String {
    match foreshow_contract::decode(message.raw()) {
        Ok(incoming) => {
            let ordinal = incoming
                .event
                .ordinal()
                .map_or_else(|| "touch".to_owned(), |ordinal| ordinal.to_string());
            format!(
                "{} ({}/{ordinal})",
                incoming.envelope.id,
                incoming.event.key().context.as_str()
            )
        }
        Err(_) => "what cannot be read".to_owned(),
    }
}
