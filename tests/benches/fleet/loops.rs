//! Loops as one would write them by hand, with the same libraries and the same care: persistent messages, quorum
//! queues, publishes confirmed, acknowledged last.

use std::{future::Future, sync::Arc, time::Instant};

use foreshow_tests::PrivateServers;
use futures_util::StreamExt as _;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
        ConfirmSelectOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use redis::{Script, aio::MultiplexedConnection};
use tokio::task::JoinSet;

use crate::{AT_ONCE, MESSAGES, rate};

const IN: &str = "bench.in";
const OUT: &str = "bench.out";
/// As large as a small event.
const BODY: [u8; 512] = [b'x'; 512];

/// Consume, publish confirmed, acknowledge: what no worker on this broker can be faster than.
pub(crate) async fn bare(servers: &PrivateServers) -> f64 {
    let channels = Channels::open(servers).await;
    channels.race(|_| std::future::ready(())).await
}

/// The same with the store's calls of a deploy, each the smallest script that could do its job.
pub(crate) async fn with_redis(servers: &PrivateServers) -> f64 {
    let channels = Channels::open(servers).await;
    let client = redis::Client::open(servers.redis.url()).expect("a Redis URL");
    let redis = client.get_multiplexed_async_connection().await;
    let redis = redis.expect("Redis is there");
    let set = Arc::new(Script::new(
        "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return redis.call('HGETALL', KEYS[1])",
    ));
    channels
        .race(|number| {
            let (redis, set) = (redis.clone(), Arc::clone(&set));
            async move {
                let context = format!("bench:{{{number}}}");
                for step in ["claim", "admit", "record", "live", "settle", "leave"] {
                    call(redis.clone(), &set, &context, step).await;
                }
            }
        })
        .await
}

async fn call(mut redis: MultiplexedConnection, script: &Script, key: &str, step: &str) {
    let mut invocation = script.prepare_invoke();
    invocation.key(key).arg(step).arg("00000000000000000001");
    let done: redis::RedisResult<redis::Value> = invocation.invoke_async(&mut redis).await;
    done.expect("Redis does it");
}

struct Channels {
    consumer: Consumer,
    publishing: Vec<Channel>,
    _connections: [Connection; 2],
}

impl Channels {
    async fn open(servers: &PrivateServers) -> Self {
        let url = servers.rabbitmq.amqp_url("/");
        let connect = || Connection::connect(&url, ConnectionProperties::default());
        let connections = [
            connect().await.expect("RabbitMQ is there"),
            connect().await.expect("RabbitMQ is there"),
        ];
        let consuming = connections[0].create_channel().await.expect("a channel");
        let mut publishing = Vec::new();
        for _ in 0..16 {
            let channel = connections[1].create_channel().await.expect("a channel");
            let confirm = channel.confirm_select(ConfirmSelectOptions::default());
            confirm.await.expect("confirms");
            publishing.push(channel);
        }
        let mut arguments = FieldTable::default();
        arguments.insert(
            "x-queue-type".into(),
            AMQPValue::LongString("quorum".into()),
        );
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        for queue in [IN, OUT] {
            let declare = consuming.queue_declare(queue.into(), durable, arguments.clone());
            declare.await.expect("a queue");
        }
        for batch in (0..MESSAGES).collect::<Vec<_>>().chunks(1_000) {
            let mut sent = Vec::new();
            for _ in batch {
                sent.push(publish(&publishing[0], IN));
            }
            futures_util::future::join_all(sent).await;
        }
        let qos = consuming.basic_qos(AT_ONCE, BasicQosOptions::default());
        qos.await.expect("a prefetch");
        let consume = consuming.basic_consume(
            IN.into(),
            "bench".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let consumer = consume.await.expect("a consumer");
        Self {
            consumer,
            publishing,
            _connections: connections,
        }
    }

    /// Takes every message, does something, publishes and acknowledges: how many a second.
    async fn race<F>(mut self, work: impl Fn(usize) -> F) -> f64
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let began_at = Instant::now();
        let mut running = JoinSet::new();
        for number in 0..MESSAGES {
            let delivery: Delivery = self
                .consumer
                .next()
                .await
                .expect("there are more")
                .expect("the broker is there");
            let channel = self.publishing[number % self.publishing.len()].clone();
            let work = work(number);
            running.spawn(async move {
                work.await;
                publish(&channel, OUT).await;
                let ack = delivery.acker.ack(BasicAckOptions::default());
                ack.await.expect("acknowledged");
            });
        }
        running.join_all().await;
        rate(MESSAGES, began_at)
    }
}

async fn publish(channel: &Channel, queue: &str) {
    let options = BasicPublishOptions {
        mandatory: true,
        ..BasicPublishOptions::default()
    };
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let sent = channel
        .basic_publish("".into(), queue.into(), options, &BODY, persistent)
        .await
        .expect("sent");
    let confirmed = sent.await.expect("confirmed");
    assert!(
        matches!(confirmed, Confirmation::Ack(None)),
        "{confirmed:?}"
    );
}
