//! A connection, as everybody sees it who needs one.
//!
//! Its [supervisor](super::supervisor) alone opens and watches it; everybody else reads the state that it shows, and
//! waits for another. Nothing of an ended connection is carried over: its channels, consumers and unconfirmed publishes
//! fail, and whoever had them starts anew on the next connection.

use std::{error::Error, sync::Arc, time::Duration};

use lapin::{Connection, tcp::OwnedTLSConfig};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tracing::debug;

use super::{RabbitMqError, RabbitMqOptions, supervisor::Supervisor};

/// How long somebody who needs a connection waits for one that is just being opened.
const GRACE: Duration = Duration::from_secs(1);

/// How long the broker may take to agree that a connection ends.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

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
pub(super) struct State {
    pub(super) connection: Option<Arc<Connection>>,
    /// Why the broker takes nothing, while it does not.
    pub(super) blocked: Option<Arc<str>>,
    /// What went wrong last.
    pub(super) trouble: Option<Arc<RabbitMqError>>,
    /// Rounds through all addresses that found none.
    pub(super) failed_rounds: u64,
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
        let supervisor = Supervisor::new(role, options, tls, sender);
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
        if let Some(connection) = connection {
            match timeout(CLOSE_WITHIN, connection.close(200, "OK".into())).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(
                    error = &error as &dyn Error,
                    "a connection was not closed in order"
                ),
                Err(_elapsed) => debug!("a connection was not closed in time"),
            }
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
