//! What goes wrong in a world: rates for every call, and a plan of blows.

use std::time::Duration;

use fastrand::Rng;

use crate::{scenario::Scenario, weather::Weather};

/// The kinds of worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Nothing goes wrong.
    Calm,
    /// Workers die, at any step.
    Crashes,
    /// Workers are frozen for longer than their leases live.
    Pauses,
    /// Requests and answers are lost, or land late.
    Losses,
    /// The store loses its memory.
    Wipes,
    /// Clocks step.
    Clocks,
    /// Workers are asked to stop, one after another.
    Restarts,
    /// Providers fail, and lose deployments.
    Providers,
    /// The store's clock outruns the lease of an end's holder, and a newer update comes before the clean-up is through.
    Outrun,
    /// All of it.
    Everything,
}

impl Profile {
    pub(crate) fn of(dice: &mut Rng) -> Self {
        match dice.u8(0..40) {
            0..4 => Self::Calm,
            4..10 => Self::Crashes,
            10..16 => Self::Pauses,
            16..22 => Self::Losses,
            22..26 => Self::Wipes,
            26..30 => Self::Clocks,
            30..32 => Self::Restarts,
            32..34 => Self::Providers,
            34..38 => Self::Everything,
            _ => Self::Outrun,
        }
    }
}

/// A blow, at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Kill(usize),
    Freeze(usize, Duration, Breaks),
    Terminate(usize),
    Disconnect(usize),
    Wipe,
    StepStore(i64),
    StepWorker(usize, i64),
    StallStore(Duration),
    StopBroker(Duration),
    StopProviders(Duration),
    LoseDeployment(usize),
}

/// Whether the broker gives up on a frozen worker, and after how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Breaks(pub(crate) Option<Duration>);

/// A world's faults.
pub(crate) struct Faults {
    pub(crate) weather: Weather,
    pub(crate) blows: Vec<(Duration, Blow)>,
}

/// Draws the faults that strike a scenario.
pub(crate) fn draw(scenario: &Scenario, dice: &mut Rng) -> Faults {
    let &Scenario {
        profile,
        workers,
        span,
        ..
    } = scenario;
    let ttl = scenario.options.lease.ttl();
    let mut weather = Weather::calm();
    if dice.u8(0..3) == 0 {
        weather.provider_latency = (Duration::from_millis(20), Duration::from_millis(900));
    }
    let all = profile == Profile::Everything;
    let is = |one: Profile| all || profile == one;
    let share = if all { 3 } else { 1 };
    let mut blows = Vec::new();
    let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut add = |dice: &mut Rng, most: usize, blow: &mut dyn FnMut(&mut Rng) -> Blow| {
        for _ in 0..dice.usize(0..=most) {
            let at = Duration::from_millis(dice.u64(0..span_ms));
            blows.push((at, blow(dice)));
        }
    };
    if profile != Profile::Calm {
        weather.disorder = dice.u32(0..2_500);
        weather.lose_ack = dice.u32(0..800);
        weather.failed_build = dice.choice([0, 0, 500, 2_500]).unwrap_or_default();
    }
    if is(Profile::Crashes) {
        weather.crash = dice.u32(20..300) / share;
        weather.crashes_left = dice.u32(1..6);
        add(dice, 2, &mut |dice| Blow::Kill(dice.usize(0..workers)));
    }
    if is(Profile::Pauses) {
        weather.hesitate = dice.u32(0..500) / share;
        add(dice, 5, &mut |dice| {
            let pause = ttl.mul_f64(0.3 + 2.5 * dice.f64());
            let breaks = dice.bool().then(|| pause.mul_f64(dice.f64()));
            Blow::Freeze(dice.usize(0..workers), pause, Breaks(breaks))
        });
    }
    if is(Profile::Losses) {
        weather.lose_request = dice.u32(0..400) / share;
        weather.lose_answer = dice.u32(0..600) / share;
        weather.late = dice.u32(0..800) / share;
        weather.hesitate = dice.u32(0..300) / share;
        add(dice, 3, &mut |dice| {
            Blow::Disconnect(dice.usize(0..workers))
        });
        add(dice, 1, &mut |dice| {
            Blow::StallStore(Duration::from_millis(dice.u64(100..4_000)))
        });
        add(dice, 1, &mut |dice| {
            Blow::StopBroker(Duration::from_millis(dice.u64(100..6_000)))
        });
    }
    if is(Profile::Wipes) {
        add(dice, 1, &mut |_| Blow::Wipe);
        if profile == Profile::Wipes {
            add(dice, 2, &mut |_| Blow::Wipe);
            weather.crash = dice.choice([0, 0, 100]).unwrap_or_default();
            weather.crashes_left = 2;
            weather.lose_created = dice.choice([0, 0, 4_000]).unwrap_or_default();
            weather.late = dice.choice([0, 0, 1_500]).unwrap_or_default();
        }
    }
    if is(Profile::Clocks) {
        let step = |dice: &mut Rng| dice.i64(-60_000_000..60_000_000);
        add(dice, 2, &mut |dice| Blow::StepStore(step(dice)));
        add(dice, 2, &mut |dice| {
            Blow::StepWorker(dice.usize(0..workers), step(dice))
        });
    }
    if is(Profile::Restarts) {
        add(dice, 4, &mut |dice| Blow::Terminate(dice.usize(0..workers)));
    }
    if is(Profile::Providers) {
        weather.provider_error = dice.u32(0..1_200) / share;
        add(dice, 1, &mut |dice| {
            Blow::StopProviders(Duration::from_millis(dice.u64(500..15_000)))
        });
        if profile == Profile::Providers {
            add(dice, 2, &mut |dice| Blow::LoseDeployment(dice.usize(0..2)));
        }
    }
    if profile == Profile::Outrun {
        // The holder hears of its lost lease at its next renewal, not when it is lost.
        weather.lose_notice = dice.choice([5_000, 10_000]).unwrap_or_default();
        weather.provider_latency = (Duration::from_millis(200), Duration::from_millis(900));
        for end in scenario.ends() {
            let at = end + Duration::from_millis(dice.u64(20..400));
            let step = ttl + Duration::from_millis(dice.u64(1..30_000));
            let micros = i64::try_from(step.as_micros()).unwrap_or(i64::MAX);
            blows.push((at, Blow::StepStore(micros)));
        }
    }
    blows.sort_by_key(|(at, _)| *at);
    Faults { weather, blows }
}
