//! An update: admitted, prepared, routed, then a deployment adopted or created, and watched until it serves.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use foreshow_bundle::{BundleError, Tree, tree_from_bundle, tree_from_inline};
use foreshow_contract::{BuildingState, Content, ContextUpdated, ProviderName, Timings};
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::{
    Job,
    pace::{Obsolete, Patience},
    progress::Progress,
    route::softest,
    stop::{Stop, Trouble},
};
use crate::{
    Admission, AdmitRequest, BuildState, BundleFile, ContextRecord, CreateRequest, Deployment,
    Failure, Live, Provider, QuotaSet, Settlement, code,
    lease::Keeper,
    mutants::mutant,
    observe,
    outcome::Subject,
    record::{RecordedDeployment, Recording},
};

/// How often a deployment that vanished, or was condemned, is looked for again within one attempt.
const ROUNDS: usize = 5;
/// How many questions about a build may fail one after another.
const FAILED_QUESTIONS: u32 = 5;

/// Between two questions about a build, however much news there is.
const NUDGED: Duration = Duration::from_secs(1);

/// One update under its lease.
pub(super) struct Deploy<'a> {
    pub(super) job: &'a Job,
    pub(super) subject: &'a Subject,
    pub(super) update: &'a ContextUpdated,
    pub(super) keeper: &'a Keeper,
    pub(super) record: &'a ContextRecord,
    pub(super) progress: Progress,
    patience: Patience,
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

    async fn admit(&self) -> Result<(), Stop> {
        let engine = &self.job.engine;
        let options = engine.options();
        let now = engine.now();
        let build_until = now.saturating_add(Duration::from_secs(options.build.timeout_seconds));
        let request = AdmitRequest {
            key: self.subject.key.clone(),
            revision: self.update.revision,
            live_previews: options.limits.live_previews,
            concurrent_builds: options.limits.concurrent_builds,
            is_live: self.record.live.is_some(),
            // As long as the preview can live that comes of it.
            live_until: build_until
                .saturating_add(Duration::from_secs(options.probe.timeout_seconds))
                .saturating_add(self.ttl()),
            build_until,
        };
        // Both at once: routing looks at the gates soon.
        let (admission, ()) = tokio::join!(
            engine.insist(&self.job.shutdown, || engine.store().admit(&request)),
            engine.look_at_gates()
        );
        match admission? {
            Admission::Admitted => Ok(()),
            Admission::Full {
                set: QuotaSet::ConcurrentBuilds,
                limit,
                used,
                next_at,
            } => {
                // A build's place is usually free long before its deadline: look again soon.
                let until = next_at.min(now.saturating_add(Duration::from_secs(2)));
                let message = format!(
                    "tenant {} builds {used} of {limit} contexts at once (limits.concurrent_builds)",
                    self.subject.key.tenant
                );
                Err(Stop::failed(Trouble::new(
                    Failure::RateLimited { until },
                    message,
                )))
            }
            Admission::Full {
                set: QuotaSet::LivePreviews,
                limit,
                used,
                next_at,
            } => {
                let message = format!(
                    "tenant {} has {used} live previews, its limit is {limit}; end one of them, or wait until {next_at}",
                    self.subject.key.tenant
                );
                Err(Stop::failed(Trouble::new(
                    Failure::Permanent(code::QUOTA_EXCEEDED),
                    message,
                )))
            }
        }
    }

    /// Fetches, checks and digests the files, on a thread that may block.
    async fn prepare(&self) -> Result<(Tree, Option<BundleFile>), Stop> {
        let limits = self.job.engine.options().bundle.clone();
        let tasks = self.job.engine.tasks();
        let (prepared, bundle) = match &self.update.content {
            Content::Files(files) => {
                let files = files.clone();
                let reading = tasks.compute(move || tree_from_inline(&files, &limits));
                (reading.await, None)
            }
            Content::Bundle(bundle) => {
                let file = self
                    .job
                    .engine
                    .bundles()
                    .fetch(bundle)
                    .await
                    .map_err(|error| {
                        let trouble = Trouble::new(error.failure.clone(), error.to_string());
                        Stop::failed(trouble.because(&error))
                    })?;
                let (sha256, read) = (bundle.sha256, file.clone());
                let reading = tasks.compute(move || tree_from_bundle(&read, sha256, &limits));
                (reading.await, Some(file))
            }
        };
        let tree = prepared.map_err(|error: BundleError| {
            if error.is_transient() {
                let message = "the files could not be read by the worker";
                let failure = Failure::Retryable { after: None };
                return Stop::failed(Trouble::new(failure, message).because(&Beneath(error)));
            }
            let failure = Failure::Permanent(error.code());
            Stop::failed(Trouble::new(failure, error.to_string()).because(&error))
        })?;
        Ok((tree, bundle))
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

    /// Whether something newer makes this revision obsolete, and if so, what becomes of its build.
    fn obsolete(&self, building: Option<(&ProviderName, Instant)>) -> Option<Obsolete> {
        (self.keeper.desired() > self.subject.ordinal)
            .then(|| self.patience.with_newer(building, self.job.engine.pace()))
    }

    fn step_down(&self, what: &str) -> Stop {
        let by = self.keeper.desired();
        info!(context.id = %self.subject.key, "revision {} of {} steps down for {by}: {what}",
            self.update.revision, self.subject.key);
        observe::cancelled();
        Stop::SteppedDown {
            by,
            why: format!("{by} was accepted; {what}"),
        }
    }

    fn is_ended(&self) -> bool {
        self.keeper
            .floor()
            .is_some_and(|floor| self.update.revision <= floor)
    }

    async fn adopt_or_create(
        &mut self,
        provider: &dyn Provider,
        tree: &Arc<Tree>,
    ) -> Result<Found, Stop> {
        if let Some(deployment) = self.tagged(provider).await? {
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

    /// Takes the update's environment out of a log: a build may print it.
    fn redact(&self, lines: &mut [String]) {
        /// Shorter values are in every log, and no secrets.
        const SHORTEST: usize = 4;
        let values = self.update.env.values();
        let values: Vec<_> = values
            .flat_map(|value| value.expose().lines())
            .map(str::trim)
            .filter(|value| value.len() >= SHORTEST)
            .collect();
        for line in lines {
            for value in &values {
                if line.contains(value) {
                    *line = line.replace(value, "[redacted]");
                }
            }
        }
    }

    /// Waits for the build's end: `true` where it serves, `false` where the deployment is gone.
    async fn watch(&self, provider: &dyn Provider, deployment: &Deployment) -> Result<bool, Stop> {
        let options = &self.job.engine.options().build;
        let poll_max = Duration::from_millis(options.poll_max_ms);
        let mut interval = Duration::from_millis(options.poll_min_ms);
        let give_up_at = Instant::now() + Duration::from_secs(options.timeout_seconds);
        let mut state = deployment.state.clone();
        let mut failed_questions = 0;
        let began_at = Instant::now();
        let mut told = None;
        let mut cancel_is_asked = false;
        let mut looked_at = began_at;
        let mut nudges = self.keeper.nudges();
        if let Some(rhythm) = provider.look_every(Duration::ZERO) {
            interval = rhythm;
        }
        let mut next_look = began_at + interval;
        self.progress.at(
            BuildingState::Building,
            provider.name(),
            Some(&deployment.id),
        );
        loop {
            match state {
                // It may land yet, and would remove what is live by then; or it has landed, and this is what it left.
                BuildState::Ready | BuildState::Failed { .. } | BuildState::Gone
                    if cancel_is_asked =>
                {
                    return Err(self.step_down(&format!(
                        "a cancel of the build of {} was asked for and never confirmed",
                        deployment.id
                    )));
                }
                BuildState::Ready => return Ok(true),
                BuildState::Gone => return Ok(false),
                BuildState::Failed { mut log_tail } => {
                    self.redact(&mut log_tail);
                    let mut trouble = Trouble::new(
                        Failure::Permanent(code::BUILD_FAILED),
                        format!(
                            "the build of {} failed; its log's last lines say why",
                            deployment.id
                        ),
                    )
                    .at(provider.name());
                    trouble.log_tail = log_tail;
                    return Err(Stop::failed(trouble));
                }
                BuildState::Building => {}
            }
            if self.is_ended() {
                if let Err(error) = provider.cancel(&deployment.id).await {
                    // The end's own clean-up removes it.
                    debug!(
                        error = &error as &dyn std::error::Error,
                        "a build was not cancelled"
                    );
                }
                return Err(Stop::Superseded(self.keeper.desired()));
            }
            let mut look_at = next_look.saturating_duration_since(Instant::now());
            match self.obsolete(Some((provider.name(), began_at))) {
                None => {}
                Some(Obsolete::GoOn(why)) if told == Some(why) => {}
                Some(Obsolete::GoOn(why)) => {
                    debug!(context.id = %self.subject.key, "something newer was accepted, and the build goes on: {why}");
                    told = Some(why);
                }
                Some(Obsolete::NotYet(left)) => look_at = look_at.min(left),
                Some(Obsolete::Cancel) => match provider.cancel(&deployment.id).await {
                    Ok(()) => {
                        let ran_ms = began_at.elapsed().as_millis();
                        return Err(self.step_down(&format!(
                            "the build of {} was cancelled after {ran_ms} ms",
                            deployment.id
                        )));
                    }
                    Err(error) => {
                        // Not confirmed, so perhaps not done: asked again at the next look.
                        cancel_is_asked = true;
                        debug!(
                            error = &error as &dyn std::error::Error,
                            "an obsolete build was not cancelled"
                        );
                    }
                },
            }
            if Instant::now() >= give_up_at {
                let cancelled = provider.cancel(&deployment.id).await;
                cancelled.map_err(|error| Stop::from(error).kept_here())?;
                let message = format!(
                    "the build of {} did not end within {} s",
                    deployment.id, options.timeout_seconds
                );
                return Err(Stop::failed(
                    Trouble::new(Failure::Permanent(code::BUILD_TIMEOUT), message)
                        .at(provider.name()),
                ));
            }
            tokio::select! {
                biased;
                () = self.job.must_let_go() => return Err(Stop::HandOver),
                () = self.keeper.news() => {}
                () = self.keeper.nudged_since(nudges) => {
                    nudges = self.keeper.nudges();
                    next_look = next_look.min(looked_at + NUDGED);
                }
                () = sleep(look_at) => {}
            }
            // A storm of news is not to become a storm of questions.
            if Instant::now() < next_look {
                state = BuildState::Building;
                continue;
            }
            interval = interval.mul_f64(1.5).min(poll_max);
            if let Some(rhythm) = provider.look_every(began_at.elapsed()) {
                interval = rhythm;
            }
            nudges = self.keeper.nudges();
            looked_at = Instant::now();
            next_look = looked_at + interval;
            state = match provider.status(&deployment.id).await {
                Ok(state) => {
                    failed_questions = 0;
                    state
                }
                Err(error) => {
                    failed_questions += 1;
                    if failed_questions >= FAILED_QUESTIONS
                        || matches!(error.failure, Failure::RateLimited { .. })
                    {
                        // The build may well go on: the next attempt adopts it. Not another provider's to take over.
                        return Err(Stop::from(error).kept_here());
                    }
                    debug!(
                        error = &error as &dyn std::error::Error,
                        "a build could not be asked after; asking again"
                    );
                    BuildState::Building
                }
            };
        }
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

/// Puts an error beneath another: its own words are for the log.
#[derive(Debug, thiserror::Error)]
#[error("the files could not be read")]
struct Beneath(#[source] BundleError);

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
