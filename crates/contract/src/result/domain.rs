//! What became of the domains of the tenant's own that an update asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A domain, and whether it shows the preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainReport {
    /// The domain.
    pub domain: String,
    /// How it stands.
    pub state: DomainWord,
    /// DNS records that are missing, as `TYPE NAME VALUE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// Why it does not show the preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How a domain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DomainWord {
    /// It shows this revision.
    Bound,
    /// It will, with the next update after whoever has it has set the records.
    Unverified,
    /// It could not be moved now; the next update tries again.
    Pending,
    /// It will not.
    Refused,
}
