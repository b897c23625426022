//! Declaring.

use std::time::Duration;

use lapin::{
    Channel, Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use super::{Argument, Exchange, ExchangeType, QueueShape, Topology};
use crate::rabbitmq::{
    RabbitMqError,
    error::{ACCESS_REFUSED, PRECONDITION_FAILED, reply_code},
    table::text_value,
};

/// How long one declaration may take. A quorum queue elects a leader first.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Declares everything. Dying half-way leaves a part, which the next one completes.
pub(in crate::rabbitmq) async fn apply(
    connection: &Connection,
    topology: &Topology,
) -> Result<(), RabbitMqError> {
    let channel = timeout(ANSWER_WITHIN, connection.create_channel())
        .await
        .map_err(|_elapsed| RabbitMqError::Timeout {
            within: ANSWER_WITHIN,
        })??;
    for exchange in &topology.exchanges {
        declared(
            "exchange",
            &exchange.name,
            declare_exchange(&channel, exchange, false),
        )
        .await?;
    }
    // What is bound comes first, each with its bindings at once: whoever finds the queue finds it bound a moment later.
    let is_bound = |queue: &&QueueShape| {
        let mut bindings = topology.bindings.iter();
        bindings.any(|binding| binding.queue == queue.name)
    };
    let (bound, others): (Vec<_>, Vec<_>) = topology.queues.iter().partition(is_bound);
    for queue in bound.into_iter().chain(others) {
        declared("queue", &queue.name, declare_queue(&channel, queue, false)).await?;
        bind(&channel, topology, &queue.name).await?;
    }
    Ok(())
}

async fn bind(channel: &Channel, topology: &Topology, queue: &str) -> Result<(), RabbitMqError> {
    for binding in &topology.bindings {
        if binding.queue != queue {
            continue;
        }
        let binding_of = channel.queue_bind(
            binding.queue.as_str().into(),
            binding.exchange.as_str().into(),
            binding.key.as_str().into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        declared("binding of", &binding.queue, binding_of).await?;
    }
    Ok(())
}

async fn declared(
    what: &str,
    name: &str,
    declaring: impl Future<Output = lapin::Result<()>>,
) -> Result<(), RabbitMqError> {
    match timeout(ANSWER_WITHIN, declaring).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(match reply_code(&error) {
            Some(PRECONDITION_FAILED) => RabbitMqError::Topology {
                drift: format!(
                    "the {what} `{name}` is there in another shape ({error}); drain and delete it, then apply again"
                ),
            },
            Some(ACCESS_REFUSED) => RabbitMqError::Topology {
                drift: format!(
                    "the {what} `{name}` may not be declared by this user ({error}); let an operator do it"
                ),
            },
            _ => error.into(),
        }),
        Err(_elapsed) => Err(RabbitMqError::Timeout {
            within: ANSWER_WITHIN,
        }),
    }
}

pub(super) async fn declare_exchange(
    channel: &Channel,
    exchange: &Exchange,
    passive: bool,
) -> lapin::Result<()> {
    let kind = match exchange.kind {
        ExchangeType::Topic => ExchangeKind::Topic,
        ExchangeType::Fanout => ExchangeKind::Fanout,
    };
    let mut arguments = FieldTable::default();
    if let Some(alternate) = &exchange.alternate {
        arguments.insert("alternate-exchange".into(), text_value(alternate));
    }
    let options = ExchangeDeclareOptions {
        passive,
        durable: true,
        ..ExchangeDeclareOptions::default()
    };
    channel
        .exchange_declare(exchange.name.as_str().into(), kind, options, arguments)
        .await
}

pub(super) async fn declare_queue(
    channel: &Channel,
    queue: &QueueShape,
    passive: bool,
) -> lapin::Result<()> {
    let mut arguments = FieldTable::default();
    for (name, argument) in &queue.arguments {
        let value = match argument {
            Argument::Text(text) => text_value(text),
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
        };
        arguments.insert((*name).into(), value);
    }
    let options = QueueDeclareOptions {
        passive,
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(queue.name.as_str().into(), options, arguments)
        .await
        .map(drop)
}
