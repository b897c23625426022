//! Whether the store has its whole memory, and who sweeps.
//!
//! A store that is new or was wiped knows no context, and must not take the first event that comes for the newest: it says
//! that it does not remember, until a rebuild from the providers' tags is done. Each shard of the index has this for itself,
//! in its own slot, so a claim learns it from the shard that it registers with, in the same round trip.
//!
//! - **A wipe takes the epoch along with the records.** Of one server that is certain. Of a cluster each node that lost its
//!   memory is noticed by the shards that it had, so the answer is all shards' together; a node that has none of the
//!   sixteen is not noticed.
//! - **A rebuild that was overtaken by a wipe does not count**: its nonce is gone with all else, and it is begun again. Cut off
//!   half-way, some shards remember and others do not; the next rebuild makes up for it.

use std::time::Duration;

use foreshow_engine::Owner;
use futures_util::future::try_join_all;
use redis::cmd;

use super::{
    answers::{Leads, Rebuilt},
    error::RedisStoreError,
    keys::Shard,
    scripts::{Call, LEAD, REBUILT},
    steps::life_ms,
    store::Inner,
    text::span,
};

/// How much longer than the sweeper's deadline its key is kept.
const KEEP_SWEEPER: Duration = Duration::from_hours(24);

impl Inner {
    pub(super) async fn remembers(&self) -> Result<bool, RedisStoreError> {
        let asked = Shard::all().map(async |shard| {
            let mut command = cmd("HGET");
            command.arg(self.keys.memory(shard)).arg("epoch");
            let epoch: Option<Vec<u8>> = self.link.query("HGET", &command).await?;
            Ok(epoch.is_some())
        });
        let told: Vec<bool> = try_join_all(asked).await?;
        Ok(told.into_iter().all(|remembers| remembers))
    }

    pub(super) async fn begin_rebuild(&self, nonce: &str) -> Result<(), RedisStoreError> {
        let left = Shard::all().map(async |shard| {
            let mut command = cmd("HSET");
            command.arg(self.keys.memory(shard)).arg("nonce").arg(nonce);
            self.link.query::<u64>("HSET", &command).await
        });
        try_join_all(left).await.map(|_| ())
    }

    pub(super) async fn complete_rebuild(&self, nonce: &str) -> Result<bool, RedisStoreError> {
        let completed = Shard::all().map(async |shard| {
            let call = Call::of(&REBUILT).key(self.keys.memory(shard)).arg(nonce);
            let Rebuilt(is_there) = self.call(call).await?;
            Ok(is_there)
        });
        let told: Vec<bool> = try_join_all(completed).await?;
        Ok(told.into_iter().all(|is_there| is_there))
    }

    pub(super) async fn lead_sweep(
        &self,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<bool, RedisStoreError> {
        let call = Call::of(&LEAD)
            .key(self.keys.sweeper())
            .arg(self.clock.given())
            .arg(owner.to_string())
            .arg(span(ttl))
            .arg(life_ms(KEEP_SWEEPER, ttl));
        let Leads(is_granted) = self.call(call).await?;
        Ok(is_granted)
    }
}
