//! Faults of workers: at exact points of a job's life, with failure points.
//!
//! Every slot runs a worker that carries a point and a passage, both from the seed. Once it was struck the next one comes, with
//! the next point, while the load goes on. How soon somebody else goes on is measured from the strike, by the context's record.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use foreshow_contract::ContextKey;
use foreshow_engine::Store;
use foreshow_simulators::{
    VercelOperation,
    core::{Fault, FaultKind},
};
use foreshow_tests::{Flow, Foreshow, Up, Weather, holder};
use futures_util::future::join_all;
use tokio::{task::JoinSet, time::sleep};

use super::{Strike, Strikes};
use crate::{
    log::Log,
    world::{Slot, TTL, World},
};

/// The points of the plan, in the order of a job's life.
const POINTS: [&str; 8] = [
    "claimed",
    "create-sent",
    "create-answered",
    "id-recorded",
    "ready-seen",
    "settled",
    "result-sent",
    "acked",
];
/// Points at which the struck worker holds the lease.
const HELD: usize = 5;
/// Nobody goes on within this: never.
const NEVER: Duration = Duration::from_mins(1);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// F8: SIGKILL at each point; then while a create is under way, which lands when the successor has begun its own.
pub(super) async fn killed(strike: Strike<'_>) -> Strikes {
    let until = strike.until;
    let Strike {
        world, rng, prefix, ..
    } = strike;
    let first = Strike {
        until: Instant::now() + until.saturating_duration_since(Instant::now()) * 2 / 3,
        world,
        rng,
        prefix,
    };
    let mut strikes = churn(first, How::Kill).await;
    let mut late = 0;
    while Instant::now() < until {
        match late_create(world, until).await {
            Ok(Late::Landed) => late += 1,
            Ok(Late::LetGo) => {}
            Ok(Late::NoTime) => break,
            Err(trouble) => {
                strikes.troubles.push(trouble);
                break;
            }
        }
    }
    strikes.dose = format!("{}; {late} whose create landed late", strikes.dose);
    strikes.extra_creates += late;
    strikes.are_armed = false;
    strikes
}

/// Kills a worker whose create is out, and holds the network's end of it open: the provider carries it out once the lease has
/// long run out.
async fn late_create(world: &mut World, until: Instant) -> Result<Late, String> {
    let lands_after = TTL + Duration::from_millis(1_500);
    let ms = lands_after.as_millis().try_into().expect("short");
    let create = VercelOperation::CreateDeployment;
    let slow = Fault::new(FaultKind::Slow { ms }).on(create).times(1);
    let fault = world.cloud.fault(slow);
    // Asked for in the books: a call is entered before anything is done about it.
    let out = loop {
        let calls = world.cloud.calls_of(create);
        let slow = calls
            .into_iter()
            .rev()
            .find(|call| call.fault == Some("slow") && call.answered_at_ms.is_none());
        if let Some(call) = slow {
            break call;
        }
        if Instant::now() >= until {
            world.cloud.clear_fault(fault);
            return Ok(Late::NoTime);
        }
        sleep(LOOK_EVERY).await;
    };
    let meta = &out.json()["meta"];
    let tag = |name: &str| meta[name].as_str().unwrap_or_default().to_owned();
    let key = ContextKey::try_new(&tag("foreshowTenant"), &tag("foreshowContext"));
    let key = key.map_err(|error| format!("a create without tags: {error}"))?;
    let record = world.store.context(&key).await.ok().flatten();
    let name = record.and_then(|record| holder(&record));
    let slot = world
        .slots
        .iter_mut()
        .find(|slot| Some(&slot.name) == name.as_ref());
    // It may have been superseded and let go of in this instant.
    if let Some(slot) = slot
        && let Some(worker) = slot.worker.take()
    {
        slot.provider.set(Weather::both(Flow::Stall));
        worker.kill().await;
        let give_up_at = Instant::now() + lands_after + NEVER;
        loop {
            let calls = world.cloud.calls_of(create);
            let call = calls.iter().find(|call| call.number == out.number);
            if call.is_none_or(|call| call.status.is_some()) {
                break;
            }
            if Instant::now() > give_up_at {
                return Err(format!("the late create of {key} never landed"));
            }
            sleep(LOOK_EVERY).await;
        }
        slot.provider.heal();
        slot.start(&world.foreshow, &[]).await;
        return Ok(Late::Landed);
    }
    Ok(Late::LetGo)
}

/// What came of a create that was to land late.
enum Late {
    /// It landed, when its worker was long dead.
    Landed,
    /// Its worker had let go of it.
    LetGo,
    /// None came while there was time.
    NoTime,
}

/// F9: SIGTERM at the same points, then all workers one after another.
pub(super) async fn asked(strike: Strike<'_>) -> Strikes {
    let until = strike.until;
    let two_thirds = strike.left() * 2 / 3;
    let Strike {
        world, rng, prefix, ..
    } = strike;
    let first = Strike {
        world,
        rng,
        until: Instant::now() + two_thirds,
        prefix,
    };
    let mut strikes = churn(first, How::Term).await;
    let mut rolls = 0;
    loop {
        for place in 0..world.slots.len() {
            let slot = &mut world.slots[place];
            if let Some(worker) = slot.worker.take()
                && worker.stop("TERM").await != Some(0)
            {
                let trouble = format!("{} did not end well when asked to", slot.name);
                strikes.troubles.push(trouble);
            }
            slot.start(&world.foreshow, &[]).await;
        }
        rolls += 1;
        if Instant::now() >= until {
            break;
        }
    }
    strikes.dose = format!("{}; {rolls} rolling restarts of all", strikes.dose);
    strikes.are_armed = false;
    strikes
}

/// F10: SIGSTOP for two lives of a lease, every fourth for ten where there is time, then SIGCONT.
pub(super) async fn frozen(strike: Strike<'_>) -> Strikes {
    churn(strike, How::Stop).await
}

/// F11: every thread of the runtime stands still for three lives of a lease.
pub(super) async fn blocked(strike: Strike<'_>) -> Strikes {
    churn(strike, How::Block).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Kill,
    Term,
    Stop,
    Block,
}

impl How {
    fn action(self) -> String {
        match self {
            Self::Kill => "kill".to_owned(),
            Self::Term => "term".to_owned(),
            Self::Stop => "stop".to_owned(),
            Self::Block => format!("block={}", (TTL * 3).as_millis()),
        }
    }
}

/// What one slot saw.
#[derive(Default)]
struct Seen {
    strikes: Vec<&'static str>,
    longest_freeze: Duration,
    took: Vec<Duration>,
    troubles: Vec<String>,
}

async fn churn(strike: Strike<'_>, how: How) -> Strikes {
    let Strike {
        world, rng, until, ..
    } = strike;
    // Each point as often as any other, in the seed's order, whatever slot comes to it first.
    let mut points = POINTS.to_vec();
    rng.shuffle(&mut points);
    let next = Arc::new(AtomicUsize::new(0));
    let seeds: Vec<u64> = world.slots.iter().map(|_| rng.u64(..)).collect();
    let (foreshow, store, log) = (&world.foreshow, &world.store, &world.log);
    let slots = world.slots.iter_mut().zip(seeds);
    // A frozen or blocked world of workers would only wait: one stays as it is.
    let at_most = match how {
        How::Kill | How::Term => usize::MAX,
        How::Stop | How::Block => 2,
    };
    let seen = join_all(slots.take(at_most).map(|(slot, seed)| {
        let churning = Churning {
            foreshow,
            store,
            log,
            points: &points,
            next: &next,
            how,
            until,
        };
        churning.slot(slot, fastrand::Rng::with_seed(seed))
    }))
    .await;
    let mut strikes = Strikes {
        are_armed: true,
        ..Strikes::default()
    };
    let (mut struck, mut longest) = (Vec::new(), Duration::ZERO);
    for one in seen {
        struck.extend(one.strikes);
        longest = longest.max(one.longest_freeze);
        strikes.troubles.extend(one.troubles);
        if how == How::Term {
            strikes.hand_over.extend(one.took);
        } else {
            strikes.take_over.extend(one.took);
        }
    }
    let counted: Vec<_> = POINTS
        .iter()
        .map(|point| {
            let count = struck.iter().filter(|one| *one == point).count();
            format!("{point} {count}")
        })
        .collect();
    let what = match how {
        How::Kill => "SIGKILL".to_owned(),
        How::Term => "SIGTERM".to_owned(),
        How::Stop => format!(
            "SIGSTOP for 2 to {:.0} × TTL",
            longest.as_secs_f64() / TTL.as_secs_f64()
        ),
        How::Block => "all threads blocked for 3 × TTL".to_owned(),
    };
    strikes.dose = format!("{} × {what} ({})", struck.len(), counted.join(", "));
    // At each point the provider has already listed what was created, so who goes on adopts it. A worker that was frozen may come by
    // again when another has removed what it created.
    strikes.extra_creates = match how {
        How::Term | How::Kill => 0,
        How::Stop | How::Block => struck
            .iter()
            .filter(|point| **point == "create-sent")
            .count() as u64,
    };
    if struck.is_empty() {
        strikes
            .troubles
            .push("no worker came by its failure point".to_owned());
    }
    strikes
}

/// What all slots churn with.
#[derive(Clone, Copy)]
struct Churning<'a> {
    foreshow: &'a Foreshow,
    store: &'a Arc<dyn Store>,
    log: &'a Arc<Log>,
    points: &'a [&'static str],
    next: &'a AtomicUsize,
    how: How,
    until: Instant,
}

impl Churning<'_> {
    async fn slot(self, slot: &mut Slot, mut rng: fastrand::Rng) -> Seen {
        let mut seen = Seen::default();
        let mut successors = JoinSet::new();
        while Instant::now() < self.until {
            if let Some(worker) = slot.worker.take() {
                worker.kill().await;
            }
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let point = self.points[turn % self.points.len()];
            let passage = rng.u32(1..=3);
            let setting = format!("{point}:{}:{passage}", self.how.action());
            slot.start(self.foreshow, &[("FORESHOW_FAILURE_POINT", setting)])
                .await;
            let Some(struck) = self.struck(slot, point).await else {
                continue;
            };
            seen.strikes.push(point);
            // Beside what follows: where every worker was struck, the next one to come is who goes on.
            let is_held = POINTS[..HELD].contains(&point);
            if let Some(key) = struck.key.filter(|_| is_held && self.how != How::Block) {
                let successor = Successor {
                    store: Arc::clone(self.store),
                    log: Arc::clone(self.log),
                    key,
                    name: slot.name.clone(),
                    point,
                };
                successors.spawn(successor.goes_on(struck.at));
            }
            self.over(slot, &mut seen, struck.at).await;
        }
        // The last one's successor may be the one that comes here.
        if self.how == How::Kill || self.how == How::Term {
            slot.start(self.foreshow, &[]).await;
        }
        for took in successors.join_all().await {
            match took {
                Ok(took) => seen.took.push(took),
                Err(trouble) => seen.troubles.push(trouble),
            }
        }
        seen
    }

    /// Waits for the strike; `None` where the time is up first.
    async fn struck(self, slot: &mut Slot, point: &str) -> Option<Struck> {
        let words = format!("struck at {point}");
        loop {
            let worker = slot.worker.as_mut()?;
            let said = worker.said();
            if let Some(line) = said.lines().find(|line| line.contains(&words)) {
                let key = line.split(" of ").nth(1).and_then(|key| {
                    let (tenant, context) = key.trim().split_once('/')?;
                    ContextKey::try_new(tenant, context).ok()
                });
                return Some(Struck {
                    at: Instant::now(),
                    key,
                });
            }
            if Instant::now() >= self.until {
                return None;
            }
            sleep(LOOK_EVERY / 2).await;
        }
    }

    /// Sees the strike to its end: the process gone, or thawed and gone on.
    async fn over(self, slot: &mut Slot, seen: &mut Seen, since: Instant) {
        let Some(worker) = &mut slot.worker else {
            return;
        };
        match self.how {
            How::Kill | How::Term => {
                while worker.is_running() {
                    if since.elapsed() > NEVER {
                        let trouble = format!("{} did not end: {}", slot.name, worker.said());
                        seen.troubles.push(trouble);
                        return;
                    }
                    sleep(LOOK_EVERY).await;
                }
            }
            How::Stop => {
                let has_time = self.until.saturating_duration_since(Instant::now()) > TTL * 10;
                let long = if has_time && seen.strikes.len() % 4 == 1 {
                    TTL * 10
                } else {
                    TTL * 2
                };
                sleep((since + long).saturating_duration_since(Instant::now())).await;
                seen.longest_freeze = seen.longest_freeze.max(since.elapsed());
                worker.signal("CONT").await;
                stays(worker, &slot.name, seen).await;
            }
            How::Block => {
                sleep((since + TTL * 3).saturating_duration_since(Instant::now())).await;
                stays(worker, &slot.name, seen).await;
            }
        }
    }
}

/// A worker that was held up goes on by itself for a while.
async fn stays(worker: &mut Up, name: &str, seen: &mut Seen) {
    sleep(TTL / 2).await;
    if !worker.is_running() {
        seen.troubles.push(format!(
            "{name} ended after it was held up: {}",
            worker.said()
        ));
    }
}

/// Whoever goes on with a context that a struck worker held.
struct Successor {
    store: Arc<dyn Store>,
    log: Arc<Log>,
    key: ContextKey,
    /// The struck worker.
    name: String,
    point: &'static str,
}

impl Successor {
    /// How long until another holds the context, or its event ended.
    async fn goes_on(self, since: Instant) -> Result<Duration, String> {
        let context = self.key.to_string();
        while since.elapsed() < NEVER {
            let record = self.store.context(&self.key).await.ok().flatten();
            let other = record.and_then(|record| holder(&record));
            if other.is_some_and(|other| other != self.name)
                || self.log.ended_since(&context, since)
            {
                return Ok(since.elapsed());
            }
            sleep(LOOK_EVERY).await;
        }
        Err(format!(
            "nobody went on with {context} within a minute after {} was struck at {}",
            self.name, self.point
        ))
    }
}

struct Struck {
    at: Instant,
    key: Option<ContextKey>,
}

/// F17: two more workers with the name of a third.
pub(super) async fn named_twice(strike: Strike<'_>) -> Strikes {
    let mut strikes = Strikes::default();
    let slot = strike.rng.usize(0..strike.world.slots.len());
    let name = strike.world.slots[slot].name.clone();
    let mut twins = 0;
    while strike.goes_on() {
        let mut command = strike
            .world
            .foreshow
            .command(["worker", "--admin", "127.0.0.1:0"]);
        command.env("FORESHOW_WORKER__NAME", &name);
        let mut twin = Up::start(command).told_where("A worker runs").await;
        twins += 1;
        let stay = strike
            .left()
            .min(Duration::from_millis(strike.rng.u64(1_500..4_000)));
        sleep(stay).await;
        if !twin.is_running() {
            strikes.troubles.push(format!(
                "a second {name} is gone by itself: {}",
                twin.said()
            ));
        }
        // Every other one dies, its lease and all.
        if strike.rng.bool() {
            twin.kill().await;
        } else if twin.stop("TERM").await != Some(0) {
            strikes
                .troubles
                .push(format!("a second {name} did not end well when asked to"));
        }
    }
    strikes.extra_creates = twins;
    strikes.dose = format!("{twins} × a second worker of one name, killed or asked to go by turns");
    strikes
}
