//! Removing revisions, and the apps that are left without any.
//!
//! The API refuses to delete a revision that builds or that a host shows. So a build is cancelled and seen to end, every host is
//! detached, and then the revision is deleted, asked again while the detaching has not come through. Detaching and deleting in this
//! order is our reading of the vendor's page on timelines; nobody has published a trial. What is documented to work always is deleting the
//! app, with everything in it. That is the way where the revision is the app's only one, and the last resort where it is refused.
//!
//! **Who races.** Deleting an app also deletes what somebody else began in it a moment ago. So an app is only deleted within
//! [`FRESH`] of having been seen without another revision: a worker that was frozen in between looks again. What can be lost is a
//! build of that moment, never something live; its watcher sees it gone and creates it anew.
//!
//! Every step may be done twice, and whoever dies between two of them has left a revision that is still listed.

use std::time::Duration;

use foreshow_contract::Timestamp;
use tokio::time::{Instant, sleep};

use super::{
    DenoError, DenoProvider,
    alias::ASK_EVERY,
    client::Deletion,
    hosts,
    tags::Place,
    wire::{App, Revision, Status},
};

/// How long a cancelled build may take to end, and a detached revision to be deletable.
const ENDS_WITHIN: Duration = Duration::from_secs(30);
/// How long it is believed that an app has no other revision.
const FRESH: Duration = Duration::from_secs(3);
/// How often that is looked at, where looking itself takes longer.
const LOOKS: usize = 3;
/// How long an app may be without revisions before it counts as left over: far longer than a create needs between the two.
const EMPTY_FOR: Duration = Duration::from_mins(10);

/// What becomes of an app whose only revision goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmptyApp {
    /// It goes as well.
    Removed,
    /// It stays for the next revision, which is usually waiting already.
    Kept,
}

impl DenoProvider {
    /// Removes a revision, whatever it is doing. One that is gone counts as removed.
    pub(super) async fn remove(&self, place: &Place, empty: EmptyApp) -> Result<(), DenoError> {
        let Some(revision) = self.stopped(place).await? else {
            return self.tidy(&place.app, empty).await;
        };
        let this = Some(place.revision.as_str());
        if empty == EmptyApp::Removed && self.drop_app(&place.app, this).await? {
            return Ok(());
        }
        // It is not where it was from here on.
        self.seen.forget(place);
        for host in hosts::all(&revision) {
            self.detach(place, host).await?;
        }
        let give_up_at = Instant::now() + ENDS_WITHIN;
        loop {
            match self.client.delete_revision(&place.revision).await? {
                Deletion::Done => return self.tidy(&place.app, empty).await,
                Deletion::Refused(_) if Instant::now() < give_up_at => sleep(ASK_EVERY).await,
                Deletion::Refused(error) => {
                    if self.drop_app(&place.app, this).await? {
                        return Ok(());
                    }
                    return Err(DenoError::NotConfirmed {
                        what: "the removal of a revision",
                        source: Some(Box::new(error)),
                    });
                }
            }
        }
    }

    /// Ends a build that runs; the revision as it stands then, `None` where it is gone.
    async fn stopped(&self, place: &Place) -> Result<Option<Revision>, DenoError> {
        let give_up_at = Instant::now() + ENDS_WITHIN;
        let mut is_asked = false;
        loop {
            let Some(revision) = self.client.revision(&place.revision).await? else {
                return Ok(None);
            };
            if revision.deleted_at.is_some() {
                return Ok(None);
            }
            match revision.status {
                Status::Succeeded | Status::Failed | Status::Skipped => return Ok(Some(revision)),
                // Nobody knows whether it has ended: deleting it tells.
                Status::Other if is_asked => return Ok(Some(revision)),
                Status::Queued | Status::Building | Status::Other => {}
            }
            if !is_asked {
                // A refusal means that it has just ended, which the next look shows.
                self.client.cancel(&place.revision).await?;
                is_asked = true;
                continue;
            }
            if Instant::now() >= give_up_at {
                return Err(DenoError::NotConfirmed {
                    what: "the cancelling of a build",
                    source: None,
                });
            }
            sleep(ASK_EVERY).await;
        }
    }

    async fn detach(&self, place: &Place, host: &str) -> Result<(), DenoError> {
        for name in hosts::bindings(place, host) {
            if self.client.detach(&place.revision, &name).await? {
                return Ok(());
            }
        }
        // Bound under neither name: whether it matters is told when the revision is deleted.
        Ok(())
    }

    async fn tidy(&self, app: &str, empty: EmptyApp) -> Result<(), DenoError> {
        match empty {
            EmptyApp::Removed => self.drop_app(app, None).await.map(drop),
            EmptyApp::Kept => Ok(()),
        }
    }

    /// Removes an app that a list showed without revisions, once it has been so for long.
    pub(super) async fn drop_left_over(&self, app: &App) -> Result<(), DenoError> {
        let since = |text: &str| text.parse::<Timestamp>().ok();
        let (Some(created_at), Some(updated_at)) = (since(&app.created_at), since(&app.updated_at))
        else {
            return Ok(());
        };
        let now = self.clock.now();
        if now.saturating_since(created_at.max(updated_at)) < EMPTY_FOR {
            return Ok(());
        }
        if self.drop_app(&app.slug, None).await? {
            tracing::info!(
                app = app.slug,
                "removed an app at Deno Deploy that had no revisions left"
            );
        }
        Ok(())
    }

    /// Deletes the app if it has no revision but perhaps this one; whether it is gone.
    async fn drop_app(&self, app: &str, but: Option<&str>) -> Result<bool, DenoError> {
        for _ in 0..LOOKS {
            let looked_at = Instant::now();
            let Some(revisions) = self.client.revisions(app).await? else {
                return Ok(true);
            };
            let is_another = |one: &Revision| one.deleted_at.is_none() && Some(&*one.id) != but;
            if revisions.iter().any(is_another) {
                return Ok(false);
            }
            if looked_at.elapsed() < FRESH {
                self.client.delete_app(app).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }
}
