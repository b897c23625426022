//! Everything that the API knows, behind one lock.
//!
//! Objects are numbered in the order in which they were created, over all kinds; lists and "the newest wins" go by that number.
//! Nothing is changed by time alone but one: with [`concurrent_builds`](super::DenoKnobs::concurrent_builds), a build that waits
//! is given its begin when somebody looks, computed from when the builds before it ended.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::apps::App;
use super::domain::Domain;
use super::error::ApiError;
use super::hosts::{Lane, Names, bare};
use super::layers::Layer;
use super::revision::Revision;
use super::runtime_logs::RuntimeLogs;
use super::{DenoKnobs, ids};

/// The organization that the token belongs to.
#[derive(Debug)]
pub(crate) struct Organization {
    pub(crate) id: String,
    /// The zone of its own hosts, with the simulator's port: `acme.localhost:4001`.
    pub(crate) zone: String,
    pub(crate) apps: Vec<App>,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) domains: Vec<Domain>,
    pub(crate) logs: RuntimeLogs,
    /// Hosts of revisions that retention removed, as they are compared.
    vanished: BTreeMap<String, String>,
    /// When revisions were created, for the limit per hour; the removed ones count too.
    pub(crate) deployed_at: Vec<u64>,
    last_number: u64,
}

impl Organization {
    pub(crate) fn new(zone: String) -> Self {
        Self {
            id: ids::uuid(),
            zone,
            apps: Vec::new(),
            revisions: Vec::new(),
            layers: Vec::new(),
            domains: Vec::new(),
            logs: RuntimeLogs::default(),
            vanished: BTreeMap::new(),
            deployed_at: Vec::new(),
            last_number: 0,
        }
    }

    /// A number for something new.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The app of an id or slug.
    pub(crate) fn app(&self, id_or_slug: &str) -> Result<&App, ApiError> {
        self.apps
            .iter()
            .find(|app| app.id == id_or_slug || app.slug == id_or_slug)
            .ok_or_else(|| ApiError::not_found("app", id_or_slug))
    }

    pub(crate) fn app_mut(&mut self, id_or_slug: &str) -> Result<&mut App, ApiError> {
        self.apps
            .iter_mut()
            .find(|app| app.id == id_or_slug || app.slug == id_or_slug)
            .ok_or_else(|| ApiError::not_found("app", id_or_slug))
    }

    pub(crate) fn revision(&self, id: &str) -> Result<&Revision, ApiError> {
        self.revisions
            .iter()
            .find(|revision| revision.id == id)
            .ok_or_else(|| ApiError::not_found("revision", id))
    }

    pub(crate) fn revision_mut(&mut self, id: &str) -> Result<&mut Revision, ApiError> {
        self.revisions
            .iter_mut()
            .find(|revision| revision.id == id)
            .ok_or_else(|| ApiError::not_found("revision", id))
    }

    /// What a revision's templates stand for.
    pub(crate) fn names<'a>(&'a self, app: &'a App, revision: &'a str) -> Names<'a> {
        Names {
            organization: &self.id,
            app_id: &app.id,
            app_slug: &app.slug,
            revision,
        }
    }

    /// The revision that answers at a host now.
    pub(crate) fn serving(&self, host: &str, now: u64) -> Option<&Revision> {
        self.serving_of(&bare(host), now).next()
    }

    /// All revisions that would answer at a host, the one that does first.
    pub(crate) fn serving_of(&self, bare_host: &str, now: u64) -> impl Iterator<Item = &Revision> {
        let mut candidates: Vec<((bool, u64), &Revision)> = Vec::new();
        if self.may_serve(bare_host) {
            for revision in &self.revisions {
                let lanes: Vec<Lane> = revision.seen_lanes(bare_host, now).collect();
                if lanes.is_empty() {
                    continue;
                }
                let is_pinned = lanes.contains(&Lane::Production)
                    && self.pinned(&revision.app, now) == Some(revision.id.as_str());
                candidates.push(((is_pinned, revision.number), revision));
            }
        }
        candidates.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
        candidates.into_iter().map(|(_, revision)| revision)
    }

    /// The hosts at which a revision answers now, of one lane.
    pub(crate) fn hosts_of(&self, revision: &Revision, lane: Lane, now: u64) -> Vec<String> {
        let mut hosts: Vec<String> = revision
            .bindings
            .iter()
            .filter(|binding| binding.lane == lane && revision.sees(binding, now))
            .filter(|binding| {
                self.serving(&binding.host, now)
                    .is_some_and(|serving| serving.id == revision.id)
            })
            .map(|binding| binding.host.clone())
            .collect();
        hosts.dedup();
        hosts
    }

    /// Whether a revision answers anywhere.
    pub(crate) fn is_routed(&self, revision: &Revision, now: u64) -> bool {
        Lane::ALL
            .into_iter()
            .any(|lane| !self.hosts_of(revision, lane, now).is_empty())
    }

    /// The revision that an app's production was promoted to.
    fn pinned(&self, app: &str, now: u64) -> Option<&str> {
        let app = self.apps.iter().find(|one| one.id == app)?;
        app.pins
            .iter()
            .rev()
            .filter(|pin| now >= pin.from)
            .find(|pin| self.revisions.iter().any(|one| one.id == pin.revision))
            .map(|pin| pin.revision.as_str())
    }

    /// Whether a host is in the organization's zone or under a verified domain.
    pub(crate) fn may_serve(&self, host: &str) -> bool {
        let host = bare(host);
        let in_zone = host
            .strip_suffix(&bare(&self.zone))
            .is_some_and(|rest| rest.ends_with('.'));
        in_zone
            || self
                .domains
                .iter()
                .any(|domain| domain.is_validated && domain.covers(&host))
    }

    /// Whether a host's revision was removed by retention.
    pub(crate) fn is_vanished(&self, host: &str) -> bool {
        self.vanished.contains_key(&bare(host))
    }

    /// Removes a revision as retention would, routed or not.
    pub(crate) fn vanish(&mut self, id: &str) -> bool {
        let Some(at) = self.revisions.iter().position(|one| one.id == id) else {
            return false;
        };
        let gone = self.revisions.remove(at);
        for binding in gone.bindings {
            self.vanished.insert(bare(&binding.host), gone.id.clone());
        }
        true
    }

    /// Gives builds that wait their begin, as far as builders are free.
    pub(crate) fn begin_builds(&mut self, knobs: &DenoKnobs, now: u64) {
        let Some(limit) = knobs.concurrent_builds else {
            let waiting = self.revisions.iter_mut();
            for revision in waiting.filter(|one| one.build.cancel_requested_at.is_none()) {
                let earliest = revision.build.leaves_queue_at();
                revision.build.begins_at.get_or_insert(earliest);
            }
            return;
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        for at in 0..self.revisions.len() {
            let Some(waiting) = self.revisions.get(at).map(|one| &one.build) else {
                continue;
            };
            if waiting.begins_at.is_some() || waiting.cancel_requested_at.is_some() {
                continue;
            }
            let earliest = waiting.leaves_queue_at();
            let Some(begins_at) = self.free_builder(earliest, limit).filter(|at| *at <= now) else {
                // Builds wait in line: whoever comes later does not overtake.
                break;
            };
            if let Some(revision) = self.revisions.get_mut(at) {
                revision.build.begins_at = Some(begins_at);
            }
        }
    }

    /// When a builder is free, not before `earliest`; `None` where builds that never end hold them all.
    fn free_builder(&self, earliest: u64, limit: usize) -> Option<u64> {
        let spans: Vec<(u64, Option<u64>)> = self
            .revisions
            .iter()
            .filter_map(|one| Some((one.build.begins_at?, one.build.ends_at())))
            .collect();
        let running = |at: u64| {
            spans
                .iter()
                .filter(|(from, to)| *from <= at && to.is_none_or(|to| at < to))
                .count()
        };
        std::iter::once(earliest)
            .chain(
                spans
                    .iter()
                    .filter_map(|(_, to)| *to)
                    .filter(|to| *to > earliest),
            )
            .filter(|at| running(*at) < limit)
            .min()
    }

    /// The state, for people and tests: with secrets, since it is nobody's.
    pub(crate) fn to_json(&self, now: u64) -> Value {
        let apps: Vec<Value> = self
            .apps
            .iter()
            .map(|app| {
                let mut told = app.to_json(self);
                told["env_vars"] = app.env.revealed();
                told
            })
            .collect();
        let revisions: Vec<Value> = self
            .revisions
            .iter()
            .map(|revision| {
                let mut told = revision.to_json(self, now);
                told["app"] = json!(revision.app);
                told["files"] = json!(revision.assets.paths().collect::<Vec<_>>());
                told
            })
            .collect();
        let domains: Vec<Value> = self.domains.iter().map(|one| one.to_json(now)).collect();
        let layers: Vec<Value> = self.layers.iter().map(|one| one.to_json(self)).collect();
        json!({
            "zone": self.zone,
            "apps": apps,
            "revisions": revisions,
            "domains": domains,
            "layers": layers,
        })
    }
}
