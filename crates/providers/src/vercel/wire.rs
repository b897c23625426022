//! Vercel's shapes, as far as they are used. What is not used is not read, so a field more or less there breaks nothing here.
//!
//! Instants are milliseconds; the API's document says only "number", hence `f64`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Reads `null` as nothing, as if the field were not there.
fn or_nothing<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A deployment: as it is created and got, and, with other names for some fields, as it is listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Deployment {
    pub(super) id: Option<String>,
    /// Its id in lists.
    pub(super) uid: Option<String>,
    /// A host without a scheme; `null` in lists while the deployment is incomplete.
    pub(super) url: Option<String>,
    pub(super) ready_state: Option<String>,
    /// In lists, beside or instead of `readyState`.
    pub(super) state: Option<String>,
    #[serde(deserialize_with = "or_nothing")]
    pub(super) meta: BTreeMap<String, Value>,
    /// Whether, or since when, its automatic aliases show it.
    pub(super) alias_assigned: Option<Value>,
    pub(super) alias_error: Option<Value>,
    pub(super) ready: Option<f64>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) seat_block: Option<SeatBlock>,
    pub(super) deleted: Option<f64>,
    pub(super) soft_deleted_by_retention: Option<bool>,
    pub(super) project_id: Option<String>,
}

impl Deployment {
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref().or(self.uid.as_deref())
    }

    pub(super) fn state(&self) -> &str {
        let state = self.ready_state.as_deref().or(self.state.as_deref());
        state.unwrap_or_default()
    }
}

/// Why a deployment is blocked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SeatBlock {
    pub(super) block_code: Option<String>,
}

/// A page of deployments.
#[derive(Debug, Deserialize)]
pub(super) struct Deployments {
    pub(super) deployments: Vec<Deployment>,
    #[serde(default, deserialize_with = "or_nothing")]
    pub(super) pagination: Pagination,
}

/// Where the next page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pagination {
    pub(super) next: Option<f64>,
}

/// What the body of a refused create says beside its code.
#[derive(Debug, Deserialize)]
pub(super) struct MissingFiles {
    pub(super) error: Missing,
}

#[derive(Debug, Deserialize)]
pub(super) struct Missing {
    pub(super) missing: Vec<String>,
}

/// What is asked for when a deployment is created. No `Debug`: it holds environment values.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewDeployment<'a> {
    pub(super) name: &'a str,
    pub(super) project: &'a str,
    pub(super) files: Vec<File<'a>>,
    pub(super) meta: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<&'a str>,
    pub(super) project_settings: ProjectSettings<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<BuildEnv<'a>>,
}

#[derive(Serialize)]
pub(super) struct BuildEnv<'a> {
    pub(super) env: BTreeMap<&'a str, &'a str>,
}

/// A file of a new deployment.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum File<'a> {
    Inline {
        file: &'a str,
        data: String,
        encoding: &'static str,
    },
    Digest {
        file: &'a str,
        sha: String,
        size: u64,
    },
}

/// How a deployment is built. A `null` leaves it to Vercel's detection, an empty command is none.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProjectSettings<'a> {
    pub(super) framework: Option<&'static str>,
    pub(super) build_command: Option<&'a str>,
    pub(super) install_command: Option<&'a str>,
    pub(super) output_directory: Option<&'a str>,
}

/// A project. No `Debug`: its bypasses are named by their secrets.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) sso_protection: Option<Value>,
    #[serde(deserialize_with = "or_nothing")]
    pub(super) protection_bypass: BTreeMap<String, Value>,
    #[serde(deserialize_with = "or_nothing")]
    pub(super) resource_config: ResourceConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ResourceConfig {
    pub(super) build_machine_type: Option<String>,
}

/// An alias.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Alias {
    #[serde(default)]
    pub(super) deployment_id: Option<String>,
}

/// A domain of a project.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Domain {
    pub(super) verified: bool,
    #[serde(deserialize_with = "or_nothing")]
    pub(super) verification: Vec<Challenge>,
}

/// A record that proves whose a domain is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Challenge {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) domain: String,
    pub(super) value: String,
}

/// What a domain's DNS says.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DomainConfig {
    pub(super) misconfigured: bool,
    #[serde(rename = "recommendedCNAME")]
    pub(super) recommended_cname: Vec<Ranked<String>>,
    #[serde(rename = "recommendedIPv4")]
    pub(super) recommended_ipv4: Vec<Ranked<Vec<String>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ranked<T> {
    pub(super) rank: f64,
    pub(super) value: T,
}

/// An event of a build's log, in either of its shapes.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) created: Option<f64>,
    pub(super) text: Option<String>,
    pub(super) payload: Option<EventPayload>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventPayload {
    pub(super) text: Option<String>,
}

/// Who a token belongs to.
#[derive(Debug, Deserialize)]
pub(super) struct UserAnswer {
    pub(super) user: User,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) username: String,
}

/// What Vercel tells a webhook.
#[derive(Debug, Deserialize)]
pub(super) struct Hook {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_nothing")]
    pub(super) payload: HookPayload,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct HookPayload {
    pub(super) deployment: Option<Deployment>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_null_is_nothing_and_what_is_unknown_is_not_read() {
        let page = json!({
            "deployments": [
                {"uid": "dpl_1", "url": null, "meta": null, "aliasAssigned": null, "seatBlock": null, "ready": null},
                {"id": "dpl_2", "uid": "dpl_2", "meta": {"n": 1}, "undreamtOf": {"a": []}},
            ],
            "pagination": null
        });
        let page: Deployments = serde_json::from_value(page).unwrap();
        let ids: Vec<_> = page.deployments.iter().map(Deployment::id).collect();
        assert_eq!(ids, [Some("dpl_1"), Some("dpl_2")]);
        assert_eq!(page.pagination.next, None);
        let project = json!({"id": "prj_1", "ssoProtection": null, "protectionBypass": null, "resourceConfig": null});
        let project: Project = serde_json::from_value(project).unwrap();
        assert!(project.protection_bypass.is_empty());
        let domain: Domain =
            serde_json::from_value(json!({"verified": true, "verification": null})).unwrap();
        assert!(domain.verified);
    }
}
