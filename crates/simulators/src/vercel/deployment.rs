//! A deployment: what it is made of, the state it is in, and the two shapes in which it is told.
//!
//! Answers about one deployment say `id`, lists say `uid`, `created` and `state`: that is Vercel's, not ours.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{options::Account, project::Project};
use crate::core::{BuildOutcome, Ground, site::Files};

/// A deployment.
#[derive(Clone, Debug)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) project: String,
    pub(super) name: String,
    /// The first label of its own host.
    pub(super) label: String,
    /// Unique among all deployments: lists are cut at it.
    pub(super) created_ms: u64,
    pub(super) target: Option<String>,
    pub(super) meta: BTreeMap<String, String>,
    pub(super) source: Option<String>,
    pub(super) env: Vec<String>,
    pub(super) build_env: Vec<String>,
    pub(super) settings: Map<String, Value>,
    pub(super) sources: Arc<Vec<SourceFile>>,
    pub(super) site: Arc<Files>,
    pub(super) outcome: BuildOutcome,
    pub(super) phase: Phase,
    /// When its aliases were assigned.
    pub(super) aliased_ms: Option<u64>,
}

/// A file as it was sent.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    pub(super) path: String,
    pub(super) sha: String,
    pub(super) mode: u32,
    pub(super) content: Bytes,
}

/// How far a deployment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for a place.
    Queued,
    /// It builds.
    Building {
        since_ms: u64,
        until_ms: Option<u64>,
    },
    /// It ended.
    Ended {
        since_ms: Option<u64>,
        at_ms: u64,
        end: End,
    },
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Ready,
    Failed,
    Canceled,
    Other(String),
}

impl Deployment {
    /// How it ends, once it does.
    pub(super) fn end(&self) -> End {
        match &self.outcome {
            BuildOutcome::Ready | BuildOutcome::Never => End::Ready,
            BuildOutcome::Failed { .. } => End::Failed,
            BuildOutcome::State { state } if state == "CANCELED" => End::Canceled,
            BuildOutcome::State { state } => End::Other(state.clone()),
        }
    }

    pub(super) fn ready_ms(&self) -> Option<u64> {
        match &self.phase {
            Phase::Ended {
                at_ms,
                end: End::Ready,
                ..
            } => Some(*at_ms),
            Phase::Queued | Phase::Building { .. } | Phase::Ended { .. } => None,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    pub(super) fn is_production(&self) -> bool {
        self.target.as_deref() == Some("production")
    }

    /// Its state in Vercel's words.
    pub(super) fn ready_state(&self, now_ms: u64) -> &str {
        match &self.phase {
            Phase::Queued => "QUEUED",
            Phase::Building { since_ms, until_ms } => {
                // The first tenth of a build is spent on getting a machine.
                let until_ms = until_ms.unwrap_or(since_ms + 1_000);
                // It may begin a little in the future: creations have instants of their own.
                let elapsed_ms = now_ms.saturating_sub(*since_ms);
                if elapsed_ms.saturating_mul(10) < until_ms - since_ms {
                    "INITIALIZING"
                } else {
                    "BUILDING"
                }
            }
            Phase::Ended { end, .. } => match end {
                End::Ready => "READY",
                End::Failed => "ERROR",
                End::Canceled => "CANCELED",
                End::Other(state) => state,
            },
        }
    }

    fn began_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Queued => None,
            Phase::Building { since_ms, .. } => Some(since_ms),
            Phase::Ended { since_ms, .. } => since_ms,
        }
    }

    /// What answers of both shapes say.
    fn common(&self, told: &Told<'_>) -> Map<String, Value> {
        let state = self.ready_state(told.now_ms);
        let host = told.ground.host(&self.label);
        let mut object = Map::new();
        let mut say = |name: &str, value: Value| object.insert(name.to_owned(), value);
        say("name", json!(self.name));
        say("projectId", json!(self.project));
        say("url", json!(host));
        say("type", json!("LAMBDAS"));
        say("readyState", json!(state));
        say("createdAt", json!(self.created_ms));
        say(
            "creator",
            json!({"uid": told.user.id, "username": told.user.slug}),
        );
        say("meta", json!(self.meta));
        say("target", json!(self.target));
        say(
            "inspectorUrl",
            json!(format!(
                "https://vercel.com/{}/{}/{}",
                told.owner.slug, self.name, self.id
            )),
        );
        say(
            "aliasAssigned",
            self.aliased_ms.map_or(json!(false), Value::from),
        );
        say("aliasError", Value::Null);
        say("projectSettings", json!(self.settings));
        if let Some(source) = &self.source {
            say("source", json!(source));
        }
        if let Some(began_ms) = self.began_ms() {
            say("buildingAt", json!(began_ms));
        }
        if let Some(ready_ms) = self.ready_ms() {
            say("ready", json!(ready_ms));
            if self.is_production() {
                say("readySubstate", json!("PROMOTED"));
            }
        }
        match &self.phase {
            Phase::Ended {
                end: End::Failed, ..
            } => {
                say("errorCode", json!("BUILD_FAILED"));
                say(
                    "errorMessage",
                    json!("Command \"npm run build\" exited with 1"),
                );
                say("errorStep", json!("buildStep"));
                say(
                    "errorLink",
                    json!("https://vercel.com/docs/deployments/troubleshoot-a-build"),
                );
            }
            Phase::Ended {
                end: End::Canceled,
                at_ms,
                ..
            } => {
                say("canceledAt", json!(at_ms));
            }
            Phase::Ended {
                end: End::Other(state),
                ..
            } if state == "BLOCKED" => {
                say("seatBlock", json!({"blockCode": "COMMIT_AUTHOR_REQUIRED"}));
            }
            Phase::Ended {
                end: End::Other(state),
                ..
            } if state.ends_with("_ERROR") => {
                say("errorCode", json!(state));
                say("errorMessage", json!("The deployment failed."));
            }
            Phase::Queued | Phase::Building { .. } | Phase::Ended { .. } => {}
        }
        object
    }

    /// As an answer about this one deployment.
    pub(super) fn to_json(&self, told: &Told<'_>) -> Value {
        let mut object = self.common(told);
        let mut say = |name: &str, value: Value| object.insert(name.to_owned(), value);
        let began_ms = self.began_ms().unwrap_or(self.created_ms);
        say("id", json!(self.id));
        say("version", json!(2));
        say("status", json!(self.ready_state(told.now_ms)));
        say("project", told.project.map_or(Value::Null, |project| {
            json!({"id": project.id, "name": project.name, "framework": project.settings.get("framework")})
        }));
        say("ownerId", json!(told.owner.id));
        if told.owner.id != told.user.id {
            say(
                "team",
                json!({"id": told.owner.id, "name": told.owner.slug, "slug": told.owner.slug}),
            );
        }
        say("bootedAt", json!(began_ms));
        say("buildingAt", json!(began_ms));
        say("buildSkipped", json!(false));
        say(
            "isInConcurrentBuildsQueue",
            json!(self.phase == Phase::Queued),
        );
        say("isInSystemBuildsQueue", json!(false));
        say("createdIn", json!("sfo1"));
        say("regions", json!(["iad1"]));
        say("routes", json!([]));
        say("plan", json!("pro"));
        say("public", json!(false));
        say("alias", json!(told.aliases));
        say("env", json!(self.env));
        say("build", json!({"env": self.build_env}));
        Value::Object(object)
    }

    /// As an item of a list.
    pub(super) fn to_item(&self, told: &Told<'_>) -> Value {
        let mut object = self.common(told);
        let mut say = |name: &str, value: Value| object.insert(name.to_owned(), value);
        say("uid", json!(self.id));
        say("created", json!(self.created_ms));
        say("state", json!(self.ready_state(told.now_ms)));
        // A deployment has no URL in lists before its build began.
        if self.phase == Phase::Queued {
            say("url", Value::Null);
        }
        Value::Object(object)
    }
}

/// What is told with a deployment though it is not part of it.
pub(super) struct Told<'a> {
    pub(super) now_ms: u64,
    pub(super) ground: &'a Ground,
    pub(super) user: &'a Account,
    pub(super) owner: &'a Account,
    pub(super) project: Option<&'a Project>,
    pub(super) aliases: Vec<String>,
}
