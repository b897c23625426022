//! I1, and the counts.

use std::collections::{BTreeMap, BTreeSet};

use super::{End, Event, Heard, Run, Verdict, Violation};

pub(super) fn check(run: &Run, verdict: &mut Verdict) {
    let heard = by_event(run);
    let known: BTreeSet<_> = run.published.iter().map(|one| &one.event).collect();
    let counts = &mut verdict.counts;
    counts.attempts = run.published.len();
    for published in &run.published {
        let is_heard = heard.contains_key(&published.event);
        match (published.confirmed_at, is_heard) {
            (Some(_), true) => counts.ok += 1,
            (Some(at), false) => {
                counts.lost += 1;
                verdict.violations.push(Violation::new(
                    "I1",
                    format!(
                        "{} was confirmed at {at:.1?} and never ended",
                        published.event
                    ),
                ));
            }
            (None, true) => counts.recovered += 1,
            (None, false) => {}
        }
        counts.acknowledged += usize::from(published.confirmed_at.is_some());
    }
    for (event, results) in &heard {
        if !known.contains(event) {
            counts.unexpected += results.len();
            verdict.violations.push(Violation::new(
                "I1",
                format!(
                    "{event} was never published, and ended as {}",
                    results[0].id
                ),
            ));
            continue;
        }
        let ways: BTreeSet<_> = results
            .iter()
            .map(|one| (&one.id, one.end.word()))
            .collect();
        counts.duplicated += results.len() - ways.len();
        if ways.len() > 1 {
            if run.bounds.memory_lost {
                counts.forgotten += 1;
            } else {
                counts.unexpected += ways.len() - 1;
                let told: Vec<_> = results
                    .iter()
                    .map(|one| format!("{} at {:.1?}", one.id, one.at))
                    .collect();
                verdict.violations.push(Violation::new(
                    "I1",
                    format!("{event} ended in {} ways: {}", ways.len(), told.join(", ")),
                ));
            }
        }
        if let End::Failed { code } = &results[0].end {
            counts.failed += 1;
            if !run.bounds.may_fail {
                verdict.violations.push(Violation::new(
                    "I1",
                    format!("{event} failed ({code}), and nothing here should make it fail"),
                ));
            }
        }
    }
}

/// The results of each event, in the order of their arrival.
pub(super) fn by_event(run: &Run) -> BTreeMap<&Event, Vec<&Heard>> {
    let mut by_event: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for heard in &run.heard {
        by_event.entry(&heard.event).or_default().push(heard);
    }
    by_event
}
