//! Made-up runs: a sound one passes, and each kind of violation is noticed.

use std::time::Duration;

use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn update(revision: u64) -> Event {
    Event {
        context: "acme/a".to_owned(),
        revision,
        kind: Kind::Update,
    }
}

fn end(revision: u64) -> Event {
    Event {
        kind: Kind::End,
        ..update(revision)
    }
}

fn published(event: Event) -> Published {
    Published {
        event,
        confirmed_at: Some(secs(1)),
        copies: 1,
    }
}

fn heard(event: Event, end: End, at: u64) -> Heard {
    Heard {
        id: format!("{event}/{}", end.word()),
        event,
        end,
        at: secs(at),
    }
}

fn ready(deployment: &str) -> End {
    End::Ready {
        deployment: deployment.to_owned(),
    }
}

fn create(revision: u64, at: u64) -> Create {
    Create {
        context: "acme/a".to_owned(),
        revision,
        at: secs(at),
    }
}

fn standing(id: &str, revision: u64) -> Standing {
    Standing {
        id: id.to_owned(),
        context: "acme/a".to_owned(),
        revision,
    }
}

fn record(revision: u64, deployment: &str) -> Final {
    Final {
        live: Some((revision, deployment.to_owned())),
        shown: Some(deployment.to_owned()),
    }
}

/// Two updates; the first is superseded after its build began, the second is live.
fn sound() -> Run {
    Run {
        published: vec![published(update(1)), published(update(2))],
        heard: vec![
            heard(update(1), End::Superseded, 3),
            heard(update(2), ready("d2"), 5),
            heard(update(2), ready("d2"), 6),
        ],
        creates: vec![create(1, 2), create(2, 4)],
        alias_moves: vec![AliasMove {
            deployment: "d2".to_owned(),
            at: secs(5),
        }],
        after_one: vec![standing("d2", 2)],
        after_two: vec![standing("d2", 2)],
        records: [("acme/a".to_owned(), record(2, "d2"))].into(),
        loaded_until: secs(4),
        ..Run::default()
    }
}

/// The invariants that do not hold.
fn broken(run: &Run) -> Vec<&'static str> {
    let verdict = check(run);
    verdict.violations.iter().map(|one| one.invariant).collect()
}

#[test]
fn a_sound_run_passes_and_a_repeat_is_counted() {
    let verdict = check(&sound());
    assert_eq!(verdict.violations, []);
    let counts = Counts {
        attempts: 2,
        acknowledged: 2,
        ok: 2,
        duplicated: 1,
        ..Counts::default()
    };
    assert_eq!(verdict.counts, counts);
}

#[test]
fn a_confirmed_event_that_nobody_heard_of_is_lost() {
    let mut run = sound();
    run.heard.remove(0);
    assert_eq!(broken(&run), ["I1"]);
    assert_eq!(check(&run).counts.lost, 1);
}

#[test]
fn an_event_whose_publishing_failed_is_recovered_or_never_was() {
    let mut run = sound();
    run.published[1].confirmed_at = None;
    run.published.push(Published {
        confirmed_at: None,
        ..published(update(3))
    });
    let verdict = check(&run);
    assert_eq!(verdict.violations, []);
    let counts = verdict.counts;
    assert_eq!(
        (counts.recovered, counts.acknowledged, counts.ok),
        (1, 1, 1)
    );
}

#[test]
fn a_result_of_what_nobody_published_is_unexpected() {
    let mut run = sound();
    run.heard.push(heard(update(9), End::Superseded, 6));
    assert_eq!(broken(&run), ["I1"]);
    assert_eq!(check(&run).counts.unexpected, 1);
}

#[test]
fn an_event_that_ends_in_two_ways_is_unexpected_unless_the_store_forgot() {
    let mut run = sound();
    run.heard.push(heard(update(1), ready("d1"), 4));
    assert!(broken(&run).contains(&"I1"));
    assert_eq!(check(&run).counts.unexpected, 1);
    run.bounds.memory_lost = true;
    assert_eq!(broken(&run), [""; 0]);
    assert_eq!(check(&run).counts.forgotten, 1);
}

#[test]
fn the_same_end_under_another_id_is_another_end() {
    let mut run = sound();
    let mut other = heard(update(2), ready("d2"), 6);
    other.id.push_str("-again");
    run.heard.push(other);
    assert_eq!(broken(&run), ["I1"]);
}

#[test]
fn a_failure_is_noticed_where_nothing_should_fail() {
    let mut run = sound();
    let code = "build_failed".to_owned();
    run.heard[0].end = End::Failed { code };
    assert_eq!(broken(&run), ["I1"]);
    run.bounds.may_fail = true;
    assert_eq!(broken(&run), [""; 0]);
}

#[test]
fn the_greatest_accepted_event_decides_what_is_live() {
    let mut older = sound();
    older.records = [("acme/a".to_owned(), record(1, "d2"))].into();
    assert!(broken(&older).contains(&"I2"));
    let mut hidden = sound();
    hidden.records.get_mut("acme/a").unwrap().shown = Some("d1".to_owned());
    assert_eq!(broken(&hidden), ["I2"]);
    let mut passed_over = sound();
    passed_over.heard[1].end = End::Superseded;
    passed_over.heard.truncate(2);
    assert!(broken(&passed_over).contains(&"I2"));
    let mut unknown = sound();
    unknown.records.clear();
    assert!(broken(&unknown).contains(&"I2"));
}

#[test]
fn after_an_end_nothing_is_live() {
    let mut run = sound();
    run.published.push(published(end(2)));
    run.heard.push(heard(end(2), End::Removed, 7));
    assert_eq!(broken(&run), ["I2"]);
    run.records = [("acme/a".to_owned(), Final::default())].into();
    (run.after_one, run.after_two) = (vec![], vec![]);
    assert_eq!(broken(&run), [""; 0]);
    run.records.get_mut("acme/a").unwrap().shown = Some("d2".to_owned());
    assert_eq!(broken(&run), ["I2"]);
}

#[test]
fn an_alias_that_is_moved_back_after_the_newer_was_announced_is_noticed() {
    let mut run = sound();
    run.heard[0].end = ready("d1");
    run.heard[0].id = "acme/a/1/updated/ready".to_owned();
    let back = |at| AliasMove {
        deployment: "d1".to_owned(),
        at: secs(at),
    };
    run.alias_moves.push(back(4));
    assert_eq!(broken(&run), [""; 0], "the newer one is not announced yet");
    run.alias_moves.push(back(7));
    assert_eq!(broken(&run), ["I3"]);
}

#[test]
fn two_deployments_of_a_revision_after_a_sweep_are_noticed() {
    let mut run = sound();
    run.after_one.push(standing("d2-again", 2));
    assert_eq!(broken(&run), ["I4"]);
    assert_eq!(check(&run).counts.orphans, (1, 0));
}

#[test]
fn a_deployment_that_no_record_knows_after_two_sweeps_is_noticed() {
    let mut run = sound();
    run.after_two.push(standing("d1", 1));
    assert_eq!(broken(&run), ["I5"]);
    run.after_two.pop();
    run.after_two.push(Standing {
        context: "acme/other".to_owned(),
        ..standing("d9", 1)
    });
    assert_eq!(broken(&run), ["I5"]);
}

#[test]
fn more_builds_than_the_limit_are_noticed() {
    let mut run = sound();
    let sample = |used| Sample {
        tenant: "acme".to_owned(),
        used,
        at: secs(2),
    };
    run.bounds.limit = Some(4);
    run.samples = vec![sample(4)];
    assert_eq!(broken(&run), [""; 0]);
    run.samples.push(sample(5));
    assert_eq!(broken(&run), ["I6"]);
}

#[test]
fn a_second_create_of_a_revision_is_counted_and_bounded() {
    let mut run = sound();
    run.creates.push(create(2, 4));
    assert_eq!(broken(&run), ["I8"]);
    run.bounds.extra_creates = 1;
    assert_eq!(broken(&run), [""; 0]);
    assert_eq!(check(&run).counts.extra_creates, 1);
}

#[test]
fn a_create_long_after_the_events_end_is_noticed() {
    let mut run = sound();
    run.bounds = Bounds {
        extra_creates: 1,
        late: secs(2),
        ..Bounds::default()
    };
    run.creates.push(create(2, 7));
    assert_eq!(broken(&run), [""; 0]);
    run.creates.pop();
    run.creates.push(create(2, 8));
    assert_eq!(broken(&run), ["I7"]);
}

#[test]
fn a_storm_that_costs_more_than_its_bound_is_noticed() {
    let mut run = sound();
    run.creates = (1..=4).map(|n| create(n, n)).collect();
    run.bounds.storm = Some((1, secs(1)));
    assert_eq!(broken(&run), [""; 0], "four within three seconds");
    run.creates.push(create(5, 4));
    assert_eq!(broken(&run), ["I8"]);
}

#[test]
fn a_context_that_shows_nothing_fresh_under_load_is_noticed() {
    let mut run = sound();
    run.loaded_until = secs(20);
    run.bounds.fresh_every = Some(secs(16));
    assert_eq!(broken(&run), [""; 0]);
    run.bounds.fresh_every = Some(secs(10));
    assert_eq!(broken(&run), ["I9"]);
}

#[test]
fn a_contradiction_that_comes_late_is_noticed_unless_the_store_forgot() {
    let told = [
        heard(update(1), End::Superseded, 3),
        heard(update(1), End::Superseded, 4),
        heard(update(2), ready("d2"), 4),
        heard(update(2), End::Removed, 90),
    ];
    assert_eq!(check_late(&told[..3], |_| false), []);
    assert_eq!(check_late(&told, |_| false).len(), 1);
    assert_eq!(check_late(&told, |context| context == "acme/a"), []);
}
