//! The domain of Foreshow: what happens to a context event, from its delivery to its end.
//!
//! The engine talks to the world through four ports, [`Broker`], [`Store`], [`Provider`] and [`Clock`], and one
//! source of files, [`Bundles`]. It knows no network and no wall clock of its own, so the whole lifecycle
//! runs on a paused clock with in-memory adapters (the feature `testing`).
//!
//! | room | idea |
//! | --- | --- |
//! | [`ports`] | what the engine asks of the outside |
//! | [`record`] | a context's record and its transitions, as pure functions |
//! | [`job`] | one delivery, from claim to acknowledgement |
//! | [`lease`] | keeping the right to change a context |
//! | [`worker`] | many jobs at once, and how they stop |
//! | `turns`, `backlog` | whose delivery runs next, and where a tenant's flood waits |
//! | [`tasks`] | where a worker's tasks run |
//! | [`vitals`], [`observe`] | whether a worker gets on, and what it counts |
//! | [`routing`] | which provider a revision goes to |
//! | [`gate`] | which provider's account may be called now |
//! | [`retry`], [`failure`] | what may go wrong, and what follows |
//! | [`outcome`] | how an event ended, and the results that say so |

pub mod failure;
pub mod gate;
mod gates;
pub mod job;
pub mod lease;
mod locals;
pub mod mutants;
pub mod notices;
pub mod observe;
pub mod options;
pub mod outcome;
pub mod ports;
pub mod record;
pub mod retry;
pub mod routing;
pub mod sweep;
pub mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod turns;
pub mod vitals;
pub mod worker;

pub use failure::{Failure, code};
pub use gate::{
    AccountId, Closed, Gate, GateAnswer, GateEntry, GateId, GateReport, Lane, RateLimit,
};
pub use options::{
    BuildOptions, CancelOptions, EngineOptions, LeaseOptions, OptionsError, ProbeOptions,
    RetentionOptions, SweepOptions, TenantLimits, WaitOptions, WorkerOptions,
};
pub use outcome::{Outcome, ReadyOutcome};
pub use ports::{
    Address, Admission, AdmitRequest, Attempts, Broker, BrokerError, BuildState, BundleFile,
    BundleVault, Bundles, BundlesError, Capabilities, Claim, Claimed, Clock, ContextSummary,
    CreateRequest, Created, DeadLetter, DeadLetterReason, DeadLetters, Decided, Delay, Deliveries,
    Delivery, Deployment, DomainState, Happening, HistoryEntry, Inventory, LetterId, LetterIdError,
    Message, NotReplayable, Probe, ProbeQuestion, Provider, ProviderCheck, ProviderError, Pull,
    Purpose, Queue, QuotaMember, QuotaSet, Receipt, Renewal, ResultFilter, Results, Settlement,
    Settling, Store, StoreError, Watch,
};
pub use record::{
    Cancels, ClaimAnswer, ContextRecord, ContextStatus, Expiring, GiveBack, GoLive, GoesBecause,
    HeldLease, Judgement, KnownAs, Lease, LeaseId, Live, Owner, RecordedDeployment, Recording,
    Remembered, Reset, Resetting, Seed, SettledOutcome, StaysAs, Suspect, Verdict, Waits,
};
pub use retry::{Backoff, RetryOptions};
pub use routing::{HealthOptions, Price, RoutingOptions};
pub use tasks::Tasks;
pub use vitals::Vitals;
pub use worker::{Drained, Engine, EngineParts, ShuttingDown, Worker};
