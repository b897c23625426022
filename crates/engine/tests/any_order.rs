//! What must hold for any order and repetition of events, with faults in between.

mod world;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};

use foreshow_contract::{EventKind, Ordinal, Revision};
use foreshow_engine::{Failure, testing::FakeBuild};
use proptest::{prelude::*, sample::Index};
use world::{World, end, key, secs, update};

#[derive(Clone, Copy, Debug)]
struct Arrival {
    context: u8,
    revision: u64,
    kind: EventKind,
    /// Seconds to wait before it.
    after: u64,
}

fn arrivals() -> impl proptest::strategy::Strategy<Value = Vec<Arrival>> {
    let arrival = (0_u8..3, 1_u64..7, prop::bool::weighted(0.2), 0_u64..4).prop_map(
        |(context, revision, ends, after)| Arrival {
            context,
            revision,
            kind: if ends {
                EventKind::End
            } else {
                EventKind::Update
            },
            after,
        },
    );
    (
        prop::collection::vec(arrival, 1..25),
        prop::collection::vec(any::<Index>(), 0..6),
    )
        .prop_map(|(mut arrivals, repeated)| {
            for index in repeated {
                let again = *index.get(&arrivals);
                arrivals.push(again);
            }
            arrivals
        })
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    KilledWorker,
    StoppedWorker,
    LostConnections,
    FailedCreate,
    FailedAlias,
}

fn faults() -> impl proptest::strategy::Strategy<Value = Vec<Fault>> {
    let fault = prop_oneof![
        6 => Just(Fault::None),
        1 => Just(Fault::KilledWorker),
        1 => Just(Fault::StoppedWorker),
        1 => Just(Fault::LostConnections),
        1 => Just(Fault::FailedCreate),
        1 => Just(Fault::FailedAlias),
    ];
    prop::collection::vec(fault, 31)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_event_ends_once_and_the_newest_is_live(arrivals in arrivals(), faults in faults(), build in 0_u64..6) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(check(arrivals, faults, build))?;
    }
}

async fn check(
    arrivals: Vec<Arrival>,
    faults: Vec<Fault>,
    build: u64,
) -> Result<(), TestCaseError> {
    // However many faults fall on one event: what lasts is another story's subject.
    let mut world = World::with(|options| options.retry.attempts = NonZeroU32::MAX);
    world.provider.set_build(FakeBuild::Ready(secs(build)));
    for (arrival, fault) in arrivals.iter().zip(&faults) {
        tokio::time::sleep(secs(arrival.after)).await;
        let context = format!("ctx-{}", arrival.context);
        world
            .publish(match arrival.kind {
                EventKind::End => end(&context, arrival.revision),
                EventKind::Update | EventKind::Touch | EventKind::Expire | EventKind::Reset => {
                    update(&context, arrival.revision)
                }
            })
            .await;
        match fault {
            Fault::None => {}
            Fault::KilledWorker => {
                world.kill_worker().await;
                world.start_worker();
            }
            Fault::StoppedWorker => {
                world.stop_worker().await;
                world.start_worker();
            }
            Fault::LostConnections => world.broker.drop_connections(),
            Fault::FailedCreate => world
                .provider
                .fail_next("create", Failure::Retryable { after: None }),
            Fault::FailedAlias => world.provider.fail_next("alias", Failure::ProviderDown),
        }
    }
    world.settle().await;

    let mut ends: BTreeMap<(u8, Ordinal), BTreeSet<String>> = BTreeMap::new();
    let mut newest: BTreeMap<u8, Ordinal> = BTreeMap::new();
    for arrival in &arrivals {
        let revision = Revision::try_new(arrival.revision).expect("small numbers are legal");
        let ordinal = match arrival.kind {
            EventKind::End => Ordinal::end(revision),
            EventKind::Update | EventKind::Touch | EventKind::Expire | EventKind::Reset => {
                Ordinal::update(revision)
            }
        };
        newest
            .entry(arrival.context)
            .and_modify(|newest| *newest = ordinal.max(*newest))
            .or_insert(ordinal);
        let told = world.broker.published().into_iter().filter(|result| {
            result.is_end()
                && result.id.starts_with(&format!(
                    "acme/ctx-{}/{}/{}/",
                    arrival.context,
                    revision,
                    arrival.kind.word()
                ))
        });
        ends.entry((arrival.context, ordinal))
            .or_default()
            .extend(told.map(|result| result.id));
    }
    let mut created = world.provider.created();
    created.sort();
    let creations = created.len();
    created.dedup();
    prop_assert_eq!(created.len(), creations, "no revision is deployed twice");
    for (event, ids) in &ends {
        prop_assert_eq!(
            ids.len(),
            1,
            "{:?} must end once, and in one way: {:?}",
            event,
            ids
        );
    }
    for (context, newest) in newest {
        let name = format!("ctx-{context}");
        let deployed: Vec<_> = world
            .provider
            .deployments()
            .into_iter()
            .filter(|deployment| deployment.key == key(&name))
            .map(|deployment| deployment.revision)
            .collect();
        if newest == Ordinal::end(newest.revision) {
            prop_assert_eq!(world.shown(&name), None, "{} was ended", name);
            prop_assert!(
                deployed.is_empty(),
                "{name} was ended, but {deployed:?} are left"
            );
        } else {
            prop_assert_eq!(
                world.shown(&name),
                Some(newest.revision.get()),
                "the newest of {} is live",
                name
            );
            prop_assert_eq!(deployed, vec![newest.revision], "and nothing else is there");
        }
    }
    world.finish().await;
    Ok(())
}
