//! The account, for people: a line each for what is shown, wanted and going on, then what happened.

use std::time::Duration;

use foreshow_contract::{OrdinalKind, Timestamp};

use super::account::{Account, State};
use super::parts::{Event, Happened, Quota};
use crate::terminal::{Table, ago, count, duration, moment, one_line, shell_quoted, until};

/// What a store that lost its memory means for a context.
pub(super) const FORGETFUL: &str = "the store is new or was wiped: until a worker has rebuilt it from what the providers have, an unknown \
    context is looked up there first";

/// The whole text, without a line break at its end.
pub(super) fn told(account: &Account) -> String {
    let mut lines = vec![format!(
        "{}/{} is {}",
        one_line(account.tenant_id.as_str()),
        one_line(account.context_id.as_str()),
        account.status
    )];
    let mut line = |label: &str, words: String| lines.push(format!("  {label:<9} {words}"));

    shown(account, &mut line);
    wanted(account, &mut line);
    going_on(account, &mut line);
    around(account, &mut line);

    if !account.history.is_empty() {
        lines.push(String::new());
        lines.push(timeline(&account.history));
    }
    lines.join("\n")
}

fn shown(account: &Account, line: &mut impl FnMut(&str, String)) {
    let now = account.asked_at;
    let Some(shows) = &account.shows else {
        return line("shows", "nothing".to_owned());
    };
    let since = shows.since.map(|at| format!(", since {}", past(at, now)));
    let expires = shows
        .expires_at
        .map(|at| format!(", expires {}", coming(at, now)));
    let [since, expires] = [since, expires].map(Option::unwrap_or_default);
    line(
        "shows",
        format!("revision {}{since}{expires}", shows.revision),
    );
    for url in shows.url.iter().chain(&shows.alias_url) {
        line("", url.clone());
    }
    let deployment = one_line(shows.deployment_id.as_str());
    line("", format!("deployment {deployment} at {}", shows.provider));
}

fn wanted(account: &Account, line: &mut impl FnMut(&str, String)) {
    let now = account.asked_at;
    let wanted = &account.wanted;
    let Event {
        kind,
        revision,
        is_reset,
    } = wanted.event;
    let what = match kind {
        OrdinalKind::Update => format!("revision {revision}"),
        OrdinalKind::End if is_reset => "nothing: it is being reset".to_owned(),
        OrdinalKind::End => format!("nothing: it was ended at revision {revision}"),
    };
    if let Some(reset) = &wanted.reset {
        let at = past(reset.at, now);
        line(
            "wanted",
            format!("nothing: it was reset {at}, and nothing has come since"),
        );
    } else {
        let at = past(wanted.accepted_at, now);
        line("wanted", format!("{what}, accepted {at}"));
    }
    if let Some(left) = wanted.revisions_left {
        line("closed", closed(account, left));
    }
    if let Some(ended) = &wanted.ended {
        let detail = Some(one_line(&ended.detail)).filter(|detail| !detail.is_empty());
        let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
        line(
            "",
            format!("{}, {}{detail}", ended.outcome, past(ended.at, now)),
        );
    }
    if let Some(since) = wanted.stale_since {
        let behind = duration(now.saturating_since(since));
        line(
            "",
            format!("not shown yet: the context has been behind for {behind}"),
        );
    }
}

/// What a revision that leaves no room above it means, and the way out.
fn closed(account: &Account, left: u64) -> String {
    let revision = account.wanted.event.revision;
    let above = match left {
        0 => format!("revision {revision} is the greatest there is: nothing newer can ever come"),
        left => format!("revision {revision} leaves only {left} above it"),
    };
    format!(
        "{above}; `foreshow reset {} --tenant {}` forgets it",
        shell_quoted(account.context_id.as_str()),
        shell_quoted(account.tenant_id.as_str())
    )
}

fn going_on(account: &Account, line: &mut impl FnMut(&str, String)) {
    let now = account.asked_at;
    match &account.state {
        State::Held { holder } => {
            let (worker, event) = (one_line(&holder.worker), event(holder.event));
            line("now", format!("worker {worker} holds it for {event}"));
            let (since, until) = (past(holder.since, now), coming(holder.until, now));
            line("", format!("since {since}, until {until} unless renewed"));
            building(account, "works on", line);
        }
        State::Abandoned { holder } => {
            let (worker, event) = (one_line(&holder.worker), event(holder.event));
            line(
                "now",
                format!("worker {worker} held it for {event}, and went away"),
            );
            let (since, until) = (past(holder.since, now), past(holder.until, now));
            line(
                "",
                format!("since {since}, until {until}; whoever gets the event next goes on"),
            );
            building(account, "left behind:", line);
        }
        State::Waiting { waits } => {
            let (event, why) = (event(waits.event), one_line(&waits.why));
            line("now", format!("{event} waits: {why}"));
            let (since, until) = (past(waits.since, now), coming(waits.until, now));
            line(
                "",
                format!("since {since}, until {until} or a little later"),
            );
            building(account, "left to go on:", line);
        }
        State::Queued => {
            line(
                "now",
                "nobody holds it: its event is on its way to a worker, or waits for one with a free slot"
                    .to_owned(),
            );
            building(account, "left behind:", line);
        }
        State::AtRest => line(
            "now",
            "at rest: nothing that a worker has seen is to be done".to_owned(),
        ),
    }
    if account.is_attended == Some(false) {
        line(
            "",
            "no worker reads its queue, and whatever was published since waits there: start one with `foreshow up` or \
             `foreshow worker`"
                .to_owned(),
        );
    }
}

/// `2026-11-23 04:42:01Z (4 min ago)`.
fn past(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", moment(at), ago(at, now))
}

/// `2026-11-23 04:42:01Z (in 12 s)`.
fn coming(at: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", moment(at), until(at, now))
}

fn building(account: &Account, how: &str, line: &mut impl FnMut(&str, String)) {
    if let Some(building) = &account.building {
        let usually = account.build_ms.map_or_else(String::new, |ms| {
            format!(
                "; builds of it take {}",
                duration(Duration::from_millis(ms))
            )
        });
        line(
            "",
            format!(
                "{how} deployment {} at {}{usually}",
                one_line(building.deployment_id.as_str()),
                building.provider
            ),
        );
    }
}

fn around(account: &Account, line: &mut impl FnMut(&str, String)) {
    let now = account.asked_at;
    let limits: Vec<String> = account.limits.iter().map(quota).collect();
    line("limits", limits.join("; "));
    if let Some(cancels) = &account.cancels {
        let builds = count(cancels.in_a_row as usize, "build");
        let last = past(cancels.last_at, now);
        line(
            "cancelled",
            format!("{builds} in a row for something newer, the last {last}"),
        );
    }
    for one in &account.adopted {
        let deployment = one_line(one.deployment_id.as_str());
        let until = coming(one.until, now);
        line(
            "found",
            format!("deployment {deployment}: stays until its event comes, or until {until}"),
        );
    }
    for one in &account.condemned {
        line(
            "condemned",
            format!("deployment {}: about to be removed", one_line(one.as_str())),
        );
    }
    if !account.store_remembers {
        line("store", FORGETFUL.to_owned());
    }
}

fn quota(quota: &Quota) -> String {
    match quota.limit {
        None => format!("{} {}, no limit", quota.set, quota.used),
        Some(most) => {
            let full = if quota.used >= most.get().into() {
                ", full"
            } else {
                ""
            };
            format!("{} {} of {most}{full}", quota.set, quota.used)
        }
    }
}

fn event(event: Event) -> String {
    match event.kind {
        OrdinalKind::Update => format!("revision {}", event.revision),
        OrdinalKind::End if event.is_reset => "its reset".to_owned(),
        OrdinalKind::End => format!("its end at revision {}", event.revision),
    }
}

fn timeline(history: &[Happened]) -> String {
    let mut table = Table::new(["when", "event", "what", "worker", "held", "detail"]);
    for happened in history {
        let held = happened.held_since.map_or_else(
            || "-".to_owned(),
            |since: Timestamp| duration(happened.at.saturating_since(since)),
        );
        table.row([
            moment(happened.at),
            event_in_table(happened.event),
            happened.what.replace('_', " "),
            happened.worker.clone().unwrap_or_else(|| "-".to_owned()),
            held,
            one_line(&happened.detail),
        ]);
    }
    table.render()
}

fn event_in_table(event: Event) -> String {
    match event.kind {
        OrdinalKind::Update => format!("update {}", event.revision),
        OrdinalKind::End if event.is_reset => "reset".to_owned(),
        OrdinalKind::End => format!("end {}", event.revision),
    }
}
