//! I2 and I3: what is live in the end, and that it never went back.
//!
//! Results of two revisions may overtake each other: a worker that dies after it settled the older one is spoken for by whoever
//! gets its delivery next, when the newer one is long live. So it is not the announcements' order that counts but what the alias
//! was made to show after one. A deployment that was never announced, and is gone by the first sweep, is in nobody's books any more, so
//! a move to one is not judged.

use std::{collections::BTreeMap, time::Duration};

use super::{End, Event, Run, Verdict, Violation, ends::by_event};

pub(super) fn check(run: &Run, verdict: &mut Verdict) {
    final_live(run, verdict);
    never_back(run, verdict);
}

fn final_live(run: &Run, verdict: &mut Verdict) {
    let heard = by_event(run);
    let accepted = run
        .published
        .iter()
        .filter(|one| one.confirmed_at.is_some() || heard.contains_key(&one.event));
    let mut greatest: BTreeMap<&str, &Event> = BTreeMap::new();
    for published in accepted {
        let event = &published.event;
        let known = greatest.entry(&event.context).or_insert(event);
        *known = (*known).max(event);
    }
    let mut wrong = |what: String| verdict.violations.push(Violation::new("I2", what));
    for (context, event) in greatest {
        // One that never ended is told by I1. After a store forgot, the last word counts.
        let Some(end) = heard.get(event).and_then(|all| all.last()) else {
            continue;
        };
        let record = run.records.get(context);
        let live = record.and_then(|record| record.live.as_ref());
        let shown = record.and_then(|record| record.shown.as_ref());
        match &end.end {
            End::Ready { .. } => {
                if live.map(|(revision, _)| *revision) != Some(event.revision) {
                    wrong(format!(
                        "{event} is the greatest and ready, but live is {live:?}"
                    ));
                } else if shown != live.map(|(_, deployment)| deployment) {
                    wrong(format!(
                        "{event} is live as {live:?}, but the alias shows {shown:?}"
                    ));
                }
            }
            End::Removed => {
                if live.is_some() || shown.is_some() {
                    wrong(format!(
                        "{event} is the greatest and removed, but live is {live:?} and the alias shows {shown:?}"
                    ));
                }
            }
            // Whatever was live before may go on.
            End::Failed { .. } => {}
            End::Superseded | End::Rejected => {
                wrong(format!("{event} is the greatest, and ended as {}", end.id));
            }
        }
    }
}

fn never_back(run: &Run, verdict: &mut Verdict) {
    // A store that forgot may let an older one win until the next event.
    if run.bounds.memory_lost {
        return;
    }
    // Which context and revision a deployment serves, and when a revision was first announced.
    let mut serves: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    let mut announced: BTreeMap<&str, Vec<(Duration, u64)>> = BTreeMap::new();
    for standing in run.after_one.iter().chain(&run.after_two) {
        serves.insert(&standing.id, (&standing.context, standing.revision));
    }
    for heard in &run.heard {
        if let End::Ready { deployment } = &heard.end {
            let (context, revision) = (heard.event.context.as_str(), heard.event.revision);
            serves.insert(deployment, (context, revision));
            announced
                .entry(context)
                .or_default()
                .push((heard.at, revision));
        }
    }
    for moved in &run.alias_moves {
        let Some((context, revision)) = serves.get(moved.deployment.as_str()) else {
            continue;
        };
        let before = announced.get(context).into_iter().flatten();
        let newer = before
            .filter(|(at, newer)| *at < moved.at && newer > revision)
            .max_by_key(|(_, newer)| *newer);
        if let Some((at, newer)) = newer {
            verdict.violations.push(Violation::new(
                "I3",
                format!(
                    "{context}: the alias was moved back to revision {revision} ({}) at {:.1?}, though {newer} was announced at {at:.1?}",
                    moved.deployment, moved.at
                ),
            ));
        }
    }
}
