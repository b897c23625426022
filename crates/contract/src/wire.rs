//! The data of context events as JSON has it: the one description that decoding, encoding and the schemas share.
//!
//! Unknown fields are tolerated, so that upstream may send more than we read, and an explicit `null` is the same as
//! absence. These types hold no rule that needs two fields or a code of its own; those are in
//! [`cloudevents::resolve`](crate::cloudevents).

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Encoding, Framework, Secret, Strategy};

/// A context has new content: deploy it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "required": ["files"], "properties": { "files": { "type": "array" }, "bundle": { "type": "null" } } },
    { "required": ["bundle"], "properties": { "bundle": { "type": "object" }, "files": { "type": "null" } } },
]))]
pub(crate) struct UpdatedData {
    #[schemars(with = "crate::ContextId")]
    pub(crate) context_id: String,
    #[schemars(with = "crate::TenantId")]
    pub(crate) tenant_id: String,
    /// Grows with every update and end of the context. Left out, the envelope's `time` stands in, in microseconds, if
    /// it has a fraction of a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::revision_as_read")]
    pub(crate) revision: Option<Value>,
    /// The files themselves. Exactly one of `files` and `bundle` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<Vec<FileData>>,
    /// An archive that holds the files. Exactly one of `files` and `bundle` is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bundle: Option<BundleData>,
    /// Environment variables of the build and of the running app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) env: Option<BTreeMap<String, Secret>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<AppData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) routing: Option<RoutingData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retention: Option<RetentionData>,
    /// Domains that shall show the context's live revision, beside its stable address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domains: Option<Vec<String>>,
    /// Which arm of an A/B comparison this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
    /// Free-form, for filters and dashboards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) labels: Option<BTreeMap<String, String>>,
}

/// A context is over: remove what was deployed for it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndedData {
    #[schemars(with = "crate::ContextId")]
    pub(crate) context_id: String,
    #[schemars(with = "crate::TenantId")]
    pub(crate) tenant_id: String,
    /// Everything up to and including this revision goes. Left out, the envelope's `time` stands in, in microseconds,
    /// if it has a fraction of a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::revision_as_read")]
    pub(crate) revision: Option<Value>,
    /// Why, in the sender's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// A context is still wanted: its retention starts anew.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TouchedData {
    #[schemars(with = "crate::ContextId")]
    pub(crate) context_id: String,
    #[schemars(with = "crate::TenantId")]
    pub(crate) tenant_id: String,
}

/// The retention of a context's preview is over. Foreshow's own: no schema of it is published.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExpiredData {
    pub(crate) context_id: String,
    pub(crate) tenant_id: String,
    /// The newest revision that was wanted when this was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<Value>,
}

/// A context is to be forgotten. Foreshow's own: no schema of it is published.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
pub(crate) struct ResetData {
    pub(crate) context_id: String,
    pub(crate) tenant_id: String,
    /// Names this reset.
    pub(crate) reset_id: String,
}

/// A file inside the event.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileData {
    /// The path below the site's root, with `/` between folders.
    pub(crate) path: String,
    /// The file's text, or its bytes in base64.
    pub(crate) content: String,
    /// How `content` is written; `utf8` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<Encoding>,
}

/// An archive: tar, tar.gz, tar.zst or zip.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BundleData {
    /// Where to fetch it.
    #[schemars(length(min = 1))]
    pub(crate) url: String,
    /// What it must be once fetched.
    #[schemars(with = "crate::Sha256")]
    pub(crate) sha256: String,
}

/// How the app is built and started.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppData {
    /// What it is made with; `static` where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Framework>")]
    pub(crate) framework: Option<String>,
    /// The file that starts it, for frameworks that run code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<String>,
    /// The command that builds it, in place of the framework's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) build_command: Option<String>,
    /// The folder that the build leaves the site in, in place of the framework's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_directory: Option<String>,
    /// Whether an unknown path is answered with `/index.html`; no, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spa_fallback: Option<bool>,
}

/// Where the revision may be deployed.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoutingData {
    /// The providers to consider, the favourite first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) providers: Option<Vec<String>>,
    /// How to choose among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<Strategy>,
}

/// How long the preview is kept.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetentionData {
    /// How long after the context's last event, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl_seconds: Option<NonZeroU64>,
    /// How many revisions stay deployed, the live one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_revisions: Option<NonZeroU32>,
}
