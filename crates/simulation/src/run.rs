//! One seed: the world is made, its events come, its faults strike, it heals, comes to rest, is swept, and judged.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use foreshow_contract::{InstallationKey, Ordinal};
#[cfg(feature = "mutants")]
use foreshow_engine::mutants::{self, Mutant};
use foreshow_engine::{Clock as _, ContextRecord, QuotaSet, testing::MemoryStore};
use tokio::time::{Instant, sleep_until};

use crate::{
    check::{Rest, Steady, Violation, Watchtower, after_one_sweep, at_rest},
    faults::{self, Blow, Profile},
    fleet::{Outside, Slot, within},
    ports::{broker::SharedBroker, provider::SharedProvider, store::SharedStore},
    scenario::Scenario,
    stats::Stats,
    story::Story,
    world::{WallClock, World},
};

/// Once the faults are over, everything comes to rest within this time, or something turns for ever.
const REST_WITHIN: Duration = Duration::from_mins(10);

/// Sets the dice of retention apart from those of everything else.
const RETENTION: u64 = 0x7E7E_4710_0000_0000;

/// The same for floods.
const FLOOD: u64 = 0xF100_D000_0000_0000;

/// How a seed went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What kind of world it was.
    pub profile: Profile,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// What happened, counted.
    pub stats: Stats,
    /// What happened, told; empty where nobody asked for it.
    pub story: Story,
}

/// Runs a seed; the same seed is the same story.
pub fn run(seed: u64, is_told: bool) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing");
    runtime.block_on(async { Simulation::new(seed, is_told).run().await })
}

/// Runs a seed with a deliberate bug.
#[cfg(feature = "mutants")]
pub fn run_with(seed: u64, mutant: Option<Mutant>, is_told: bool) -> Report {
    mutants::activate(mutant);
    let report = run(seed, is_told);
    mutants::activate(None);
    report
}

struct Simulation {
    seed: u64,
    outside: Outside,
    scenario: Scenario,
    blows: Vec<(Duration, Blow)>,
    slots: Vec<Slot>,
}

impl Simulation {
    fn new(seed: u64, is_told: bool) -> Self {
        let mut dice = Rng::with_seed(seed);
        let mut scenario = Scenario::draw(&mut dice);
        let faults = faults::draw(&scenario, &mut dice);
        scenario.add_retention(&mut Rng::with_seed(seed ^ RETENTION));
        scenario.add_flood(&mut Rng::with_seed(seed ^ FLOOD));
        let tower = Watchtower::new(
            scenario.options.lease.margin(),
            scenario.options.cancel.in_a_row,
        );
        let world = World::new(dice, faults.weather, Story::new(is_told), tower);
        let right = WallClock::ahead_by(&world, 0);
        let outside = Outside {
            broker: SharedBroker::new(&world, right.clone()),
            store: SharedStore::new(&world, WallClock::ahead_by(&world, 0)),
            providers: scenario
                .providers
                .iter()
                .zip(["p1", "p2"])
                .map(|(builds, name)| SharedProvider::new(&world, name, *builds))
                .collect(),
            options: scenario.options.clone(),
            installation: InstallationKey::try_from_slice(&[7; 32]).expect("32 bytes"),
            world,
        };
        let slots = (0..scenario.workers)
            .map(|number| Slot::new(&outside, number))
            .collect();
        Self {
            seed,
            outside,
            scenario,
            blows: faults.blows,
            slots,
        }
    }

    async fn run(mut self) -> Report {
        let profile = self.scenario.profile;
        self.outside.world.tell("world", || {
            format!(
                "{profile:?}: {} workers, {} providers, leases of {} ms",
                self.scenario.workers,
                self.scenario.providers.len(),
                self.scenario.options.lease.ttl_ms
            )
        });
        for slot in &self.slots {
            tokio::spawn(slot.clone().keep_running());
        }
        self.play().await;
        self.heal();
        self.judge().await;
        let world = &self.outside.world;
        let violation = world.tower().broken().cloned();
        if let Some(Violation { invariant, why }) = &violation {
            world.tell("BROKEN", || format!("{invariant}: {why}"));
        }
        Report {
            seed: self.seed,
            profile,
            violation,
            stats: world.take_stats(),
            story: world.take_story(),
        }
    }

    fn is_broken(&self) -> bool {
        self.outside.world.tower().broken().is_some()
    }

    /// Events and blows, each at its time.
    async fn play(&mut self) {
        let began_at = Instant::now();
        let mut blows = std::mem::take(&mut self.blows).into_iter().peekable();
        let mut publications = std::mem::take(&mut self.scenario.publications)
            .into_iter()
            .peekable();
        loop {
            let blow_at = blows.peek().map(|(at, _)| *at);
            let event_at = publications.peek().map(|one| one.at);
            let Some(at) = blow_at.into_iter().chain(event_at).min() else {
                return;
            };
            sleep_until(began_at + at).await;
            if self.is_broken() {
                return;
            }
            if blow_at == Some(at) {
                if let Some((_, blow)) = blows.next() {
                    self.strike(blow);
                }
            } else if let Some(one) = publications.next() {
                let world = &self.outside.world;
                world.tell("user", || {
                    let ordinal = one.ordinal.map_or_else(
                        || one.message.routing_key.clone(),
                        |ordinal| ordinal.to_string(),
                    );
                    format!(
                        "publishes {} ({}/{ordinal})",
                        one.event.id,
                        one.key.context.as_str()
                    )
                });
                if let Some(ordinal) = one.ordinal {
                    let at = world.elapsed();
                    world.tower().published(&one.key, ordinal, one.event, at);
                }
                self.outside.broker.publish(one.message);
            }
        }
    }

    fn strike(&self, blow: Blow) {
        let Outside {
            world,
            store,
            providers,
            ..
        } = &self.outside;
        let slot = |place: usize| &self.slots[place % self.slots.len()];
        match blow {
            Blow::Kill(place) => slot(place).kill(),
            Blow::Freeze(place, pause, breaks) => slot(place).freeze(pause, breaks.0),
            Blow::Terminate(place) => slot(place).terminate(),
            Blow::Disconnect(place) => slot(place).disconnect(),
            Blow::Wipe => {
                self.note_what_no_tag_tells();
                store.wipe();
            }
            Blow::StepStore(micros) => {
                world.tell("store", || {
                    format!("its clock steps by {} ms", micros / 1_000)
                });
                world.stats().count(crate::stats::Count::ClockSteps);
                world.tower().store_clock_stepped();
                store.clock.step(micros);
            }
            Blow::StepWorker(place, micros) => {
                world.tell("world", || {
                    format!("the clock of w{} steps by {} ms", place + 1, micros / 1_000)
                });
                world.stats().count(crate::stats::Count::ClockSteps);
                slot(place).clock.step(micros);
            }
            Blow::StallStore(span) => {
                world.tell("store", || format!("stalls for {} ms", span.as_millis()));
                world.weather().store_stalls_until = Some(Instant::now() + span);
            }
            Blow::StopBroker(span) => {
                world.tell("broker", || format!("fails for {} ms", span.as_millis()));
                world.weather().broker_down_until = Some(Instant::now() + span);
            }
            Blow::StopProviders(span) => {
                world.tell("world", || {
                    format!("providers fail for {} ms", span.as_millis())
                });
                world.weather().providers_down_until = Some(Instant::now() + span);
            }
            Blow::LoseDeployment(place) => providers[place % providers.len()].lose_one(),
        }
    }

    /// What was announced and has no deployment with its tag is forgotten with the store's memory.
    fn note_what_no_tag_tells(&self) {
        let announced = self.outside.world.tower().shown_revisions();
        for (key, revision) in announced {
            let mut tagged = self
                .outside
                .providers
                .iter()
                .flat_map(SharedProvider::deployments);
            if !tagged.any(|held| held.key == key && held.revision == revision) {
                self.outside.world.tower().no_tag_tells_of(&key);
            }
        }
    }

    /// The faults are over, and every worker runs.
    fn heal(&self) {
        self.outside.world.tell("world", || "heals".to_owned());
        self.outside.world.weather().clear();
        self.slots.iter().for_each(Slot::thaw);
    }

    async fn judge(&self) {
        let Outside {
            world,
            broker,
            store,
            ..
        } = &self.outside;
        let is_at_rest = || {
            self.is_broken()
                || (broker.pending() == 0
                    && world.requests_in_flight() == 0
                    && !is_any_held(&store.memory, store))
        };
        let came_to_rest = within(REST_WITHIN, is_at_rest).await;
        if self.is_broken() {
            return;
        }
        if !came_to_rest {
            world.tower().violate("REST everything comes to rest", || {
                format!("{} messages are still under way", broker.pending())
            });
            return;
        }
        world.tell("world", || "is at rest".to_owned());
        self.outlive_previews().await;
        if self.is_broken() {
            return;
        }
        for round in 0..2 {
            if !self.sweep().await {
                world.tower().violate("REST a sweep comes to its end", || {
                    "the sweeper failed".to_owned()
                });
                return;
            }
            if !within(REST_WITHIN, is_at_rest).await || self.is_broken() {
                return;
            }
            if round == 0 {
                let rest = self.rest();
                after_one_sweep(&mut world.tower(), &rest);
            }
        }
        self.outwait_places().await;
        // A worker's own sweeper may be between deleting what it condemned and saying so.
        within(REST_WITHIN, || {
            let records = store.memory.records();
            records.values().all(|record| record.condemned.is_empty())
        })
        .await;
        within(REST_WITHIN, is_at_rest).await;
        let rest = self.rest();
        at_rest(&mut world.tower(), &rest);
    }

    /// RETENTION: where previews live for seconds, all of them go, by workers' own sweeps, within two looks and some room.
    async fn outlive_previews(&self) {
        let Outside { world, store, .. } = &self.outside;
        let Some(life) = self.scenario.short_life() else {
            return;
        };
        let stays = |record: &ContextRecord| {
            let update = Ordinal::update(record.desired.revision);
            let live = record.live.as_ref();
            // A wiped store does not know how the newest update ended, so what is live stays for as long as it would remember.
            live.is_some_and(|live| world.tower().wipes() == 0 || live.revision == update.revision)
        };
        let are_gone = || {
            let records = store.memory.records();
            self.is_broken() || !records.values().any(stays)
        };
        if !within(life + REST_WITHIN, are_gone).await {
            world
                .tower()
                .violate("RETENTION what has expired goes", || {
                    let records = store.memory.records().into_iter();
                    let mut left = records.filter(|(_, record)| stays(record));
                    format!("{:?}", left.next())
                });
        }
        within(REST_WITHIN, || {
            self.outside.broker.pending() == 0 && !is_any_held(&store.memory, store)
        })
        .await;
    }

    /// A place among the concurrent builds that a wipe and a crash left behind has nobody to give it up: it counts until its
    /// deadline, by design. So in a wiped world the deadline is waited for, and the place must be gone then.
    async fn outwait_places(&self) {
        let Outside { world, store, .. } = &self.outside;
        if world.tower().wipes() > 0 {
            let is_building = |(_, set, _): &(_, QuotaSet, _)| *set == QuotaSet::ConcurrentBuilds;
            within(REST_WITHIN, || {
                !store.memory.quota_members().iter().any(is_building)
            })
            .await;
        }
    }

    async fn sweep(&self) -> bool {
        for _ in 0..5 {
            let engine = self.slots.iter().find_map(Slot::live_engine);
            let Some(engine) = engine else {
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            };
            self.outside.world.tell("world", || "is swept".to_owned());
            if engine.sweep().await.is_ok() {
                return true;
            }
        }
        false
    }

    fn rest(&self) -> Rest {
        let Outside {
            store,
            providers,
            installation,
            options,
            ..
        } = &self.outside;
        let shown = |key| {
            let alias = installation.alias_label(key);
            providers
                .iter()
                .filter_map(|provider| provider.shown(&alias))
                .collect()
        };
        let builds = &self.scenario.providers;
        let build = (
            builds
                .iter()
                .map(|builds| builds.takes.0)
                .min()
                .unwrap_or_default(),
            builds
                .iter()
                .map(|builds| builds.takes.1)
                .max()
                .unwrap_or_default(),
        );
        let steady = Steady {
            stale: Duration::from_millis(options.cancel.stale_ms),
            build,
        };
        Rest {
            records: store.memory.records(),
            deployments: providers
                .iter()
                .flat_map(SharedProvider::deployments)
                .collect(),
            shown: self
                .scenario
                .contexts
                .iter()
                .map(|key| (key.clone(), shown(key)))
                .collect::<BTreeMap<_, _>>(),
            places: store
                .memory
                .quota_members()
                .into_iter()
                .map(|(tenant, set, name)| (set, tenant.as_str().to_owned(), name))
                .collect(),
            steady: (self.scenario.profile == Profile::Calm).then_some(steady),
        }
    }
}

fn is_any_held(memory: &MemoryStore, store: &SharedStore) -> bool {
    let now = store.clock.now();
    memory
        .records()
        .values()
        .any(|record| record.lease.as_ref().is_some_and(|lease| lease.until > now))
}
