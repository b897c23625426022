//! A context's record as a hash.
//!
//! Short names and bare numbers keep it small: Redis stores a hash in one piece as long as it has at most 128 fields and no
//! value above 64 bytes (its defaults), so a longer address or deployment id goes on in `la.1`, `la.2` and so on.
//!
//! | field | what |
//! | --- | --- |
//! | `v` | version of this layout |
//! | `a` | alias |
//! | `d` `h` `t` | the newest accepted event: its place, the digest of its request, when it was accepted |
//! | `f` | the highest fence given out |
//! | `z` | the floor: the newest accepted end's revision |
//! | `o` `w` `g` `s` `u` | the lease: owner, place of its event, digest, since when, until when |
//! | `bp` `bd` | the deployment worked on: provider, deployment |
//! | `lr` `lp` `ld` `la` `lt` `ls` | what is live: revision, provider, deployment, address, digests of tree and settings |
//! | `e` `y` | when that expires, and how many seconds it lives from an update or touch |
//! | `x…` | a condemned deployment, one field each, its id in the name |
//! | `j…` | a deployment that nobody has claimed, its id in the name: until when it may stay |
//! | `n` | made by a claim, and nobody has written under its fence yet |
//! | `i` | since when something newer than what is live is wanted |
//! | `cn` `ct` | builds cancelled one after another: how many, and when the last was |
//! | `m` | how long builds take, in milliseconds |
//! | `ke` `kl` | the expiry that is under way: the revision whose end it is, and what was live |
//! | `pi` `pl` | the reset that is under way: its id, and what was live |
//! | `ri` `rt` `rf` `rl` `rg` | the last reset that is done: its id, when, under which fence, what was live, and all it took away where that is more |
//! | `qw` `qs` `qu` `qy` | what the newest event waits for: its place, since when, until when, why |

use std::collections::BTreeMap;

use foreshow_contract::{DeploymentId, HostLabel, Ordinal, ProviderName, ResetId, Timestamp};
use foreshow_engine::{
    Address, Cancels, ContextRecord, Expiring, HeldLease, Live, Owner, RecordedDeployment, Reset,
    Resetting, Waits,
};

use super::{
    outcomes::to_gone,
    text::{instant, pack, place, to_instant, to_number, to_place, to_revision, unpack},
};

/// The version that scripts know; `prelude.lua` has the same.
pub(super) const VERSION: &[u8] = b"1";

/// The longest value that keeps a hash in one piece.
const LONGEST: usize = 64;

/// The longest that a reason to wait is kept in a record, in bytes: five fields. The history has all of it.
const LONGEST_WHY: usize = 300;

/// Names and values, to be written.
pub(super) type Fields = Vec<(String, Vec<u8>)>;

pub(super) fn building(deployment: &RecordedDeployment) -> Fields {
    let mut fields = Vec::new();
    push(&mut fields, "bp", deployment.provider.as_str());
    push(&mut fields, "bd", deployment.deployment.as_str());
    fields
}

pub(super) fn live(live: &Live) -> Fields {
    let mut fields = vec![("lr".to_owned(), live.revision.to_string().into_bytes())];
    push(&mut fields, "lp", live.provider.as_str());
    push(&mut fields, "ld", live.deployment.as_str());
    push(&mut fields, "la", live.address.as_str());
    push(&mut fields, "lt", &live.tree);
    push(&mut fields, "ls", &live.settings);
    fields
}

/// What an event waits for; since when is for the script to say.
pub(super) fn waits(ordinal: Ordinal, until: Timestamp, why: &str) -> Fields {
    let mut fields = vec![
        ("qw".to_owned(), place(ordinal).into_bytes()),
        ("qu".to_owned(), instant(until).into_bytes()),
    ];
    let why = &why[..why.floor_char_boundary(LONGEST_WHY)];
    push(&mut fields, "qy", why);
    fields
}

/// The field that condemns the deployment.
pub(super) fn condemned(deployment: &DeploymentId) -> Vec<u8> {
    [b"x", deployment.as_str().as_bytes()].concat()
}

/// The field that says how long the deployment may stay.
pub(super) fn adopted(deployment: &DeploymentId) -> Vec<u8> {
    [b"j", deployment.as_str().as_bytes()].concat()
}

/// The deployment as `ld` and `bd` have it, in one piece.
pub(super) fn packed(deployment: &DeploymentId) -> Vec<u8> {
    pack(deployment.as_str())
}

fn push(fields: &mut Fields, name: &str, word: &str) {
    let packed = pack(word);
    let mut pieces = packed.chunks(LONGEST);
    fields.push((name.to_owned(), pieces.next().unwrap_or_default().to_vec()));
    for (number, piece) in (1..).zip(pieces) {
        fields.push((format!("{name}.{number}"), piece.to_vec()));
    }
}

/// Reads a record; `None` where it can't be read.
pub(super) fn record(
    fields: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
) -> Option<ContextRecord> {
    let hash = Hash(fields.into_iter().collect());
    if hash.get("v")? != VERSION {
        return None;
    }
    let condemned: Option<Vec<DeploymentId>> =
        hash.ids(b"x").map(|(id, _)| to_deployment(id)).collect();
    let adopted: Option<BTreeMap<DeploymentId, Timestamp>> = hash
        .ids(b"j")
        .map(|(id, until)| Some((to_deployment(id)?, to_instant(until)?)))
        .collect();
    Some(ContextRecord {
        alias: HostLabel::try_new(hash.word("a")?).ok()?,
        desired: to_place(hash.get("d")?)?,
        desired_digest: hash.word("h")?,
        desired_at: to_instant(hash.get("t")?)?,
        fence: to_number(hash.get("f")?)?,
        floor: hash.maybe("z", to_revision)?,
        lease: hash.group("o", Hash::lease)?,
        building: hash.group("bp", Hash::building)?,
        live: hash.group("lr", Hash::live)?,
        condemned: condemned?,
        expires_at: hash.maybe("e", to_instant)?,
        ttl_seconds: hash.maybe("y", to_number)?,
        unproven: hash.get("n").is_some(),
        stale_since: hash.maybe("i", to_instant)?,
        cancels: hash.group("cn", Hash::cancels)?,
        build_ms: hash.maybe("m", to_number)?,
        waits: hash.group("qw", Hash::waits)?,
        adopted: adopted?,
        expiring: hash.group("ke", Hash::expiring)?,
        resetting: hash.group("pi", Hash::resetting)?,
        last_reset: hash.group("ri", Hash::last_reset)?,
    })
}

fn to_deployment(id: &[u8]) -> Option<DeploymentId> {
    Some(DeploymentId::new(std::str::from_utf8(id).ok()?))
}

struct Hash(BTreeMap<Vec<u8>, Vec<u8>>);

impl Hash {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name.as_bytes()).map(Vec::as_slice)
    }

    /// What is said of deployments whose ids follow this letter.
    fn ids(&self, letter: &'static [u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
        let fields = self.0.iter();
        fields.filter_map(move |(name, value)| Some((name.strip_prefix(letter)?, value.as_slice())))
    }

    fn word(&self, name: &str) -> Option<String> {
        let mut packed = self.get(name)?.to_vec();
        for piece in (1..).map_while(|number| self.get(&format!("{name}.{number}"))) {
            packed.extend_from_slice(piece);
        }
        unpack(&packed)
    }

    /// A field that may be missing: the outer `None` where it is there and can't be read.
    #[expect(
        clippy::option_option,
        reason = "missing and unreadable are not the same"
    )]
    fn maybe<T>(&self, name: &str, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<Option<T>> {
        match self.get(name) {
            None => Some(None),
            Some(text) => read(text).map(Some),
        }
    }

    /// Fields that are all there where the first of them is.
    #[expect(
        clippy::option_option,
        reason = "missing and unreadable are not the same"
    )]
    fn group<T>(&self, first: &str, read: impl FnOnce(&Self) -> Option<T>) -> Option<Option<T>> {
        match self.get(first) {
            None => Some(None),
            Some(_) => read(self).map(Some),
        }
    }

    fn lease(&self) -> Option<HeldLease> {
        Some(HeldLease {
            owner: Owner::new(self.word("o")?),
            ordinal: to_place(self.get("w")?)?,
            digest: self.word("g")?,
            since: to_instant(self.get("s")?)?,
            until: to_instant(self.get("u")?)?,
        })
    }

    fn cancels(&self) -> Option<Cancels> {
        Some(Cancels {
            in_a_row: u32::try_from(to_number(self.get("cn")?)?).ok()?,
            last_at: to_instant(self.get("ct")?)?,
        })
    }

    fn waits(&self) -> Option<Waits> {
        Some(Waits {
            ordinal: to_place(self.get("qw")?)?,
            since: to_instant(self.get("qs")?)?,
            until: to_instant(self.get("qu")?)?,
            why: self.word("qy")?,
        })
    }

    fn expiring(&self) -> Option<Expiring> {
        Some(Expiring {
            end: to_revision(self.get("ke")?)?,
            live: to_revision(self.get("kl")?)?,
        })
    }

    fn resetting(&self) -> Option<Resetting> {
        Some(Resetting {
            id: ResetId::try_new(self.word("pi")?).ok()?,
            live: self.maybe("pl", to_revision)?,
        })
    }

    fn last_reset(&self) -> Option<Reset> {
        Some(Reset {
            id: ResetId::try_new(self.word("ri")?).ok()?,
            at: to_instant(self.get("rt")?)?,
            fence: to_number(self.get("rf")?)?,
            gone: match self.get("rg").or(self.get("rl")) {
                Some(gone) => to_gone(gone)?,
                None => Vec::new(),
            },
        })
    }

    fn building(&self) -> Option<RecordedDeployment> {
        Some(RecordedDeployment {
            provider: ProviderName::new(self.word("bp")?),
            deployment: DeploymentId::new(self.word("bd")?),
        })
    }

    fn live(&self) -> Option<Live> {
        Some(Live {
            revision: to_revision(self.get("lr")?)?,
            provider: ProviderName::new(self.word("lp")?),
            deployment: DeploymentId::new(self.word("ld")?),
            address: Address::new(self.word("la")?),
            tree: self.word("lt")?,
            settings: self.word("ls")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named() -> Vec<(Vec<u8>, Vec<u8>)> {
        let fields = [
            ("v", "1"),
            ("a", "label"),
            ("d", "70"),
            ("h", "h"),
            ("t", "5"),
            ("f", "6"),
        ];
        fields
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec()
    }

    fn with(fields: Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
        let more = fields
            .into_iter()
            .map(|(name, value)| (name.into_bytes(), value));
        named().into_iter().chain(more).collect()
    }

    proptest! {
        #[test]
        fn what_is_live_is_read_as_it_was_written(words in proptest::array::uniform5(any::<String>())) {
            let [provider, deployment, address, tree, settings] = words;
            let shown = Live {
                revision: 7.try_into().unwrap(),
                provider: provider.as_str().into(),
                deployment: deployment.as_str().into(),
                address: Address::new(address),
                tree,
                settings,
            };
            let fields = with(live(&shown));
            prop_assert!(fields.iter().all(|(_, value)| value.len() <= LONGEST));
            prop_assert_eq!(record(fields).unwrap().live, Some(shown));
            let worked_on = RecordedDeployment {
                provider: provider.as_str().into(),
                deployment: deployment.as_str().into(),
            };
            prop_assert_eq!(record(with(building(&worked_on))).unwrap().building, Some(worked_on));
        }
    }

    #[test]
    fn a_reason_to_wait_is_cut_between_two_letters() {
        for (why, kept) in [
            ("é".repeat(400), "é".repeat(150)),
            ("a".repeat(10), "a".repeat(10)),
        ] {
            let mut fields = waits(Ordinal::update(7.try_into().unwrap()), Timestamp::MAX, &why);
            assert!(fields.iter().all(|(_, value)| value.len() <= LONGEST));
            fields.push(("qs".to_owned(), b"5".to_vec()));
            let read = record(with(fields)).unwrap().waits.unwrap();
            assert_eq!((read.why, read.until), (kept, Timestamp::MAX));
        }
    }

    #[test]
    fn what_is_damaged_or_newer_cannot_be_read() {
        assert!(record(named()).is_some());
        for (name, value) in [
            ("v", "2"),
            ("d", "x"),
            ("z", "-1"),
            ("o", "half a lease"),
            ("lr", "1"),
            ("i", "yesterday"),
            ("cn", "1"),
            ("m", ""),
            ("qw", "10"),
            ("ke", "7"),
            ("pi", "no id"),
            ("ri", "an-id"),
            ("jdep", "soon"),
        ] {
            let mut fields: BTreeMap<_, _> = named().into_iter().collect();
            fields.insert(name.into(), value.into());
            assert!(record(fields).is_none(), "{name} {value}");
        }
        assert!(record(Vec::new()).is_none());
    }
}
