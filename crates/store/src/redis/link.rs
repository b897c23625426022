//! The one connection for commands, kept.
//!
//! Every call ends in time: with an answer, or with an error that says that Redis is away. Nobody waits for Redis to come
//! back; whoever needs an answer asks again (the engine does so with a backoff of its own). So nothing here runs in the
//! background: the next call after a connection was lost makes a new one, one call at a time, and at most every so often,
//! so that a Redis that just starts is not overrun. All calls are idempotent; one whose connection turns out to have died
//! while nobody used it is therefore made once more at once.
//!
//! A `ConnectionManager` would do less: it reconnects to one address (no Sentinels), keeps the connection of a peer that
//! answers nothing any more, and makes callers wait for its own retries.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::{
    answers::Answer,
    connect::{Target, Wire},
    error::RedisStoreError,
    metrics,
    scripts::{Call, words},
};

/// Between two tries to connect: doubled from the one to the other while they fail, less a random part of up to a half.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Answers that come late one after another until the connection is given up: its peer may be gone.
const LATE_IN_A_ROW: u32 = 3;

pub(super) struct Link {
    target: Target,
    server: String,
    connect_timeout: Duration,
    response_timeout: Duration,
    state: Mutex<State>,
    /// Commands that were sent a second time.
    repeats: AtomicU64,
    /// Held while a connection is made.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    wire: Option<Wire>,
    /// Counts connections, so that an old one's error does not end a new one.
    generation: u64,
    late_in_a_row: u32,
    /// Tries that failed since the last connection.
    failures: u32,
    next_try_at: Option<Instant>,
    away_since: Option<Instant>,
    why: String,
}

impl Link {
    pub(super) fn new(
        target: Target,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Self {
        Self {
            server: target.server(),
            target,
            connect_timeout,
            response_timeout,
            state: Mutex::default(),
            repeats: AtomicU64::new(0),
            connecting: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// How many commands were sent a second time so far, where they are run in the order in which they are first sent: of one
    /// server that is so, of a cluster it is not.
    pub(super) fn repeats(&self) -> Option<u64> {
        let in_order = !self.target.is_cluster();
        in_order.then(|| self.repeats.load(Ordering::SeqCst))
    }

    /// Connects, if there is no connection.
    pub(super) async fn connect(&self) -> Result<(), RedisStoreError> {
        self.wire().await.map(|_| ())
    }

    /// Calls a script.
    pub(super) async fn call(&self, call: &Call) -> Result<Answer, RedisStoreError> {
        let value = match self.command(&call.by_digest()).await {
            Err(RedisStoreError::Refused { source, .. })
                if source.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
            {
                self.repeats.fetch_add(1, Ordering::SeqCst);
                self.command(&call.by_text()).await?
            }
            other => other?,
        };
        let what = call.script.name;
        let words = words(value).ok_or(RedisStoreError::Strange { what })?;
        Ok(Answer::new(what, words))
    }

    /// Gives a command, and reads its answer.
    pub(super) async fn query<T: redis::FromRedisValue>(
        &self,
        what: &'static str,
        command: &Cmd,
    ) -> Result<T, RedisStoreError> {
        let value = self.command(command).await?;
        redis::from_redis_value(value).map_err(|_| RedisStoreError::Strange { what })
    }

    async fn command(&self, command: &Cmd) -> Result<Value, RedisStoreError> {
        let (generation, wire) = self.wire().await?;
        match self.try_command(generation, wire, command).await {
            Err(RedisStoreError::Refused { source, .. }) if source.is_unrecoverable_error() => {
                self.repeats.fetch_add(1, Ordering::SeqCst);
                let (generation, wire) = self.wire().await?;
                self.try_command(generation, wire, command).await
            }
            other => other,
        }
    }

    async fn try_command(
        &self,
        generation: u64,
        mut wire: Wire,
        command: &Cmd,
    ) -> Result<Value, RedisStoreError> {
        // The connection has the same limit; this one holds also where the command could not even be sent.
        let limit = self.response_timeout + Duration::from_millis(100);
        match timeout(limit, wire.ask(command)).await {
            Ok(Ok(value)) => {
                self.lock().late_in_a_row = 0;
                Ok(value)
            }
            Ok(Err(source)) if source.is_timeout() => Err(self.late(generation)),
            Err(_elapsed) => Err(self.late(generation)),
            Ok(Err(source)) => {
                if is_over(&source) {
                    self.lose(generation, source.to_string());
                }
                let server = self.server.clone();
                Err(RedisStoreError::Refused { server, source })
            }
        }
    }

    fn late(&self, generation: u64) -> RedisStoreError {
        let late_in_a_row = {
            let mut state = self.lock();
            state.late_in_a_row += 1;
            state.late_in_a_row
        };
        let within_ms = self.response_timeout.as_millis();
        if late_in_a_row >= LATE_IN_A_ROW {
            let why = format!("{late_in_a_row} calls in a row had no answer within {within_ms} ms");
            self.lose(generation, why);
        }
        let server = self.server.clone();
        RedisStoreError::Late { server, within_ms }
    }

    /// The connection, a new one if need be.
    async fn wire(&self) -> Result<(u64, Wire), RedisStoreError> {
        if let Some(wire) = self.connected() {
            return Ok(wire);
        }
        // Others wait for the one that tries, no longer than it may take.
        let Ok(_connecting) = timeout(self.connect_timeout, self.connecting.lock()).await else {
            return Err(self.away());
        };
        if let Some(wire) = self.connected() {
            return Ok(wire);
        }
        if self
            .lock()
            .next_try_at
            .is_some_and(|at| Instant::now() < at)
        {
            return Err(self.away());
        }
        match timeout(self.connect_timeout, self.target.connect()).await {
            Ok(Ok(wire)) => Ok(self.gain(wire)),
            Ok(Err(error)) => Err(self.fail(error.to_string())),
            Err(_elapsed) => {
                let within_ms = self.connect_timeout.as_millis();
                Err(self.fail(format!("no connection within {within_ms} ms")))
            }
        }
    }

    fn connected(&self) -> Option<(u64, Wire)> {
        let state = self.lock();
        let wire = state.wire.clone()?;
        Some((state.generation, wire))
    }

    fn gain(&self, wire: Wire) -> (u64, Wire) {
        let mut state = self.lock();
        state.generation += 1;
        state.wire = Some(wire.clone());
        state.late_in_a_row = 0;
        state.failures = 0;
        state.next_try_at = None;
        if let Some(since) = state.away_since.take() {
            let away_ms = since.elapsed().as_millis();
            info!(away_ms, "Redis at {} is back", self.server);
        }
        metrics::connected("commands");
        metrics::is_connected(true);
        (state.generation, wire)
    }

    fn lose(&self, generation: u64, why: String) {
        let mut state = self.lock();
        if state.generation == generation && state.wire.take().is_some() {
            metrics::is_connected(false);
            state.why = why;
        }
    }

    fn fail(&self, why: String) -> RedisStoreError {
        let mut state = self.lock();
        let (first, longest) = BACKOFF;
        let wait = first
            .saturating_mul(1 << state.failures.min(10))
            .min(longest);
        state.failures += 1;
        state.next_try_at = Some(Instant::now() + wait.mul_f64(1.0 - fastrand::f64() / 2.0));
        if state.away_since.is_none() {
            state.away_since = Some(Instant::now());
            warn!("Redis at {} is away: {why}; it is tried on", self.server);
        }
        state.why = why;
        drop(state);
        self.away()
    }

    fn away(&self) -> RedisStoreError {
        let why = self.lock().why.clone();
        RedisStoreError::Away {
            server: self.server.clone(),
            why: if why.is_empty() {
                "it is being connected to".to_owned()
            } else {
                why
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a connection is of no use any more: it broke, or what it leads to is no master any more.
fn is_over(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}
