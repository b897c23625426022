//! What a look at the providers tells of one context: the steps that nobody needs a lease for.

use std::time::Duration;

use foreshow_contract::{ContextKey, DeploymentId, Ordinal, Revision};
use foreshow_engine::{Seed, Suspect, Verdict};
use redis::cmd;

use super::{
    answers::{ForgetAnswer, JudgeAnswer, MendAnswer, SeedAnswer},
    error::RedisStoreError,
    fields, reading,
    scripts::{Call, FORGET, JUDGE, MEND, SEED},
    steps::life_ms,
    store::Inner,
    text::instant,
};

impl Inner {
    fn life_of_a_record(&self) -> String {
        life_ms(self.keep_outcomes, Duration::ZERO)
    }

    /// The context may be new, so it is registered along with it, as with a claim: killed in between, neither half misleads.
    pub(super) async fn seed(&self, key: &ContextKey, seed: &Seed) -> Result<(), RedisStoreError> {
        let live = seed.live.as_ref();
        let call = Call::of(&SEED)
            .key(self.keys.record(key))
            .arg(self.clock.given())
            .arg(self.keys.channel())
            .arg(key.to_string())
            .arg(seed.alias.as_str())
            .arg(seed.newest.map(Revision::padded).unwrap_or_default())
            .arg(self.life_of_a_record())
            .arg(live.map(|live| live.revision.padded()).unwrap_or_default())
            .arg(
                live.map(|live| fields::condemned(&live.deployment))
                    .unwrap_or_default(),
            )
            .arg(instant(seed.expires_at))
            .fields(live.map(fields::live).unwrap_or_default());
        let registering = async {
            if seed.newest.is_some() {
                self.index.register(key, &seed.alias).await?;
            }
            Ok::<_, RedisStoreError>(())
        };
        let (answer, registered) = tokio::join!(self.call::<SeedAnswer>(call), registering);
        let (at, expires_at) = match answer? {
            SeedAnswer::Unreadable => return Err(reading::unreadable("record", key)),
            SeedAnswer::Seeded(at, expires_at) => (at, expires_at),
        };
        registered?;
        if let Some(expires_at) = expires_at {
            self.index.look(key, &seed.alias, at, expires_at);
        }
        Ok(())
    }

    pub(super) async fn judge(
        &self,
        key: &ContextKey,
        suspect: &Suspect,
    ) -> Result<Verdict, RedisStoreError> {
        let deployment = &suspect.deployment;
        let call = Call::of(&JUDGE)
            .key(self.keys.record(key))
            .key(self.keys.outcome(key, Ordinal::update(deployment.revision)))
            .key(self.keys.shown(key))
            .arg(self.clock.given())
            .arg(deployment.id.as_str())
            .arg(fields::packed(&deployment.id))
            .arg(deployment.revision.padded())
            .arg(if suspect.live_is_there { "1" } else { "" })
            .arg(instant(suspect.stays_until))
            .arg(self.life_of_a_record());
        match self.call(call).await? {
            JudgeAnswer::Unreadable => Err(reading::unreadable("record", key)),
            JudgeAnswer::Judged(verdict) => Ok(verdict),
        }
    }

    /// As `judge.lua` looks for it.
    pub(super) async fn is_kept(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<bool, RedisStoreError> {
        let announced: Vec<(String, String)> = self
            .link
            .query("HGETALL", cmd("HGETALL").arg(self.keys.shown(key)))
            .await?;
        Ok(announced
            .iter()
            .filter_map(|(_, one)| one.split_once(' '))
            .any(|(_, serves)| serves == deployment.as_str()))
    }

    pub(super) async fn forget_condemned(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<(), RedisStoreError> {
        let call = Call::of(&FORGET)
            .key(self.keys.record(key))
            .arg(fields::condemned(deployment))
            .arg(fields::adopted(deployment))
            .arg(self.life_of_a_record());
        match self.call(call).await? {
            ForgetAnswer::Unreadable => Err(reading::unreadable("record", key)),
            ForgetAnswer::Done => Ok(()),
        }
    }

    pub(super) async fn mend(
        &self,
        key: &ContextKey,
        gone: &DeploymentId,
    ) -> Result<bool, RedisStoreError> {
        let call = Call::of(&MEND)
            .key(self.keys.record(key))
            .arg(self.clock.given())
            .arg(fields::packed(gone))
            .arg(self.life_of_a_record());
        match self.call(call).await? {
            MendAnswer::Unreadable => Err(reading::unreadable("record", key)),
            MendAnswer::Nothing => Ok(false),
            MendAnswer::Mended(at, alias) => {
                // Nothing expires any more: looked at again once its record is gone.
                let look_at = at.saturating_add(self.keep_outcomes);
                self.index.look(key, &alias, at, look_at);
                Ok(true)
            }
        }
    }
}
