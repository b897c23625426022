//! How soon another worker goes on with a build whose worker was killed, or was asked to stop.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use foreshow_contract::ContextKey;
use foreshow_engine::{ContextRecord, Store};
use foreshow_tests::{Foreshow, Previews, Publisher, Up, end, eventually, holder, key, update};
use futures_util::future::join_all;

use crate::{
    figures::{Figures, Verdicts},
    grounds::Grounds,
};

/// Installations beside each other, so that fifty leases need not run out one after another.
const LANES: usize = 5;
/// Workers that leave, in each.
const RUNS: usize = 10;

const LEASE_TTL: Duration = Duration::from_secs(3);
const RENEW_EVERY: Duration = Duration::from_secs(1);

/// How a worker goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// By SIGKILL.
    Killed,
    /// By SIGTERM.
    Asked,
}

/// Fifty workers that hold a build leave it to another; every build was begun once.
pub(crate) async fn measure(grounds: &Grounds, leaves: Leaves, verdicts: &mut Verdicts) {
    let lanes = join_all((0..LANES).map(|_| Lane::open(grounds))).await;
    let ran = join_all(lanes.into_iter().map(|lane| lane.run(leaves))).await;
    let (mut figures, mut created) = (Figures::default(), 0);
    for (took, deployments) in ran {
        figures.extend(took);
        created += deployments;
    }
    let (what, bound) = match leaves {
        Leaves::Killed => ("SIGKILL", LEASE_TTL + Duration::from_secs(2)),
        Leaves::Asked => ("SIGTERM", Duration::from_secs(2)),
    };
    println!(
        "  from {what} of the holder until another worker holds the build: {figures}\n  (leases live {} s and are \
         renewed every {} s; {LANES} installations at once, a gateway and two workers each)",
        LEASE_TTL.as_secs(),
        RENEW_EVERY.as_secs()
    );
    let runs = LANES * RUNS;
    verdicts.is_kept(
        created == runs as u64,
        format!("{created} deployments created in {runs} runs, one each"),
    );
    verdicts.is_kept(
        figures.max() <= bound,
        format!("none took longer than {} s", bound.as_secs()),
    );
}

/// An installation with two workers at any time.
struct Lane {
    foreshow: Foreshow,
    _gateway: Up,
    workers: Vec<(String, Up)>,
    publisher: Publisher,
    store: Arc<dyn Store>,
    started: usize,
}

impl Lane {
    async fn open(grounds: &Grounds) -> Self {
        let foreshow = grounds.foreshow().await;
        let foreshow = foreshow
            // So long that it is still under way when another goes on with it.
            .set("FORESHOW_LOCAL__BUILD_MS", 3_600_000)
            .set("FORESHOW_LEASE__TTL_MS", LEASE_TTL.as_millis())
            .set("FORESHOW_LEASE__RENEW_EVERY_MS", RENEW_EVERY.as_millis())
            .set("FORESHOW_LEASE__MARGIN_MS", 500)
            .set("FORESHOW_REDIS__RESPONSE_TIMEOUT_MS", 500);
        let mut lane = Self {
            _gateway: foreshow.gateway().await,
            workers: Vec::new(),
            publisher: Publisher::new(foreshow.broker().await),
            store: foreshow.store().await,
            foreshow,
            started: 0,
        };
        lane.start_worker().await;
        lane.start_worker().await;
        lane
    }

    async fn start_worker(&mut self) {
        self.started += 1;
        let name = format!("w{}", self.started);
        let worker = self.foreshow.worker_named(&name).await;
        self.workers.push((name, worker));
    }

    /// How long each took, and how many deployments were created for all of them.
    async fn run(mut self, leaves: Leaves) -> (Vec<Duration>, u64) {
        let mut took = Vec::new();
        for run in 0..RUNS {
            took.push(
                self.leave(leaves, &key("acme", &format!("ctx-{run}")))
                    .await,
            );
            self.start_worker().await;
        }
        let previews = Previews::of(&self.foreshow).await;
        let ledger = previews.ledger(&*self.store).await;
        for (_, worker) in self.workers {
            worker.stop("TERM").await;
        }
        self.foreshow.close().await;
        (took, ledger.created)
    }

    async fn leave(&mut self, leaves: Leaves, key: &ContextKey) -> Duration {
        self.publisher.publish(&update(key, 1, "handed on")).await;
        let mut held = None;
        eventually("the build has begun", async || {
            held = self.record(key).await.filter(|one| one.building.is_some());
            held.is_some()
        })
        .await;
        let held = held.expect("it has begun");
        // Crashes keep no time: anywhere between two renewals.
        tokio::time::sleep(RENEW_EVERY.mul_f64(fastrand::f64())).await;
        let name = holder(&held).expect("what is being built is held");
        let place = self.workers.iter().position(|(worker, _)| *worker == name);
        let (_, worker) = self.workers.swap_remove(place.expect("it is one of ours"));
        let began_at = Instant::now();
        let gone = tokio::spawn(async move {
            match leaves {
                Leaves::Killed => worker.kill().await,
                Leaves::Asked => assert_eq!(worker.stop("TERM").await, Some(0)),
            }
        });
        let mut now_held = None;
        eventually("another holds it", async || {
            let record = self.record(key).await;
            now_held = record.filter(|one| holder(one).is_some_and(|other| other != name));
            now_held.is_some()
        })
        .await;
        let took = began_at.elapsed();
        let now_held = now_held.expect("another holds it");
        assert_eq!(now_held.building, held.building, "the same deployment");
        gone.await.expect("it is gone");
        self.publisher.publish(&end(key, 2)).await;
        took
    }

    async fn record(&self, key: &ContextKey) -> Option<ContextRecord> {
        self.store.context(key).await.expect("the store answers")
    }
}
