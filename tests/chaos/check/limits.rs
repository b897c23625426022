//! I6 to I9, and the deployments beyond one for each revision: what is bounded.

use std::{collections::BTreeMap, time::Duration};

use super::{End, Kind, Run, Verdict, Violation};

pub(super) fn check(run: &Run, verdict: &mut Verdict) {
    quotas(run, verdict);
    creates(run, verdict);
    late_creates(run, verdict);
    storms(run, verdict);
    freshness(run, verdict);
}

fn quotas(run: &Run, verdict: &mut Verdict) {
    let Some(limit) = run.bounds.limit else {
        return;
    };
    for sample in run.samples.iter().filter(|sample| sample.used > limit) {
        verdict.violations.push(Violation::new(
            "I6",
            format!(
                "{} builds of {} counted at {:.1?}; its limit is {limit}",
                sample.used, sample.tenant, sample.at
            ),
        ));
    }
}

fn creates(run: &Run, verdict: &mut Verdict) {
    let mut of_revision: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for create in &run.creates {
        *of_revision
            .entry((&create.context, create.revision))
            .or_default() += 1;
    }
    let twice: Vec<_> = of_revision
        .iter()
        .filter(|(_, count)| **count > 1)
        .collect();
    let extra = twice.iter().map(|(_, count)| **count - 1).sum();
    verdict.counts.extra_creates = extra;
    if extra > run.bounds.extra_creates {
        verdict.violations.push(Violation::new(
            "I8",
            format!(
                "{extra} deployments beyond one for each revision, where these faults explain {}: {twice:?}",
                run.bounds.extra_creates
            ),
        ));
    }
}

fn late_creates(run: &Run, verdict: &mut Verdict) {
    // A copy of an event that the store forgot is carried out once more.
    if run.bounds.memory_lost {
        return;
    }
    let mut ended: BTreeMap<(&str, u64), Duration> = BTreeMap::new();
    for heard in run
        .heard
        .iter()
        .filter(|one| one.event.kind == Kind::Update)
    {
        ended
            .entry((&heard.event.context, heard.event.revision))
            .or_insert(heard.at);
    }
    for create in &run.creates {
        if let Some(ended_at) = ended.get(&(create.context.as_str(), create.revision))
            && create.at > *ended_at + run.bounds.late
        {
            verdict.violations.push(Violation::new(
                "I7",
                format!(
                    "{}/{} was created at {:.1?}, though it had ended at {ended_at:.1?}",
                    create.context, create.revision, create.at
                ),
            ));
        }
    }
}

fn storms(run: &Run, verdict: &mut Verdict) {
    let Some((free, each)) = run.bounds.storm else {
        return;
    };
    let mut spans: BTreeMap<&str, (u64, Duration, Duration)> = BTreeMap::new();
    for create in &run.creates {
        let span = spans
            .entry(&create.context)
            .or_insert((0, create.at, create.at));
        span.0 += 1;
        span.1 = span.1.min(create.at);
        span.2 = span.2.max(create.at);
    }
    for (context, (count, first, last)) in spans {
        let lasted = last.saturating_sub(first);
        let stands = (lasted.as_secs_f64() / each.as_secs_f64()).ceil();
        #[expect(clippy::cast_precision_loss, reason = "counts of creates are small")]
        if count as f64 > free as f64 + stands {
            verdict.violations.push(Violation::new(
                "I8",
                format!("{context} was created {count} times in {lasted:.1?} of a storm; {free} and one each {each:?} are its bound"),
            ));
        }
    }
}

fn freshness(run: &Run, verdict: &mut Verdict) {
    let Some(every) = run.bounds.fresh_every else {
        return;
    };
    let mut fresh: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for published in &run.published {
        let at = published.confirmed_at.unwrap_or(run.loaded_until);
        let of = fresh
            .entry(&published.event.context)
            .or_insert_with(|| vec![at]);
        // The first confirmed is where its wait begins.
        of[0] = of[0].min(at);
    }
    for heard in &run.heard {
        if let (End::Ready { .. }, Some(of)) =
            (&heard.end, fresh.get_mut(heard.event.context.as_str()))
        {
            of.push(heard.at);
        }
    }
    for (context, mut at) in fresh {
        at.push(run.loaded_until);
        at.sort_unstable();
        let gap = at
            .windows(2)
            .filter(|pair| pair[0] < run.loaded_until)
            .map(|pair| pair[1].min(run.loaded_until).saturating_sub(pair[0]))
            .max();
        if let Some(gap) = gap.filter(|gap| *gap > every) {
            verdict.violations.push(Violation::new(
                "I9",
                format!("{context} showed nothing fresh for {gap:.1?} under constant updates; {every:?} is its bound"),
            ));
        }
    }
}
