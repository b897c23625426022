//! What was accepted and has not ended, and what no record names, are counted by the worker that leads the sweep, and only there.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on should say where"
)]

mod world;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use foreshow_engine::{Failure, Owner, Store, testing::FakeBuild};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use world::{World, end, key, secs, update};

/// Hears gauges, and nothing else.
#[derive(Clone, Default)]
struct Gauges(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let labels = key.labels().map(|label| format!(" {}", label.value()));
        let name = format!("{}{}", key.name(), labels.collect::<String>());
        let mut gauges = self.0.lock().unwrap();
        Gauge::from_arc(Arc::clone(gauges.entry(name).or_default()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

impl Gauges {
    fn read(&self, name: &str) -> f64 {
        let gauges = self.0.lock().unwrap();
        let Some(gauge) = gauges.get(&format!("foreshow_{name}")) else {
            panic!("there is no {name} in {:?}", gauges.keys())
        };
        f64::from_bits(gauge.load(Ordering::Acquire))
    }

    /// Rounded, for numbers are compared.
    #[expect(clippy::cast_possible_truncation, reason = "they are small")]
    fn number(&self, name: &str) -> i64 {
        self.read(name).round() as i64
    }

    fn unended(&self) -> [i64; 4] {
        ["1m", "10m", "1h", "older"].map(|age| self.number(&format!("unended_contexts {age}")))
    }
}

/// A turn of the sweeper comes within these, with its jitter, and counts.
const COUNTED_BY: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn what_has_not_ended_is_counted_by_age_until_it_ends() {
    let gauges = Gauges::default();
    let _heard = metrics::set_default_local_recorder(&gauges);
    let world = World::start();
    world.publish(update("done", 1)).await;
    world.publish(update("ended", 1)).await;
    world.settle().await;
    world.publish(end("ended", 1)).await;
    world.settle().await;
    world.provider.set_build(FakeBuild::Ready(secs(600)));
    world.publish(update("slow", 1)).await;
    tokio::time::sleep(COUNTED_BY).await;
    assert_eq!(gauges.unended(), [1, 0, 0, 0]);
    assert_eq!(gauges.number("sweep_leads"), 1);
    tokio::time::sleep(secs(120)).await;
    assert_eq!(gauges.unended(), [0, 1, 0, 0]);
    let oldest = gauges.number("unended_oldest_seconds");
    assert!((100..=150).contains(&oldest), "{oldest}");
    world.settle().await;
    tokio::time::sleep(COUNTED_BY).await;
    assert_eq!(gauges.unended(), [0; 4]);
    assert_eq!(gauges.number("unended_oldest_seconds"), 0);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_no_record_names_is_counted_by_the_sweep_that_finds_it() {
    let gauges = Gauges::default();
    let _heard = metrics::set_default_local_recorder(&gauges);
    let world = World::start();
    world.publish(update("c", 1)).await;
    world.settle().await;
    tokio::time::sleep(COUNTED_BY).await;
    world.provider.land_late(&key("c"), 9);
    world.provider.land_late(&key("unknown"), 1);
    world.provider.land_late(&key("unknown"), 2);
    // The next sweep comes by within five minutes and a quarter.
    tokio::time::sleep(secs(380)).await;
    assert_eq!(gauges.number("sweep_found unrecorded"), 2);
    assert_eq!(gauges.number("sweep_found adopted"), 1);
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let age = world.in_secs(0).as_micros() as f64 / 1e6
        - gauges.read("sweep_completed_timestamp_seconds");
    assert!((0.0..380.0).contains(&age), "{age}");
    tokio::time::sleep(secs(380)).await;
    assert_eq!(
        gauges.number("sweep_found unrecorded"),
        0,
        "it is written down"
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_leads_no_more_counts_nothing() {
    let gauges = Gauges::default();
    let _heard = metrics::set_default_local_recorder(&gauges);
    let world = World::start();
    world.provider.set_build(FakeBuild::Never);
    world.publish(update("stuck", 1)).await;
    tokio::time::sleep(COUNTED_BY).await;
    assert_eq!(gauges.unended(), [1, 0, 0, 0]);
    // Nobody knows who leads: it tells on for as long as it may lead, and not longer.
    world.store.set_down(true);
    tokio::time::sleep(secs(20)).await;
    assert_eq!(gauges.number("sweep_leads"), 1);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(
        (gauges.unended(), gauges.number("sweep_leads")),
        ([0; 4], 0)
    );
    // Another leads.
    world.store.set_down(false);
    let another = Owner::new("another");
    assert!(world.store.lead_sweep(&another, secs(3_600)).await.unwrap());
    tokio::time::sleep(COUNTED_BY).await;
    assert_eq!(
        (gauges.unended(), gauges.number("sweep_leads")),
        ([0; 4], 0)
    );
    // And goes.
    assert!(
        world
            .store
            .lead_sweep(&another, Duration::ZERO)
            .await
            .unwrap()
    );
    tokio::time::sleep(COUNTED_BY).await;
    assert_eq!(gauges.unended().iter().sum::<i64>(), 1);
    world.publish(end("stuck", 2)).await;
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_does_not_keep_from_counting() {
    let gauges = Gauges::default();
    let _heard = metrics::set_default_local_recorder(&gauges);
    let world = World::start();
    world.provider.set_build(FakeBuild::Never);
    world.publish(update("stuck", 1)).await;
    tokio::time::sleep(secs(10)).await;
    world
        .provider
        .set_failing("inventory", Some(Failure::ProviderDown));
    // Several sweeps fail meanwhile, and the build is not given up yet.
    tokio::time::sleep(secs(500)).await;
    assert_eq!(gauges.unended(), [0, 1, 0, 0]);
    world.provider.set_failing("inventory", None);
    world.publish(end("stuck", 2)).await;
    world.finish().await;
}
