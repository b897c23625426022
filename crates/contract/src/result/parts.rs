//! What results are made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FailureCode, Ordinal, ProviderName, Timestamp};

/// The newer event that took a superseded one's place.
pub type Winner = Ordinal;

/// Where a preview's time went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// Waiting: from the event's arrival until work on it began.
    pub queued_ms: u64,
    /// Fetching, unpacking and digesting the files.
    pub prepared_ms: u64,
    /// Handing the files to the provider.
    pub uploaded_ms: u64,
    /// The provider's build, and until the URL answered.
    pub built_ms: u64,
    /// All of it.
    pub total_ms: u64,
}

/// Why a preview could not be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureReport {
    /// A stable snake_case word.
    pub code: FailureCode,
    /// What happened and how to mend it, for people.
    pub message: String,
    /// Where it failed, if it got that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Each attempt and its own error, oldest first.
    #[serde(default)]
    pub attempts: Vec<AttemptReport>,
    /// For a failed build, the last lines of the provider's log.
    #[serde(default)]
    pub log_tail: Vec<String>,
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptReport {
    /// Counting from 1.
    pub number: u32,
    /// When it failed.
    pub at: Timestamp,
    /// Where, if it got that far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// A stable snake_case word.
    pub code: FailureCode,
    /// What happened, for people.
    pub message: String,
}
