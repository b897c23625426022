//! Live traffic: updates of a few contexts at a steady pace, and how long each took until its preview was ready.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use foreshow_contract::ResultBody;
use foreshow_engine::{ResultFilter, Results};
use foreshow_tests::{Foreshow, Publisher, key, update};
use tokio::{sync::oneshot, time::interval};

/// Updates a second: what one worker does with ease.
pub(crate) const EACH_SECOND: u32 = 20;

/// Contexts that take turns, so that none is updated before it is ready.
const CONTEXTS: u64 = 100;

/// How long the traffic is watched alone.
const ALONE_FOR: Duration = Duration::from_mins(1);

/// How long the last update may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Over after a minute.
pub(crate) async fn alone() {
    tokio::time::sleep(ALONE_FOR).await;
}

/// Updates until something is over; then waits for the last to be ready.
pub(crate) async fn until(foreshow: &Foreshow, over: impl Future<Output = ()>) -> Latencies {
    let broker = foreshow.broker().await;
    let filter = ResultFilter {
        tenant: Some(key("live", "any").tenant),
        ..ResultFilter::default()
    };
    let results = broker.subscribe(filter).await;
    let results = results.expect("results can be heard");
    let published: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let (tell_count, count) = oneshot::channel();
    let heard = tokio::spawn(hear(results, Arc::clone(&published), count));

    let publisher = Publisher::new(broker);
    let mut ticks = interval(Duration::from_secs(1) / EACH_SECOND);
    let mut sent = 0_u64;
    // Above whatever an earlier measurement published.
    let base =
        u64::try_from(foreshow_contract::Timestamp::now().as_micros()).expect("it is past 1970");
    let mut over = std::pin::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => break,
            _ = ticks.tick() => {}
        }
        let revision = base + sent;
        let key = key("live", &format!("ctx-{}", sent % CONTEXTS));
        let event = update(&key, revision, &format!("<h1>{revision}</h1>"));
        let name = format!("{key} {revision}");
        published
            .lock()
            .expect("nobody panics with it")
            .insert(name, Instant::now());
        let publisher = publisher.clone();
        tokio::spawn(async move { publisher.publish(&event).await });
        sent += 1;
    }
    tell_count.send(sent).expect("somebody hears the results");
    let heard = tokio::time::timeout(PATIENCE, heard).await;
    heard
        .expect("all become ready in time")
        .expect("nobody panics")
}

/// Hears of results until there is one for each update, however many that will have been.
async fn hear(
    mut results: Box<dyn Results>,
    published: Arc<Mutex<HashMap<String, Instant>>>,
    mut count: oneshot::Receiver<u64>,
) -> Latencies {
    let (mut latencies, mut expected) = (Latencies(Vec::new()), None);
    while expected.is_none_or(|expected| (latencies.0.len() as u64) < expected) {
        let result = tokio::select! {
            result = results.next() => result.expect("results can be read"),
            count = &mut count, if expected.is_none() => {
                expected = Some(count.expect("it is told"));
                continue;
            }
        };
        let ResultBody::Ready(ready) = &result.body else {
            assert!(
                !result.is_end(),
                "an update did not become ready: {result:?}"
            );
            continue;
        };
        let name = format!("{} {}", ready.key, ready.revision);
        let began = published
            .lock()
            .expect("nobody panics with it")
            .remove(&name);
        // What is told twice counts once.
        latencies.0.extend(began.map(|began| began.elapsed()));
    }
    latencies
}

/// How long each took.
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// What 99 of 100 did not exceed.
    pub(crate) fn p99(&self) -> Duration {
        self.quantile(99)
    }

    fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n={}", self.0.len())?;
        for (name, percent) in [("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)] {
            write!(
                f,
                "  {name} {:.0} ms",
                self.quantile(percent).as_secs_f64() * 1e3
            )?;
        }
        Ok(())
    }
}
