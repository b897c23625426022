//! An update, from beginning to end: admitted and prepared, routed, then a deployment adopted or created, watched, and
//! brought live, at one provider after the other until one takes it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use foreshow_bundle::Tree;
use foreshow_contract::{BuildingState, ContextUpdated, Timings};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Job,
    pace::{Obsolete, Patience},
    progress::Progress,
    route::softest,
    stop::{Stop, Trouble},
};
use crate::{
    BuildState, ContextRecord, CreateRequest, Deployment, Failure, Live, Provider, Settlement,
    lease::Keeper,
    mutants::mutant,
    outcome::Subject,
    record::{RecordedDeployment, Recording},
};

/// How often a deployment that vanished, or was condemned, is looked for again within one attempt.
const ROUNDS: usize = 5;
/// One update under its lease.
pub(super) struct Deploy<'a> {
    pub(super) job: &'a Job,
    pub(super) subject: &'a Subject,
    pub(super) update: &'a ContextUpdated,
    pub(super) keeper: &'a Keeper,
    pub(super) record: &'a ContextRecord,
    pub(super) progress: Progress,
    pub(super) patience: Patience,
    pub(super) started_at: Instant,
    /// When the create was sent, or what was found adopted.
    pub(super) built_from: Instant,
    /// When the build began to be watched; `None` where nothing had to be built.
    pub(super) watched_from: Option<Instant>,
    /// Whether this run began the build: of one that was adopted it saw the end alone, which says nothing of how long
    /// builds take.
    pub(super) began_it: bool,
    pub(super) timings: Timings,
    /// Bytes that the provider lacked, and that it had.
    pub(super) uploaded: (u64, u64),
}

/// A deployment of this revision, and whether this run created it.
enum Found {
    Adopted(Deployment),
    Created(Deployment),
}

impl<'a> Deploy<'a> {
    pub(super) fn new(
        job: &'a Job,
        subject: &'a Subject,
        update: &'a ContextUpdated,
        keeper: &'a Keeper,
        record: &'a ContextRecord,
        started_at: Instant,
    ) -> Self {
        let queued = job.engine.now().saturating_since(job.delivery.accepted_at);
        Self {
            job,
            subject,
            update,
            keeper,
            record,
            progress: Progress::start(
                job.engine.clone(),
                subject.clone(),
                BuildingState::Preparing,
            ),
            patience: Patience::new(job.engine.options().cancel.clone(), record, started_at),
            started_at,
            built_from: started_at,
            watched_from: None,
            began_it: false,
            timings: Timings {
                queued_ms: millis(queued),
                ..Timings::default()
            },
            uploaded: (0, 0),
        }
    }

    /// Drives the context to this revision.
    pub(super) async fn run(mut self) -> Result<Settlement, Stop> {
        self.admit().await?;
        let prepared_from = Instant::now();
        // The tree reads from the bundle until it is gone.
        let (tree, _bundle) = self.prepare().await?;
        let tree = Arc::new(tree);
        self.timings.prepared_ms = millis(prepared_from.elapsed());
        let settings = self.update.settings_digest(self.job.engine.installation());

        if let Some(settlement) = self.keep_unchanged(&tree, &settings).await? {
            return Ok(settlement);
        }
        let mut candidates = self.candidates(&tree).await?;
        let begun = self.begun(&candidates).await;
        if let Some(begun) = begun {
            candidates[..=begun].rotate_right(1);
        }
        let mut troubles = Vec::new();
        for (place, provider) in candidates.iter().enumerate() {
            let deployed = self.deploy_on(&**provider, &tree, &settings).await;
            if begun.is_some() && place == 0 {
                return deployed.map_err(Stop::kept_here);
            }
            if let Err(Stop::Failed(trouble)) = &deployed
                && matches!(trouble.failure, Failure::RateLimited { .. })
                && self.was_begun_at(provider.name())
            {
                return deployed.map_err(Stop::kept_here);
            }
            match deployed {
                Ok(settlement) => {
                    self.leave_passed_over(&troubles).await;
                    return Ok(settlement);
                }
                Err(Stop::Failed(trouble)) if self.is_passed_on(&trouble) => {
                    warn!(context.id = %self.subject.key, provider = %provider.name(), "passed on: {}", trouble.message);
                    troubles.push(*trouble);
                }
                other => return other,
            }
        }
        Err(Stop::failed(
            softest(troubles).expect("there is at least one candidate"),
        ))
    }

    /// Adopts or creates, records, watches and goes live on one provider.
    async fn deploy_on(
        &mut self,
        provider: &dyn Provider,
        tree: &Arc<Tree>,
        settings: &str,
    ) -> Result<Settlement, Stop> {
        let engine = &self.job.engine;
        for _ in 0..ROUNDS {
            let built_from = Instant::now();
            let found = self.adopt_or_create(provider, tree).await?;
            self.began_it = matches!(found, Found::Created(_));
            if self.began_it {
                self.timings.uploaded_ms = millis(built_from.elapsed());
            }
            // A tag names a revision and says nothing of its content. What nobody recorded may have been made for another
            // request under the same revision, which a store that was wiped does not remember; so nothing passes for
            // unchanged by it later.
            let is_ours = match &found {
                Found::Created(_) => true,
                Found::Adopted(deployment) => self
                    .record
                    .building
                    .as_ref()
                    .is_some_and(|recorded| recorded.deployment == deployment.id),
            };
            let (Found::Adopted(mut deployment) | Found::Created(mut deployment)) = found;
            let recorded = RecordedDeployment {
                provider: provider.name().clone(),
                deployment: deployment.id.clone(),
            };
            let answer = engine
                .insist(&self.job.shutdown, || {
                    engine
                        .store()
                        .record_deployment(self.keeper.id(), &recorded)
                })
                .await?;
            match answer {
                Recording::Recorded => {}
                Recording::Ended(by) => return Err(Stop::Superseded(by)),
                Recording::Condemned => continue,
                Recording::Lost => return Err(Stop::LeaseLost),
            }
            self.watched_from = Some(Instant::now());
            self.built_from = built_from;
            if !self.watch(provider, &deployment).await? {
                continue;
            }
            if !self.locate(provider, &mut deployment).await? {
                continue;
            }
            let live = Live {
                revision: self.update.revision,
                provider: provider.name().clone(),
                deployment: deployment.id.clone(),
                address: deployment.address.clone(),
                tree: if is_ours {
                    tree.digest().to_string()
                } else {
                    String::new()
                },
                settings: settings.to_owned(),
            };
            // What is not ours may have been made of other files.
            let tree = is_ours.then_some(tree);
            if let Some(settlement) = self.go_live(provider, &deployment, live, tree).await? {
                return Ok(settlement);
            }
        }
        Err(Stop::failed(
            Trouble::new(
                Failure::Retryable { after: None },
                format!("{ROUNDS} deployments in a row vanished while they were worked on"),
            )
            .at(provider.name()),
        ))
    }

    /// The candidate that has a deployment with this revision's tags already, whoever created it: an earlier holder may
    /// have passed the job on. One that can't be asked now is asked again when its turn comes.
    async fn begun(&self, candidates: &[Arc<dyn Provider>]) -> Option<usize> {
        if candidates.len() < 2 {
            return None;
        }
        for (place, provider) in candidates.iter().enumerate() {
            if let Ok(tagged) = self.tagged(&**provider).await
                && tagged.is_some()
            {
                return Some(place);
            }
        }
        None
    }

    /// The provider's best deployment with this revision's tags.
    async fn tagged(&self, provider: &dyn Provider) -> Result<Option<Deployment>, Stop> {
        let tagged = provider.list(&self.subject.key).await?;
        Ok(tagged
            .into_iter()
            .filter(|deployment| {
                deployment.revision == self.update.revision
                    && deployment.state != BuildState::Gone
                    && !self.record.condemned.contains(&deployment.id)
                    && !mutant!(AdoptSkipped)
            })
            .max_by_key(|deployment| match deployment.state {
                BuildState::Ready => 3,
                BuildState::Building => 2,
                BuildState::Failed { .. } => 1,
                BuildState::Gone => 0,
            }))
    }

    async fn adopt_or_create(
        &mut self,
        provider: &dyn Provider,
        tree: &Arc<Tree>,
    ) -> Result<Found, Stop> {
        let tagged = self.tagged(provider).await?;
        let failed_before = tagged.as_ref().filter(|deployment| {
            self.subject.replay > 0 && matches!(deployment.state, BuildState::Failed { .. })
        });
        if let Some(failed) = failed_before {
            // An operator wants it tried again: what failed in an earlier life says nothing of this one.
            info!(context.id = %self.subject.key, deployment.id = %failed.id, "the build of an earlier life failed; building anew");
            provider.delete(&failed.id).await?;
        } else if let Some(deployment) = tagged {
            info!(context.id = %self.subject.key, deployment.id = %deployment.id, "adopted the deployment of revision {} of {}",
                self.update.revision, self.subject.key);
            return Ok(Found::Adopted(deployment));
        }
        if self.is_ended() {
            return Err(Stop::Superseded(self.keeper.desired()));
        }
        if self.obsolete(None) == Some(Obsolete::Cancel) {
            return Err(self.step_down("it had not been created yet"));
        }
        self.progress
            .at(BuildingState::Uploading, provider.name(), None);
        let label = self
            .job
            .engine
            .installation()
            .revision_label(&self.subject.key, self.update.revision);
        let request = CreateRequest {
            key: &self.subject.key,
            revision: self.update.revision,
            label: &label,
            tree,
            app: &self.update.app,
            env: &self.update.env,
        };
        let created = provider.create(request).await?;
        self.uploaded = (created.bytes_uploaded, created.bytes_reused);
        Ok(Found::Created(created.deployment))
    }

    pub(super) fn ttl(&self) -> Duration {
        let default = self.job.engine.options().retention.ttl_seconds;
        self.update
            .retention
            .ttl
            .unwrap_or(Duration::from_secs(default))
    }

    pub(super) fn keep_revisions(&self) -> NonZeroU32 {
        self.update
            .retention
            .keep_revisions
            .unwrap_or(self.job.engine.options().retention.keep_revisions)
    }

    pub(super) fn attempts(&self) -> u32 {
        self.job.delivery.attempt.get()
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
