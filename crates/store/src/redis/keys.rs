//! One function per key. What is in braces decides the slot in a Redis Cluster, so all keys of one script share it.

use std::sync::Arc;

use foreshow_contract::{ContextKey, HostLabel, Ordinal, OrdinalKind, TenantId};
use foreshow_engine::{AccountId, GateId, Lane, QuotaSet};

/// Shards of the index: enough to spread it over the nodes of a cluster, few enough to be asked all at once.
pub(super) const SHARDS: u8 = 16;

/// Letters of an alias that name its context in the index, counted from the end, where the label is random: 70 bits.
/// Two contexts of a million share one with a chance of 1 to 2,000,000,000, and fourteen fit 16 bytes of memory.
const ID_LETTERS: usize = 14;

/// The names of all keys of one namespace.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    namespace: Arc<str>,
}

impl Keys {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
        }
    }

    /// The context's record: a hash, see [`super::fields`].
    pub(super) fn record(&self, key: &ContextKey) -> String {
        format!("{}:{{c:{key}}}", self.namespace)
    }

    /// How an event of the context ended: a string, see [`super::outcomes`].
    pub(super) fn outcome(&self, key: &ContextKey, ordinal: Ordinal) -> String {
        let kind = match ordinal.kind {
            OrdinalKind::Update => "u",
            OrdinalKind::End => "e",
        };
        format!("{}:{{c:{key}}}:{}{kind}", self.namespace, ordinal.revision)
    }

    /// The context's announced revisions and the deployments that serve them: a hash, see `settle.lua`.
    pub(super) fn shown(&self, key: &ContextKey) -> String {
        format!("{}:{{c:{key}}}:shown", self.namespace)
    }

    /// A tenant's set: sorted, members by their deadlines.
    pub(super) fn quota(&self, tenant: &TenantId, set: QuotaSet) -> String {
        format!(
            "{}:{{t:{}}}:{}",
            self.namespace,
            tenant.escaped(),
            set.word()
        )
    }

    /// The shard's contexts: a hash of ids and names.
    pub(super) fn names(&self, shard: Shard) -> String {
        self.index(shard, "names")
    }

    /// The shard's contexts: sorted ids, by an instant not before their newest event.
    pub(super) fn changed(&self, shard: Shard) -> String {
        self.index(shard, "changed")
    }

    /// The shard's contexts: sorted ids, by when they are to be looked at.
    pub(super) fn expiry(&self, shard: Shard) -> String {
        self.index(shard, "expiry")
    }

    /// What happened to the shard's contexts: a stream.
    pub(super) fn history(&self, shard: Shard) -> String {
        self.index(shard, "history")
    }

    /// Whether the shard has its whole memory: a hash. `nonce` is of the rebuild that was begun last, `epoch` is there since
    /// one was completed. It goes with all else that the shard's node has, which is how a loss is noticed.
    pub(super) fn memory(&self, shard: Shard) -> String {
        self.index(shard, "memory")
    }

    fn index(&self, shard: Shard, what: &str) -> String {
        format!("{}:{{ix:{:02}}}:{what}", self.namespace, shard.0)
    }

    /// A value that all members of a fleet agree on: a string.
    pub(super) fn agreed(&self, what: &str) -> String {
        format!("{}:agreed:{what}", self.namespace)
    }

    /// Who sweeps, and until when: a string, see `lead.lua`.
    pub(super) fn sweeper(&self) -> String {
        format!("{}:sweeper", self.namespace)
    }

    /// All gates: a hash, see `gates`.
    pub(super) fn gates(&self) -> String {
        format!("{}:{{gates}}", self.namespace)
    }

    /// Entries of a gate that count against its account's limit: sorted names, by their instants.
    pub(super) fn gate_entries(&self, gate: &GateId) -> String {
        format!("{}:{}", self.gates(), gate_field(gate))
    }

    /// The channel of notices to those who wait.
    pub(super) fn channel(&self) -> String {
        format!("{}:notices", self.namespace)
    }
}

/// A part of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Shard(u8);

impl Shard {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS).map(Self)
    }

    /// By the FNV-1a digest of the whole label: the same in every version, for the index outlives the process.
    pub(super) fn of(alias: &HostLabel) -> Self {
        let digest = alias
            .as_str()
            .bytes()
            .fold(0x811c_9dc5_u32, |digest, byte| {
                (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
        let [.., low] = (digest ^ (digest >> 16)).to_be_bytes();
        Self(low % SHARDS)
    }
}

/// A gate's name in the hash of all gates. The lane is in front, for the account may have any letter in it.
pub(super) fn gate_field(gate: &GateId) -> String {
    format!("{}/{}", gate.lane.word(), gate.account)
}

/// Reverses [`gate_field`].
pub(super) fn gate_of(field: &str) -> Option<GateId> {
    let (lane, account) = field.split_once('/')?;
    Some(GateId {
        account: AccountId::new(account),
        lane: Lane::from_word(lane)?,
    })
}

/// A context's name in its shard.
pub(super) fn id(alias: &HostLabel) -> &str {
    let alias = alias.as_str();
    &alias[alias.len().saturating_sub(ID_LETTERS)..]
}

#[cfg(test)]
mod tests {
    use foreshow_contract::InstallationKey;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_one_context_share_a_slot_and_no_name_closes_the_brace_early() {
        let keys = Keys::new("foreshow");
        let key = ContextKey::try_new("a}c", "{x}").unwrap();
        let ordinal = Ordinal::end(7.try_into().unwrap());
        assert_eq!(keys.record(&key), "foreshow:{c:a~7Dc/~7Bx~7D}");
        assert_eq!(keys.outcome(&key, ordinal), "foreshow:{c:a~7Dc/~7Bx~7D}:7e");
        let tenant = keys.quota(&key.tenant, QuotaSet::LivePreviews);
        assert_eq!(tenant, "foreshow:{t:a~7Dc}:live_previews");
        let shard = Shard(7);
        assert_eq!(keys.expiry(shard), "foreshow:{ix:07}:expiry");
        let gate = GateId {
            account: AccountId::new("a/{b}"),
            lane: Lane::Create,
        };
        assert_eq!(keys.gates(), "foreshow:{gates}");
        assert_eq!(keys.gate_entries(&gate), "foreshow:{gates}:create/a/{b}");
        assert_eq!(gate_of(&gate_field(&gate)), Some(gate));
    }

    /// Names with whatever might end a part of a key, or the slot's braces, early.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-b:{}/~.]{1,4}", ".{1,4}"]
    }

    proptest! {
        #[test]
        fn no_two_contexts_share_a_key_and_no_two_tenants_a_quota(
            one in (name(), name()), other in (name(), name()),
        ) {
            let keys = Keys::new("foreshow");
            let context = |(tenant, context): &(String, String)| ContextKey::try_new(tenant, context).unwrap();
            let (one, other) = (context(&one), context(&other));
            let of = |key: &ContextKey| {
                let [update, end] = [Ordinal::update, Ordinal::end].map(|of| of(7.try_into().unwrap()));
                [keys.record(key), keys.shown(key), keys.outcome(key, update), keys.outcome(key, end)]
            };
            for (at, mine) in of(&one).iter().enumerate() {
                for (other_at, theirs) in of(&other).iter().enumerate() {
                    prop_assert_eq!(mine == theirs, at == other_at && one == other);
                }
                // One slot: what is in the first braces.
                let slot = |key: &str| key.split_once('{').unwrap().1.split_once('}').unwrap().0.to_owned();
                prop_assert_eq!(slot(mine), format!("c:{one}"));
            }
            let quota = |key: &ContextKey| keys.quota(&key.tenant, QuotaSet::LivePreviews);
            prop_assert_eq!(quota(&one) == quota(&other), one.tenant == other.tenant);
        }
    }

    #[test]
    fn contexts_are_spread_over_the_shards() {
        let installation = InstallationKey::try_from_slice(&[7; 32]).unwrap();
        let mut counts = [0; SHARDS as usize];
        for n in 0..1_600 {
            let key = ContextKey::try_new("acme", &format!("ctx-{n}")).unwrap();
            counts[usize::from(Shard::of(&installation.alias_label(&key)).0)] += 1;
        }
        assert!(
            counts.iter().all(|count| (50..200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_id_is_the_end_of_the_label() {
        let label = |label: &str| HostLabel::try_new(label).unwrap();
        assert_eq!(
            id(&label("site-abcdefghijklmnopqrstuvwxyz")),
            "mnopqrstuvwxyz"
        );
        assert_eq!(id(&label("short")), "short");
    }
}
