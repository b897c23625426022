//! What is told of each thing that a sweep finds.

use std::collections::BTreeMap;
use std::time::Duration;

use foreshow_contract::{ContextKey, Ordinal, Revision, Timestamp};
use foreshow_engine::sweep::{Case, Finding, Report, SweepError, Swept};
use foreshow_engine::{
    Address, BuildState, Deployment, GoesBecause, Judgement, KnownAs, StaysAs, StoreError,
};

use super::*;
use crate::events::testing::{live, record};

fn revision(number: u64) -> Revision {
    Revision::try_new(number).unwrap()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(0).saturating_add(Duration::from_secs(seconds))
}

fn deployment(key: &ContextKey, number: u64, id: &str) -> Deployment {
    Deployment {
        id: id.into(),
        key: key.clone(),
        revision: revision(number),
        state: BuildState::Ready,
        address: Address::new(id),
    }
}

fn judged(key: &ContextKey, number: u64, id: &str, judgement: Judgement) -> Finding {
    Finding::Judged {
        provider: "vercel".into(),
        deployment: deployment(key, number, id),
        judgement,
    }
}

fn report() -> Report {
    let [known, lost, over] =
        ["known", "lost", "over"].map(|name| ContextKey::try_new("acme", name).unwrap());
    let mut of_known = record(Ordinal::update(revision(7)));
    of_known.live = Some(live(revision(7)));
    of_known.expires_at = Some(at(7_200));
    let awaited = StaysAs::Awaited {
        until: at(3_600),
        is_new: true,
    };
    let findings = vec![
        judged(&known, 7, "d7", Judgement::Known(KnownAs::Live)),
        judged(
            &known,
            5,
            "d5",
            Judgement::Goes(GoesBecause::Older(revision(7))),
        ),
        judged(&known, 6, "d6", Judgement::Stays(StaysAs::Kept)),
        judged(&known, 8, "d8", Judgement::Stays(awaited)),
        Finding::AliasBehind {
            provider: "vercel".into(),
            from: Some("d5".into()),
            to: "d7".into(),
            revision: revision(7),
        },
    ];
    let case = |record, findings| Case { record, findings };
    let seeded = Finding::Seeded {
        provider: "deno".into(),
        deployment: deployment(&lost, 1, "x\u{1b}1"),
        becomes_live: true,
    };
    let expired = Finding::Expired {
        revision: revision(2),
        expires_at: at(0),
    };
    Report {
        swept: Swept {
            seen: 5,
            seeded: 1,
            unrecorded: 1,
            deleted: 1,
            aliases_moved: 1,
            mended: 0,
            expired: 1,
        },
        contexts: BTreeMap::from([
            (known, case(Some(of_known), findings)),
            (lost, case(None, vec![seeded])),
            (
                over,
                case(Some(record(Ordinal::update(revision(2)))), vec![expired]),
            ),
        ]),
        is_forgetful: false,
        troubles: Vec::new(),
    }
}

#[test]
fn a_dry_run_says_what_would_be_done_and_why() {
    let report = report();
    let told = words::told(&report, &line::contexts(&report, false), true, at(0));
    assert_eq!(
        told,
        "\
acme/known: newest event 7 updated, revision 7 is live at local, expires in 2 h
  delete        vercel d5, revision 5, ready: revision 7 is live, which is newer
  adopt         vercel d8, revision 8, ready: its event may still come, until 1970-01-01T01:00:00.000000Z (in 60 min)
  move alias    vercel d7, revision 7: it is live, and the alias shows d5
acme/lost: the store does not know it
  write down    deno x 1, revision 1, ready: the store does not know its context; it becomes what is live
acme/over: newest event 2 updated, nothing is live
  expire        revision 2: its retention was over at 1970-01-01T00:00:00.000000Z; a worker is asked to remove it
5 deployments seen; 1 preview would be expired, 1 deployment would be deleted, 1 deployment would be adopted, \
1 context would be written down, 1 alias move would be made"
    );
}

#[test]
fn a_sweep_says_what_it_did_and_all_tells_of_the_rest() {
    let report = report();
    let told = words::told(&report, &line::contexts(&report, true), false, at(0));
    for line in [
        "  left          vercel d7, revision 7, ready: it is what is live",
        "  deleted       vercel d5, revision 5, ready: revision 7 is live, which is newer",
        "  left          vercel d6, revision 6, ready: it was announced, and kept beside a newer revision",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}\n{told}");
    }
    assert!(told.ends_with("1 alias move made"), "{told}");
}

#[test]
fn programs_are_told_the_same() {
    let report = report();
    let told = line::told(&report, &line::contexts(&report, false), true);
    assert_eq!(told["isDryRun"], true);
    assert_eq!(told["deploymentsDeleted"], 1);
    let known = &told["contexts"][0];
    assert_eq!(known["record"]["liveRevision"], 7);
    let deleted = &known["findings"][0];
    assert_eq!(
        (
            &deleted["action"],
            &deleted["deploymentId"],
            &deleted["why"]
        ),
        (
            &"delete".into(),
            &"d5".into(),
            &"revision 7 is live, which is newer".into()
        )
    );
    assert_eq!(told["contexts"][1]["record"], serde_json::Value::Null);
    let actions: Vec<_> = (0..3).map(|n| &known["findings"][n]["action"]).collect();
    assert_eq!(actions, ["delete", "adopt", "move_alias"]);
}

#[test]
fn who_did_not_answer_is_named() {
    let error = SweepError::from(StoreError {
        operation: "list contexts",
        source: "connection refused".into(),
    });
    let report = Report {
        troubles: vec![(None, error)],
        ..Report::default()
    };
    let told = words::told(&report, &[], true, at(0));
    assert_eq!(
        told,
        "not looked at: the store did not answer: the store could not list contexts: connection refused\n\
         0 deployments seen; there is nothing to do"
    );
    let told = line::told(&report, &[], true);
    assert!(
        told["troubles"][0]["message"]
            .as_str()
            .unwrap()
            .contains("connection refused")
    );
}
