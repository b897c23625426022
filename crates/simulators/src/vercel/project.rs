//! A project: settings, environment, domains, and who may look at its previews.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{domains::Domain, env::EnvVar};

/// The settings that a project remembers and a deployment may bring.
pub(super) const SETTINGS: [&str; 9] = [
    "framework",
    "buildCommand",
    "devCommand",
    "installCommand",
    "outputDirectory",
    "rootDirectory",
    "nodeVersion",
    "commandForIgnoringBuildStep",
    "buildMachine",
];

/// A project.
#[derive(Clone, Debug)]
pub(super) struct Project {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) created_ms: u64,
    pub(super) updated_ms: u64,
    pub(super) settings: Map<String, Value>,
    /// Whether anybody has told settings yet, be it that there are none.
    pub(super) is_set_up: bool,
    /// `{"deploymentType": …}` or null.
    pub(super) sso_protection: Value,
    /// Other fields that were told, as they were told.
    pub(super) others: Map<String, Value>,
    /// Secrets that let in, and what is told about each.
    pub(super) bypasses: BTreeMap<String, Value>,
    pub(super) env: Vec<EnvVar>,
    /// By name.
    pub(super) domains: BTreeMap<String, Domain>,
}

impl Project {
    pub(super) fn new(owner: &str, name: &str, protection: Option<&str>, now_ms: u64) -> Self {
        Self {
            id: super::ids::new("prj_", 28),
            owner: owner.to_owned(),
            name: name.to_owned(),
            created_ms: now_ms,
            updated_ms: now_ms,
            settings: Map::new(),
            is_set_up: false,
            sso_protection: protection.map_or(Value::Null, |kind| json!({"deploymentType": kind})),
            others: Map::new(),
            bypasses: BTreeMap::new(),
            env: Vec::new(),
            domains: BTreeMap::new(),
        }
    }

    /// Takes over the settings that are told.
    pub(super) fn set_up(&mut self, told: &Map<String, Value>) {
        for name in SETTINGS {
            if let Some(value) = told.get(name) {
                self.settings.insert(name.to_owned(), value.clone());
                self.is_set_up = true;
            }
        }
    }

    /// Whom it keeps out, in Vercel's words.
    pub(super) fn protection(&self) -> Option<&str> {
        self.sso_protection.get("deploymentType")?.as_str()
    }

    pub(super) fn to_json(&self) -> Value {
        let mut object = self.others.clone();
        let mut say = |name: &str, value: Value| object.insert(name.to_owned(), value);
        for name in SETTINGS {
            say(
                name,
                self.settings.get(name).cloned().unwrap_or(Value::Null),
            );
        }
        say("id", json!(self.id));
        say("accountId", json!(self.owner));
        say("name", json!(self.name));
        say("createdAt", json!(self.created_ms));
        say("updatedAt", json!(self.updated_ms));
        say("ssoProtection", self.sso_protection.clone());
        say("protectionBypass", json!(self.bypasses));
        say(
            "env",
            json!(
                self.env
                    .iter()
                    .map(|one| one.to_json(false))
                    .collect::<Vec<_>>()
            ),
        );
        say("live", json!(false));
        Value::Object(object)
    }
}
