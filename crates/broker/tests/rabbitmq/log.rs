//! What is never logged.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use foreshow_engine::{Broker, Queue};
use lapin::types::FieldTable;

use crate::support::{World, count, delay_of, next, update};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_message_that_comes_back_is_not() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .init();
    let world = World::new().await;
    let client = world.client().await;
    client
        .channel
        .queue_unbind(
            "foreshow.delay.1s".into(),
            "foreshow.delay.1s".into(),
            "".into(),
            FieldTable::default(),
        )
        .await
        .unwrap();
    let mut event = update("x");
    event.body = "API_KEY=hunter2".into();
    event.headers.insert("token".to_owned(), "hunter2".into());
    world.broker.publish_event(event).await.unwrap();
    let mut deliveries = world.broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    let returned = world
        .broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await;
    let returned = returned.unwrap_err();
    world.end().await;

    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("connected to RabbitMQ"), "{text}");
    let bytes = format!("{:?}", b"hunter2")
        .trim_matches(['[', ']'])
        .to_owned();
    for secret in ["hunter2", bytes.as_str()] {
        assert!(!text.contains(secret), "{text}");
        assert!(!format!("{returned:?}").contains(secret), "{returned:?}");
    }
}
