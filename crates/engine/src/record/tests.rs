use std::time::Duration;

use foreshow_contract::{ContextId, ContextKey, HostLabel, Ordinal, Revision, TenantId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::{Claim, Purpose, Settlement};

const TTL: Duration = Duration::from_secs(15);

fn key() -> ContextKey {
    ContextKey {
        tenant: TenantId::try_new("acme").unwrap(),
        context: ContextId::try_new("ctx-42").unwrap(),
    }
}

fn rev(n: u64) -> Revision {
    Revision::try_new(n).unwrap()
}

fn update(n: u64) -> Ordinal {
    Ordinal::update(rev(n))
}

fn end(n: u64) -> Ordinal {
    Ordinal::end(rev(n))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + seconds * 1_000_000)
}

fn claim(ordinal: Ordinal, owner: &str) -> Claim {
    Claim {
        key: key(),
        ordinal,
        digest: "same".to_owned(),
        alias: "ctx-42-aaaaaaaaaaaaaaaaaaaaaaaaaa"
            .parse::<HostLabel>()
            .unwrap(),
        owner: Owner::new(owner),
        ttl: TTL,
        purpose: Purpose::Event,
        replay: 0,
    }
}

fn lease(claim: &Claim, fence: u64) -> LeaseId {
    LeaseId {
        key: claim.key.clone(),
        ordinal: claim.ordinal,
        owner: claim.owner.clone(),
        fence,
        replay: claim.replay,
    }
}

/// Claims and expects a grant.
fn granted(
    record: &mut Option<ContextRecord>,
    ordinal: Ordinal,
    owner: &str,
    now: Timestamp,
) -> LeaseId {
    let claim = claim(ordinal, owner);
    match ContextRecord::claim(record, &claim, None, now) {
        ClaimAnswer::Granted(fence) => lease(&claim, fence),
        other => panic!("{ordinal} was not granted: {other:?}"),
    }
}

fn ask(record: &mut Option<ContextRecord>, ordinal: Ordinal, now: Timestamp) -> ClaimAnswer {
    ContextRecord::claim(record, &claim(ordinal, "other"), None, now)
}

fn live(revision: u64, deployment: &str) -> Live {
    Live {
        revision: rev(revision),
        provider: ProviderName::from("fake"),
        deployment: DeploymentId::from(deployment),
        address: Address::new("label"),
        tree: "tree".to_owned(),
        settings: "settings".to_owned(),
    }
}

fn deployment(id: &str) -> RecordedDeployment {
    RecordedDeployment {
        provider: ProviderName::from("fake"),
        deployment: DeploymentId::from(id),
    }
}

#[test]
fn an_older_revision_is_stale_once_a_newer_was_accepted() {
    let record = &mut None;
    let _newest = granted(record, update(7), "a", at(0));
    assert_eq!(ask(record, update(6), at(1)), ClaimAnswer::Stale(update(7)));
}

#[test]
fn the_revision_under_the_lease_is_held_whatever_is_desired() {
    let record = &mut None;
    let _working = granted(record, update(1), "a", at(0));
    assert!(matches!(
        ask(record, update(2), at(1)),
        ClaimAnswer::Held(_)
    ));
    assert!(
        matches!(ask(record, update(1), at(2)), ClaimAnswer::Held(_)),
        "a duplicate of what is being built waits along"
    );
    assert_eq!(
        ask(record, update(1), at(16)),
        ClaimAnswer::Stale(update(2)),
        "and is stale once the lease is gone"
    );
}

#[test]
fn an_end_beats_an_update_of_the_same_revision() {
    let record = &mut None;
    let _ended = granted(record, end(3), "a", at(0));
    assert_eq!(ask(record, update(3), at(1)), ClaimAnswer::Stale(end(3)));
}

#[test]
fn an_end_raises_the_floor_also_where_a_newer_update_came_first() {
    let record = &mut None;
    let newer = granted(record, update(5), "a", at(0));
    assert_eq!(ask(record, end(4), at(1)), ClaimAnswer::Stale(update(5)));
    let record = record.as_mut().unwrap();
    assert!(record.is_ended(rev(4)));
    assert_eq!(
        record.go_live(&newer, &live(5, "d5"), at(100), TTL, at(2)),
        Recording::Recorded,
        "revision 5 is above it"
    );
}

#[test]
fn nothing_at_or_below_the_floor_is_recorded_or_goes_live() {
    let record = &mut None;
    let working = granted(record, update(4), "a", at(0));
    assert!(matches!(ask(record, end(4), at(1)), ClaimAnswer::Held(_)));
    let record = record.as_mut().unwrap();
    assert_eq!(
        record.record_deployment(&working, &deployment("d4"), at(2)),
        Recording::Ended(end(4))
    );
    assert_eq!(
        record.go_live(&working, &live(4, "d4"), at(100), TTL, at(2)),
        Recording::Ended(end(4))
    );
    assert_eq!(record.live, None);
}

#[test]
fn a_condemned_deployment_is_neither_adopted_nor_shown() {
    let record = &mut None;
    let working = granted(record, update(1), "a", at(0));
    let record = record.as_mut().unwrap();
    record.condemned.push(DeploymentId::from("d1"));
    assert_eq!(
        record.record_deployment(&working, &deployment("d1"), at(1)),
        Recording::Condemned
    );
    assert_eq!(
        record.go_live(&working, &live(1, "d1"), at(100), TTL, at(1)),
        Recording::Condemned
    );
    assert_eq!(
        record.record_deployment(&working, &deployment("d2"), at(1)),
        Recording::Recorded
    );
}

#[test]
fn a_grant_whose_answer_was_lost_is_granted_again() {
    let record = &mut None;
    let first = granted(record, update(1), "a", at(0));
    let again = granted(record, update(1), "a", at(1));
    assert_eq!(first, again);
    let until = record.as_ref().and_then(|record| record.lease.clone());
    assert_eq!(
        until.map(|lease| lease.until),
        Some(at(16)),
        "and lasts from then"
    );
}

#[test]
fn a_lost_lease_writes_nothing() {
    let record = &mut None;
    let frozen = granted(record, update(1), "a", at(0));
    let successor = granted(record, update(1), "b", at(16));
    assert!(successor.fence > frozen.fence);
    let record = record.as_mut().unwrap();
    let before = record.clone();
    assert!(!record.renew(&frozen, TTL, at(17)));
    assert_eq!(
        record.record_deployment(&frozen, &deployment("d"), at(17)),
        Recording::Lost
    );
    assert_eq!(
        record.go_live(&frozen, &live(1, "d"), at(100), TTL, at(17)),
        Recording::Lost
    );
    assert!(!record.settle(&frozen, &Settlement::of(Outcome::removed()), at(17)));
    assert!(!record.release(&frozen, &GiveBack::HandedOver, at(17)));
    assert_eq!(*record, before);
}

#[test]
fn a_lease_that_ran_out_is_lost_also_where_nobody_took_over() {
    let record = &mut None;
    let slow = granted(record, update(1), "a", at(0));
    let record = record.as_mut().unwrap();
    assert!(record.renew(&slow, TTL, at(14)));
    assert!(!record.renew(&slow, TTL, at(30)));
}

#[test]
fn a_fence_grows_also_when_the_record_was_lost() {
    let record = &mut None;
    let before = granted(record, update(1), "a", at(0));
    let after = granted(&mut None, update(1), "b", at(1));
    assert!(after.fence > before.fence);
}

#[test]
fn the_same_revision_with_other_content_is_a_conflict() {
    let record = &mut None;
    let _working = granted(record, update(1), "a", at(0));
    let other = Claim {
        digest: "other".to_owned(),
        ..claim(update(1), "b")
    };
    assert_eq!(
        ContextRecord::claim(record, &other, None, at(1)),
        ClaimAnswer::Conflict
    );
    let settled = SettledOutcome {
        ordinal: update(1),
        digest: "same".to_owned(),
        outcome: Outcome::removed(),
        at: at(2),
        replay: 0,
    };
    assert_eq!(
        ContextRecord::claim(record, &other, Some(&settled), at(3)),
        ClaimAnswer::Conflict
    );
    assert_eq!(
        ContextRecord::claim(record, &claim(update(1), "b"), Some(&settled), at(3)),
        ClaimAnswer::Finished(settled.clone())
    );
}

#[test]
fn an_update_above_an_end_reopens_the_context() {
    let record = &mut None;
    let ending = granted(record, end(2), "a", at(0));
    assert!(
        record
            .as_mut()
            .unwrap()
            .settle(&ending, &Settlement::of(Outcome::removed()), at(1))
    );
    let reopened = granted(record, update(3), "b", at(2));
    assert_eq!(
        record
            .as_mut()
            .unwrap()
            .go_live(&reopened, &live(3, "d3"), at(100), TTL, at(3)),
        Recording::Recorded
    );
}

#[test]
fn a_touch_prolongs_and_never_shortens() {
    let record = &mut None;
    let working = granted(record, update(1), "a", at(0));
    let record = record.as_mut().unwrap();
    assert_eq!(record.touch(None, at(0)), None, "nothing is live yet");
    let ready = Outcome::Superseded { by: update(2) };
    assert!(record.settle(&working, &Settlement::of(ready), at(1)));
    record.expires_at = Some(at(100));
    record.ttl_seconds = Some(99);
    assert_eq!(record.touch(None, at(50)), Some(at(149)));
    assert_eq!(
        record.touch(Some(Duration::from_secs(1)), at(51)),
        Some(at(149))
    );
}

proptest! {
    /// Whatever the order and repetition of arrivals, at most one lease holds and desired is the greatest accepted.
    #[test]
    fn desired_is_the_greatest_accepted_in_any_order(
        arrivals in prop::collection::vec((1_u64..8, any::<bool>()), 1..40),
    ) {
        let record = &mut None;
        let mut greatest = None;
        let mut fences = Vec::new();
        for (i, (revision, is_end)) in arrivals.into_iter().enumerate() {
            let ordinal = if is_end { end(revision) } else { update(revision) };
            greatest = greatest.max(Some(ordinal));
            let now = at(i64::try_from(i).unwrap() * 7);
            let claim = claim(ordinal, &format!("delivery {i}"));
            if let ClaimAnswer::Granted(fence) = ContextRecord::claim(record, &claim, None, now) {
                fences.push(fence);
                prop_assert_eq!(Some(ordinal), greatest, "only the newest is ever granted");
            }
            prop_assert_eq!(record.as_ref().map(|record| record.desired), greatest);
        }
        prop_assert!(fences.is_sorted_by(|a, b| a < b), "fences grow: {:?}", fences);
    }
}

/// Found by the simulation: a copy was told superseded while no lease was held, then the store's clock was set back, and the
/// lease held again; its holder went on to `ready`.
#[test]
fn a_lease_that_was_seen_as_run_out_does_not_come_back_with_the_clock() {
    let mut record = None;
    let lease = granted(&mut record, update(1), "one", at(0));
    assert_eq!(
        ask(&mut record, update(2), at(1)),
        ClaimAnswer::Held(at(15))
    );
    assert_eq!(
        ask(&mut record, update(1), at(20)),
        ClaimAnswer::Stale(update(2))
    );
    let record = record.unwrap();
    assert!(!record.is_held_by(&lease, at(5)), "the clock was set back");
}
