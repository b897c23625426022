//! The end of a context: the same loop as a deployment, with the desired state `absent`.

use crate::{Outcome, Settlement, outcome::Subject, ports::QuotaMember};

use super::{Job, stop::Stop};

impl Job {
    /// Removes, at every provider, each deployment of the context whose revision is not above the end's own.
    ///
    /// Bounded by the end's revision, so that a clean-up that was frozen and wakes late cannot remove what a newer
    /// update has deployed meanwhile. The record stays, as the tombstone.
    pub(super) async fn clean_up(&self, subject: &Subject) -> Result<Settlement, Stop> {
        for provider in self.engine.providers() {
            loop {
                let mut left = provider.list(&subject.key).await?;
                left.retain(|deployment| deployment.revision <= subject.ordinal.revision);
                if left.is_empty() {
                    break;
                }
                for deployment in left {
                    provider.delete(&deployment.id).await?;
                }
            }
        }
        let place = QuotaMember::LivePreview(subject.key.clone());
        self.engine
            .insist(&self.shutdown, || self.engine.store().leave(&place))
            .await?;
        Ok(Settlement {
            outcome: Outcome::Removed,
            expires_at: None,
            removed: Vec::new(),
        })
    }
}
