//! A context that the store does not know, while it may have lost its memory: the providers are asked.

use super::{Job, stop::Stop};
use crate::{
    ContextRecord,
    outcome::Subject,
    sweep::{of_context, seed},
};

impl Job {
    /// Merges what the providers know of the context into its record, so that a late old revision cannot pass for the
    /// newest; the record after that.
    pub(super) async fn look_up(&self, subject: &Subject) -> Result<ContextRecord, Stop> {
        let engine = &self.engine;
        let listed = of_context(engine, &subject.key).await;
        let listed = listed.map_err(|error| Stop::from(error).kept_here())?;
        let seed = seed(engine, &subject.key, &listed);
        let store = engine.store();
        engine
            .insist(&self.shutdown, || store.seed(&subject.key, &seed))
            .await?;
        let record = engine
            .insist(&self.shutdown, || store.context(&subject.key))
            .await?;
        // Wiped once more: the lease is gone with it.
        record.ok_or(Stop::LeaseLost)
    }
}
