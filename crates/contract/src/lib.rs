//! What Foreshow says to other services, and they to it: context events in, results out.
//!
//! No I/O, no clock but [`Timestamp::now`], nothing about brokers or providers: a Rust client can depend on this crate
//! alone. Wire words and shapes here are promises; `schemas/` and `vectors/` beside the sources are the same promises
//! for other languages, and tests keep all three equal.
//!
//! - [`decode`]: a [`RawMessage`] of either CloudEvents mode, structured or binary, to an [`IncomingEvent`]; what can't
//!   be read is a [`Rejection`]. [`decode_routed`] also holds it against its routing key. [`encode`] and [`encode_binary`] are the way back.
//! - [`ResultEvent`]: what consumers hear, written and read in either mode, with [`result_id`] and [`routing_key`].
//! - [`ContextKey`], [`Revision`], [`Ordinal`], [`HostLabel`]: the names and the order everything else relies on.
//! - [`schema::all`] and [`asyncapi::document`]: the JSON Schemas, and which of them travels where, generated from
//!   these types.
#![warn(missing_docs)]

pub mod asyncapi;
mod canonical;
mod cloudevents;
mod content;
mod digest;
mod escape;
mod event;
mod event_time;
mod headers;
mod label;
mod names;
mod opaque;
mod ordinal;
mod rejection;
mod reset;
mod result;
mod revision;
pub mod schema;
mod settings;
mod time;
mod wire;

pub use cloudevents::{
    BinaryMessage, MAX_EVENT_BYTES, RawMessage, STRUCTURED_JSON, decode, decode_routed, encode,
    encode_binary,
};
pub use content::{BundleRef, Content, ContentError, Encoding, InlineFile};
pub use digest::{DigestError, Hex32, Sha256};
pub use escape::{escape, unescape};
pub use event::{
    ContextEnded, ContextEvent, ContextExpired, ContextReset, ContextTouched, ContextUpdated,
    Envelope, IncomingEvent,
};
pub use headers::{HeaderValue, Headers};
pub use label::{HostLabel, InstallationKey, InstallationKeyError, LabelError};
pub use names::{ContextId, ContextKey, NameError, TenantId};
pub use opaque::{DeploymentId, FailureCode, ProviderName};
pub use ordinal::{EventKind, Ordinal, OrdinalKind};
pub use rejection::{RejectedEvent, Rejection, RejectionCode};
pub use reset::{ResetId, ResetIdError};
pub use result::{
    Amount, AttemptReport, Building, BuildingState, CouldIgnore, DomainReport, DomainWord,
    EstimatedCost, Failed, FailureReport, IgnoredFile, OutcomeKind, OutcomeMark, RESULT_SOURCE,
    Ready, Rejected, RemovalReason, Removed, ResultBody, ResultDecodeError, ResultEvent,
    SizeReport, SizedFile, Superseded, Timings, Winner, event_routing_key, rejected_id, result_id,
    routing_key,
};
pub use revision::{Revision, RevisionError};
pub use settings::{App, Framework, Retention, Routing, Secret, Strategy};
pub use time::{Timestamp, TimestampError};
