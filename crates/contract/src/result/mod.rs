//! What consumers hear: every event's end, and the way there.
//!
//! A result's id is a function of what it is about, so that a repeat has the same id and a consumer can drop it; a
//! result's routing key says which outcome, whose, and for which context.

mod body;
mod cost;
mod domain;
mod event;
mod message;
mod name;
mod outcome;
mod parts;
mod size;

pub use body::{Building, Failed, Ready, Rejected, Removed, ResultBody, Superseded};
pub use cost::{Amount, EstimatedCost};
pub use domain::{DomainReport, DomainWord};
pub use event::{RESULT_SOURCE, ResultDecodeError, ResultEvent};
pub use name::{event_routing_key, rejected_id, result_id, routing_key};
pub use outcome::{BuildingState, OutcomeKind, OutcomeMark, RemovalReason};
pub use parts::{AttemptReport, FailureReport, Timings, Winner};
pub use size::{CouldIgnore, IgnoredFile, SizeReport, SizedFile};
