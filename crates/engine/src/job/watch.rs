//! A build, until it serves, fails, or is wanted no more.

use std::time::Duration;

use foreshow_contract::{BuildingState, ProviderName};
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

use super::{
    deploy::Deploy,
    pace::Obsolete,
    stop::{Stop, Trouble},
};
use crate::{BuildState, Deployment, Failure, Provider, code, observe};

/// How many questions about a build may fail one after another.
const FAILED_QUESTIONS: u32 = 5;

/// Between two questions about a build, however much news there is.
const NUDGED: Duration = Duration::from_secs(1);

impl Deploy<'_> {
    /// Whether something newer makes this revision obsolete, and if so, what becomes of its build.
    pub(super) fn obsolete(&self, building: Option<(&ProviderName, Instant)>) -> Option<Obsolete> {
        (self.keeper.desired() > self.subject.ordinal)
            .then(|| self.patience.with_newer(building, self.job.engine.pace()))
    }

    pub(super) fn step_down(&self, what: &str) -> Stop {
        let by = self.keeper.desired();
        info!(context.id = %self.subject.key, "revision {} of {} steps down for {by}: {what}",
            self.update.revision, self.subject.key);
        observe::cancelled();
        Stop::SteppedDown {
            by,
            why: format!("{by} was accepted; {what}"),
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.keeper
            .floor()
            .is_some_and(|floor| self.update.revision <= floor)
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
    pub(super) async fn watch(
        &self,
        provider: &dyn Provider,
        deployment: &Deployment,
    ) -> Result<bool, Stop> {
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
}
