use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{AttemptReport, ResultEvent, Timestamp};
use tokio::{
    sync::{Notify, broadcast},
    time::Instant,
};

use self::dead_letters::{Kept, Walk};
use crate::{
    Broker, BrokerError, Clock, DeadLetter, DeadLetterReason, DeadLetters, Delay, Deliveries,
    Delivery, LetterId, Message, Pull, Queue, Receipt, ResultFilter, Results,
};

mod dead_letters;

/// The broker, in memory.
#[derive(Clone)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    arrived: Notify,
    results: broadcast::Sender<ResultEvent>,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    ready: BTreeMap<Queue, VecDeque<Waiting>>,
    delayed: Vec<(Instant, Queue, Waiting)>,
    out: BTreeMap<Receipt, (Queue, Waiting)>,
    consumers: BTreeMap<Queue, usize>,
    dead_letters: Vec<Kept>,
    published: Vec<ResultEvent>,
    next: u64,
    moves: u64,
    down: bool,
    taken_at: BTreeMap<Receipt, Instant>,
    longest_held: Duration,
}

impl State {
    fn take_back(&mut self, receipt: &Receipt) -> Option<(Queue, Waiting)> {
        if let Some(at) = self.taken_at.remove(receipt) {
            self.longest_held = self.longest_held.max(at.elapsed());
        }
        self.out.remove(receipt)
    }

    /// Makes ready what is due.
    fn take_due(&mut self) {
        let now = Instant::now();
        self.delayed.sort_by_key(|(due_at, ..)| *due_at);
        while self.next_due().is_some_and(|due_at| due_at <= now) {
            let (_, queue, waiting) = self.delayed.remove(0);
            self.ready.entry(queue).or_default().push_back(waiting);
        }
    }

    /// When the next delayed message is due, of those that [`Self::take_due`] has sorted.
    fn next_due(&self) -> Option<Instant> {
        self.delayed.first().map(|(due_at, ..)| *due_at)
    }

    /// The first that is ready, which is out from now on.
    fn hand_out(&mut self, consumer: u64, queue: Queue) -> Option<Delivery> {
        let waiting = self.ready.entry(queue).or_default().pop_front()?;
        self.next += 1;
        let receipt = Receipt {
            consumer,
            tag: self.next,
        };
        self.taken_at.insert(receipt, Instant::now());
        let Waiting {
            message,
            attempt,
            history,
            replay,
            accepted_at,
            redelivered,
        } = waiting.clone();
        let out = Waiting {
            redelivered: true,
            ..waiting
        };
        self.out.insert(receipt, (queue, out));
        Some(Delivery {
            message,
            queue,
            attempt,
            history,
            replay,
            accepted_at,
            redelivered,
            receipt,
        })
    }
}

#[derive(Clone)]
struct Waiting {
    message: Message,
    attempt: NonZeroU32,
    history: Vec<AttemptReport>,
    replay: u32,
    accepted_at: Timestamp,
    redelivered: bool,
}

impl MemoryBroker {
    /// An empty broker that reads this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let results = broadcast::Sender::new(65_536);
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                arrived: Notify::new(),
                results,
                clock,
            }),
        }
    }

    /// From now on it fails every call, or answers again.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
        self.shared.arrived.notify_waiters();
    }

    /// Every result published so far.
    pub fn published(&self) -> Vec<ResultEvent> {
        self.lock().published.clone()
    }

    /// The longest time that a delivery was out with a consumer, of those that came back or ended.
    pub fn longest_held(&self) -> Duration {
        self.lock().longest_held
    }

    /// Every dead letter that is there, and why.
    pub fn dead_letters(&self) -> Vec<(Message, DeadLetterReason)> {
        let state = self.lock();
        let letters = state.dead_letters.iter().map(|kept| kept.letter.clone());
        letters
            .filter_map(|letter| Some((letter.message, letter.reason?)))
            .collect()
    }

    /// Messages that are ready, delayed or out: all that has not come to its end.
    pub fn pending(&self) -> usize {
        let state = self.lock();
        state.ready.values().map(VecDeque::len).sum::<usize>()
            + state.delayed.len()
            + state.out.len()
    }

    /// Gives every delivery that is out back, as the end of a connection does.
    pub fn drop_connections(&self) {
        let mut state = self.lock();
        for (_, (queue, waiting)) in std::mem::take(&mut state.out) {
            state.ready.entry(queue).or_default().push_back(waiting);
        }
        drop(state);
        self.shared.arrived.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages that are ready in a queue.
    pub fn ready(&self, queue: Queue) -> usize {
        self.lock().ready.get(&queue).map_or(0, VecDeque::len)
    }

    /// How often a delivery was moved to another queue.
    pub fn moves(&self) -> u64 {
        self.lock().moves
    }

    fn give_back_all_of(&self, consumer: u64) {
        let mut state = self.lock();
        let held: Vec<_> = state
            .out
            .keys()
            .filter(|receipt| receipt.consumer == consumer)
            .copied()
            .collect();
        for receipt in held {
            if let Some((queue, waiting)) = state.take_back(&receipt) {
                state.ready.entry(queue).or_default().push_back(waiting);
            }
        }
        drop(state);
        self.shared.arrived.notify_waiters();
    }

    fn ask(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, BrokerError> {
        let state = self.lock();
        if state.down {
            return Err(BrokerError::Unavailable {
                operation,
                source: "the broker is switched off".into(),
            });
        }
        Ok(state)
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn publish_event(&self, message: Message) -> Result<(), BrokerError> {
        let Some(queue) = Queue::for_routing_key(&message.routing_key) else {
            return Err(BrokerError::Unroutable {
                routing_key: message.routing_key,
            });
        };
        let waiting = Waiting {
            message,
            attempt: NonZeroU32::MIN,
            history: Vec::new(),
            replay: 0,
            accepted_at: self.shared.clock.now(),
            redelivered: false,
        };
        self.ask("publish an event")?
            .ready
            .entry(queue)
            .or_default()
            .push_back(waiting);
        self.shared.arrived.notify_waiters();
        Ok(())
    }

    async fn consume(
        &self,
        queue: Queue,
        prefetch: NonZeroU32,
    ) -> Result<Box<dyn Deliveries>, BrokerError> {
        let mut state = self.ask("consume a queue")?;
        state.next += 1;
        *state.consumers.entry(queue).or_default() += 1;
        Ok(Box::new(Consumer {
            broker: self.clone(),
            id: state.next,
            queue,
            prefetch,
            stopped: false,
        }))
    }

    async fn pull(&self, queue: Queue) -> Result<Box<dyn Pull>, BrokerError> {
        let mut state = self.ask("read a queue")?;
        state.next += 1;
        Ok(Box::new(Puller {
            broker: self.clone(),
            id: state.next,
            queue,
        }))
    }

    async fn publish_results(&self, results: &[ResultEvent]) -> Result<(), BrokerError> {
        let mut state = self.ask("publish a result")?;
        for result in results {
            state.published.push(result.clone());
            // Nobody listening is no fault.
            drop(self.shared.results.send(result.clone()));
        }
        Ok(())
    }

    async fn ack(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        self.ask("acknowledge a delivery")?.take_back(receipt);
        self.shared.arrived.notify_waiters();
        Ok(())
    }

    async fn requeue(&self, receipt: &Receipt) -> Result<(), BrokerError> {
        let mut state = self.ask("give a delivery back")?;
        if let Some((queue, waiting)) = state.take_back(receipt) {
            state.ready.entry(queue).or_default().push_front(waiting);
        }
        drop(state);
        self.shared.arrived.notify_waiters();
        Ok(())
    }

    async fn delay(&self, delivery: &Delivery, delay: Delay) -> Result<(), BrokerError> {
        let mut state = self.ask("delay a delivery")?;
        let waiting = Waiting {
            message: delivery.message.clone(),
            attempt: delay.attempt,
            history: delay.history,
            replay: delivery.replay,
            accepted_at: delivery.accepted_at,
            redelivered: delivery.redelivered,
        };
        if state.take_back(&delivery.receipt).is_some() {
            state
                .delayed
                .push((Instant::now() + delay.after, delivery.queue, waiting));
        }
        drop(state);
        self.shared.arrived.notify_waiters();
        Ok(())
    }

    async fn move_to(&self, delivery: &Delivery, queue: Queue) -> Result<(), BrokerError> {
        let mut state = self.ask("move a delivery")?;
        let waiting = Waiting {
            message: delivery.message.clone(),
            attempt: delivery.attempt,
            history: delivery.history.clone(),
            replay: delivery.replay,
            accepted_at: delivery.accepted_at,
            redelivered: delivery.redelivered,
        };
        if state.take_back(&delivery.receipt).is_some() {
            state.ready.entry(queue).or_default().push_back(waiting);
            state.moves += 1;
        }
        drop(state);
        self.shared.arrived.notify_waiters();
        Ok(())
    }

    async fn dead_letter(
        &self,
        delivery: &Delivery,
        reason: &DeadLetterReason,
    ) -> Result<(), BrokerError> {
        let mut state = self.ask("keep a dead letter")?;
        if state.take_back(&delivery.receipt).is_some() {
            state.next += 1;
            let letter = DeadLetter {
                id: LetterId::from(state.next),
                message: delivery.message.clone(),
                queue: Some(delivery.queue),
                attempt: delivery.attempt,
                history: delivery.history.clone(),
                replay: delivery.replay,
                accepted_at: delivery.accepted_at,
                reason: Some(reason.clone()),
                died_at: Some(self.shared.clock.now()),
                body_left_out_bytes: None,
            };
            state.dead_letters.push(Kept::new(letter));
        }
        drop(state);
        self.shared.arrived.notify_waiters();
        Ok(())
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        Ok(Box::new(Walk::begin(self)?))
    }

    async fn subscribe(&self, filter: ResultFilter) -> Result<Box<dyn Results>, BrokerError> {
        drop(self.ask("subscribe to results")?);
        Ok(Box::new(Subscription {
            results: self.shared.results.subscribe(),
            filter,
        }))
    }

    async fn has_consumers(&self, queue: Queue) -> Result<bool, BrokerError> {
        Ok(self
            .ask("look for consumers")?
            .consumers
            .get(&queue)
            .is_some_and(|consumers| *consumers > 0))
    }

    async fn waiting(&self, queue: Queue) -> Result<u64, BrokerError> {
        let state = self.ask("measure a queue")?;
        Ok(state.ready.get(&queue).map_or(0, VecDeque::len) as u64)
    }

    async fn ping(&self) -> Result<(), BrokerError> {
        self.ask("answer").map(drop)
    }
}

struct Consumer {
    broker: MemoryBroker,
    id: u64,
    queue: Queue,
    prefetch: NonZeroU32,
    stopped: bool,
}

impl Consumer {
    /// The next delivery, or when to look again.
    fn try_next(&self) -> Result<Result<Delivery, Option<Instant>>, BrokerError> {
        let mut state = self.broker.ask("read a queue")?;
        state.take_due();
        let held = state
            .out
            .keys()
            .filter(|receipt| receipt.consumer == self.id)
            .count();
        if !self.stopped
            && held < self.prefetch.get() as usize
            && let Some(delivery) = state.hand_out(self.id, self.queue)
        {
            return Ok(Ok(delivery));
        }
        Ok(Err(state.next_due()))
    }
}

/// Reads a queue on demand.
struct Puller {
    broker: MemoryBroker,
    id: u64,
    queue: Queue,
}

#[async_trait]
impl Pull for Puller {
    async fn ready(&mut self) {
        loop {
            let shared = Arc::clone(&self.broker.shared);
            let mut arrived = std::pin::pin!(shared.arrived.notified());
            arrived.as_mut().enable();
            let next_due = {
                let mut state = self.broker.lock();
                state.take_due();
                if !state.ready.entry(self.queue).or_default().is_empty() {
                    return;
                }
                state.next_due()
            };
            match next_due {
                Some(due_at) => tokio::select! {
                    biased;
                    () = arrived => {}
                    () = tokio::time::sleep_until(due_at) => {}
                },
                None => arrived.await,
            }
        }
    }

    async fn take(&mut self, most: usize) -> Result<Vec<Delivery>, BrokerError> {
        let mut state = self.broker.ask("read a queue")?;
        state.take_due();
        let taken = (0..most).map_while(|_| state.hand_out(self.id, self.queue));
        Ok(taken.collect())
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        self.broker.give_back_all_of(self.id);
    }
}

#[async_trait]
impl Deliveries for Consumer {
    async fn next(&mut self) -> Result<Delivery, BrokerError> {
        loop {
            let shared = Arc::clone(&self.broker.shared);
            let mut arrived = std::pin::pin!(shared.arrived.notified());
            arrived.as_mut().enable();
            match self.try_next()? {
                Ok(delivery) => return Ok(delivery),
                Err(Some(due_at)) => tokio::select! {
                    biased;
                    () = arrived => {}
                    () = tokio::time::sleep_until(due_at) => {}
                },
                Err(None) => arrived.await,
            }
        }
    }

    async fn stop(&mut self) {
        // It fetches nothing ahead.
        self.stopped = true;
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let mut state = self.broker.lock();
        if let Some(consumers) = state.consumers.get_mut(&self.queue) {
            *consumers -= 1;
        }
        drop(state);
        self.broker.give_back_all_of(self.id);
    }
}

struct Subscription {
    results: broadcast::Receiver<ResultEvent>,
    filter: ResultFilter,
}

#[async_trait]
impl Results for Subscription {
    async fn next(&mut self) -> Result<ResultEvent, BrokerError> {
        loop {
            match self.results.recv().await {
                Ok(result) if self.filter.matches(&result) => return Ok(result),
                Ok(_) => {}
                Err(error) => {
                    return Err(BrokerError::Unavailable {
                        operation: "read results",
                        source: error.into(),
                    });
                }
            }
        }
    }
}
