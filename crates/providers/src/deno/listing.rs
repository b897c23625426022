//! Finding our own: of one context, by the app's name; of the whole installation, by its label.
//!
//! A list tells everything but where a revision is reached, and so not whether it is ready. For one context that is asked for, once
//! for each revision ([`seen`](super::seen)); in the inventory, which is large, *succeeded* counts as ready, and whoever wants to
//! know more asks for it by name.
//!
//! What a list shows is believed only as far as its labels are ours.

use foreshow_contract::ContextKey;
use foreshow_engine::{Address, BuildState, Deployment, Inventory};
use futures_util::future::try_join_all;

use super::{
    DenoError, DenoProvider,
    state::{self, Log},
    tags::Place,
    wire::{App, Revision, Status},
};

/// Apps that are asked at the same time for their revisions.
const ASKED_AT_ONCE: usize = 4;

impl DenoProvider {
    /// A deployment as the list of a context tells it, with what the list leaves out.
    pub(super) async fn listed(
        &self,
        app: &str,
        listed: &Revision,
        log: Log,
    ) -> Result<Option<Deployment>, DenoError> {
        let Some((key, revision)) = self.tags.revision(&listed.labels) else {
            return Ok(None);
        };
        let place = Place::new(app, &listed.id);
        let known = self.seen.host(&place);
        let (address, state) = match known {
            Some(host) if listed.status == Status::Succeeded && listed.deleted_at.is_none() => {
                (Address::new(host), BuildState::Ready)
            }
            // Where it is, and so whether it is ready, stands in the full answer alone.
            None if listed.status == Status::Succeeded => {
                match self.client.revision(&listed.id).await? {
                    Some(full) => {
                        let state = self.state(&place, &full, log).await?;
                        (state::address(&place, &full), state)
                    }
                    None => (state::address(&place, listed), BuildState::Gone),
                }
            }
            _ => {
                let state = self.state(&place, listed, log).await?;
                (state::address(&place, listed), state)
            }
        };
        Ok(Some(Deployment {
            id: place.id(),
            key,
            revision,
            state,
            address,
        }))
    }

    pub(super) async fn of_context(&self, key: &ContextKey) -> Result<Vec<Deployment>, DenoError> {
        let app = self.slug_of(key);
        let revisions = self.client.revisions(&app).await?.unwrap_or_default();
        // Only the newest that failed can still have somebody who wants to hear why.
        let newest_failed = revisions
            .iter()
            .filter(|one| matches!(one.status, Status::Failed | Status::Skipped))
            .filter_map(|one| Some((self.tags.revision(&one.labels)?.1, &one.id)))
            .max()
            .map(|(_, id)| id);
        let mut deployments = Vec::new();
        for one in &revisions {
            let log = if Some(&one.id) == newest_failed {
                Log::Told
            } else {
                Log::Untold
            };
            let listed = self.listed(&app, one, log).await?;
            deployments.extend(listed.filter(|deployment| deployment.key == *key));
        }
        Ok(deployments)
    }

    /// One app's deployments, as far as a list tells them; an app that has none left is removed.
    pub(super) async fn of_app(&self, app: &App) -> Result<Vec<Deployment>, DenoError> {
        let Some(key) = self.tags.context(&app.labels) else {
            return Ok(Vec::new());
        };
        let revisions = self.client.revisions(&app.slug).await?.unwrap_or_default();
        let is_left = |one: &Revision| one.deleted_at.is_none();
        if !revisions.iter().any(is_left)
            && let Err(error) = self.drop_left_over(app).await
        {
            // The next sweep comes by again.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "an app without revisions was not removed"
            );
        }
        let deployments = revisions.iter().filter_map(|listed| {
            let (of, revision) = self.tags.revision(&listed.labels)?;
            let place = Place::new(&app.slug, &listed.id);
            let state = match listed.status {
                _ if !is_left(listed) => BuildState::Gone,
                Status::Queued | Status::Building | Status::Other => BuildState::Building,
                Status::Succeeded => BuildState::Ready,
                Status::Failed | Status::Skipped => BuildState::Failed {
                    log_tail: Vec::new(),
                },
            };
            let address = match self.seen.host(&place) {
                Some(host) => Address::new(host),
                None => state::address(&place, listed),
            };
            (of == key).then(|| Deployment {
                id: place.id(),
                key: of,
                revision,
                state,
                address,
            })
        });
        Ok(deployments.collect())
    }

    pub(super) async fn page(&self, after: Option<&str>) -> Result<Inventory, DenoError> {
        let page = self.client.apps(&self.tags, after).await?;
        let mut deployments = Vec::new();
        for apps in page.items.chunks(ASKED_AT_ONCE) {
            let asked: Vec<_> = apps.iter().map(|app| self.of_app(app)).collect();
            deployments.extend(try_join_all(asked).await?.into_iter().flatten());
        }
        Ok(Inventory {
            deployments,
            next: page.next,
        })
    }
}
