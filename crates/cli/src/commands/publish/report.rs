//! What is told of a result: the URL on standard output, all else on standard error.

use std::time::Duration;

use foreshow_bundle::{Collected, IgnoreReason};
use foreshow_contract::{
    DomainReport, DomainWord, Failed, OrdinalKind, Ready, ResultBody, ResultEvent, SizeReport,
    Timestamp,
};

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::terminal::{answer, bytes, count, duration, tell, time_of_day};

/// Names of what was left out, at most.
const NAMED: usize = 3;

/// From this size on it is told which files are the largest, in bytes.
const WORTH_A_LOOK: u64 = 1_000_000;

/// Tells the result, and how the command ends.
pub(super) fn report(
    result: &ResultEvent,
    collected: &Collected,
    alias: bool,
    global: &Global,
) -> Result<Exit, Failure> {
    let is_ready = matches!(result.body, ResultBody::Ready(_));
    let lines = match &result.body {
        ResultBody::Ready(ready) if !global.quiet => ready_lines(ready, collected),
        ResultBody::Ready(_) => Vec::new(),
        ResultBody::Failed(failed) => failed_lines(failed),
        ResultBody::Superseded(superseded) if superseded.winner.kind == OrdinalKind::End => vec![
            format!(
                "error: {} was ended (revision {}) before revision {} could be shown",
                superseded.key, superseded.winner.revision, superseded.revision
            ),
            "  help: publish again to open it anew".to_owned(),
        ],
        ResultBody::Superseded(superseded) => vec![
            format!(
                "error: revision {} of {} was superseded by revision {}",
                superseded.revision, superseded.key, superseded.winner.revision
            ),
            "  help: publish again; without --revision it gets a number above the newest"
                .to_owned(),
        ],
        ResultBody::Rejected(rejected) => {
            let path = rejected
                .path
                .as_ref()
                .map_or_else(String::new, |path| format!(" at {path}"));
            vec![
                format!("error: the event was rejected ({}){path}", rejected.code),
                format!("  because: {}", rejected.message),
            ]
        }
        ResultBody::Removed(_) | ResultBody::Building(_) => {
            vec![format!("error: it ended as {}", result.outcome())]
        }
    };
    if global.json {
        answer(&String::from_utf8_lossy(&result.to_json()))?;
    } else {
        for line in lines {
            tell(&line);
        }
        if let ResultBody::Ready(ready) = &result.body {
            answer(if alias { &ready.alias_url } else { &ready.url })?;
        }
    }
    Ok(if is_ready { Exit::Done } else { Exit::Failed })
}

fn ready_lines(ready: &Ready, collected: &Collected) -> Vec<String> {
    let total = duration(Duration::from_millis(ready.timings.total_ms));
    let what = if ready.unchanged {
        "unchanged: the live revision has the same files"
    } else {
        "deployed"
    };
    let mut lines = vec![
        format!(
            "Ready after {total}: revision {} of {} at {} ({what})",
            ready.revision, ready.key, ready.provider
        ),
        format!(
            "  files     {}, {} ({} uploaded, {} reused)",
            count(collected.files().len(), "file"),
            bytes(collected.total_bytes()),
            bytes(ready.bytes_uploaded),
            bytes(ready.bytes_reused)
        ),
    ];
    lines.extend(left_out(collected).map(|left_out| format!("  left out  {left_out}")));
    lines.extend(ready.size.iter().flat_map(size_lines));
    lines.extend(ready.domains.iter().flat_map(domain_lines));
    if let Some(cost) = &ready.estimated_cost {
        lines.push(format!(
            "  costs     about {} {}",
            cost.amount, cost.currency
        ));
    }
    lines.push(format!("  newest at {}", ready.alias_url));
    if let Some(at) = ready.expires_at {
        lines.push(format!(
            "  kept      for {} at least; publish or touch it to keep it longer",
            duration(at.saturating_since(Timestamp::now()))
        ));
    }
    lines
}

/// Where the bytes are, where that is worth a look, and what could be left out.
fn size_lines(size: &SizeReport) -> Vec<String> {
    let mut lines = Vec::new();
    if size.bytes >= WORTH_A_LOOK {
        let largest = size.largest.iter().take(NAMED);
        let largest: Vec<_> = largest
            .map(|file| format!("{} ({})", file.path.escape_debug(), bytes(file.bytes)))
            .collect();
        lines.push(format!("  largest   {}", largest.join(", ")));
    }
    let could: Vec<_> = size
        .could_ignore
        .iter()
        .map(|one| format!("{} ({})", one.pattern, bytes(one.bytes)))
        .collect();
    if !could.is_empty() {
        lines.push(format!(
            "  hint      is all of it needed? A line in .foreshowignore leaves it out: {}",
            could.join(", ")
        ));
    }
    lines
}

fn domain_lines(domain: &DomainReport) -> Vec<String> {
    let name = domain.domain.escape_debug();
    match domain.state {
        DomainWord::Bound => vec![format!("  domain    {name}")],
        DomainWord::Unverified => {
            let records = domain.records.iter();
            let first = format!(
                "  domain    {name} is not verified yet; set these DNS records and publish again:"
            );
            let records = records.map(|record| format!("            {}", record.escape_debug()));
            std::iter::once(first).chain(records).collect()
        }
        DomainWord::Pending => {
            let why = domain.message.as_deref().unwrap_or("no reason was given");
            vec![format!(
                "  domain    {name} could not be moved now, publish again: {}",
                why.escape_debug()
            )]
        }
        DomainWord::Refused => {
            let why = domain.message.as_deref().unwrap_or("no reason was given");
            vec![format!(
                "  domain    {name} was refused: {}",
                why.escape_debug()
            )]
        }
    }
}

/// `.env (…), node_modules/ (…) and 3 more`.
fn left_out(collected: &Collected) -> Option<String> {
    let ignored: Vec<_> = collected
        .ignored()
        .iter()
        .filter(|ignored| ignored.reason != IgnoreReason::IgnoreFile)
        .collect();
    let named: Vec<String> = ignored
        .iter()
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    match ignored.len() {
        0 => None,
        n if n > NAMED => Some(format!("{} and {} more", named.join(", "), n - NAMED)),
        _ => Some(named.join(", ")),
    }
}

fn failed_lines(failed: &Failed) -> Vec<String> {
    let error = &failed.error;
    let mut lines = vec![
        format!(
            "error: the preview of {}, revision {}, failed ({})",
            failed.key, failed.revision, error.code
        ),
        format!("  because: {}", error.message),
    ];
    // One attempt says no more than the failure itself.
    for attempt in error.attempts.iter().filter(|_| error.attempts.len() > 1) {
        let provider = attempt
            .provider
            .as_ref()
            .map_or_else(String::new, |provider| format!(" at {provider}"));
        let (number, time) = (attempt.number, time_of_day(attempt.at));
        lines.push(format!(
            "  attempt {number}{provider}, {time} UTC: {}: {}",
            attempt.code, attempt.message
        ));
    }
    if !error.log_tail.is_empty() {
        lines.push("  the build's last lines:".to_owned());
        lines.extend(
            error
                .log_tail
                .iter()
                .map(|line| format!("  | {}", without_control(line))),
        );
    }
    lines
}

/// A build's log is a stranger's: it may colour nothing and move nothing here.
fn without_control(line: &str) -> String {
    line.chars()
        .filter(|character| !character.is_control() || *character == '\t')
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use foreshow_contract::{ContextKey, FailureCode, FailureReport, Revision, Timings};

    use super::*;

    fn collected() -> Collected {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("index.html"), "hello").unwrap();
        fs::write(folder.path().join(".env"), "SECRET=1").unwrap();
        foreshow_bundle::collect(folder.path(), &foreshow_bundle::Limits::default()).unwrap()
    }

    #[test]
    fn what_was_left_out_is_named() {
        let told = left_out(&collected()).unwrap();
        assert!(told.starts_with(".env ("), "{told}");
    }

    #[test]
    fn a_ready_preview_is_told_in_a_few_lines() {
        let ready = Ready {
            key: ContextKey::try_new("acme", "ctx").unwrap(),
            revision: Revision::try_new(7).unwrap(),
            url: "http://own.localhost/".to_owned(),
            alias_url: "http://alias.localhost/".to_owned(),
            provider: "local".into(),
            deployment_id: "d1".into(),
            unchanged: false,
            expires_at: Some(Timestamp::now().saturating_add(Duration::from_hours(24))),
            timings: Timings {
                total_ms: 340,
                ..Timings::default()
            },
            bytes_uploaded: 5,
            bytes_reused: 0,
            attempts: 1,
            estimated_cost: None,
            domains: Vec::new(),
            size: None,
        };
        let lines = ready_lines(&ready, &collected());
        assert_eq!(
            lines[0],
            "Ready after 340 ms: revision 7 of acme/ctx at local (deployed)"
        );
        assert_eq!(
            lines[1],
            "  files     1 file, 5 B (5 B uploaded, 0 B reused)"
        );
        assert_eq!(lines[3], "  newest at http://alias.localhost/");
        assert_eq!(
            lines[4],
            "  kept      for 24 h at least; publish or touch it to keep it longer"
        );
    }

    #[test]
    fn a_build_log_cannot_control_the_terminal() {
        let failed = Failed {
            key: ContextKey::try_new("acme", "ctx").unwrap(),
            revision: Revision::try_new(7).unwrap(),
            error: FailureReport {
                code: FailureCode::new("build_failed"),
                message: "the build failed".to_owned(),
                provider: None,
                attempts: Vec::new(),
                log_tail: vec!["\u{1b}[2Jerror: no".to_owned()],
            },
        };
        let told = failed_lines(&failed).join("\n");
        assert!(
            told.contains("  | [2Jerror: no") && !told.contains('\u{1b}'),
            "{told}"
        );
    }
}
