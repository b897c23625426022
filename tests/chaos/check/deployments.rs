//! I4 and I5: what the provider has when everything is over.

use std::collections::BTreeMap;

use super::{Run, Standing, Verdict, Violation};

pub(super) fn check(run: &Run, verdict: &mut Verdict) {
    let mut of_revision: BTreeMap<(&str, u64), Vec<&str>> = BTreeMap::new();
    for standing in &run.after_one {
        let ids = of_revision.entry((&standing.context, standing.revision));
        ids.or_default().push(&standing.id);
    }
    for ((context, revision), ids) in of_revision {
        if ids.len() > 1 {
            verdict.violations.push(Violation::new(
                "I4",
                format!(
                    "{context}/{revision} has {} deployments after a sweep: {ids:?}",
                    ids.len()
                ),
            ));
        }
    }
    let orphan = |standing: &&Standing| {
        let record = run.records.get(&standing.context);
        let live = record.and_then(|record| record.live.as_ref());
        live.is_none_or(|(_, deployment)| *deployment != standing.id)
    };
    let left: Vec<_> = run.after_two.iter().filter(orphan).collect();
    verdict.counts.orphans = (run.after_one.iter().filter(orphan).count(), left.len());
    for standing in left {
        verdict.violations.push(Violation::new(
            "I5",
            format!(
                "{} of {}/{} is known to no record after two sweeps",
                standing.id, standing.context, standing.revision
            ),
        ));
    }
}
