//! Any sequence of steps, on an adapter and on the store in memory: both must answer the same, at every step.
//!
//! Where the port leaves an order open, which it does among what happened at one instant, the two are compared in an
//! order of their own; what a limit lets through is then compared by its instants alone.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use foreshow_contract::{ContextKey, Ordinal, OrdinalKind, Revision, Timestamp};
use foreshow_engine::{
    AdmitRequest, Claim, Claimed, Clock, LeaseId, Outcome, QuotaMember, QuotaSet, Settlement,
    Store, testing::MemoryStore,
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{
    Adapter, HandClock, admission, alias, claim, count, deployment, failed, live, ready, revision,
};

#[derive(Clone, Debug)]
enum Op {
    Claim {
        context: usize,
        ordinal: Ordinal,
        digest: u8,
    },
    Renew {
        lease: usize,
        ttl: u64,
    },
    Record {
        lease: usize,
        deployment: u8,
    },
    GoLive {
        lease: usize,
        deployment: u8,
        ttl: u64,
        life_ms: u64,
    },
    Settle {
        lease: usize,
        end: u8,
        deployment: u8,
        life_ms: u64,
        kept: Vec<u8>,
    },
    Release {
        lease: usize,
    },
    Touch {
        context: usize,
        ttl: Option<u64>,
    },
    Admit {
        context: usize,
        revision: u64,
        limits: (u32, u32),
        is_live: bool,
    },
    Leave {
        context: usize,
        revision: Option<u64>,
    },
    Advance {
        ms: u64,
    },
}

fn ordinal() -> impl Strategy<Value = Ordinal> {
    let number = prop_oneof![9 => 0..6_u64, 1 => Just(Revision::MAX.get())];
    (number, any::<bool>()).prop_map(|(number, is_end)| Ordinal {
        revision: revision(number),
        kind: if is_end {
            OrdinalKind::End
        } else {
            OrdinalKind::Update
        },
    })
}

fn op() -> impl Strategy<Value = Op> {
    let (context, lease, deployment) = (0..4_usize, 0..64_usize, 0..5_u8);
    let claim =
        (context.clone(), ordinal(), 0..8_u8).prop_map(|(context, ordinal, digest)| Op::Claim {
            context,
            ordinal,
            digest: digest / 7,
        });
    let settle = (
        lease.clone(),
        0..4_u8,
        deployment.clone(),
        0..20_000_u64,
        proptest::collection::vec(deployment.clone(), 0..3),
    )
        .prop_map(|(lease, end, deployment, life_ms, kept)| Op::Settle {
            lease,
            end,
            deployment,
            life_ms,
            kept,
        });
    prop_oneof![
        5 => claim,
        2 => (lease.clone(), 0..40_u64).prop_map(|(lease, ttl)| Op::Renew { lease, ttl }),
        2 => (lease.clone(), deployment.clone()).prop_map(|(lease, deployment)| Op::Record { lease, deployment }),
        3 => (lease.clone(), deployment, 0..40_u64, 0..30_000_u64)
            .prop_map(|(lease, deployment, ttl, life_ms)| Op::GoLive { lease, deployment, ttl, life_ms }),
        4 => settle,
        1 => lease.prop_map(|lease| Op::Release { lease }),
        1 => (context.clone(), proptest::option::of(0..100_u64)).prop_map(|(context, ttl)| Op::Touch { context, ttl }),
        3 => (context.clone(), 0..3_u64, (0..3_u32, 0..3_u32), any::<bool>())
            .prop_map(|(context, revision, limits, is_live)| Op::Admit { context, revision, limits, is_live }),
        1 => (context, proptest::option::of(0..3_u64)).prop_map(|(context, revision)| Op::Leave { context, revision }),
        2 => (0..20_000_u64).prop_map(|ms| Op::Advance { ms }),
    ]
}

fn context(number: usize) -> ContextKey {
    let [tenant, context] = [["acme", "a"], ["acme", "b"], ["other", "a"], ["other", "c"]][number];
    ContextKey::try_new(tenant, context).unwrap()
}

/// Does one step, and answers all that can be seen of it. Two of these with the same arguments must be equal.
async fn step(
    store: &dyn Store,
    op: &Op,
    claim_asked: &Claim,
    leases: &mut Vec<LeaseId>,
    clock: &HandClock,
) -> String {
    let now = clock.now();
    let lease_of = |leases: &[LeaseId], index: usize| {
        let recent = leases.len().saturating_sub(4);
        leases.get(recent + index % 4).or(leases.last()).cloned()
    };
    let name = |deployment: u8| format!("dep-{deployment}");
    let seconds = Duration::from_secs;
    match op {
        Op::Claim { .. } => {
            let claimed = store.claim(claim_asked).await.unwrap();
            if let Claimed::Granted { lease, .. } = &claimed {
                leases.push(lease.id().clone());
            }
            format!("{claimed:?}")
        }
        Op::Renew { lease, ttl } => match lease_of(leases, *lease) {
            Some(lease) => format!("{:?}", store.renew(&lease, seconds(*ttl)).await.unwrap()),
            None => String::new(),
        },
        Op::Record {
            lease,
            deployment: id,
        } => match lease_of(leases, *lease) {
            Some(lease) => format!(
                "{:?}",
                store
                    .record_deployment(&lease, &deployment(&name(*id)))
                    .await
                    .unwrap()
            ),
            None => String::new(),
        },
        Op::GoLive {
            lease,
            deployment: id,
            ttl,
            life_ms,
        } => match lease_of(leases, *lease) {
            Some(lease) => {
                let live = live(lease.ordinal.revision.get(), &name(*id));
                format!(
                    "{:?}",
                    store
                        .go_live(
                            &lease,
                            &live,
                            now.saturating_add(Duration::from_millis(*life_ms)),
                            seconds(*ttl)
                        )
                        .await
                        .unwrap()
                )
            }
            None => String::new(),
        },
        Op::Settle {
            lease,
            end,
            deployment: id,
            life_ms,
            kept,
        } => match lease_of(leases, *lease) {
            Some(lease) => {
                let expires_at = now.saturating_add(Duration::from_millis(*life_ms));
                let outcome = match end {
                    0 => ready(&name(*id), expires_at),
                    1 => failed(),
                    2 => Outcome::Removed,
                    _ => Outcome::Superseded {
                        by: Ordinal::end(Revision::MAX),
                    },
                };
                let settlement = Settlement {
                    outcome,
                    expires_at: (*id != 4).then_some(expires_at),
                    kept: kept.iter().map(|id| name(*id).into()).collect(),
                };
                format!("{:?}", store.settle(&lease, &settlement).await.unwrap())
            }
            None => String::new(),
        },
        Op::Release { lease } => {
            if let Some(lease) = lease_of(leases, *lease) {
                store.release(&lease).await.unwrap();
            }
            String::new()
        }
        Op::Touch {
            context: number,
            ttl,
        } => {
            format!(
                "{:?}",
                store
                    .touch(&context(*number), ttl.map(seconds))
                    .await
                    .unwrap()
            )
        }
        Op::Admit {
            context: number,
            revision,
            limits,
            is_live,
        } => {
            let limit = |limit: u32| (limit > 0).then(|| count(limit));
            let request = AdmitRequest {
                live_previews: limit(limits.0),
                concurrent_builds: limit(limits.1),
                is_live: *is_live,
                ..admission(&context(*number), *revision, now)
            };
            format!("{:?}", store.admit(&request).await.unwrap())
        }
        Op::Leave {
            context: number,
            revision: of_build,
        } => {
            let member = match of_build {
                Some(number_of_build) => {
                    QuotaMember::Build(context(*number), revision(*number_of_build))
                }
                None => QuotaMember::LivePreview(context(*number)),
            };
            store.leave(&member).await.unwrap();
            String::new()
        }
        Op::Advance { .. } => String::new(),
    }
}

/// Everything that can be asked without changing anything.
async fn view(store: &dyn Store, clock: &HandClock) -> String {
    let mut seen = listings(store, clock.now()).await;
    for number in 0..4 {
        let key = context(number);
        writeln!(seen, "{:#?}", store.context(&key).await.unwrap()).unwrap();
        let resolved = store.resolve_alias(&alias(&key)).await.unwrap();
        writeln!(seen, "{resolved:?}").unwrap();
        writeln!(seen, "{}", history(store, Some(&key)).await).unwrap();
        for set in [QuotaSet::LivePreviews, QuotaSet::ConcurrentBuilds] {
            let used = store.quota_used(&key.tenant, set).await.unwrap();
            writeln!(seen, "{set:?}: {used}").unwrap();
        }
        for number in 0..6 {
            for ordinal in [
                Ordinal::update(revision(number)),
                Ordinal::end(revision(number)),
            ] {
                let outcome = store.outcome(&key, ordinal).await.unwrap();
                writeln!(seen, "{ordinal}: {outcome:?}").unwrap();
            }
        }
    }
    seen
}

async fn listings(store: &dyn Store, now: Timestamp) -> String {
    let mut seen = String::new();
    let tenants = [None, Some(context(0).tenant)];
    for tenant in tenants {
        let mut all = store.contexts(tenant.as_ref(), 99).await.unwrap();
        let at = |listed: &[foreshow_engine::ContextSummary]| -> Vec<Timestamp> {
            listed.iter().map(|one| one.record.desired_at).collect()
        };
        writeln!(seen, "{:?}", at(&all)).unwrap();
        let some = store.contexts(tenant.as_ref(), 2).await.unwrap();
        writeln!(seen, "{:?}", at(&some)).unwrap();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        writeln!(seen, "{all:#?}").unwrap();
    }
    let some = store.expired(now, 2).await.unwrap().len();
    let mut expired = store.expired(now, 99).await.unwrap();
    expired.sort();
    writeln!(seen, "{some} of {expired:?}").unwrap();
    writeln!(seen, "{}", history(store, None).await).unwrap();
    seen
}

async fn history(store: &dyn Store, key: Option<&ContextKey>) -> String {
    let some = match key {
        Some(_) => Vec::new(),
        None => store.history(None, 3).await.unwrap(),
    };
    let some: Vec<_> = some.iter().map(|entry| entry.at).collect();
    let all = store.history(key, 999).await.unwrap();
    let newest_first: Vec<_> = all.iter().map(|entry| entry.at).collect();
    let mut all: Vec<_> = all.iter().map(|entry| format!("{entry:?}")).collect();
    all.sort();
    format!("{some:?} of {newest_first:?}: {all:#?}")
}

async fn compare(adapter: &dyn Adapter, ops: &[Op]) {
    let clock = adapter.clock();
    let store = adapter.store();
    let memory = MemoryStore::new(Arc::new(clock.clone()));
    let (mut of_store, mut of_memory) = (Vec::new(), Vec::new());
    let last = ops.len().saturating_sub(1);
    for (index, op) in ops.iter().enumerate() {
        if let Op::Advance { ms } = op {
            clock.advance(Duration::from_millis(*ms));
        }
        let asked = match op {
            Op::Claim {
                context: number,
                ordinal,
                digest,
            } => claim(&context(*number), *ordinal, &format!("{ordinal} {digest}")),
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
    let sequences = proptest::collection::vec(op(), 1..80);
    let held = TestRunner::new(config).run(&sequences, |ops| {
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
