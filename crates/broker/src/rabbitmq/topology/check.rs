//! Looking for drift, without changing anything.
//!
//! A passive declaration tells whether something is there. Its shape can only be compared by declaring it for real, which
//! changes nothing where it is there; who may not configure is told of what is missing alone. AMQP has no question for
//! bindings. Where one of the events' is missing, they are confirmed all the same and go to the dead letters, by the alternate
//! exchange; applying the topology binds again, and costs nothing where all is well.

use std::{fmt, time::Duration};

use lapin::{Channel, Connection};
use tokio::time::timeout;

use super::{Exchange, QueueShape, Topology, apply};
use crate::rabbitmq::{
    RabbitMqError,
    error::{ACCESS_REFUSED, NOT_FOUND, PRECONDITION_FAILED, RESOURCE_LOCKED, reply_code},
};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// It is not there.
    Missing {
        /// `exchange` or `queue`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// It is there in another shape.
    Different {
        /// `exchange` or `queue`.
        what: &'static str,
        /// Its name.
        name: String,
        /// What the broker says about it.
        reason: String,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { what, name } => write!(f, "the {what} `{name}` is missing"),
            Self::Different { what, name, reason } => {
                write!(f, "the {what} `{name}` is there in another shape: {reason}")
            }
        }
    }
}

/// Everything that is missing or has another shape.
pub(in crate::rabbitmq) async fn check(
    connection: &Connection,
    topology: &Topology,
) -> Result<Vec<Drift>, RabbitMqError> {
    let mut checking = Checking {
        connection,
        channel: None,
        may_compare: true,
        drifts: Vec::new(),
    };
    for exchange in &topology.exchanges {
        checking.look(Shape::Exchange(exchange)).await?;
    }
    for queue in &topology.queues {
        checking.look(Shape::Queue(queue)).await?;
    }
    Ok(checking.drifts)
}

/// What is looked for.
#[derive(Clone, Copy)]
enum Shape<'a> {
    Exchange(&'a Exchange),
    Queue(&'a QueueShape),
}

impl Shape<'_> {
    fn what(self) -> &'static str {
        match self {
            Self::Exchange(_) => "exchange",
            Self::Queue(_) => "queue",
        }
    }

    fn name(self) -> String {
        match self {
            Self::Exchange(exchange) => exchange.name.clone(),
            Self::Queue(queue) => queue.name.clone(),
        }
    }

    async fn declare(self, channel: &Channel, passive: bool) -> lapin::Result<()> {
        match self {
            Self::Exchange(exchange) => apply::declare_exchange(channel, exchange, passive).await,
            Self::Queue(queue) => apply::declare_queue(channel, queue, passive).await,
        }
    }
}

struct Checking<'a> {
    connection: &'a Connection,
    channel: Option<Channel>,
    may_compare: bool,
    drifts: Vec<Drift>,
}

impl Checking<'_> {
    async fn look(&mut self, shape: Shape<'_>) -> Result<(), RabbitMqError> {
        let (what, name) = (shape.what(), shape.name());
        match self.ask(shape, true).await? {
            None => {}
            Some((NOT_FOUND, _)) => {
                self.drifts.push(Drift::Missing { what, name });
                return Ok(());
            }
            // Somebody has declared it for themselves alone.
            Some((RESOURCE_LOCKED, reason)) => {
                self.drifts.push(Drift::Different { what, name, reason });
                return Ok(());
            }
            Some((_, reason)) => return Err(RabbitMqError::Topology { drift: reason }),
        }
        if !self.may_compare {
            return Ok(());
        }
        match self.ask(shape, false).await? {
            None => Ok(()),
            Some((ACCESS_REFUSED, _)) => {
                self.may_compare = false;
                Ok(())
            }
            Some((PRECONDITION_FAILED, reason)) => {
                self.drifts.push(Drift::Different { what, name, reason });
                Ok(())
            }
            Some((_, reason)) => Err(RabbitMqError::Topology { drift: reason }),
        }
    }

    /// The broker's objection, if it has one; a channel does not outlive it.
    async fn ask(
        &mut self,
        shape: Shape<'_>,
        passive: bool,
    ) -> Result<Option<(u16, String)>, RabbitMqError> {
        let reusable = self.channel.take();
        let asking = async {
            let channel = match reusable {
                Some(channel) => channel,
                None => self.connection.create_channel().await?,
            };
            shape.declare(&channel, passive).await?;
            Ok::<_, lapin::Error>(channel)
        };
        match timeout(ANSWER_WITHIN, asking).await {
            Ok(Ok(channel)) => {
                self.channel = Some(channel);
                Ok(None)
            }
            Ok(Err(error)) => match reply_code(&error) {
                Some(code) => Ok(Some((code, error.to_string()))),
                None => Err(error.into()),
            },
            Err(_elapsed) => Err(RabbitMqError::Timeout {
                within: ANSWER_WITHIN,
            }),
        }
    }
}
