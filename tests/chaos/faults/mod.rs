//! The faults, by their numbers in the project's plan of faults; a room for each family.
//!
//! | room | faults |
//! | --- | --- |
//! | `broker` | killed, restarted, cut off, its consumers cancelled, out of memory, a queue gone |
//! | `redis` | killed without persistence, emptied, cut off from half the workers, renewals that fail |
//! | `workers` | killed, asked to go, frozen, blocked, with one name for two |
//! | `provider` | everything that an API does on a bad day |
//! | `input` | repeats, storms, ends between updates, poison |
//!
//! What a fault does follows from the seed; when exactly it hits depends on the machine, as it does in life.

mod broker;
mod input;
mod provider;
mod redis;
mod workers;

use std::time::{Duration, Instant};

use crate::{
    check::Bounds,
    load::Shape,
    world::{LIMIT, MARGIN, TTL, World},
};

/// What there is to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    F2,
    F3,
    F4,
    F5,
    F6,
    F7,
    F8,
    F9,
    F10,
    F11,
    F13,
    F15,
    F16,
    F17,
    F18,
    F19,
    F20,
    F21,
    F22,
}

/// Faults of the plan that this runner does not do, and why.
pub(crate) const NOT_COVERED: [(&str, &str); 9] = [
    (
        "F1",
        "partitions of a three-node broker: one node runs here",
    ),
    (
        "F3 (upgrade)",
        "one version of RabbitMQ is installed; the restart is done",
    ),
    (
        "F4 (loss)",
        "5 % packet loss needs the kernel's traffic control",
    ),
    (
        "F5 (time-out)",
        "RabbitMQ looks for overdue consumers once a minute; the broker adapter's tests do it",
    ),
    ("F7 (length)", "the queues have no length limit"),
    ("F12", "clock steps and drift: the clock is the machine's"),
    ("F14", "fail-over of Redis by Sentinel or Cluster"),
    (
        "F22 (webhooks)",
        "duplicated webhooks: no gateway runs here",
    ),
    (
        "F23 to F29",
        "floods of a tenant, delay accuracy, replay, backlog, scaling, full disks, soak: other tests and benchmarks, or open",
    ),
];

/// What was done, and what it may explain.
#[derive(Debug, Default)]
pub(crate) struct Strikes {
    /// In words and numbers.
    pub(crate) dose: String,
    /// From SIGKILL, or a freeze, until another holder goes on.
    pub(crate) take_over: Vec<Duration>,
    /// The same from SIGTERM.
    pub(crate) hand_over: Vec<Duration>,
    /// Second deployments that the strikes explain.
    pub(crate) extra_creates: u64,
    /// Workers carry failure points, and are to be replaced.
    pub(crate) are_armed: bool,
    /// What went wrong that no log tells of.
    pub(crate) troubles: Vec<String>,
}

/// What a strike has at hand.
pub(crate) struct Strike<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) rng: &'a mut fastrand::Rng,
    /// The load is over then, and so should be the strikes.
    pub(crate) until: Instant,
    /// Contexts' names begin so.
    pub(crate) prefix: &'a str,
}

impl Strike<'_> {
    /// Whether the load goes on.
    fn goes_on(&self) -> bool {
        Instant::now() < self.until
    }

    /// How long the load goes on.
    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 19] = [
        Self::F18,
        Self::F19,
        Self::F20,
        Self::F21,
        Self::F2,
        Self::F3,
        Self::F4,
        Self::F5,
        Self::F6,
        Self::F7,
        Self::F8,
        Self::F9,
        Self::F10,
        Self::F11,
        Self::F13,
        Self::F15,
        Self::F16,
        Self::F17,
        Self::F22,
    ];

    /// Its number in the plan.
    pub(crate) fn number(self) -> String {
        format!("{self:?}")
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F2 => "broker killed",
            Self::F3 => "broker restarted",
            Self::F4 => "connections cut, half-open, slow",
            Self::F5 => "consumers cancelled",
            Self::F6 => "memory alarm",
            Self::F7 => "dead-letter queue gone",
            Self::F8 => "worker killed at each point",
            Self::F9 => "worker asked to go at each point",
            Self::F10 => "worker frozen beyond its lease",
            Self::F11 => "executor blocked",
            Self::F13 => "Redis killed without persistence, emptied",
            Self::F15 => "Redis cut off from half the workers",
            Self::F16 => "renewals fail while the job goes on",
            Self::F17 => "one name for two workers",
            Self::F18 => "repeats ×5, shuffled",
            Self::F19 => "storms",
            Self::F20 => "ends between updates",
            Self::F21 => "poison",
            Self::F22 => "provider's bad day",
        }
    }

    /// The load under which it strikes.
    pub(crate) fn shape(self, contexts: usize, lasts: Duration) -> Shape {
        let usual = Shape {
            contexts,
            revisions: 6,
            ends_percent: 12,
            copies: 1,
            late_percent: 15,
            lasts,
        };
        match self {
            Self::F18 => Shape {
                contexts: contexts.div_ceil(2),
                copies: 5,
                late_percent: 100,
                ..usual
            },
            // An update of each every 40 ms.
            Self::F19 => Shape {
                // More would only measure how fast this process publishes.
                contexts: contexts.div_ceil(10).min(3),
                revisions: u64::try_from(lasts.as_millis() / 40).unwrap_or(u64::MAX),
                ends_percent: 0,
                late_percent: 0,
                ..usual
            },
            Self::F20 => Shape {
                ends_percent: 45,
                ..usual
            },
            Self::F2
            | Self::F3
            | Self::F4
            | Self::F5
            | Self::F6
            | Self::F7
            | Self::F10
            | Self::F11
            | Self::F13
            | Self::F15
            | Self::F16
            | Self::F17
            | Self::F21 => usual,
            // Eight points, or eight kinds, one after another.
            Self::F8 | Self::F9 | Self::F22 => Shape {
                lasts: lasts * 2,
                ..usual
            },
        }
    }

    /// What it leaves room for, beside what its strikes explain.
    pub(crate) fn bounds(self, strikes: &Strikes) -> Bounds {
        let usual = Bounds {
            extra_creates: strikes.extra_creates,
            // A call that was under way when its holder lost the lease, and the log's own delay.
            late: TTL + MARGIN,
            limit: Some(LIMIT),
            ..Bounds::default()
        };
        match self {
            Self::F13 => Bounds {
                memory_lost: true,
                ..usual
            },
            Self::F19 => input::storm_bounds(usual),
            Self::F2
            | Self::F3
            | Self::F4
            | Self::F5
            | Self::F6
            | Self::F7
            | Self::F8
            | Self::F9
            | Self::F10
            | Self::F11
            | Self::F15
            | Self::F16
            | Self::F17
            | Self::F18
            | Self::F20
            | Self::F21
            | Self::F22 => usual,
        }
    }

    /// Strikes while the load goes on. What it broke may still be broken when it returns.
    pub(crate) async fn strike(self, strike: Strike<'_>) -> Strikes {
        match self {
            Self::F2 => broker::killed(strike).await,
            Self::F3 => broker::restarted(strike).await,
            Self::F4 => broker::cut(strike).await,
            Self::F5 => broker::cancelled(strike).await,
            Self::F6 => broker::alarmed(strike).await,
            Self::F7 => broker::without_dead_letters(strike).await,
            Self::F8 => workers::killed(strike).await,
            Self::F9 => workers::asked(strike).await,
            Self::F10 => workers::frozen(strike).await,
            Self::F11 => workers::blocked(strike).await,
            Self::F13 => redis::forgets(strike).await,
            Self::F15 => redis::cut_off(strike).await,
            Self::F16 => redis::renewals_fail(strike).await,
            Self::F17 => workers::named_twice(strike).await,
            Self::F18 => input::repeats(strike).await,
            Self::F19 => input::storms(strike).await,
            Self::F20 => input::ends(strike).await,
            Self::F21 => input::poison(strike).await,
            Self::F22 => provider::bad_day(strike).await,
        }
    }
}
