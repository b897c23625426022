//! Any sequence of steps, on an adapter and on the store in memory: both must answer the same, at every step.
//!
//! Where the port leaves an order open, which it does among what happened at one instant, the two are compared in an
//! order of their own; what a limit lets through is then compared by its instants alone.

mod ops;
mod steps;
mod view;

use std::{sync::Arc, time::Duration};

use foreshow_contract::{ContextKey, Ordinal};
use foreshow_engine::{Claim, GateId, Lane, Store as _, testing::MemoryStore};
use proptest::test_runner::{Config, TestRunner};

use self::{
    ops::{Op, ops},
    steps::step,
    view::view,
};
use super::{Adapter, claim, expiry, reset, revision};

fn context(number: usize) -> ContextKey {
    let [tenant, context] = [["acme", "a"], ["acme", "b"], ["other", "a"], ["other", "c"]][number];
    ContextKey::try_new(tenant, context).unwrap()
}

fn gate(number: usize) -> GateId {
    let lane = [Lane::Create, Lane::Other][number];
    super::gate("provider/account", lane)
}

async fn compare(adapter: &dyn Adapter, ops: &[Op]) {
    let clock = adapter.clock();
    let mut store = adapter.store();
    let memory = MemoryStore::new(Arc::new(clock.clone()));
    let (mut of_store, mut of_memory) = (Vec::new(), Vec::new());
    let last = ops.len().saturating_sub(1);
    for (index, op) in ops.iter().enumerate() {
        if let Op::Advance { ms } = op {
            clock.advance(Duration::from_millis(*ms));
        }
        if let Op::Wipe = op {
            memory.wipe();
            store = adapter.wiped().await;
        }
        let asked = match op {
            Op::Claim {
                context: number,
                ordinal,
                digest,
                replay,
            } => Claim {
                replay: *replay,
                ..claim(&context(*number), *ordinal, &format!("{ordinal} {digest}"))
            },
            Op::Expire {
                context: number,
                other,
            } => {
                let key = context(*number);
                let record = memory.context(&key).await.unwrap();
                let newest = record.map_or(0, |record| record.desired.revision.get());
                expiry(&key, other.unwrap_or(newest))
            }
            Op::Reset {
                context: number,
                id,
            } => reset(&context(*number), &format!("reset-{id}")),
            _ => claim(&context(0), Ordinal::update(revision(0)), ""),
        };
        let expected = step(&memory, op, &asked, &mut of_memory, clock).await;
        let answered = step(&*store, op, &asked, &mut of_store, clock).await;
        assert_eq!(answered, expected, "step {index}: {op:?}");
        if index % 8 == 7 || index == last {
            let expected = view(&memory, clock).await;
            let seen = view(&*store, clock).await;
            assert_eq!(seen, expected, "after step {index}: {op:?}");
        }
    }
}

/// Compares an adapter with the store in memory in so many random sequences of steps. `make` makes one that knows no
/// context.
///
/// # Panics
/// Where they differ: with the shortest sequence found that shows it.
pub fn run_model<A: Adapter>(cases: u32, make: impl AsyncFn() -> A) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let held = TestRunner::new(config).run(&ops(), |ops| {
        runtime.block_on(async {
            let adapter = make().await;
            compare(&adapter, &ops).await;
            adapter.close().await;
        });
        Ok(())
    });
    if let Err(difference) = held {
        panic!("{difference}");
    }
}
