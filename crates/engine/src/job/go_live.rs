//! From a build that serves to an outcome: the steps, in an order that was model-checked.
//!
//! Under the lease, in this order: the deployment's own URL answers with this revision; the record names it as the live
//! one, under the fence; the alias is moved; older deployments beyond those to keep are removed; the alias is read back,
//! and moved again if it shows another. Only then is the outcome settled, which releases the lease.
//!
//! - The record comes before the alias, because from then on nobody removes this deployment as "an older one".
//! - The removal comes before reading the alias back, because a frozen worker's late alias call can then only fail or be
//!   seen: what it pointed to is gone.
//! - The probe comes first of all, so a revision that never answered is never recorded as live. It only reads, so its
//!   place does not touch the protocol.

use std::sync::Arc;

use foreshow_bundle::Tree;
use foreshow_contract::{BuildingState, DeploymentId, Timings};
use tracing::{debug, warn};

use super::{
    deploy::{Deploy, millis},
    stop::{Stop, Trouble},
};
use crate::{
    BuildState, Deployment, Failure, Live, Outcome, Provider, ProviderError, ReadyOutcome,
    Settlement, code, mutants::mutant, record::Recording,
};

/// How often an alias is moved again when it shows another deployment.
const ALIAS_MOVES: usize = 5;
impl Deploy<'_> {
    /// The live deployment goes on serving where this revision has the same files and settings.
    pub(super) async fn keep_unchanged(
        &mut self,
        tree: &Arc<Tree>,
        settings: &str,
    ) -> Result<Option<Settlement>, Stop> {
        let Some(live) = &self.record.live else {
            return Ok(None);
        };
        let same = live.tree == tree.digest().to_string() && live.settings == settings;
        // Nothing at or below an accepted end counts as live, whatever became of the end's own run.
        if !same
            || self.record.is_ended(live.revision)
            || self.record.condemned.contains(&live.deployment)
        {
            return Ok(None);
        }
        let wanted = &self.update.routing.providers;
        let Some(provider) = self.job.engine.provider(&live.provider) else {
            return Ok(None);
        };
        if !wanted.is_empty() && !wanted.contains(provider.name()) {
            return Ok(None);
        }
        let listed = provider.list(&self.subject.key).await;
        let listed = match listed {
            // It refuses us altogether: routing looks for another.
            Err(error) if matches!(error.failure, Failure::Permanent(_)) => return Ok(None),
            listed => listed.map_err(|error| Stop::from(error).kept_here())?,
        };
        let Some(deployment) = listed
            .into_iter()
            .find(|deployment| deployment.id == live.deployment)
        else {
            return Ok(None);
        };
        if deployment.state != BuildState::Ready {
            return Ok(None);
        }
        self.uploaded = (0, tree.total_bytes());
        let live = Live {
            revision: self.update.revision,
            address: deployment.address.clone(),
            ..live.clone()
        };
        match self
            .go_live(&*provider, &deployment, live, Some(tree))
            .await
        {
            // What was live answers no more: this revision is deployed anew.
            Err(Stop::Failed(trouble))
                if trouble.failure == Failure::Permanent(code::NOT_REACHABLE) =>
            {
                self.uploaded = (0, 0);
                Ok(None)
            }
            other => other,
        }
    }

    /// Goes live, or answers `None` where the deployment is gone or condemned.
    pub(super) async fn go_live(
        &mut self,
        provider: &dyn Provider,
        deployment: &Deployment,
        live: Live,
        tree: Option<&Arc<Tree>>,
    ) -> Result<Option<Settlement>, Stop> {
        self.progress.at(
            BuildingState::Probing,
            provider.name(),
            Some(&deployment.id),
        );
        if !self.probe(provider, deployment, tree).await? {
            return Ok(None);
        }
        let built = self.watched_from.take().map(|from| from.elapsed());
        self.timings.built_ms = built.map_or(0, millis);
        let whole = built.filter(|_| self.began_it);
        if let Some(took) = whole {
            let pace = self.job.engine.pace();
            pace.built(provider.name(), took, self.built_from.elapsed());
        }
        let engine = &self.job.engine;
        let ttl = engine.options().lease.ttl();
        let expires_at = engine.now().saturating_add(self.ttl());
        match engine
            .insist(&self.job.shutdown, || {
                engine
                    .store()
                    .go_live(self.keeper.id(), &live, expires_at, ttl)
            })
            .await?
        {
            Recording::Recorded => {}
            Recording::Ended(by) => return Err(Stop::Superseded(by)),
            Recording::Condemned => return Ok(None),
            Recording::Lost => return Err(Stop::LeaseLost),
        }
        // Before older deployments make room: what a domain shows is never gone first.
        let domains = self.move_domains(provider, deployment).await;
        let shown = self.show(provider, deployment).await;
        let shown = shown.map_err(Stop::kept_here)?;
        let Some(kept) = shown else {
            return Ok(None);
        };
        self.leave_others(provider).await;
        // An earlier run of this very revision may have gone live, and been cut off then.
        let unchanged = deployment.revision != self.update.revision;
        let outcome = Outcome::Ready(Box::new(ReadyOutcome {
            provider: provider.name().clone(),
            deployment: deployment.id.clone(),
            address: deployment.address.clone(),
            alias_address: provider.alias_address(&self.record.alias),
            unchanged,
            expires_at,
            timings: Timings {
                total_ms: self.timings.queued_ms + millis(self.started_at.elapsed()),
                ..self.timings
            },
            bytes_uploaded: self.uploaded.0,
            bytes_reused: self.uploaded.1,
            attempts: self.attempts(),
            cost: if unchanged {
                None
            } else {
                let bytes = tree.map_or(0, |tree| tree.total_bytes());
                self.cost(provider.name(), bytes, || whole)
            },
            domains,
            size: tree.map(|tree| tree.size_report()),
            replaced: Vec::new(),
        }));
        Ok(Some(Settlement {
            outcome,
            expires_at: Some(expires_at),
            kept,
            built_ms: whole.map(millis),
            cancelled: None,
        }))
    }

    /// Moves the alias, makes room, and reads the alias back: the deployments that are left. `None` where this one is gone.
    async fn show(
        &self,
        provider: &dyn Provider,
        deployment: &Deployment,
    ) -> Result<Option<Vec<DeploymentId>>, Stop> {
        let alias = &self.record.alias;
        for _ in 0..ALIAS_MOVES {
            if !provider.move_alias(alias, &deployment.id).await? {
                return Ok(None);
            }
            if mutant!(AliasUnverified) {
                return Ok(Some(vec![deployment.id.clone()]));
            }
            let kept = self.make_room(provider, deployment).await?;
            if provider.alias(alias).await?.as_ref() == Some(&deployment.id) {
                return Ok(Some(kept));
            }
            warn!(context.id = %self.subject.key, "the alias shows another deployment; it is moved again");
        }
        let message = format!(
            "the alias did not stay at {} after {ALIAS_MOVES} moves",
            deployment.id
        );
        Err(Stop::failed(
            Trouble::new(Failure::Retryable { after: None }, message).at(provider.name()),
        ))
    }

    /// Removes the deployments of older revisions beyond those to keep; answers what is left.
    async fn make_room(
        &self,
        provider: &dyn Provider,
        live: &Deployment,
    ) -> Result<Vec<DeploymentId>, Stop> {
        let mut older = provider.list(&self.subject.key).await?;
        older.retain(|deployment| {
            deployment.id != live.id
                && (deployment.revision < self.update.revision)
                && deployment.state != BuildState::Gone
        });
        // Newest first; of those that never served none is kept.
        older.sort_by_key(|deployment| std::cmp::Reverse(deployment.revision));
        let mut places = self.keep_revisions().get() - 1;
        let mut kept = vec![live.id.clone()];
        for deployment in older {
            if deployment.state == BuildState::Ready && places > 0 {
                places -= 1;
                kept.push(deployment.id);
            } else {
                provider.delete(&deployment.id).await?;
            }
        }
        Ok(kept)
    }

    /// Removes what an earlier revision left at another provider. The sweeper does it where that can't be done now.
    async fn leave_others(&self, provider: &dyn Provider) {
        let before = self.record.live.as_ref().map(|live| &live.provider);
        let Some(other) = before
            .filter(|before| *before != provider.name())
            .and_then(|before| self.job.engine.provider(before))
        else {
            return;
        };
        self.remove_at(&*other, |older| older.revision < self.update.revision)
            .await;
    }

    /// Removes some of the context's deployments at a provider that is not where it lives now; the sweeper does what can't be done.
    pub(super) async fn remove_at(
        &self,
        provider: &dyn Provider,
        which: impl Fn(&Deployment) -> bool,
    ) {
        let removed = async {
            for one in provider.list(&self.subject.key).await? {
                if which(&one) && one.state != BuildState::Gone {
                    provider.delete(&one.id).await?;
                }
            }
            Ok::<_, ProviderError>(())
        };
        if let Err(error) = removed.await {
            debug!(
                error = &error as &dyn std::error::Error,
                "left to the sweeper"
            );
        }
    }
}
