//! What the engine asks of the outside: the broker, the store, the providers, the clock, and a source of bundles.
//!
//! Ports are named for their role; adapters, in other crates, for their product. Every adapter of a port must keep the
//! same promises, which its trait states.

mod broker;
mod bundles;
mod clock;
mod dead_letters;
mod provider;
mod store;

pub use broker::{
    Broker, BrokerError, DeadLetterReason, Delay, Deliveries, Delivery, Message, Pull, Queue,
    Receipt, ResultFilter, Results,
};
pub use bundles::{BundleFile, BundleVault, Bundles, BundlesError};
pub use clock::Clock;
pub use dead_letters::{
    Attempts, DeadLetter, DeadLetters, Decided, LetterId, LetterIdError, NotReplayable,
};
pub use provider::{
    Address, BuildState, Capabilities, CreateRequest, Created, Deployment, DomainState, Inventory,
    Probe, ProbeQuestion, Provider, ProviderCheck, ProviderError,
};
pub use store::{
    Admission, AdmitRequest, Claim, Claimed, ContextSummary, Happening, HistoryEntry, Place,
    Purpose, QuotaMember, QuotaSet, Renewal, Settlement, Settling, Store, StoreError, Watch,
};
