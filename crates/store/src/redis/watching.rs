//! Telling those who wait for a context, in this process and in all others.
//!
//! The scripts that give a lease back, or accept something newer, publish the context's name in the same step, on one
//! channel. One connection per process listens. Notices are not kept for who is not there, so after each new subscription
//! everybody who waits is woken, and looks for themselves. Should the channel be of no use at all, a wait still ends after
//! [`POLL`]: the port allows a return without reason, and the caller asks again.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::ContextKey;
use foreshow_engine::{
    Watch,
    notices::{Notice, NoticeBoard},
};
use futures_util::StreamExt as _;
use redis::RedisError;
use tokio::{
    sync::oneshot,
    time::{Instant, interval_at, sleep, timeout},
};
use tracing::{info, warn};

use super::{link::Link, metrics};

/// The longest wait without a notice, less or more a random quarter, so that many who wait do not ask at once.
const POLL: Duration = Duration::from_secs(2);

/// How often the connection is asked whether it is still one. A peer that is gone sends nothing, and neither does a calm
/// channel.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Between two tries to subscribe.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// Listens for as long as its task lives. `tried` hears when the first try to subscribe has come to something.
pub(super) async fn listen(
    link: Arc<Link>,
    channel: String,
    board: NoticeBoard,
    limit: Duration,
    tried: oneshot::Sender<()>,
) {
    let mut tried = Some(tried);
    let mut away_since = None;
    for turn in 0.. {
        let began_at = Instant::now();
        let listening = once(&link, &channel, &board, limit, turn, || {
            metrics::connected("notices");
            tell(&mut tried);
            if let Some(since) = away_since.take() {
                let away_ms = Instant::now().duration_since(since).as_millis();
                info!(away_ms, "hearing notices from Redis again");
            }
        });
        let why = listening.await;
        tell(&mut tried);
        if away_since.is_none() {
            warn!("no notices from Redis: {why}; whoever waits asks every {POLL:?} instead");
            away_since = Some(Instant::now());
        }
        let (first, longest) = RETRY;
        let wait = if began_at.elapsed() > longest {
            first
        } else {
            longest
        };
        sleep(wait.mul_f64(1.0 - fastrand::f64() / 2.0)).await;
    }
}

fn tell(tried: &mut Option<oneshot::Sender<()>>) {
    if let Some(tried) = tried.take() {
        // Whoever asked may have stopped waiting.
        tried.send(()).ok();
    }
}

/// Subscribes, and passes notices on until the connection ends; answers why it did.
async fn once(
    link: &Link,
    channel: &str,
    board: &NoticeBoard,
    limit: Duration,
    turn: usize,
    on_subscribed: impl FnOnce(),
) -> String {
    let late = || format!("no answer within {} ms", limit.as_millis());
    let notices = match timeout(limit, link.target().subscribe(channel, turn)).await {
        Ok(Ok(notices)) => notices,
        Ok(Err(error)) => return error.to_string(),
        Err(_elapsed) => return late(),
    };
    let (mut sink, mut stream) = notices.split();
    // Whatever happened while nobody listened.
    board.post_all();
    on_subscribed();
    let pings = async {
        let mut every = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        loop {
            every.tick().await;
            let ping = async { sink.ping::<redis::Value>().await };
            match timeout(limit, ping).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return RedisError::to_string(&error),
                Err(_elapsed) => return late(),
            }
        }
    };
    let messages = async {
        while let Some(message) = stream.next().await {
            // A name that is none is somebody else's.
            let name = std::str::from_utf8(message.get_payload_bytes());
            if let Some(key) = name.ok().and_then(|name| name.parse().ok()) {
                board.post(&key);
            }
        }
        "the connection ended".to_owned()
    };
    tokio::select! {
        why = pings => why,
        why = messages => why,
    }
}

/// Waits for one context.
pub(super) struct RedisWatch(Notice);

impl RedisWatch {
    pub(super) fn new(board: &NoticeBoard, key: &ContextKey) -> Self {
        Self(board.watch(key))
    }
}

#[async_trait]
impl Watch for RedisWatch {
    async fn changed(&mut self) {
        let poll = POLL.mul_f64(0.75 + fastrand::f64() / 2.0);
        tokio::select! {
            () = self.0.changed() => {}
            () = sleep(poll) => {}
        }
    }
}
