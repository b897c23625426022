//! What is known of a run: plain facts, so that a checker can be tried with made-up ones.

use std::{collections::BTreeMap, fmt, time::Duration};

/// What an event asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Update,
    End,
}

/// An event's name: in the context's order, an end above an update of its revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Event {
    /// `tenant/context`.
    pub(crate) context: String,
    pub(crate) revision: u64,
    pub(crate) kind: Kind,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Update => "updated",
            Kind::End => "ended",
        };
        write!(f, "{}/{}/{kind}", self.context, self.revision)
    }
}

/// An event that was published, once or several times.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) event: Event,
    /// When the broker confirmed a copy, from the run's beginning; `None` where no copy's fate is known.
    pub(crate) confirmed_at: Option<Duration>,
    /// How many copies were sent.
    pub(crate) copies: u32,
}

/// How an event ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ready { deployment: String },
    Removed,
    Superseded,
    Failed { code: String },
    Rejected,
}

impl End {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Removed => "removed",
            Self::Superseded => "superseded",
            Self::Failed { .. } => "failed",
            Self::Rejected => "rejected",
        }
    }
}

/// A result that ends an event, as it was delivered.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) event: Event,
    pub(crate) id: String,
    pub(crate) end: End,
    pub(crate) at: Duration,
}

/// A create that the provider carried out, as far as its books tell.
#[derive(Clone, Debug)]
pub(crate) struct Create {
    pub(crate) context: String,
    pub(crate) revision: u64,
    pub(crate) at: Duration,
}

/// An alias that the provider moved.
#[derive(Clone, Debug)]
pub(crate) struct AliasMove {
    pub(crate) deployment: String,
    pub(crate) at: Duration,
}

/// A deployment that the provider has.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: String,
    pub(crate) context: String,
    pub(crate) revision: u64,
}

/// A context's record when everything was over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Final {
    /// What it has as live: revision and deployment.
    pub(crate) live: Option<(u64, String)>,
    /// The deployment that its alias shows at the provider.
    pub(crate) shown: Option<String>,
}

/// How many counted against a tenant's limit at an instant.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) tenant: String,
    pub(crate) used: u64,
    pub(crate) at: Duration,
}

/// What the run's faults leave room for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bounds {
    /// The store lost its memory on purpose: what RELIABILITY.md says of that is allowed, and counted.
    pub(crate) memory_lost: bool,
    /// An update may fail: a provider was ill for longer than attempts last, or the event is poison.
    pub(crate) may_fail: bool,
    /// Deployments beyond one for each revision.
    pub(crate) extra_creates: u64,
    /// How long after an event's end a create for it may still come in: what was under way when its holder lost the lease.
    pub(crate) late: Duration,
    /// A tenant's concurrent builds.
    pub(crate) limit: Option<u64>,
    /// Of contexts in a storm: creates that are free, and for how long each further one stands.
    pub(crate) storm: Option<(u64, Duration)>,
    /// Contexts under load show a fresh preview at least so often.
    pub(crate) fresh_every: Option<Duration>,
}

/// Everything that is known of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) published: Vec<Published>,
    /// In the order of arrival.
    pub(crate) heard: Vec<Heard>,
    pub(crate) creates: Vec<Create>,
    pub(crate) alias_moves: Vec<AliasMove>,
    /// After one sweep.
    pub(crate) after_one: Vec<Standing>,
    /// After two.
    pub(crate) after_two: Vec<Standing>,
    pub(crate) records: BTreeMap<String, Final>,
    pub(crate) samples: Vec<Sample>,
    /// When the last event was published.
    pub(crate) loaded_until: Duration,
    pub(crate) bounds: Bounds,
}
