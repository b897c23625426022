//! Everything there is, behind one lock, and the passing of time over it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use serde_json::Value;

use super::{
    aliases::Alias,
    builds::{BuildQueue, Happened},
    deployment::{Deployment, End, Phase, Told},
    hosts,
    knobs::VercelKnobs,
    options::{Account, VercelOptions},
    project::Project,
    protection::ShareLink,
    webhooks::{HookEvent, Parcel, Webhook},
};
use crate::core::{Clock, Ground};

/// Everything there is.
#[derive(Debug)]
pub(super) struct World {
    pub(super) ground: Ground,
    pub(super) options: VercelOptions,
    /// What an account has, by its id.
    pub(super) shelves: HashMap<String, Shelf>,
    /// By when they were created, which is unique.
    pub(super) deployments: BTreeMap<u64, Deployment>,
    /// From id to when.
    by_id: HashMap<String, u64>,
    /// From host (without port) to when.
    by_host: HashMap<String, u64>,
    pub(super) projects: BTreeMap<String, Project>,
    /// By host, without port.
    pub(super) aliases: BTreeMap<String, Alias>,
    /// Share links, by the deployment they show.
    pub(super) links: HashMap<String, Vec<ShareLink>>,
    pub(super) webhooks: BTreeMap<String, Webhook>,
    /// What webhooks have to be told, oldest first.
    pub(super) outbox: Vec<Parcel>,
    /// Hosts of deployments that retention removed.
    pub(super) vanished: HashMap<String, String>,
    /// Ready deployments whose aliases are to be assigned, and when.
    assigning: Vec<(u64, String)>,
    last_created_ms: u64,
}

/// What an account has, apart from the rest.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) files: HashMap<String, Bytes>,
    pub(super) builds: BuildQueue,
    pub(super) uploads: Window,
    pub(super) creates: Window,
}

/// A rolling limit.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<u64>);

impl Window {
    /// Counts one more, or tells when there is room again.
    pub(super) fn count(
        &mut self,
        now_ms: u64,
        limit: Option<u64>,
        day_ms: u64,
    ) -> Result<(), (u64, u64)> {
        while self.0.front().is_some_and(|at| at + day_ms <= now_ms) {
            self.0.pop_front();
        }
        if let Some(limit) = limit
            && self.0.len() as u64 >= limit
        {
            let reset_ms = self
                .0
                .front()
                .map_or(now_ms, |at| at.saturating_add(day_ms));
            return Err((limit, reset_ms));
        }
        self.0.push_back(now_ms);
        Ok(())
    }
}

impl World {
    pub(super) fn new(options: VercelOptions, ground: Ground) -> Self {
        let accounts = options.teams.iter().chain([&options.user]);
        Self {
            shelves: accounts
                .map(|one| (one.id.clone(), Shelf::default()))
                .collect(),
            ground,
            options,
            deployments: BTreeMap::new(),
            by_id: HashMap::new(),
            by_host: HashMap::new(),
            projects: BTreeMap::new(),
            aliases: BTreeMap::new(),
            links: HashMap::new(),
            webhooks: BTreeMap::new(),
            outbox: Vec::new(),
            vanished: HashMap::new(),
            assigning: Vec::new(),
            last_created_ms: 0,
        }
    }

    pub(super) fn clock(&self) -> Clock {
        self.ground.clock()
    }

    /// An account by its id.
    pub(super) fn account(&self, id: &str) -> &Account {
        let teams = self.options.teams.iter();
        teams
            .chain([&self.options.user])
            .find(|one| one.id == id)
            .unwrap_or(&self.options.user)
    }

    pub(super) fn shelf(&mut self, owner: &str) -> &mut Shelf {
        self.shelves.entry(owner.to_owned()).or_default()
    }

    /// Lets time pass: builds begin and end, aliases are assigned.
    pub(super) fn advance(&mut self, now_ms: u64, knobs: &VercelKnobs) {
        let places = knobs.concurrent_builds.get();
        let happened: Vec<_> = self
            .shelves
            .values_mut()
            .flat_map(|shelf| shelf.builds.advance(now_ms, places))
            .collect();
        for one in happened {
            match one {
                Happened::Began {
                    id,
                    at_ms,
                    until_ms,
                } => {
                    if let Some(deployment) = self.by_id_mut(&id) {
                        deployment.phase = Phase::Building {
                            since_ms: at_ms,
                            until_ms,
                        };
                    }
                }
                Happened::Ended { id, at_ms } => {
                    let Some(end) = self.by_id_mut(&id).map(|one| one.end()) else {
                        continue;
                    };
                    if end == End::Ready {
                        self.assigning.push((at_ms + knobs.alias_ms, id.clone()));
                    }
                    self.end(&id, at_ms, end);
                }
            }
        }
        self.assigning.sort();
        let due = self
            .assigning
            .partition_point(|(at_ms, _)| *at_ms <= now_ms);
        for (at_ms, id) in self.assigning.drain(..due).collect::<Vec<_>>() {
            self.assign_own_aliases(&id, at_ms);
        }
    }

    /// Ends a deployment that has not ended, and tells webhooks.
    pub(super) fn end(&mut self, id: &str, at_ms: u64, end: End) {
        let news: &[HookEvent] = match &end {
            End::Ready => &[HookEvent::Ready, HookEvent::Succeeded],
            End::Failed => &[HookEvent::Error],
            End::Canceled => &[HookEvent::Canceled],
            End::Other(state) if state == "BLOCKED" => &[HookEvent::Blocked],
            End::Other(state) if state.ends_with("_ERROR") => &[HookEvent::Error],
            End::Other(_) => &[],
        };
        let Some(deployment) = self.by_id_mut(id) else {
            return;
        };
        let since_ms = match deployment.phase {
            Phase::Queued => None,
            Phase::Building { since_ms, .. } => Some(since_ms),
            Phase::Ended { .. } => return,
        };
        deployment.phase = Phase::Ended {
            since_ms,
            at_ms,
            end,
        };
        for event in news {
            self.tell(id, *event);
        }
    }

    /// The next instant at which a deployment can be created: later than all others'.
    pub(super) fn next_created_ms(&mut self) -> u64 {
        self.last_created_ms = self.clock().now_ms().max(self.last_created_ms + 1);
        self.last_created_ms
    }

    pub(super) fn add(&mut self, deployment: Deployment) {
        let at = deployment.created_ms;
        self.by_id.insert(deployment.id.clone(), at);
        self.by_host.insert(hosts::own(&deployment.label), at);
        self.deployments.insert(at, deployment);
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Deployment> {
        self.deployments.get(self.by_id.get(id)?)
    }

    pub(super) fn by_id_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.get_mut(self.by_id.get(id)?)
    }

    /// The deployment that a host (without port) shows: its own, or by an alias.
    pub(super) fn by_host(&self, host: &str) -> Option<&Deployment> {
        if let Some(at) = self.by_host.get(host) {
            return self.deployments.get(at);
        }
        self.by_id(&self.aliases.get(host)?.deployment)
    }

    /// Whether a host (without port) is a deployment's own.
    pub(super) fn is_own_host(&self, host: &str) -> bool {
        self.by_host.contains_key(host)
    }

    /// A deployment of an account, by id or host.
    pub(super) fn find(&self, owner: &str, id_or_url: &str) -> Option<&Deployment> {
        let found = self
            .by_id(id_or_url)
            .or_else(|| self.by_host(&hosts::key(id_or_url)))?;
        (found.owner == owner).then_some(found)
    }

    /// Removes a deployment and the aliases that show it.
    pub(super) fn remove(&mut self, id: &str) -> Option<Deployment> {
        let deployment = self.deployments.remove(&self.by_id.remove(id)?)?;
        self.by_host.remove(&hosts::own(&deployment.label));
        self.aliases.retain(|_, alias| alias.deployment != id);
        self.assigning.retain(|(_, one)| one != id);
        self.links.remove(id);
        self.shelf(&deployment.owner.clone()).builds.remove(id);
        Some(deployment)
    }

    /// A project of an account, by id or name.
    pub(super) fn project(&self, owner: &str, id_or_name: &str) -> Option<&Project> {
        let mut own = self.projects.values().filter(|one| one.owner == owner);
        own.find(|one| one.id == id_or_name || one.name == id_or_name)
    }

    pub(super) fn project_mut(&mut self, owner: &str, id_or_name: &str) -> Option<&mut Project> {
        let mut own = self.projects.values_mut().filter(|one| one.owner == owner);
        own.find(|one| one.id == id_or_name || one.name == id_or_name)
    }

    /// The aliases that show a deployment, as they are told.
    pub(super) fn aliases_of(&self, id: &str) -> Vec<String> {
        let of = self.aliases.values().filter(|one| one.deployment == id);
        of.map(|one| one.told.clone()).collect()
    }

    /// A deployment, as an answer tells it.
    pub(super) fn show(&self, deployment: &Deployment) -> Value {
        deployment.to_json(&self.told(deployment, self.aliases_of(&deployment.id)))
    }

    /// A deployment, as a list tells it.
    pub(super) fn show_item(&self, deployment: &Deployment) -> Value {
        deployment.to_item(&self.told(deployment, Vec::new()))
    }

    fn told(&self, deployment: &Deployment, aliases: Vec<String>) -> Told<'_> {
        Told {
            now_ms: self.clock().now_ms(),
            ground: &self.ground,
            user: &self.options.user,
            owner: self.account(&deployment.owner),
            project: self.projects.get(&deployment.project),
            aliases,
        }
    }
}
