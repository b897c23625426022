//! Opens a connection, watches it until it ends, and opens the next one.
//!
//! It dials the addresses in turn, beginning with the one that worked last, with a growing and jittered pause between
//! rounds. It logs a change of state, not a try.

use std::{
    error::Error,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use async_rs::Runtime;
use futures_util::StreamExt as _;
use lapin::{
    AsyncTcpStream, Connection, ConnectionProperties, Event,
    tcp::{AMQPUriTcpExt as _, OwnedTLSConfig},
};
use tokio::{sync::watch, time::timeout};
use tracing::{debug, info, warn};

use super::{
    AmqpUrl, RabbitMqError, RabbitMqOptions,
    link::{Role, State},
    metrics,
    stream::{CleanStream, CleanTokio},
};

/// The first pause between two rounds through the addresses, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A connection that lived shorter than this was no success: the pause before the next one goes on growing.
const STEADY_AFTER: Duration = Duration::from_secs(5);

/// How often a connection is looked at, for what its events don't tell.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) struct Supervisor {
    role: Role,
    options: Arc<RabbitMqOptions>,
    tls: OwnedTLSConfig,
    state: watch::Sender<State>,
    next_url: usize,
    /// Whether it was said that there is no connection.
    lost: bool,
}

impl Supervisor {
    pub(super) fn new(
        role: Role,
        options: Arc<RabbitMqOptions>,
        tls: OwnedTLSConfig,
        state: watch::Sender<State>,
    ) -> Self {
        Self {
            role,
            options,
            tls,
            state,
            next_url: 0,
            lost: false,
        }
    }

    /// Runs until it is aborted.
    pub(super) async fn run(mut self) {
        let mut opened_before = false;
        let mut pause = PAUSE.0;
        loop {
            match self.dial().await {
                Ok((connection, address)) => {
                    let opened_at = Instant::now();
                    if opened_before {
                        metrics::reconnected(self.role.word());
                    }
                    self.lost = false;
                    opened_before = true;
                    let trouble = self.watch(connection, &address).await;
                    warn!("{}; dialling again", chain(&trouble));
                    self.lost = true;
                    self.end(trouble);
                    if opened_at.elapsed() >= STEADY_AFTER {
                        pause = PAUSE.0;
                    }
                }
                Err(trouble) => {
                    if !self.lost {
                        warn!("{}; dialling on", chain(&trouble));
                        self.lost = true;
                    }
                    self.end(trouble);
                }
            }
            tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    fn end(&self, trouble: RabbitMqError) {
        metrics::connected(self.role.word(), false);
        self.state.send_modify(|state| {
            state.connection = None;
            state.blocked = None;
            state.trouble = Some(Arc::new(trouble));
            state.failed_rounds += 1;
        });
        if self.role == Role::Publishing {
            metrics::blocked(false);
        }
    }

    /// Tries each address once.
    async fn dial(&mut self) -> Result<(Connection, String), RabbitMqError> {
        let mut trouble = None;
        for _ in 0..self.options.urls.len() {
            let url = &self.options.urls[self.next_url];
            match self.dial_one(url).await {
                Ok(connection) => return Ok((connection, url.address())),
                Err(error) => {
                    debug!("{}", chain(&error));
                    trouble = Some(error);
                }
            }
            self.next_url = (self.next_url + 1) % self.options.urls.len();
        }
        Err(trouble.unwrap_or(RabbitMqError::Away {
            role: self.role.word(),
            source: None,
        }))
    }

    async fn dial_one(&self, url: &AmqpUrl) -> Result<Connection, RabbitMqError> {
        let within = self.options.connect_timeout;
        let heartbeat = self.options.heartbeat.as_secs().max(1);
        let mut uri = url.uri().clone();
        uri.query.heartbeat = Some(u16::try_from(heartbeat).unwrap_or(u16::MAX));
        let name = format!("{} ({})", self.options.name, self.role.word());
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let tls = self.tls.clone();
        let address = url.address();
        let runtime = Runtime::new(CleanTokio::current());
        let tokio = Runtime::new(CleanTokio::current().tokio());
        let opening = Connection::connector(
            uri,
            runtime,
            // With a limit of its own: it runs on a thread that would outlive a future given up.
            async move |uri, _| {
                keep_this_thread_out_of_the_log();
                let stream = uri.connect_with_config_async(tls.as_ref(), &tokio);
                match timeout(within, stream).await {
                    Ok(stream) => Ok(AsyncTcpStream::Plain(CleanStream::new(stream?))),
                    Err(_elapsed) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
                }
            },
            properties,
        );
        match timeout(within, opening).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(source)) => Err(connect(&address, source)),
            Err(_elapsed) => Err(RabbitMqError::ConnectTimeout { address, within }),
        }
    }

    /// Shows the connection to everybody until it ends, and answers why it did.
    async fn watch(&self, connection: Connection, address: &str) -> RabbitMqError {
        let connection = Arc::new(connection);
        let mut events = std::pin::pin!(connection.events_listener());
        info!("connected to RabbitMQ at {address} ({})", self.role.word());
        metrics::connected(self.role.word(), true);
        self.state.send_modify(|state| {
            state.connection = Some(Arc::clone(&connection));
            state.blocked = None;
        });
        let mut reason: Option<String> = None;
        let (mut error, mut ended) = (None, false);
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(why)) => reason = Some(why),
                    Some(Event::ConnectionUnblocked) => reason = None,
                    Some(Event::Error(why)) => error = Some(why),
                    Some(_) => {}
                    None => ended = true,
                },
                _ = look.tick() => {}
            }
            let status = connection.status();
            self.show_blocked(
                status
                    .blocked()
                    .then(|| reason.as_deref().unwrap_or("no reason given")),
            );
            if ended || !status.connected() {
                return RabbitMqError::Lost {
                    address: address.to_owned(),
                    source: error,
                };
            }
        }
    }

    fn show_blocked(&self, reason: Option<&str>) {
        let was_blocked = self.state.borrow().blocked.is_some();
        if was_blocked == reason.is_some() {
            return;
        }
        if let Some(reason) = reason {
            warn!(
                "RabbitMQ blocks publishers ({reason}); nothing is claimed until it takes messages again"
            );
        } else {
            info!("RabbitMQ takes messages again");
        }
        if self.role == Role::Publishing {
            metrics::blocked(reason.is_some());
        }
        self.state
            .send_modify(|state| state.blocked = reason.map(Arc::from));
    }
}

/// On its own thread, which this runs on, lapin logs messages that come back as a whole, body and env values included,
/// and every refusal that we handle and tell of ourselves. Nothing of that may depend on how somebody filters the log.
fn keep_this_thread_out_of_the_log() {
    let nobody = tracing::subscriber::NoSubscriber::new();
    // Never undone: the thread is lapin's alone, and ends with the connection.
    std::mem::forget(tracing::subscriber::set_default(nobody));
}

fn connect(address: &str, source: lapin::Error) -> RabbitMqError {
    RabbitMqError::Connect {
        address: address.to_owned(),
        source,
    }
}

/// An error and what lies beneath it, on one line.
fn chain(error: &RabbitMqError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    let mut last = text.clone();
    while let Some(error) = source {
        let next = error.to_string();
        // Some libraries repeat what lies beneath them.
        if !last.contains(&next) {
            write!(text, ": {next}").expect("writing to a string never fails");
        }
        last = next;
        source = error.source();
    }
    text
}
