//! Results as they are published: a queue of one's own, which goes with the connection.
//!
//! Whoever subscribes wants to know what happens from now on, not what it missed; so the queue is exclusive, is not
//! durable, and keeps the newest messages where its reader lags behind. After a lost connection
//! [`next`](Results::next) says so once, because something may have been missed, and subscribes anew.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::{ContextId, OutcomeKind, RawMessage, ResultEvent, TenantId};
use foreshow_engine::{BrokerError, ResultFilter, Results};
use futures_util::StreamExt as _;
use lapin::{
    Channel,
    message::Delivery as Raw,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::time::timeout;
use tracing::debug;

use super::{RabbitMqError, error::unavailable, inner::Inner, table};

const READ: &str = "read results";

/// How long the broker may take to set up the queue.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How many results may be on their way to the reader.
const PREFETCH: u16 = 256;

/// How many results wait for a reader that lags; the oldest go first.
const MOST_WAITING: i32 = 50_000;

/// The handle; see the module.
pub(super) struct Subscription {
    inner: Arc<Inner>,
    filter: ResultFilter,
    running: Option<Running>,
}

/// Dropping it closes the channel, and the queue goes with its only consumer.
struct Running {
    _channel: Channel,
    stream: lapin::Consumer,
    queue: String,
}

impl Subscription {
    pub(super) async fn start(
        inner: Arc<Inner>,
        filter: ResultFilter,
    ) -> Result<Self, RabbitMqError> {
        let running = Running::start(&inner, &filter).await?;
        Ok(Self {
            inner,
            filter,
            running: Some(running),
        })
    }
}

#[async_trait]
impl Results for Subscription {
    async fn next(&mut self) -> Result<ResultEvent, BrokerError> {
        loop {
            let Some(running) = &mut self.running else {
                let running = Running::start(&self.inner, &self.filter)
                    .await
                    .map_err(unavailable(READ))?;
                self.running = Some(running);
                continue;
            };
            match running.stream.next().await {
                Some(Ok(raw)) => {
                    let result = read(&raw);
                    // Not waited for: an acknowledgement that is lost here costs a place in the prefetch of a channel
                    // that is lost too.
                    let acker = raw.acker.clone();
                    tokio::spawn(async move { acker.ack(BasicAckOptions::default()).await.ok() });
                    if let Some(result) = result
                        && self.filter.matches(&result)
                    {
                        return Ok(result);
                    }
                }
                ended => {
                    let ended = RabbitMqError::ConsumerEnded {
                        queue: running.queue.clone(),
                        source: ended.and_then(Result::err),
                    };
                    self.running = None;
                    return Err(unavailable(READ)(ended));
                }
            }
        }
    }
}

impl Running {
    async fn start(inner: &Inner, filter: &ResultFilter) -> Result<Self, RabbitMqError> {
        let build = async {
            let connection = inner.consuming.connection().await?;
            let channel = connection.create_channel().await?;
            let queue = inner.names.subscriber(fastrand::u64(..));
            let mut arguments = FieldTable::default();
            arguments.insert("x-max-length".into(), AMQPValue::LongInt(MOST_WAITING));
            arguments.insert("x-overflow".into(), table::text_value("drop-head"));
            let options = QueueDeclareOptions {
                exclusive: true,
                auto_delete: true,
                ..QueueDeclareOptions::default()
            };
            channel
                .queue_declare(queue.as_str().into(), options, arguments)
                .await?;
            channel
                .queue_bind(
                    queue.as_str().into(),
                    inner.names.results().into(),
                    ShortString::from(binding_key(filter)),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await?;
            channel
                .basic_qos(PREFETCH, BasicQosOptions { global: false })
                .await?;
            let stream = channel
                .basic_consume(
                    queue.as_str().into(),
                    ShortString::default(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await?;
            Ok(Self {
                _channel: channel,
                stream,
                queue,
            })
        };
        timeout(ANSWER_WITHIN, build)
            .await
            .unwrap_or(Err(RabbitMqError::Timeout {
                within: ANSWER_WITHIN,
            }))
    }
}

/// The key that takes at least what the filter wants: `<outcome>.<tenant>.<context>`, the outcome being two words.
fn binding_key(filter: &ResultFilter) -> String {
    let any = || "*".to_owned();
    let outcome = filter.outcome.map_or("*.*", OutcomeKind::word);
    let tenant = filter.tenant.as_ref().map_or_else(any, TenantId::escaped);
    let context = filter.context.as_ref().map_or_else(any, ContextId::escaped);
    format!("{outcome}.{tenant}.{context}")
}

/// A result, in either mode. What is none (anybody who may can publish there) is passed over.
fn read(raw: &Raw) -> Option<ResultEvent> {
    let headers = table::headers(raw.properties.headers().as_ref(), |_| true);
    let message = RawMessage {
        content_type: raw
            .properties
            .content_type()
            .as_ref()
            .map(ShortString::as_str),
        message_type: raw.properties.kind().as_ref().map(ShortString::as_str),
        headers: &headers,
        body: &raw.data,
    };
    match ResultEvent::from_message(message) {
        Ok(result) => Some(result),
        Err(error) => {
            debug!(
                error = &error as &dyn std::error::Error,
                "a message among the results is none; it is passed over"
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_becomes_the_key_of_a_binding() {
        let mut filter = ResultFilter::default();
        assert_eq!(binding_key(&filter), "*.*.*.*");
        filter.tenant = Some(TenantId::try_new("a.b").unwrap());
        assert_eq!(binding_key(&filter), "*.*.a~2Eb.*");
        filter.context = Some(ContextId::try_new("*").unwrap());
        filter.outcome = Some(OutcomeKind::Ready);
        assert_eq!(binding_key(&filter), "preview.ready.a~2Eb.~2A");
    }
}
