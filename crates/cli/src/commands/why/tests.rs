use std::num::NonZeroU32;
use std::time::Duration;

use foreshow_contract::{
    DeploymentId, FailureCode, FailureReport, Ordinal, OutcomeKind, ResetId, Revision, Timestamp,
};
use foreshow_engine::{
    Cancels, ContextRecord, Happening, HeldLease, HistoryEntry, Outcome, Owner, QuotaSet,
    RecordedDeployment, Reset, Resetting, SettledOutcome, Waits,
};
use foreshow_runner::PreviewOrigin;

use super::account::State;
use super::*;
use crate::events::testing::{live, record};
use crate::wiring::PreviewUrls;

/// 2027-01-15 08:00:00.
const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn before(seconds: u64) -> Timestamp {
    NOW.saturating_sub(Duration::from_secs(seconds))
}

fn after(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn revision(number: u64) -> Revision {
    Revision::try_new(number).unwrap()
}

fn update(number: u64) -> Ordinal {
    Ordinal::update(revision(number))
}

/// A context whose newest event is `desired`, accepted ten seconds ago.
fn accepted(desired: Ordinal) -> ContextRecord {
    ContextRecord {
        desired_at: before(10),
        stale_since: Some(before(10)),
        ..record(desired)
    }
}

fn held(until: Timestamp) -> HeldLease {
    HeldLease {
        owner: Owner::of_worker("eu-1-ab3d", 7),
        ordinal: update(9),
        digest: String::new(),
        since: before(9),
        until,
    }
}

fn building() -> RecordedDeployment {
    RecordedDeployment {
        provider: "vercel".into(),
        deployment: "dpl_9".into(),
    }
}

fn settled(ordinal: Ordinal, outcome: Outcome, at: Timestamp) -> SettledOutcome {
    SettledOutcome {
        ordinal,
        digest: String::new(),
        outcome,
        at,
        replay: 0,
    }
}

fn facts(record: ContextRecord) -> Facts {
    Facts {
        key: ContextKey::try_new("acme", "ctx").unwrap(),
        now: NOW,
        record,
        last: None,
        went_live: None,
        limits: vec![
            (QuotaSet::LivePreviews, 3, None),
            (QuotaSet::ConcurrentBuilds, 2, NonZeroU32::new(2)),
        ],
        is_attended: Some(true),
        remembers: true,
        history: Vec::new(),
    }
}

fn account(facts: Facts) -> Account {
    Account::of(facts, &PreviewUrls::local(PreviewOrigin::localhost(8080)))
}

fn told(facts: Facts) -> String {
    words::told(&account(facts))
}

fn happened(seconds_ago: u64, ordinal: Ordinal, what: Happening, detail: &str) -> HistoryEntry {
    HistoryEntry {
        at: before(seconds_ago),
        key: ContextKey::try_new("acme", "ctx").unwrap(),
        ordinal,
        what,
        detail: detail.to_owned(),
        by: Some(("eu-1-ab3d".to_owned(), before(seconds_ago + 3))),
    }
}

/// Revision 7 is live, 8 was cancelled, and 9 is being built.
fn in_the_middle() -> Facts {
    let record = ContextRecord {
        live: Some(live(revision(7))),
        expires_at: Some(after(86_400)),
        lease: Some(held(after(12))),
        building: Some(building()),
        build_ms: Some(12_000),
        cancels: Some(Cancels {
            in_a_row: 1,
            last_at: before(9),
        }),
        condemned: vec![DeploymentId::from("d0")],
        ..accepted(update(9))
    };
    let superseded = Happening::Ended(OutcomeKind::Superseded);
    Facts {
        went_live: Some(settled(update(7), Outcome::removed(), before(240))),
        history: vec![
            happened(
                9,
                update(8),
                superseded,
                "by 9 updated; cancelled: 9 updated was accepted; the build of d8 was cancelled after 800 ms",
            ),
            happened(
                100,
                update(8),
                Happening::Deferred,
                "until 2027-01-15T07:58:30.000000Z: the tenant's concurrent_builds are full",
            ),
            happened(170, update(8), Happening::HandedOver, ""),
            happened(
                240,
                update(7),
                Happening::Ended(OutcomeKind::Ready),
                "local d1",
            ),
        ],
        ..facts(record)
    }
}

#[test]
fn who_holds_it_is_named_with_what_it_shows_and_what_happened() {
    insta::assert_snapshot!(told(in_the_middle()), @r#"
    acme/ctx is live
      shows     revision 7, since 2027-01-15 07:56:00Z (4 min ago), expires 2027-01-16 08:00:00Z (in 24 h)
                http://d1.localhost:8080/
                http://ctx-tuzmxafugxz5yuegmw3uolzudo.localhost:8080/
                deployment d1 at local
      wanted    revision 9, accepted 2027-01-15 07:59:50Z (10 s ago)
                not shown yet: the context has been behind for 10 s
      now       worker eu-1-ab3d holds it for revision 9
                since 2027-01-15 07:59:51Z (9.0 s ago), until 2027-01-15 08:00:12Z (in 12 s) unless renewed
                works on deployment dpl_9 at vercel; builds of it take 12 s
      limits    live_previews 3, no limit; concurrent_builds 2 of 2, full
      cancelled 1 build in a row for something newer, the last 2027-01-15 07:59:51Z (9.0 s ago)
      condemned deployment d0: about to be removed

    WHEN                  EVENT     WHAT         WORKER     HELD   DETAIL
    2027-01-15 07:56:00Z  update 7  ready        eu-1-ab3d  3.0 s  local d1
    2027-01-15 07:57:10Z  update 8  handed over  eu-1-ab3d  3.0 s
    2027-01-15 07:58:20Z  update 8  deferred     eu-1-ab3d  3.0 s  until 2027-01-15T07:58:30.000000Z: the tenant's concurrent_builds are full
    2027-01-15 07:59:51Z  update 8  superseded   eu-1-ab3d  3.0 s  by 9 updated; cancelled: 9 updated was accepted; the build of d8 was cancelled after 800 ms
    "#);
}

#[test]
fn a_program_is_told_the_same() {
    let account = account(in_the_middle());
    insta::assert_snapshot!(serde_json::to_string_pretty(&account).unwrap(), @r#"
    {
      "tenantId": "acme",
      "contextId": "ctx",
      "status": "live",
      "state": "held",
      "holder": {
        "worker": "eu-1-ab3d",
        "kind": "updated",
        "revision": 9,
        "since": "2027-01-15T07:59:51.000000Z",
        "until": "2027-01-15T08:00:12.000000Z"
      },
      "askedAt": "2027-01-15T08:00:00.000000Z",
      "shows": {
        "revision": 7,
        "provider": "local",
        "deploymentId": "d1",
        "url": "http://d1.localhost:8080/",
        "aliasUrl": "http://ctx-tuzmxafugxz5yuegmw3uolzudo.localhost:8080/",
        "since": "2027-01-15T07:56:00.000000Z",
        "expiresAt": "2027-01-16T08:00:00.000000Z"
      },
      "wanted": {
        "kind": "updated",
        "revision": 9,
        "acceptedAt": "2027-01-15T07:59:50.000000Z",
        "staleSince": "2027-01-15T07:59:50.000000Z",
        "ended": null
      },
      "building": {
        "provider": "vercel",
        "deploymentId": "dpl_9"
      },
      "limits": [
        {
          "set": "live_previews",
          "used": 3,
          "limit": null
        },
        {
          "set": "concurrent_builds",
          "used": 2,
          "limit": 2
        }
      ],
      "cancels": {
        "inARow": 1,
        "lastAt": "2027-01-15T07:59:51.000000Z"
      },
      "buildMs": 12000,
      "condemned": [
        "d0"
      ],
      "adopted": [],
      "isAttended": true,
      "storeRemembers": true,
      "history": [
        {
          "at": "2027-01-15T07:56:00.000000Z",
          "kind": "updated",
          "revision": 7,
          "what": "ready",
          "detail": "local d1",
          "worker": "eu-1-ab3d",
          "heldSince": "2027-01-15T07:55:57.000000Z"
        },
        {
          "at": "2027-01-15T07:57:10.000000Z",
          "kind": "updated",
          "revision": 8,
          "what": "handed_over",
          "detail": "",
          "worker": "eu-1-ab3d",
          "heldSince": "2027-01-15T07:57:07.000000Z"
        },
        {
          "at": "2027-01-15T07:58:20.000000Z",
          "kind": "updated",
          "revision": 8,
          "what": "deferred",
          "detail": "until 2027-01-15T07:58:30.000000Z: the tenant's concurrent_builds are full",
          "worker": "eu-1-ab3d",
          "heldSince": "2027-01-15T07:58:17.000000Z"
        },
        {
          "at": "2027-01-15T07:59:51.000000Z",
          "kind": "updated",
          "revision": 8,
          "what": "superseded",
          "detail": "by 9 updated; cancelled: 9 updated was accepted; the build of d8 was cancelled after 800 ms",
          "worker": "eu-1-ab3d",
          "heldSince": "2027-01-15T07:59:48.000000Z"
        }
      ]
    }
    "#);
}

#[test]
fn what_it_waits_for_is_told_with_the_limit() {
    let record = ContextRecord {
        waits: Some(Waits {
            ordinal: update(9),
            since: before(8),
            until: after(22),
            why: "acme has 2 of 2 concurrent_builds\nin use".to_owned(),
        }),
        ..accepted(update(9))
    };
    insta::assert_snapshot!(told(facts(record)), @r#"
    acme/ctx is building
      shows     nothing
      wanted    revision 9, accepted 2027-01-15 07:59:50Z (10 s ago)
                not shown yet: the context has been behind for 10 s
      now       revision 9 waits: acme has 2 of 2 concurrent_builds in use
                since 2027-01-15 07:59:52Z (8.0 s ago), until 2027-01-15 08:00:22Z (in 22 s) or a little later
      limits    live_previews 3, no limit; concurrent_builds 2 of 2, full
    "#);
}

#[test]
fn a_holder_that_went_away_is_named() {
    let record = ContextRecord {
        lease: Some(held(before(1))),
        building: Some(building()),
        ..accepted(update(9))
    };
    insta::assert_snapshot!(told(facts(record)), @r#"
    acme/ctx is building
      shows     nothing
      wanted    revision 9, accepted 2027-01-15 07:59:50Z (10 s ago)
                not shown yet: the context has been behind for 10 s
      now       worker eu-1-ab3d held it for revision 9, and went away
                since 2027-01-15 07:59:51Z (9.0 s ago), until 2027-01-15 07:59:59Z (1.0 s ago); whoever gets the event next goes on
                left behind: deployment dpl_9 at vercel
      limits    live_previews 3, no limit; concurrent_builds 2 of 2, full
    "#);
}

#[test]
fn an_event_that_nobody_works_on_says_whether_anybody_could() {
    let unattended = Facts {
        is_attended: Some(false),
        remembers: false,
        ..facts(accepted(update(9)))
    };
    insta::assert_snapshot!(told(unattended), @r#"
    acme/ctx is building
      shows     nothing
      wanted    revision 9, accepted 2027-01-15 07:59:50Z (10 s ago)
                not shown yet: the context has been behind for 10 s
      now       nobody holds it: its event is on its way to a worker, or waits for one with a free slot
                no worker reads its queue, and whatever was published since waits there: start one with `foreshow up` or `foreshow worker`
      limits    live_previews 3, no limit; concurrent_builds 2 of 2, full
      store     the store is new or was wiped: until a worker has rebuilt it from what the providers have, an unknown context is looked up there first
    "#);
    let unsure = Facts {
        is_attended: None,
        ..facts(accepted(Ordinal::end(revision(9))))
    };
    let told = told(unsure);
    assert!(told.contains("nobody holds it"), "{told}");
    assert!(!told.contains("no worker"), "{told}");
}

#[test]
fn a_context_at_rest_says_how_its_newest_event_ended() {
    let failed = Outcome::Failed {
        report: Box::new(FailureReport {
            code: FailureCode::new("build_failed"),
            message: "the build failed".to_owned(),
            provider: None,
            attempts: Vec::new(),
            log_tail: Vec::new(),
        }),
    };
    let record = ContextRecord {
        stale_since: None,
        ..accepted(update(9))
    };
    let resting = Facts {
        last: Some(settled(update(9), failed, before(2))),
        // It may be at rest only because nobody has looked at what came.
        is_attended: Some(false),
        ..facts(record)
    };
    insta::assert_snapshot!(told(resting), @r#"
    acme/ctx is failed
      shows     nothing
      wanted    revision 9, accepted 2027-01-15 07:59:50Z (10 s ago)
                failed, 2027-01-15 07:59:58Z (2.0 s ago): build_failed: the build failed
      now       at rest: nothing that a worker has seen is to be done
                no worker reads its queue, and whatever was published since waits there: start one with `foreshow up` or `foreshow worker`
      limits    live_previews 3, no limit; concurrent_builds 2 of 2, full
    "#);
}

#[test]
fn an_outcome_that_is_forgotten_makes_no_event_of_what_is_live() {
    let record = ContextRecord {
        live: Some(live(revision(9))),
        stale_since: None,
        ..accepted(update(9))
    };
    assert!(matches!(account(facts(record)).state, State::AtRest));
}

fn greatest() -> Ordinal {
    Ordinal::end(Revision::MAX)
}

#[test]
fn a_reset_is_called_so_and_nobody_has_to_know_its_number() {
    let id = ResetId::try_new("r1").unwrap();
    let resetting = ContextRecord {
        lease: Some(HeldLease {
            ordinal: greatest(),
            ..held(after(12))
        }),
        resetting: Some(Resetting {
            id: id.clone(),
            live: Some(revision(7)),
        }),
        stale_since: None,
        ..accepted(greatest())
    };
    let superseded = Happening::Ended(OutcomeKind::Superseded);
    let by = format!("by {}", greatest());
    let under_way = Facts {
        history: vec![happened(9, update(8), superseded, &by)],
        ..facts(resetting)
    };
    insta::assert_snapshot!(told(under_way), @r#"
    acme/ctx is ended
      shows     nothing
      wanted    nothing: it is being reset, accepted 2027-01-15 07:59:50Z (10 s ago)
      now       worker eu-1-ab3d holds it for its reset
                since 2027-01-15 07:59:51Z (9.0 s ago), until 2027-01-15 08:00:12Z (in 12 s) unless renewed
      limits    live_previews 3, no limit; concurrent_builds 2 of 2, full

    WHEN                  EVENT     WHAT        WORKER     HELD   DETAIL
    2027-01-15 07:59:51Z  update 8  superseded  eu-1-ab3d  3.0 s  by a reset, or an end of the greatest revision,
    "#);

    let done = ContextRecord {
        last_reset: Some(Reset {
            id,
            at: before(5),
            fence: 1,
            gone: vec![revision(7)],
        }),
        ..record(update(0))
    };
    let removed = Happening::Ended(OutcomeKind::Removed);
    let is_done = Facts {
        history: vec![happened(5, greatest(), removed, "reset")],
        ..facts(done)
    };
    insta::assert_snapshot!(told(is_done), @r#"
    acme/ctx is ended
      shows     nothing
      wanted    nothing: it was reset 2027-01-15 07:59:55Z (5.0 s ago), and nothing has come since
      now       at rest: nothing that a worker has seen is to be done
      limits    live_previews 3, no limit; concurrent_builds 2 of 2, full

    WHEN                  EVENT  WHAT     WORKER     HELD   DETAIL
    2027-01-15 07:59:55Z  reset  removed  eu-1-ab3d  3.0 s  reset
    "#);
}

#[test]
fn a_context_that_a_great_revision_closed_names_the_way_out() {
    let closed = |desired: Ordinal| {
        let record = ContextRecord {
            stale_since: None,
            ..accepted(desired)
        };
        account(facts(record))
    };
    let poisoned = closed(Ordinal::update(Revision::MAX));
    assert_eq!(poisoned.wanted.revisions_left, Some(0));
    let told = words::told(&poisoned);
    assert!(
        told.contains(
            "  closed    revision 9007199254740991 is the greatest there is: nothing newer can ever come; \
             `foreshow reset ctx --tenant acme` forgets it\n"
        ),
        "{told}"
    );
    let near = words::told(&closed(update(Revision::MAX.get() - 3)));
    assert!(
        near.contains("revision 9007199254740988 leaves only 3 above it"),
        "{near}"
    );
    // As upstream counts that leaves out the number: microseconds.
    assert_eq!(
        closed(update(1_800_000_000_000_000)).wanted.revisions_left,
        None
    );
}
