//! What was found, for people: each context with what its record says, a line for each thing, then totals.

use foreshow_contract::Timestamp;
use foreshow_engine::sweep::{Report, Swept};

use super::line::{Context, Line, Record, trouble};
use crate::terminal::{count, one_line, until};

/// The whole text, without a line break at its end.
pub(super) fn told(
    report: &Report,
    contexts: &[Context],
    is_dry_run: bool,
    now: Timestamp,
) -> String {
    let mut lines = Vec::new();
    if report.is_forgetful {
        lines.push(
            if is_dry_run {
                "The store is new or lost its memory: a sweep first writes down every context that providers have, then judges."
            } else {
                "The store was new or had lost its memory: every context that providers have was written down first."
            }
            .to_owned(),
        );
    }
    for context in contexts {
        lines.push(format!(
            "{}/{}: {}",
            one_line(context.tenant_id.as_str()),
            one_line(context.context_id.as_str()),
            context.record.as_ref().map_or_else(
                || "the store does not know it".to_owned(),
                |record| said(record, now)
            )
        ));
        lines.extend(
            context
                .findings
                .iter()
                .map(|line| told_line(line, !is_dry_run, now)),
        );
    }
    for (key, error) in &report.troubles {
        let of = key
            .as_ref()
            .map_or_else(String::new, |key| format!(" at {key}"));
        lines.push(format!("not looked at{of}: {}", one_line(&trouble(error))));
    }
    lines.push(totals(report, is_dry_run));
    lines.join("\n")
}

fn said(record: &Record, now: Timestamp) -> String {
    let mut said = vec![format!("newest event {}", record.desired)];
    said.push(match (record.live_revision, &record.live_provider) {
        (Some(revision), Some(provider)) => format!("revision {revision} is live at {provider}"),
        (Some(revision), None) => format!("revision {revision} is live"),
        (None, _) => "nothing is live".to_owned(),
    });
    if let Some(building) = &record.building_deployment_id {
        said.push(format!("building {}", one_line(building.as_str())));
    }
    if let Some(floor) = record.floor {
        said.push(format!("ended up to revision {floor}"));
    }
    if let (Some(holder), Some(held_until)) = (&record.holder, record.held_until) {
        let held = if held_until > now {
            "held"
        } else {
            "left behind"
        };
        said.push(format!("{held} by {}", one_line(holder)));
    }
    if let Some(at) = record.expires_at {
        said.push(format!("expires {}", until(at, now)));
    }
    said.join(", ")
}

fn told_line(line: &Line, is_done: bool, now: Timestamp) -> String {
    let mut of = Vec::new();
    if let (Some(id), provider) = (&line.deployment_id, &line.provider) {
        let provider = provider.as_ref().map_or("", |provider| provider.as_str());
        of.push(
            format!("{provider} {}", one_line(id.as_str()))
                .trim_start()
                .to_owned(),
        );
    }
    of.extend(line.revision.map(|revision| format!("revision {revision}")));
    of.extend(line.state.map(str::to_owned));
    let left = line
        .until
        .map_or_else(String::new, |at| format!(" ({})", until(at, now)));
    format!(
        "  {:<13} {}: {}{left}",
        line.action.word(is_done),
        of.join(", "),
        one_line(&line.why)
    )
}

fn totals(report: &Report, is_dry_run: bool) -> String {
    let Swept {
        seen,
        seeded,
        unrecorded: _,
        deleted,
        aliases_moved,
        mended,
        expired,
    } = report.swept;
    let adopted = report.contexts.values().flat_map(|case| &case.findings);
    let adopted = adopted
        .filter(|finding| super::line::is_adopted(finding))
        .count();
    let n = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let counted = [
        (n(expired), "preview", "expired"),
        (n(deleted), "deployment", "deleted"),
        (adopted, "deployment", "adopted"),
        (n(seeded), "context", "written down"),
        (n(aliases_moved), "alias move", "made"),
        (n(mended), "record", "mended"),
    ];
    let would = if is_dry_run { "would be " } else { "" };
    let done: Vec<String> = counted
        .into_iter()
        .filter(|(many, ..)| *many > 0)
        .map(|(many, what, done)| format!("{} {would}{done}", count(many, what)))
        .collect();
    let seen = count(n(seen), "deployment");
    match done.is_empty() {
        true if is_dry_run => format!("{seen} seen; there is nothing to do"),
        true => format!("{seen} seen; there was nothing to do"),
        false => format!("{seen} seen; {}", done.join(", ")),
    }
}
