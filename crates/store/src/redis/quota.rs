//! A tenant's quota sets: members with deadlines, not counters. A crash can't leak a count, leaving twice can't grow a limit,
//! and admission is idempotent by member. All sets of a tenant are in one slot.

use foreshow_contract::{TenantId, Timestamp};
use foreshow_engine::{Admission, AdmitRequest, QuotaMember, QuotaSet};
use redis::cmd;

use super::{
    answers::{AdmitAnswer, Done, UsedAnswer},
    error::RedisStoreError,
    scripts::{ADMIT, Call, PROLONG, USED},
    store::Inner,
    text::instant,
};

impl Inner {
    pub(super) async fn admit(&self, request: &AdmitRequest) -> Result<Admission, RedisStoreError> {
        let places = request.places();
        let call = places.iter().fold(Call::of(&ADMIT), |call, place| {
            call.key(self.keys.quota(&request.key.tenant, place.member.set()))
        });
        let call = places
            .iter()
            .fold(call.arg(self.clock.given()), |call, place| {
                let limit = place.limit.map(|limit| limit.to_string());
                call.arg(place.member.name())
                    .arg(limit.unwrap_or_default())
                    .arg(instant(place.until))
            });
        let (set, used, next_at) = match self.call(call).await? {
            AdmitAnswer::Admitted => return Ok(Admission::Admitted),
            AdmitAnswer::Full { set, used, next_at } => (set, used, next_at),
        };
        let full = places.get(set).and_then(|place| {
            Some(Admission::Full {
                set: place.member.set(),
                limit: place.limit?.get(),
                used,
                next_at,
            })
        });
        full.ok_or(RedisStoreError::Strange { what: "admit" })
    }

    pub(super) async fn leave(&self, member: &QuotaMember) -> Result<(), RedisStoreError> {
        let set = self.keys.quota(member.tenant(), member.set());
        let mut command = cmd("ZREM");
        command.arg(set).arg(member.name());
        self.link.query::<u64>("ZREM", &command).await.map(|_| ())
    }

    /// A member that counts does so at least until then; one that does not still does not.
    pub(super) async fn prolong(
        &self,
        member: &QuotaMember,
        until: Timestamp,
    ) -> Result<(), RedisStoreError> {
        let call = Call::of(&PROLONG)
            .key(self.keys.quota(member.tenant(), member.set()))
            .arg(self.clock.given())
            .arg(member.name())
            .arg(instant(until));
        self.call::<Done>(call).await.map(|Done| ())
    }

    pub(super) async fn quota_used(
        &self,
        tenant: &TenantId,
        set: QuotaSet,
    ) -> Result<u64, RedisStoreError> {
        let call = Call::of(&USED)
            .key(self.keys.quota(tenant, set))
            .arg(self.clock.given());
        self.call(call).await.map(|UsedAnswer(used)| used)
    }
}
