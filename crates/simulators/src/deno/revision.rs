//! One revision: what was deployed, its build, its hosts, and how all of it is told.

use serde_json::{Value, json};

use super::assets::Assets;
use super::build::{Build, Ending, Status};
use super::config::Config;
use super::hosts::{Binding, Lane};
use super::labels::Labels;
use super::layers::references;
use super::organization::Organization;
use super::rfc3339;
use crate::core::site::Files;

/// How long a revision is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    Auto,
    Indefinite,
}

impl Retention {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Indefinite => "indefinite",
        }
    }
}

/// One revision.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) number: u64,
    pub(crate) id: String,
    /// Its app's id.
    pub(crate) app: String,
    pub(crate) labels: Labels,
    pub(crate) layers: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) config: Option<Config>,
    pub(crate) retention: Retention,
    pub(crate) assets: Assets,
    /// What it serves.
    pub(crate) files: Files,
    pub(crate) build: Build,
    /// How long after its end it is seen at its hosts.
    pub(crate) routing_ms: u64,
    pub(crate) bindings: Vec<Binding>,
}

impl Revision {
    /// From when on it can be seen at its hosts; `None` where it did not succeed.
    pub(crate) fn seen_from(&self) -> Option<u64> {
        Some(self.build.succeeds_at()?.saturating_add(self.routing_ms))
    }

    /// Whether a binding of its is seen, be it that a newer revision hides it.
    pub(crate) fn sees(&self, binding: &Binding, now: u64) -> bool {
        self.seen_from().is_some_and(|from| now >= from) && binding.is_seen(now)
    }

    /// The lanes in which it is seen at a host.
    pub(crate) fn seen_lanes(&self, bare_host: &str, now: u64) -> impl Iterator<Item = Lane> {
        self.bindings
            .iter()
            .filter(move |binding| binding.leads(bare_host) && self.sees(binding, now))
            .map(|binding| binding.lane)
    }

    /// The lanes in which it is wired, seen yet or not.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = Lane> {
        Lane::ALL.into_iter().filter(|lane| {
            self.bindings
                .iter()
                .any(|binding| binding.lane == *lane && binding.until.is_none())
        })
    }

    pub(crate) fn list_item(&self, now: u64) -> Value {
        let status = self.build.status(now);
        let finished = self.build.ends_at().filter(|end| now >= *end);
        json!({
            "id": self.id,
            "status": status.word(),
            "failure_reason": status.failure_reason(),
            "labels": self.labels.to_json(),
            "created_at": rfc3339(self.build.created_at),
            "cancellation_requested_at": self.build.cancel_requested_at.map(rfc3339),
            "build_finished_at": finished.map(rfc3339),
            "deleted_at": null,
            "retention": self.retention.word(),
        })
    }

    pub(crate) fn to_json(&self, org: &Organization, now: u64) -> Value {
        let mut told = self.list_item(now);
        told["failure_detail"] = match (&self.build.ending, self.build.status(now)) {
            (Ending::WarmupFails { code, message }, Status::Failed(_))
                if self.build.cancel_requested_at.is_none() =>
            {
                json!({ "stage": "warmup", "code": code, "message": message })
            }
            _ => Value::Null,
        };
        told["layers"] = references(org, &self.layers);
        told["env_vars"] = self
            .env
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value }))
            .collect();
        told["config"] = self
            .config
            .as_ref()
            .map_or_else(|| json!({}), |config| config.to_json().clone());
        told["timelines"] = self
            .lanes()
            .map(|lane| {
                json!({
                    "name": lane.name(),
                    "context": lane.context(),
                    "hostnames": org.hosts_of(self, lane, now),
                })
            })
            .collect();
        told
    }

    /// Its part in a timeline.
    pub(crate) fn timeline(&self, org: &Organization, lane: Lane, now: u64) -> Value {
        let slug = org.app(&self.app).map_or("", |app| app.slug.as_str());
        let domains: Vec<Value> = org
            .hosts_of(self, lane, now)
            .into_iter()
            .map(|host| json!({ "domain": host }))
            .collect();
        json!({
            "slug": lane.slug(),
            "partition": self.partition(lane),
            "app": { "id": self.app, "slug": slug },
            "context": { "slug": lane.context() },
            "domains": domains,
        })
    }

    /// What tells its timeline from others of the same lane.
    pub(crate) fn partition(&self, lane: Lane) -> Value {
        match lane {
            Lane::Production => json!({}),
            Lane::Preview => json!({ "deno.revision.id": self.id }),
        }
    }
}
