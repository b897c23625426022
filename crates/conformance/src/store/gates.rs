//! The gates of providers' accounts: [`foreshow_engine::gate`] says what is claimed here.

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};

use foreshow_contract::Timestamp;
use foreshow_engine::{
    AccountId, Closed, GateAnswer, GateEntry, GateId, GateReport, Lane, RateLimit, Store,
    gate::LOOK_AGAIN,
};

use super::{Adapter, HandClock, ask, calm, count, fires, grant, key, soon, up};

/// How long one on trial is waited for.
const TRIAL: Duration = Duration::from_secs(10);

/// The shortest time that there is.
const INSTANT: Duration = Duration::from_micros(1);

fn almost(time: Duration) -> Duration {
    time.checked_sub(INSTANT).unwrap()
}

const fn secs(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A gate of an account with this name.
pub fn gate(account: &str, lane: Lane) -> GateId {
    GateId {
        account: AccountId::new(account),
        lane,
    }
}

/// An entry that counts against no limit.
pub fn entry(name: &str) -> GateEntry {
    GateEntry {
        name: name.to_owned(),
        trial: TRIAL,
        limit: None,
    }
}

/// One of so many in so many seconds.
pub fn limited(name: &str, number: u32, per_seconds: u32) -> GateEntry {
    let limit = RateLimit {
        count: count(number),
        per_seconds: count(per_seconds),
    };
    GateEntry {
        limit: Some(limit),
        ..entry(name)
    }
}

/// A failure: two in a row close the gate for 5 s at first, and 15 s at most.
fn down(trial: bool) -> GateReport {
    GateReport::Down {
        trial,
        threshold: count(2),
        wait: secs(5),
        wait_max: secs(15),
    }
}

fn closed(until: Timestamp, why: Closed) -> GateAnswer {
    GateAnswer::Closed { until, why }
}

fn after(clock: &HandClock, by: Duration) -> Timestamp {
    use foreshow_engine::Clock as _;
    clock.now().saturating_add(by)
}

/// Closes the gate for so long.
async fn limit(store: &dyn Store, gate: &GateId, wait: Duration) {
    let report = GateReport::Limited { wait };
    store.report_gate(gate, &report).await.unwrap();
}

async fn enter(store: &dyn Store, gate: &GateId, name: &str) -> GateAnswer {
    store.enter_gate(gate, &entry(name)).await.unwrap()
}

async fn answered(store: &dyn Store, gate: &GateId, trial: bool) {
    let report = GateReport::Answered { trial };
    store.report_gate(gate, &report).await.unwrap();
}

pub async fn a_gate_is_open_until_something_closes_it(adapter: &dyn Adapter) {
    let store = adapter.store();
    let gate = gate("vercel/acme", Lane::Create);
    assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Open);
    limit(&*store, &gate, secs(30)).await;
    let until = after(adapter.clock(), secs(30));
    let told = closed(until, Closed::Limited);
    assert_eq!(enter(&*store, &gate, "a").await, told);
    // In every process.
    let other = adapter.another().await;
    assert_eq!(enter(&*other, &gate, "b").await, told);
    let gates = other.gates().await.unwrap();
    assert_eq!(gates[&gate].closed, Some((until, Closed::Limited)));
    assert!(!gates[&gate].is_open(adapter.now()));
    // A wiped store opens all gates.
    let wiped = adapter.wiped().await;
    assert!(wiped.gates().await.unwrap().is_empty());
    assert_eq!(enter(&*wiped, &gate, "a").await, GateAnswer::Open);
}

pub async fn a_limited_gate_opens_by_a_trial_alone(adapter: &dyn Adapter) {
    let (store, other) = (adapter.store(), adapter.another().await);
    let gate = gate("vercel/acme", Lane::Other);
    limit(&*store, &gate, secs(30)).await;
    let until = after(adapter.clock(), secs(30));
    adapter.advance(almost(secs(30)));
    let told = closed(until, Closed::Limited);
    assert_eq!(enter(&*store, &gate, "a").await, told, "to the microsecond");
    adapter.advance(INSTANT);
    assert!(store.gates().await.unwrap()[&gate].is_open(adapter.now()));
    assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Trial);
    assert!(!other.gates().await.unwrap()[&gate].is_open(adapter.now()));
    // The others look again soon, and not after the trial is given up.
    let again = closed(after(adapter.clock(), LOOK_AGAIN), Closed::Limited);
    assert_eq!(enter(&*other, &gate, "b").await, again);
    adapter.advance(secs(9));
    let again = closed(after(adapter.clock(), secs(1)), Closed::Limited);
    assert_eq!(enter(&*other, &gate, "b").await, again);
    answered(&*store, &gate, true).await;
    assert_eq!(enter(&*other, &gate, "b").await, GateAnswer::Open);
}

pub async fn of_many_at_a_closed_gate_one_is_on_trial(adapter: &dyn Adapter) {
    let (one, two) = (adapter.store(), adapter.another().await);
    for round in 0..3 {
        let gate = gate(&format!("account-{round}"), Lane::Create);
        limit(&*one, &gate, secs(1)).await;
        adapter.advance(secs(1));
        let entries = (0..20).map(|n| {
            let store = Arc::clone(if n % 2 == 0 { &one } else { &two });
            let gate = gate.clone();
            tokio::spawn(async move { enter(&*store, &gate, &n.to_string()).await })
        });
        let mut on_trial = 0;
        for entry in entries.collect::<Vec<_>>() {
            match entry.await.unwrap() {
                GateAnswer::Trial => on_trial += 1,
                GateAnswer::Closed { .. } => {}
                GateAnswer::Open => panic!("let in before the trial came to something"),
            }
        }
        assert_eq!(on_trial, 1);
    }
}

pub async fn one_on_trial_who_tells_nothing_is_followed_by_another(adapter: &dyn Adapter) {
    let (store, gate) = (adapter.store(), gate("vercel/acme", Lane::Create));
    limit(&*store, &gate, secs(1)).await;
    adapter.advance(secs(1));
    assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Trial);
    adapter.advance(almost(TRIAL));
    let told = enter(&*store, &gate, "b").await;
    assert!(matches!(told, GateAnswer::Closed { .. }), "{told:?}");
    adapter.advance(INSTANT);
    assert_eq!(enter(&*store, &gate, "b").await, GateAnswer::Trial);
    // Limited again, it is closed again, and nobody is on trial.
    limit(&*store, &gate, secs(3)).await;
    adapter.advance(secs(3));
    assert_eq!(enter(&*store, &gate, "c").await, GateAnswer::Trial);
}

pub async fn an_answer_to_an_older_call_opens_no_gate(adapter: &dyn Adapter) {
    let (store, gate) = (adapter.store(), gate("vercel/acme", Lane::Create));
    limit(&*store, &gate, secs(30)).await;
    let told = closed(after(adapter.clock(), secs(30)), Closed::Limited);
    answered(&*store, &gate, false).await;
    // Nor does a failure that is told late close it for longer.
    for _ in 0..3 {
        store.report_gate(&gate, &down(false)).await.unwrap();
    }
    assert_eq!(enter(&*store, &gate, "a").await, told);
    adapter.advance(secs(30));
    assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Trial);
    answered(&*store, &gate, false).await;
    let told = enter(&*store, &gate, "b").await;
    assert!(matches!(told, GateAnswer::Closed { .. }), "{told:?}");
}

pub async fn a_limit_told_late_shortens_nothing(adapter: &dyn Adapter) {
    let (store, gate) = (adapter.store(), gate("vercel/acme", Lane::Create));
    limit(&*store, &gate, secs(30)).await;
    let told = closed(after(adapter.clock(), secs(30)), Closed::Limited);
    limit(&*store, &gate, secs(5)).await;
    assert_eq!(enter(&*store, &gate, "a").await, told);
    limit(&*store, &gate, secs(40)).await;
    let told = closed(after(adapter.clock(), secs(40)), Closed::Limited);
    assert_eq!(enter(&*store, &gate, "a").await, told);
}

pub async fn failures_in_a_row_close_a_gate_for_times_that_double(adapter: &dyn Adapter) {
    let (store, gate) = (adapter.store(), gate("vercel/acme", Lane::Create));
    store.report_gate(&gate, &down(false)).await.unwrap();
    answered(&*store, &gate, false).await;
    store.report_gate(&gate, &down(false)).await.unwrap();
    assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Open);
    // The second in a row, told through another handle.
    let other = adapter.another().await;
    other.report_gate(&gate, &down(false)).await.unwrap();
    for seconds in [5, 10, 15, 15] {
        let told = closed(after(adapter.clock(), secs(seconds)), Closed::Down);
        assert_eq!(enter(&*store, &gate, "a").await, told);
        adapter.advance(secs(seconds));
        assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Trial);
        store.report_gate(&gate, &down(true)).await.unwrap();
    }
    adapter.advance(secs(15));
    assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Trial);
    answered(&*store, &gate, true).await;
    // What was before it opened counts no more.
    for _ in 0..2 {
        assert_eq!(enter(&*store, &gate, "a").await, GateAnswer::Open);
        store.report_gate(&gate, &down(false)).await.unwrap();
    }
    let told = closed(after(adapter.clock(), secs(5)), Closed::Down);
    assert_eq!(enter(&*store, &gate, "a").await, told);
}

pub async fn the_longest_waits_end_at_the_last_instant(adapter: &dyn Adapter) {
    let store = adapter.store();
    let (one, two) = (gate("a", Lane::Create), gate("b", Lane::Create));
    limit(&*store, &one, Duration::MAX).await;
    let told = closed(Timestamp::MAX, Closed::Limited);
    assert_eq!(enter(&*store, &one, "a").await, told);
    // Doubled as often as it may be, and beyond what a number with a fraction holds.
    let report = |trial, wait| GateReport::Down {
        trial,
        threshold: NonZeroU32::MIN,
        wait,
        wait_max: Duration::MAX,
    };
    let mut wait = Duration::from_micros(1_234_567);
    store.report_gate(&two, &report(false, wait)).await.unwrap();
    for _ in 0..18 {
        let told = closed(after(adapter.clock(), wait), Closed::Down);
        assert_eq!(enter(&*store, &two, "a").await, told);
        adapter.advance(wait);
        assert_eq!(enter(&*store, &two, "a").await, GateAnswer::Trial);
        let report = report(true, Duration::from_micros(1_234_567));
        store.report_gate(&two, &report).await.unwrap();
        wait = (wait * 2).min(Duration::from_micros(1_234_567) * (1 << 16));
    }
    adapter.advance(wait);
    assert_eq!(enter(&*store, &two, "a").await, GateAnswer::Trial);
    let report = report(true, Duration::MAX);
    store.report_gate(&two, &report).await.unwrap();
    let told = closed(Timestamp::MAX, Closed::Down);
    assert_eq!(enter(&*store, &two, "a").await, told);
}

pub async fn entries_under_a_limit_are_counted_once_and_by_all(adapter: &dyn Adapter) {
    let (one, two) = (adapter.store(), adapter.another().await);
    let gate = gate("vercel/acme", Lane::Create);
    let began_at = adapter.now();
    for store in [&one, &two, &one] {
        let told = store.enter_gate(&gate, &limited("a", 2, 60)).await;
        assert_eq!(told.unwrap(), GateAnswer::Open);
    }
    assert!(
        one.gates().await.unwrap().contains_key(&gate),
        "it is listed"
    );
    adapter.advance(secs(10));
    let told = two.enter_gate(&gate, &limited("b", 2, 60)).await;
    assert_eq!(told.unwrap(), GateAnswer::Open);
    let full = closed(began_at.saturating_add(secs(60)), Closed::Limited);
    for store in [&one, &two] {
        let told = store.enter_gate(&gate, &limited("c", 2, 60)).await;
        assert_eq!(told.unwrap(), full);
        // Who has been let in still is, and who is not limited is not stopped.
        let told = store.enter_gate(&gate, &limited("b", 2, 60)).await;
        assert_eq!(told.unwrap(), GateAnswer::Open);
        assert_eq!(enter(&**store, &gate, "c").await, GateAnswer::Open);
    }
    // A limit that is changed holds at once.
    let told = one.enter_gate(&gate, &limited("c", 3, 60)).await;
    assert_eq!(told.unwrap(), GateAnswer::Open);
    adapter.advance(secs(50));
    let told = one.enter_gate(&gate, &limited("d", 3, 60)).await;
    assert_eq!(told.unwrap(), GateAnswer::Open, "the first is forgotten");
    let full = closed(began_at.saturating_add(secs(70)), Closed::Limited);
    let told = one.enter_gate(&gate, &limited("a", 3, 60)).await;
    assert_eq!(told.unwrap(), full, "and counts anew");
}

pub async fn of_many_entries_at_once_no_more_than_the_limit_are_let_in(adapter: &dyn Adapter) {
    let (one, two) = (adapter.store(), adapter.another().await);
    let gate = gate("vercel/acme", Lane::Create);
    // Each is asked twice, as one whose answer was lost.
    let entries = (0..40).map(|n| {
        let store = Arc::clone(if n % 2 == 0 { &one } else { &two });
        let gate = gate.clone();
        tokio::spawn(async move {
            let entry = limited(&format!("context-{}", n / 2), 7, 60);
            let told = store.enter_gate(&gate, &entry).await.unwrap();
            (entry.name, told)
        })
    });
    let mut let_in = BTreeSet::new();
    for entry in entries.collect::<Vec<_>>() {
        let (name, told) = entry.await.unwrap();
        if told == GateAnswer::Open {
            let_in.insert(name);
        }
    }
    assert_eq!(let_in.len(), 7, "{let_in:?}");
}

pub async fn gates_of_other_accounts_and_lanes_stay_open(adapter: &dyn Adapter) {
    let store = adapter.store();
    let names = [
        "acme",
        "acme/create",
        "other/acme",
        "a {b} \"c\" d~",
        "",
        "Ünï",
    ];
    let gates = names.map(|name| [Lane::Create, Lane::Other].map(|lane| gate(name, lane)));
    let gates: Vec<_> = gates.into_iter().flatten().collect();
    for (number, gate) in gates.iter().enumerate() {
        for other in &gates[number..] {
            let told = store.enter_gate(other, &entry("a")).await.unwrap();
            assert_eq!(told, GateAnswer::Open, "{other}");
        }
        let only = limited("a", 1, 60);
        store.enter_gate(gate, &only).await.unwrap();
        limit(&*store, gate, secs(60)).await;
        let told = enter(&*store, gate, "a").await;
        assert!(matches!(told, GateAnswer::Closed { .. }), "{gate}");
    }
    let listed: Vec<_> = store.gates().await.unwrap().into_keys().collect();
    let mut expected = gates;
    expected.sort();
    assert_eq!(listed, expected);
}

pub async fn a_nudge_wakes_who_watches_through_another_handle(adapter: &dyn Adapter) {
    let (store, other) = (adapter.store(), adapter.another().await);
    let (_held, before) = grant(&*store, &key("a"), up(1)).await;
    let (_other, _) = grant(&*store, &key("b"), up(1)).await;
    for (watches, nudges) in [(&store, &other), (&other, &store), (&store, &store)] {
        let mut watch = watches.watch(&key("a"));
        ask(&**watches, &key("a"), up(1)).await;
        calm(&mut watch).await;
        nudges.nudge(&key("b")).await.unwrap();
        assert!(!fires(&mut watch).await, "another context's");
        nudges.nudge(&key("a")).await.unwrap();
        soon(watch.changed()).await;
    }
    // Nothing else has changed.
    let record = store.context(&key("a")).await.unwrap();
    assert_eq!(record, Some(before));
}
