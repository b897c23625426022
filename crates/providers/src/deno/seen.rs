//! Hosts of revisions that were seen to serve.
//!
//! A list does not tell them, and a revision's own host never changes, so each is asked for once. What is lost with the process, or
//! makes room here, is asked for again; what is disabled or deleted meanwhile shows in the list, or does not answer the probe.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use foreshow_engine::Deployment;

use super::{DenoError, DenoProvider, hosts, tags::Place, wire::Revision};

/// Some hundred bytes each.
const KEPT: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<HashMap<String, String>>);

impl Seen {
    pub(super) fn host(&self, place: &Place) -> Option<String> {
        self.hosts().get(&place.revision).cloned()
    }

    pub(super) fn keep(&self, place: &Place, host: &str) {
        let mut hosts = self.hosts();
        if hosts.len() >= KEPT {
            hosts.clear();
        }
        hosts.insert(place.revision.clone(), host.to_owned());
    }

    pub(super) fn forget(&self, place: &Place) {
        self.hosts().remove(&place.revision);
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DenoProvider {
    /// The host of a deployment, asked for where the address does not say it.
    pub(super) async fn host_of(
        &self,
        deployment: &Deployment,
    ) -> Result<Option<String>, DenoError> {
        let known = deployment.address.as_str();
        if known.contains('.') {
            return Ok(Some(known.to_owned()));
        }
        let Some(place) = Place::parse(&deployment.id) else {
            return Ok(None);
        };
        if let Some(host) = self.seen.host(&place) {
            return Ok(Some(host));
        }
        let Some(revision) = self.client.revision(&place.revision).await? else {
            return Ok(None);
        };
        self.learn(&place, &revision);
        Ok(hosts::own_host(&revision).map(str::to_owned))
    }

    /// Keeps what a full answer tells about hosts.
    pub(super) fn learn(&self, place: &Place, revision: &Revision) {
        self.domain.learn(place, revision);
        if let Some(host) = hosts::own_host(revision) {
            self.seen.keep(place, host);
        }
    }
}
