//! What comes before any provider is asked: the tenant's limits, and the files.

use std::time::Duration;

use foreshow_bundle::{BundleError, Tree, tree_from_bundle, tree_from_inline};
use foreshow_contract::{BundleRef, Content};
use tokio::time::sleep;

use super::{
    deploy::Deploy,
    pace::Obsolete,
    stop::{Stop, Trouble},
};
use crate::{Admission, AdmitRequest, BundleFile, Failure, QuotaSet, code};

/// How often it is looked whether a bundle is still wanted, where no news comes.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Deploy<'_> {
    /// Lets the revision in, against its tenant's limits.
    pub(super) async fn admit(&self) -> Result<(), Stop> {
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
    pub(super) async fn prepare(&self) -> Result<(Tree, Option<BundleFile>), Stop> {
        let limits = self.job.engine.options().bundle.clone();
        let tasks = self.job.engine.tasks();
        let (prepared, bundle) = match &self.update.content {
            Content::Files(files) => {
                let files = files.clone();
                let reading = tasks.compute(move || tree_from_inline(&files, &limits));
                (reading.await, None)
            }
            Content::Bundle(bundle) => {
                let file = self.fetch(bundle).await?;
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

    /// Fetches the bundle, as long as it is wanted here: its server decides how long that takes, and nobody else waits for a
    /// stranger's server. What has arrived of it goes where it is let go of.
    async fn fetch(&self, bundle: &BundleRef) -> Result<BundleFile, Stop> {
        let bundles = self.job.engine.bundles();
        let mut fetching = bundles.fetch(bundle, &self.update.key.tenant);
        loop {
            let look_again = match self.obsolete(None) {
                Some(Obsolete::NotYet(left)) => left,
                Some(Obsolete::Cancel | Obsolete::GoOn(_)) | None => LOOK_AGAIN,
            };
            tokio::select! {
                biased;
                fetched = &mut fetching => {
                    return fetched.map_err(|error| {
                        let trouble = Trouble::new(error.failure.clone(), error.to_string());
                        Stop::failed(trouble.because(&error))
                    });
                }
                () = self.job.must_let_go() => return Err(Stop::HandOver),
                () = self.keeper.news() => {}
                () = sleep(look_again) => {}
            }
            if self.is_ended() {
                return Err(Stop::Superseded(self.keeper.desired()));
            }
            if self.obsolete(None) == Some(Obsolete::Cancel) {
                return Err(self.step_down("its files were still being fetched"));
            }
        }
    }
}

/// Puts an error beneath another: its own words are for the log.
#[derive(Debug, thiserror::Error)]
#[error("the files could not be read")]
struct Beneath(#[source] BundleError);
