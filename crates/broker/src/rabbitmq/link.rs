//! One connection, kept up by a supervisor.
//!
//! The supervisor dials the addresses in turn, beginning with the one that worked last, watches the connection until it
//! ends, and dials again, with a growing and jittered pause between rounds. Everybody else only reads its state. Nothing
//! of an ended connection is carried over: its channels, consumers and unconfirmed publishes fail, and whoever had them
//! starts anew on the next connection.
//!
//! It logs a change of state, not a try.

use std::{
    error::Error,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, Event,
    tcp::{AMQPUriTcpExt as _, OwnedTLSConfig},
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tracing::{debug, info, warn};

use super::{AmqpUrl, RabbitMqError, RabbitMqOptions, metrics};

/// The first pause between two rounds through the addresses, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// A connection that lived shorter than this was no success: the pause before the next one goes on growing.
const STEADY_AFTER: Duration = Duration::from_secs(5);

/// How often a connection is looked at, for what its events don't tell.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long somebody who needs a connection waits for one that is just being opened.
const GRACE: Duration = Duration::from_secs(1);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Consuming,
    Publishing,
}

impl Role {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Consuming => "consuming",
            Self::Publishing => "publishing",
        }
    }
}

/// What is known of the connection.
#[derive(Clone, Default)]
struct State {
    connection: Option<Arc<Connection>>,
    /// Why the broker takes nothing, while it does not.
    blocked: Option<Arc<str>>,
    /// What went wrong last.
    trouble: Option<Arc<RabbitMqError>>,
    /// Rounds through all addresses that found none.
    failed_rounds: u64,
}

/// A handle on the supervisor, which ends with it.
pub(super) struct Link {
    role: Role,
    state: watch::Receiver<State>,
    supervisor: JoinHandle<()>,
}

impl Link {
    /// Starts dialling.
    pub(super) fn start(role: Role, options: Arc<RabbitMqOptions>, tls: OwnedTLSConfig) -> Self {
        let (sender, state) = watch::channel(State::default());
        let supervisor = Supervisor {
            role,
            options,
            tls,
            state: sender,
            next_url: 0,
            lost: false,
        };
        Self {
            role,
            state,
            supervisor: tokio::spawn(supervisor.run()),
        }
    }

    /// Waits for the first connection, or for the first round that found none.
    pub(super) async fn opened(&self) -> Result<(), RabbitMqError> {
        let mut state = self.state.clone();
        let known = state
            .wait_for(|state| state.connection.is_some() || state.failed_rounds > 0)
            .await;
        match known {
            Ok(state) if state.connection.is_some() => Ok(()),
            Ok(state) => Err(self.away(&state)),
            Err(_closed) => Err(self.away(&State::default())),
        }
    }

    /// The connection, or why there is none. Waits only a moment.
    pub(super) async fn connection(&self) -> Result<Arc<Connection>, RabbitMqError> {
        let mut state = self.state.clone();
        if let Ok(Ok(state)) =
            timeout(GRACE, state.wait_for(|state| state.connection.is_some())).await
            && let Some(connection) = &state.connection
        {
            return Ok(Arc::clone(connection));
        }
        let away = self.away(&self.state.borrow());
        Err(away)
    }

    fn away(&self, state: &State) -> RabbitMqError {
        RabbitMqError::Away {
            role: self.role.word(),
            source: state.trouble.clone(),
        }
    }

    /// Whether there is a connection now.
    pub(super) fn is_up(&self) -> bool {
        self.state.borrow().connection.is_some()
    }

    /// Why the broker takes nothing from this connection, while it does not.
    pub(super) fn blocked(&self) -> Option<Arc<str>> {
        self.state.borrow().blocked.clone()
    }

    /// How long a frame may be, as agreed with the broker.
    pub(super) fn frame_max(&self) -> Option<u32> {
        let state = self.state.borrow();
        let connection = state.connection.as_ref()?;
        Some(connection.configuration().frame_max())
    }

    /// Waits until something handed to this connection would go out.
    pub(super) async fn until_it_takes(&self) {
        let mut state = self.state.clone();
        if state.wait_for(takes).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until it would not.
    pub(super) async fn until_it_takes_nothing(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| !takes(state)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends the connection in an orderly way, and stops dialling.
    pub(super) async fn close(&self) {
        self.supervisor.abort();
        let connection = self.state.borrow().connection.clone();
        if let Some(connection) = connection
            && let Err(error) = connection.close(200, "OK".into()).await
        {
            debug!(
                error = &error as &dyn Error,
                "a connection was not closed in order"
            );
        }
    }
}

fn takes(state: &State) -> bool {
    state.connection.is_some() && state.blocked.is_none()
}

impl Drop for Link {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

struct Supervisor {
    role: Role,
    options: Arc<RabbitMqOptions>,
    tls: OwnedTLSConfig,
    state: watch::Sender<State>,
    next_url: usize,
    /// Whether it was said that there is no connection.
    lost: bool,
}

impl Supervisor {
    async fn run(mut self) {
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
        let runtime =
            lapin::runtime::default_runtime().map_err(|source| connect(&address, source))?;
        let opening = Connection::connector(
            uri,
            runtime,
            // With a limit of its own: it runs on a thread that would outlive a future given up.
            async move |uri, runtime| {
                keep_this_thread_out_of_the_log();
                let stream = uri.connect_with_config_async(tls.as_ref(), &runtime);
                match timeout(within, stream).await {
                    Ok(stream) => Ok(stream?),
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
        match reason {
            Some(reason) => warn!(
                "RabbitMQ blocks publishers ({reason}); nothing is claimed until it takes messages again"
            ),
            None => info!("RabbitMQ takes messages again"),
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
