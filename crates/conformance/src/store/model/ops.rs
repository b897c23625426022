//! The steps that a sequence is made of.

use std::time::Duration;

use foreshow_contract::{Ordinal, OrdinalKind, Revision};
use foreshow_engine::GateReport;
use proptest::prelude::*;

use super::super::{count, revision};

#[derive(Clone, Debug)]
pub(super) enum Op {
    Claim {
        context: usize,
        ordinal: Ordinal,
        digest: u8,
        replay: u32,
    },
    /// Of the revision that is the newest, or of another.
    Expire {
        context: usize,
        other: Option<u64>,
    },
    Reset {
        context: usize,
        id: u8,
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
        built_ms: Option<u64>,
        is_cancelled: bool,
    },
    Release {
        lease: usize,
        wait_ms: Option<u64>,
    },
    Seed {
        context: usize,
        /// Each a revision and a deployment.
        listed: Vec<(u64, u8)>,
        life_ms: u64,
    },
    Judge {
        context: usize,
        revision: u64,
        deployment: u8,
        live_is_there: bool,
        stay_ms: u64,
    },
    ForgetCondemned {
        context: usize,
        deployment: u8,
    },
    Mend {
        context: usize,
        deployment: u8,
    },
    BeginRebuild {
        nonce: u8,
    },
    CompleteRebuild {
        nonce: u8,
    },
    LeadSweep {
        owner: u8,
        ttl: u64,
    },
    Wipe,
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
    Enter {
        gate: usize,
        name: u8,
        trial_ms: u64,
        /// How many, in how many seconds.
        limit: Option<(u32, u32)>,
    },
    Report {
        gate: usize,
        report: GateReport,
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

/// How often an operator replayed the event: mostly never.
fn replay() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0_u32), 1 => 1..3_u32]
}

fn op() -> impl Strategy<Value = Op> {
    let (context, lease, deployment) = (0..4_usize, 0..64_usize, 0..5_u8);
    let claim = (context.clone(), ordinal(), 0..8_u8, replay()).prop_map(
        |(context, ordinal, digest, replay)| Op::Claim {
            context,
            ordinal,
            digest: digest / 7,
            replay,
        },
    );
    let settle = (
        lease.clone(),
        prop_oneof![1 => 3..4_u8, 8 => prop_oneof![0..3_u8, Just(4)]],
        deployment.clone(),
        0..20_000_u64,
        proptest::collection::vec(deployment.clone(), 0..3),
        (proptest::option::of(0..90_000_u64), any::<bool>()),
    )
        .prop_map(
            |(lease, end, deployment, life_ms, kept, (built_ms, is_cancelled))| Op::Settle {
                lease,
                end,
                deployment,
                life_ms,
                kept,
                built_ms,
                is_cancelled,
            },
        );
    prop_oneof![
        5 => claim,
        2 => our_own(context.clone()),
        2 => (lease.clone(), 0..40_u64).prop_map(|(lease, ttl)| Op::Renew { lease, ttl }),
        2 => (lease.clone(), deployment.clone()).prop_map(|(lease, deployment)| Op::Record { lease, deployment }),
        3 => (lease.clone(), deployment.clone(), 0..40_u64, 0..30_000_u64)
            .prop_map(|(lease, deployment, ttl, life_ms)| Op::GoLive { lease, deployment, ttl, life_ms }),
        4 => settle,
        2 => (lease, proptest::option::of(0..20_000_u64)).prop_map(|(lease, wait_ms)| Op::Release { lease, wait_ms }),
        1 => (context.clone(), proptest::option::of(0..100_u64)).prop_map(|(context, ttl)| Op::Touch { context, ttl }),
        3 => (context.clone(), 0..3_u64, (0..3_u32, 0..3_u32), any::<bool>())
            .prop_map(|(context, revision, limits, is_live)| Op::Admit { context, revision, limits, is_live }),
        1 => (context.clone(), proptest::option::of(0..3_u64)).prop_map(|(context, revision)| Op::Leave { context, revision }),
        2 => time(),
        6 => look(context, deployment),
        2 => at_a_gate(),
        2 => memory(),
    ]
}

/// What Foreshow tells itself of a context.
fn our_own(context: std::ops::Range<usize>) -> impl Strategy<Value = Op> {
    let other = proptest::option::weighted(0.2, 0..6_u64);
    prop_oneof![
        3 => (context.clone(), other).prop_map(|(context, other)| Op::Expire { context, other }),
        1 => (context, 0..3_u8).prop_map(|(context, id)| Op::Reset { context, id }),
    ]
}

/// What the sweeper does to a context.
fn look(
    context: std::ops::Range<usize>,
    deployment: std::ops::Range<u8>,
) -> impl Strategy<Value = Op> {
    let listed = proptest::collection::vec((0..6_u64, deployment.clone()), 0..3);
    let judge = (
        context.clone(),
        0..6_u64,
        deployment.clone(),
        any::<bool>(),
        0..20_000_u64,
    );
    prop_oneof![
        2 => (context.clone(), listed, 0..30_000_u64)
            .prop_map(|(context, listed, life_ms)| Op::Seed { context, listed, life_ms }),
        4 => judge.prop_map(|(context, revision, deployment, live_is_there, stay_ms)|
            Op::Judge { context, revision, deployment, live_is_there, stay_ms }),
        1 => (context.clone(), deployment.clone())
            .prop_map(|(context, deployment)| Op::ForgetCondemned { context, deployment }),
        1 => (context, deployment).prop_map(|(context, deployment)| Op::Mend { context, deployment }),
    ]
}

/// Any sequence; some are of gates alone, for it takes many steps at one of them until it has seen all.
pub(super) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let at_gates = prop_oneof![3 => at_a_gate(), 1 => time()];
    prop_oneof![
        3 => proptest::collection::vec(op(), 1..80),
        1 => of_retention(),
        1 => proptest::collection::vec(at_gates, 1..80),
    ]
}

/// Previews that go live and expire, again and again, amid what may come in between: by chance alone that is rare.
fn of_retention() -> impl Strategy<Value = Vec<Op>> {
    let (context, lease) = (0..2_usize, 0..4_usize);
    let life = (context.clone(), 0..5_u64, 0..5_u8, 0..3_000_u64).prop_map(
        |(context, number, deployment, life_ms)| {
            let ordinal = Ordinal::update(revision(number));
            vec![
                Op::Claim {
                    context,
                    ordinal,
                    digest: 0,
                    replay: 0,
                },
                Op::GoLive {
                    lease: 3,
                    deployment,
                    ttl: 30,
                    life_ms,
                },
                Op::Settle {
                    lease: 3,
                    end: 0,
                    deployment,
                    life_ms,
                    kept: vec![0, 1, deployment],
                    built_ms: None,
                    is_cancelled: false,
                },
            ]
        },
    );
    let failure = (context.clone(), 0..5_u64, replay()).prop_map(|(context, number, replay)| {
        let ordinal = Ordinal::update(revision(number));
        let end = Op::Settle {
            lease: 3,
            end: 1,
            deployment: 0,
            life_ms: 0,
            kept: Vec::new(),
            built_ms: None,
            is_cancelled: false,
        };
        vec![
            Op::Claim {
                context,
                ordinal,
                digest: 0,
                replay,
            },
            end,
        ]
    });
    let end = (lease.clone(), prop_oneof![Just(2_u8), Just(3)]).prop_map(|(lease, end)| {
        vec![Op::Settle {
            lease,
            end,
            deployment: 0,
            life_ms: 0,
            kept: Vec::new(),
            built_ms: None,
            is_cancelled: false,
        }]
    });
    let one = |op| op_alone(op);
    let steps = prop_oneof![
        4 => life,
        1 => failure,
        4 => one(our_own(context.clone()).boxed()),
        3 => end,
        2 => one((0..6_000_u64).prop_map(|ms| Op::Advance { ms }).boxed()),
        1 => one((context, proptest::option::of(0..9_u64)).prop_map(|(context, ttl)| Op::Touch { context, ttl }).boxed()),
        1 => one(op().boxed()),
    ];
    proptest::collection::vec(steps, 1..30).prop_map(|steps| steps.concat())
}

fn op_alone(op: BoxedStrategy<Op>) -> impl Strategy<Value = Vec<Op>> {
    op.prop_map(|op| vec![op])
}

fn time() -> impl Strategy<Value = Op> {
    (0..20_000_u64).prop_map(|ms| Op::Advance { ms })
}

/// What callers of a provider ask and tell.
fn at_a_gate() -> impl Strategy<Value = Op> {
    let gate = 0..2_usize;
    let limit = (1..4_u32, prop_oneof![Just(5_u32), Just(30)]);
    let wait = (0..20_000_u64).prop_map(Duration::from_millis);
    let report = prop_oneof![
        2 => any::<bool>().prop_map(|trial| GateReport::Answered { trial }),
        1 => wait.clone().prop_map(|wait| GateReport::Limited { wait }),
        3 => (any::<bool>(), 1..4_u32, wait.clone(), wait).prop_map(|(trial, threshold, wait, wait_max)| GateReport::Down {
            trial,
            threshold: count(threshold),
            wait,
            wait_max,
        }),
    ];
    prop_oneof![
        (
            gate.clone(),
            0..5_u8,
            0..20_000_u64,
            proptest::option::of(limit)
        )
            .prop_map(|(gate, name, trial_ms, limit)| Op::Enter {
                gate,
                name,
                trial_ms,
                limit
            }),
        (gate, report).prop_map(|(gate, report)| Op::Report { gate, report }),
    ]
}

/// What happens to the store as a whole.
fn memory() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..2_u8).prop_map(|nonce| Op::BeginRebuild { nonce }),
        6 => (0..2_u8).prop_map(|nonce| Op::CompleteRebuild { nonce }),
        6 => (0..3_u8, 0..40_u64).prop_map(|(owner, ttl)| Op::LeadSweep { owner, ttl }),
        1 => Just(Op::Wipe),
    ]
}
