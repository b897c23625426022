//! What was counted, as Prometheus reads it.

use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::failure::{Exit, Failure, OrFail as _};

/// Bounds of every histogram of seconds: from a command of the store to a build that nearly times out.
const SECONDS: [f64; 15] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0,
];

/// What was counted so far.
#[derive(Clone)]
pub(super) struct Rendered(PrometheusHandle);

/// Begins to count. Once per process.
pub(super) fn install() -> Result<Rendered, Failure> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .context("the histogram's bounds are none")
        .or_fail(Exit::Environment)?;
    let handle = builder
        .install_recorder()
        .context("another part of this process counts already")
        .or_fail(Exit::Environment)?;
    foreshow_engine::observe::describe();
    foreshow_providers::http::describe();
    foreshow_broker::rabbitmq::metrics::describe();
    foreshow_store::redis::metrics::describe();
    let upkeep = handle.clone();
    // What histograms gather is condensed from time to time, also where nobody asks for it.
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            upkeep.run_upkeep();
        }
    });
    Ok(Rendered(handle))
}

impl Rendered {
    pub(super) fn text(&self) -> String {
        self.0.render()
    }
}
