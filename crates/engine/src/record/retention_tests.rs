//! What must hold of expiries and resets, whatever came before and comes between.

use std::time::Duration;

use foreshow_contract::{ContextKey, HostLabel, Ordinal, ResetId, Revision, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::{Address, Claim, Purpose, Settlement};

const TTL: Duration = Duration::from_secs(15);
const KEPT: Duration = Duration::from_secs(500);

fn rev(n: u64) -> Revision {
    Revision::try_new(n).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000).saturating_add(Duration::from_secs(seconds))
}

fn claim(ordinal: Ordinal, purpose: Purpose, owner: u64) -> Claim {
    Claim {
        key: ContextKey::try_new("acme", "ctx").unwrap(),
        ordinal,
        digest: "same".to_owned(),
        alias: "ctx-aaaaaaaaaaaaaaaaaaaaaaaaaa"
            .parse::<HostLabel>()
            .unwrap(),
        owner: Owner::new(format!("w/{owner}")),
        ttl: TTL,
        purpose,
        replay: 0,
    }
}

/// One step at a time.
#[derive(Clone, Debug)]
enum Step {
    Update(u64),
    End(u64),
    /// Of what is wanted, plus this; and whether the update's end is remembered.
    Expire(u64, bool),
    Reset(u8),
    GoLive(u64),
    /// Settles the last lease: superseded, removed, or reset.
    Settle(u8),
    Touch(u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u64).prop_map(Step::Update),
        1 => (0..5_u64).prop_map(Step::End),
        4 => (prop_oneof![4 => Just(0_u64), 1 => 1..3_u64], any::<bool>()).prop_map(|(more, over)| Step::Expire(more, over)),
        1 => (0..2_u8).prop_map(Step::Reset),
        4 => (0..40_u64).prop_map(Step::GoLive),
        4 => (0..4_u8).prop_map(Step::Settle),
        1 => (0..60_u64).prop_map(Step::Touch),
        3 => (0..30_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn nothing_expires_before_its_time_and_only_a_reset_lowers_the_floor(
        steps in proptest::collection::vec(step(), 1..60)
    ) {
        let (mut record, mut now) = (None::<ContextRecord>, at(0));
        let mut lease = None::<LeaseId>;
        for (owner, step) in (0_u64..).zip(steps) {
            let before = record.clone();
            let mut forgot = false;
            let mut asked = None;
            match step {
                Step::Update(n) => asked = Some((claim(Ordinal::update(rev(n)), Purpose::Event, owner), false)),
                Step::End(n) => asked = Some((claim(Ordinal::end(rev(n)), Purpose::Event, owner), false)),
                Step::Expire(more, over) => {
                    let newest = before.as_ref().map_or(0, |record| record.desired.revision.get());
                    let ordinal = Ordinal::end(rev((newest + more).min(Revision::MAX.get())));
                    asked = Some((claim(ordinal, Purpose::Expiry, owner), over));
                }
                Step::Reset(id) => {
                    let id = ResetId::try_new(format!("{id:x}")).unwrap();
                    asked = Some((claim(Ordinal::end(Revision::MAX), Purpose::Reset(id), owner), false));
                }
                Step::GoLive(life) => {
                    if let (Some(record), Some(lease)) = (&mut record, &lease) {
                        let live = Live {
                            revision: lease.ordinal.revision,
                            provider: "fake".into(),
                            deployment: "d".into(),
                            address: Address::new("d"),
                            tree: String::new(),
                            settings: String::new(),
                        };
                        let expires_at = now.saturating_add(Duration::from_secs(life));
                        record.go_live(lease, &live, expires_at, TTL, now);
                    }
                }
                Step::Settle(how) => {
                    if let (Some(record), Some(lease)) = (&mut record, lease.take()) {
                        let outcome = match how {
                            0 => Outcome::Superseded { by: Ordinal::end(Revision::MAX) },
                            1 | 2 => Outcome::removed(),
                            _ => Outcome::Reset { gone: Vec::new() },
                        };
                        let is_reset = matches!(outcome, Outcome::Reset { .. });
                        let settled = record.settle(&lease, &Settlement::of(outcome), now);
                        forgot = settled && is_reset;
                    }
                }
                Step::Touch(seconds) => {
                    if let Some(record) = &mut record {
                        let expires_at = record.expires_at;
                        let touched = record.touch(Some(Duration::from_secs(seconds)), now);
                        prop_assert!(touched.is_none() || touched >= expires_at, "a touch shortens");
                    }
                }
                Step::Wait(seconds) => now = now.saturating_add(Duration::from_secs(seconds)),
            }
            if let Some((claim, is_update_over)) = asked {
                let remembered = Remembered { prior: None, is_update_over, kept: KEPT };
                let answer = ContextRecord::claim(&mut record, &claim, remembered, now);
                if answer == ClaimAnswer::Moot {
                    prop_assert_eq!(&record, &before, "a moot expiry writes");
                }
                if claim.purpose == Purpose::Expiry && answer != ClaimAnswer::Moot {
                    let before = before.as_ref().unwrap();
                    let is_due = before.may_expire(is_update_over, KEPT, now)
                        && before.desired == Ordinal::update(claim.ordinal.revision);
                    let is_begun = before.is_expiring() && before.desired == claim.ordinal;
                    prop_assert!(is_due || is_begun, "{:?} over {:?}", claim, before);
                }
                if let ClaimAnswer::Granted(fence) = answer {
                    let known = before.as_ref().map_or(0, |record| record.fence);
                    prop_assert!(fence > known, "fences grow, over a reset too");
                    lease = Some(LeaseId { key: claim.key, ordinal: claim.ordinal, owner: claim.owner, fence, replay: 0 });
                }
            }
            let (Some(before), Some(after)) = (&before, &record) else { continue };
            prop_assert!(after.fence >= before.fence);
            if forgot {
                prop_assert!(after.is_blank() && after.floor.is_none() && after.resetting.is_none());
            } else {
                prop_assert!(after.floor >= before.floor, "the floor fell");
                prop_assert!(after.desired >= before.desired, "the order fell");
            }
        }
    }
}

#[test]
fn a_record_from_before_there_were_expiries_is_read() {
    let record = ContextRecord::new(
        "ctx-aaaaaaaaaaaaaaaaaaaaaaaaaa"
            .parse::<HostLabel>()
            .unwrap(),
        Ordinal::update(rev(1)),
        at(0),
    );
    let json = serde_json::to_value(&record).unwrap();
    for field in ["expiring", "resetting", "lastReset"] {
        assert!(json.get(field).is_none(), "{field}");
    }
    assert_eq!(
        serde_json::from_value::<ContextRecord>(json).unwrap(),
        record
    );
    let removed = serde_json::from_str::<Outcome>(r#"{"kind":"removed"}"#).unwrap();
    assert_eq!(removed, Outcome::removed());
    assert_eq!(
        serde_json::to_string(&removed).unwrap(),
        r#"{"kind":"removed"}"#
    );
}
