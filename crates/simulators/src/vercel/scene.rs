//! What a handler has at hand: the world at this instant, who calls, and what is asked.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{
    VercelOperation,
    deployment::Deployment,
    knobs::VercelKnobs,
    project::Project,
    refused::{Refused, too_large},
    world::World,
};
use crate::core::{ApiCall, Dial};

/// What a handler gives.
pub(super) type Answer = Result<Value, Refused>;

/// What a handler has at hand.
pub(super) struct Scene<'a> {
    pub(super) world: &'a mut World,
    pub(super) call: &'a ApiCall<VercelOperation>,
    pub(super) knobs: &'a VercelKnobs,
    pub(super) dial: &'a Dial<VercelKnobs>,
    /// The account in whose name is asked.
    pub(super) owner: String,
    pub(super) now_ms: u64,
}

impl Scene<'_> {
    /// The body, which has to be an object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Refused> {
        if self.call.body.len() > self.knobs.max_body_bytes {
            return Err(too_large());
        }
        match self.call.json() {
            Ok(Value::Object(object)) => Ok(object),
            Ok(Value::Null) => Ok(Map::new()),
            Ok(_) => Err(Refused::bad_request("Invalid request: should be object.")),
            Err(_) => Err(Refused::new(
                StatusCode::BAD_REQUEST,
                "invalid_json",
                "Invalid JSON in the request body.",
            )),
        }
    }

    /// The project that the path names.
    pub(super) fn project(&self) -> Result<&Project, Refused> {
        let found = self.world.project(&self.owner, self.call.param("project"));
        found.ok_or_else(|| Refused::not_found("Project not found."))
    }

    pub(super) fn project_mut(&mut self) -> Result<&mut Project, Refused> {
        let found = self
            .world
            .project_mut(&self.owner, self.call.param("project"));
        found.ok_or_else(|| Refused::not_found("Project not found."))
    }

    /// The deployment that the path names, by id or host.
    pub(super) fn deployment(&self) -> Result<&Deployment, Refused> {
        let found = self.world.find(&self.owner, self.call.param("id"));
        found.ok_or_else(|| Refused::not_found("The deployment could not be found."))
    }

    /// How many items a page has.
    pub(super) fn limit(&self) -> usize {
        let asked = self.call.query.number("limit").unwrap_or(20);
        asked.clamp(1, self.knobs.page_limit)
    }
}

/// A field that has to be a text where it is there.
pub(super) fn text<'a>(
    object: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a str>, Refused> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refused::bad_request(format!(
            "Invalid request: `{name}` should be string."
        ))),
    }
}

/// A page of a list that is newest first and cut at an instant: `until` is before, `since` after.
pub(super) struct Page {
    since: u64,
    until: u64,
    limit: usize,
}

impl Page {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let query = &scene.call.query;
        let number = |name, old| query.number(name).or_else(|| query.number(old));
        Self {
            since: number("since", "from").unwrap_or(0),
            until: number("until", "to").unwrap_or(u64::MAX),
            limit: scene.limit(),
        }
    }

    /// Cuts a page out of what comes newest first, each with its instant, and tells how to go on.
    pub(super) fn cut<T>(&self, newest_first: impl Iterator<Item = (u64, T)>) -> (Vec<T>, Value) {
        let mut within = newest_first
            .filter(|(at, _)| (*at > self.since || self.since == 0) && *at < self.until);
        let page: Vec<_> = within.by_ref().take(self.limit).collect();
        let next = within.next().and_then(|_| page.last().map(|(at, _)| *at));
        let first = page.first().map(|(at, _)| *at);
        let pagination = serde_json::json!({"count": page.len(), "next": next, "prev": first});
        (page.into_iter().map(|(_, item)| item).collect(), pagination)
    }
}
