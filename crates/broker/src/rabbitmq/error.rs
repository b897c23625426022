//! What can go wrong between us and the broker.

use std::{sync::Arc, time::Duration};

use foreshow_engine::BrokerError;
use lapin::{ErrorKind, protocol::AMQPErrorKind};

/// What lies beneath a [`BrokerError::Unavailable`] of this adapter.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RabbitMqError {
    /// There is no connection. A supervisor dials on.
    #[error("there is no connection to RabbitMQ ({role})")]
    Away {
        /// Which of the two connections.
        role: &'static str,
        /// Why, as far as it is known.
        #[source]
        source: Option<Arc<RabbitMqError>>,
    },
    /// An address could not be dialled, or refused us.
    #[error("{address} can't be connected to")]
    Connect {
        /// Host and port, without user or password.
        address: String,
        /// What it said.
        #[source]
        source: lapin::Error,
    },
    /// An address did not finish the handshake in time.
    #[error("{address} did not answer within {} ms; is it RabbitMQ, and is it reachable?", within.as_millis())]
    ConnectTimeout {
        /// Host and port, without user or password.
        address: String,
        /// The option `connect_timeout`.
        within: Duration,
    },
    /// A connection that was up has ended.
    #[error("the connection to {address} ended")]
    Lost {
        /// Host and port.
        address: String,
        /// Why, where it was said.
        #[source]
        source: Option<lapin::Error>,
    },
    /// The broker takes nothing for now.
    #[error(
        "RabbitMQ blocks publishers: it is short of memory or disk ({reason}); free some, or raise its limits"
    )]
    Blocked {
        /// What the broker says.
        reason: String,
    },
    /// No answer in time: what was asked may or may not have happened.
    #[error("no answer within {} ms", within.as_millis())]
    Timeout {
        /// The deadline.
        within: Duration,
    },
    /// The broker refused responsibility for a message.
    #[error(
        "RabbitMQ refused a message for `{exchange}` (basic.nack); a queue may be full or without a leader"
    )]
    Refused {
        /// Where it was sent.
        exchange: String,
    },
    /// A message came back because no queue takes it.
    #[error(
        "no queue takes what is sent to `{exchange}` with the key `{routing_key}`; run `foreshow topology apply`"
    )]
    Returned {
        /// Where it was sent.
        exchange: String,
        /// With which key.
        routing_key: String,
    },
    /// A queue or an exchange is not there, or not as it should be.
    #[error("{drift}; run `foreshow topology apply`")]
    Topology {
        /// What is wrong.
        drift: String,
    },
    /// A message that AMQP cannot carry.
    #[error("{what} has {bytes} bytes, and AMQP carries at most {limit_bytes}")]
    TooLong {
        /// Which part of the message.
        what: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit_bytes: usize,
    },
    /// The stream of deliveries ended: cancelled by the broker, or closed with its channel.
    #[error("RabbitMQ ended the consumer of `{queue}`")]
    ConsumerEnded {
        /// Whose.
        queue: String,
        /// Why, where it was said.
        #[source]
        source: Option<lapin::Error>,
    },
    /// [`stop`](foreshow_engine::Deliveries::stop) was called.
    #[error("the consumer was stopped")]
    Stopped,
    /// Anything else that the broker or the client says.
    #[error("RabbitMQ said no")]
    Amqp(#[source] lapin::Error),
}

impl From<lapin::Error> for RabbitMqError {
    fn from(error: lapin::Error) -> Self {
        Self::Amqp(error)
    }
}

impl RabbitMqError {
    /// The broker's reply code, where a channel or connection was closed with one.
    pub(super) fn reply_code(&self) -> Option<u16> {
        match self {
            Self::Amqp(error)
            | Self::Connect { source: error, .. }
            | Self::Lost {
                source: Some(error),
                ..
            }
            | Self::ConsumerEnded {
                source: Some(error),
                ..
            } => reply_code(error),
            Self::Away { source, .. } => source.as_ref().and_then(|source| source.reply_code()),
            Self::ConnectTimeout { .. }
            | Self::Lost { source: None, .. }
            | Self::Blocked { .. }
            | Self::Timeout { .. }
            | Self::Refused { .. }
            | Self::Returned { .. }
            | Self::Topology { .. }
            | Self::TooLong { .. }
            | Self::ConsumerEnded { source: None, .. }
            | Self::Stopped => None,
        }
    }
}

/// 403, for one: access refused.
pub(super) const ACCESS_REFUSED: u16 = 403;
/// Not found.
pub(super) const NOT_FOUND: u16 = 404;
/// Another connection has the queue for itself.
pub(super) const RESOURCE_LOCKED: u16 = 405;
/// Precondition failed: other arguments, a message over the limit, a delivery held too long.
pub(super) const PRECONDITION_FAILED: u16 = 406;

/// The reply code of an AMQP error.
pub(super) fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(match error.kind() {
            AMQPErrorKind::Soft(soft) => soft.get_id(),
            AMQPErrorKind::Hard(hard) => hard.get_id(),
        }),
        _ => None,
    }
}

/// For `map_err`: what was asked. All of it may pass by itself or once somebody mends it, so all of it is
/// `Unavailable`; the source says what and how to mend it.
pub(super) fn unavailable<E: Into<RabbitMqError>>(
    operation: &'static str,
) -> impl FnOnce(E) -> BrokerError {
    move |error| BrokerError::Unavailable {
        operation,
        source: Box::new(error.into()),
    }
}
