//! The stable address: the app's production host, which a revision is promoted to.
//!
//! Promoting pins the host to a revision, also to an older one. What the host shows is read from the revisions' own timelines, which
//! follow by seconds, so:
//!
//! - moving waits until the revision's timelines have the host, for a bounded time; whoever asks next is not told of yesterday;
//! - reading looks at every revision that could be shown, and looks again while two of them claim the host. Not the first that
//!   claims it is believed: a frozen worker's late promotion shows as the second.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    DenoError, DenoProvider, hosts,
    tags::Place,
    wire::{Revision, Status},
};

/// How long the timelines are waited for.
const SETTLES_WITHIN: Duration = Duration::from_secs(20);
/// How often they are asked.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(500);

impl DenoProvider {
    /// The revision that the app's production host shows.
    pub(super) async fn shown(&self, app: &str) -> Result<Option<Place>, DenoError> {
        let give_up_at = Instant::now() + SETTLES_WITHIN;
        loop {
            let mut claims = Vec::new();
            for revision in self.in_full(app).await? {
                let place = Place::new(app, &revision.id);
                self.learn(&place, &revision);
                if hosts::is_shown(&place, &revision) {
                    claims.push(place);
                }
            }
            if claims.len() < 2 || Instant::now() >= give_up_at {
                return Ok(claims.into_iter().next());
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Shows this revision; `false` where it is gone.
    pub(super) async fn show(&self, place: &Place) -> Result<bool, DenoError> {
        if !self.client.promote(&place.revision).await? {
            return Ok(false);
        }
        let give_up_at = Instant::now() + SETTLES_WITHIN;
        loop {
            let Some(revision) = self.client.revision(&place.revision).await? else {
                return Ok(false);
            };
            self.learn(place, &revision);
            // Promoted it is; whether it shows is for whoever reads the alias back.
            if hosts::is_shown(place, &revision) || Instant::now() >= give_up_at {
                return Ok(true);
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Every revision of the app that succeeded, with its timelines.
    pub(super) async fn in_full(&self, app: &str) -> Result<Vec<Revision>, DenoError> {
        let mut all = Vec::new();
        for listed in self.client.revisions(app).await?.unwrap_or_default() {
            if listed.status == Status::Succeeded
                && listed.deleted_at.is_none()
                && let Some(revision) = self.client.revision(&listed.id).await?
            {
                all.push(revision);
            }
        }
        Ok(all)
    }
}
