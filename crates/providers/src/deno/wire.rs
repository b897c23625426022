//! What goes over the wire, as far as Foreshow needs it. Fields that we do not read are left out; unknown words of the vendor's
//! are kept apart from known ones instead of failing the whole answer.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Labels as they are read: texts, or lists of texts; and whatever others may have put there.
pub(super) type Labels = BTreeMap<String, Value>;

/// An app, in full or as a list has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct App {
    pub(super) slug: String,
    #[serde(default)]
    pub(super) labels: Labels,
    /// Only in full. A secret's value is not told.
    #[serde(default)]
    pub(super) env_vars: Vec<EnvVar>,
    #[serde(default)]
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) updated_at: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct EnvVar {
    pub(super) id: String,
    pub(super) key: String,
}

#[derive(Debug, Serialize)]
pub(super) struct NewApp<'a> {
    pub(super) slug: &'a str,
    pub(super) labels: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env_vars: Vec<EnvChange<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct AppChange<'a> {
    pub(super) env_vars: Vec<EnvChange<'a>>,
}

/// One variable of an app. No `Debug` of the value: it is a secret.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EnvChange<'a> {
    Set {
        /// Of the variable that is replaced.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        key: &'a str,
        value: &'a str,
        secret: bool,
        /// `all`: builds, previews and what is live.
        contexts: &'static str,
    },
    Remove {
        id: &'a str,
        delete: bool,
    },
}

impl std::fmt::Debug for EnvChange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Set { key, .. } => write!(f, "set {key}"),
            Self::Remove { id, .. } => write!(f, "remove {id}"),
        }
    }
}

/// How an app is built and served. Replaces the app's own whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) framework: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) install: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) runtime: Option<Runtime>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Runtime {
    Dynamic { entrypoint: String },
    Static { cwd: String, spa: bool },
}

#[derive(Debug, Serialize)]
pub(super) struct Deploy<'a> {
    pub(super) assets: BTreeMap<&'a str, Asset<'a>>,
    pub(super) config: Config,
    pub(super) labels: BTreeMap<&'static str, String>,
    /// Whether the app's production host shows it at once. Never: that is what moving the alias is for.
    pub(super) production: bool,
    /// Whether it has a host of its own.
    pub(super) preview: bool,
}

/// A file; `utf-8` is the default encoding, and text takes a third less room so.
#[derive(Debug, Serialize)]
pub(super) struct Asset<'a> {
    pub(super) kind: &'static str,
    pub(super) encoding: &'static str,
    pub(super) content: Cow<'a, str>,
}

/// A revision, in full or as a list has it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Revision {
    pub(super) id: String,
    pub(super) status: Status,
    #[serde(default)]
    pub(super) failure_reason: Option<FailureReason>,
    #[serde(default)]
    pub(super) failure_detail: Option<FailureDetail>,
    #[serde(default)]
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) deleted_at: Option<String>,
    /// Only in full.
    #[serde(default)]
    pub(super) timelines: Vec<Timeline>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Queued,
    Building,
    Succeeded,
    Failed,
    Skipped,
    #[serde(other)]
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FailureReason {
    Error,
    Cancelled,
    TimedOut,
    Skipped,
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct FailureDetail {
    #[serde(default)]
    pub(super) stage: String,
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

/// Where a revision is served now. Follows what was asked by seconds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Timeline {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) context: String,
    #[serde(default)]
    pub(super) hostnames: Vec<String>,
}

impl Timeline {
    pub(super) fn is_production(&self) -> bool {
        self.context.eq_ignore_ascii_case("production")
            || self.name.eq_ignore_ascii_case("production")
    }
}

/// Hosts to bind to a revision.
#[derive(Debug, Serialize)]
pub(super) struct Hosts<'a> {
    pub(super) production: [&'a str; 1],
}

#[derive(Debug, Serialize)]
pub(super) struct NewDomain<'a> {
    pub(super) domain: &'a str,
}

/// A domain of somebody's own.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Domain {
    #[serde(default)]
    pub(super) is_validated: bool,
    /// Several sets, any one of which will do.
    #[serde(default)]
    pub(super) dns_records: Vec<Vec<DnsRecord>>,
    #[serde(default)]
    pub(super) provisioning_status: Provisioning,
    #[serde(default)]
    pub(super) certificates: Vec<serde::de::IgnoredAny>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct DnsRecord {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) base: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) value: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Provisioning {
    #[serde(default)]
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// A line of a build's log.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LogLine {
    pub(super) message: String,
}
