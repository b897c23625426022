//! The lines of a build's log, as far as they were written.

use serde_json::{Value, json};

use super::build::{Ending, How, Stage, Standing};
use super::error::ApiError;
use super::feeds::Feed;
use super::organization::Organization;
use super::revision::Revision;
use super::{Asked, Reply, rfc3339};

#[derive(Clone, Debug)]
struct Line {
    at: u64,
    level: &'static str,
    step: Stage,
    message: String,
    timeline: Option<&'static str>,
}

/// Opens the stream, of one step or one timeline alone if the query says so.
pub(crate) fn open(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let revision = org.revision(asked.param("revision"))?.id.clone();
    let step = asked.query.get("step").map(str::to_owned);
    if let Some(step) = &step
        && !Stage::ALL.iter().any(|stage| stage.word() == step)
    {
        return Err(ApiError::invalid_at("step"));
    }
    Ok(Reply::Stream(Feed::BuildLogs {
        revision,
        step,
        timeline: asked.query.get("timeline").map(str::to_owned),
        told: 0,
    }))
}

/// The log so far, oldest first. It only ever grows at its end.
pub(crate) fn lines(
    revision: &Revision,
    now: u64,
    step: Option<&str>,
    timeline: Option<&str>,
) -> Vec<Value> {
    let mut lines = Vec::new();
    for stage in Stage::ALL {
        let (start, over) = match revision.build.stage(stage, now) {
            Standing::Pending | Standing::Skipped => continue,
            Standing::Running { start } => (start, None),
            Standing::Over { start, end, how } => (start, Some((end, how))),
        };
        begin(&mut lines, revision, stage, start);
        if let Some((end, how)) = over {
            finish(&mut lines, revision, stage, end, how);
        }
    }
    lines
        .into_iter()
        .filter(|line| step.is_none_or(|step| line.step.word() == step))
        .filter(|line| timeline.is_none_or(|timeline| line.timeline == Some(timeline)))
        .map(|line| {
            let mut told = json!({
                "timestamp": rfc3339(line.at),
                "level": line.level,
                "message": line.message,
                "step": line.step.word(),
            });
            if let Some(timeline) = line.timeline {
                told["timeline"] = json!(timeline);
            }
            told
        })
        .collect()
}

fn begin(lines: &mut Vec<Line>, revision: &Revision, stage: Stage, at: u64) {
    let mut say = |level, message: String, timeline| {
        lines.push(Line {
            at,
            level,
            step: stage,
            message,
            timeline,
        });
    };
    let build = &revision.build;
    match stage {
        Stage::Preparing => {
            say("info", "Preparing the build environment".to_owned(), None);
            let (count, bytes) = (revision.assets.count(), revision.assets.size_bytes());
            say(
                "info",
                format!("Unpacked {count} files ({bytes} bytes)"),
                None,
            );
            if overrides_config(revision) {
                say("warn", "deno.json has a `deploy` section, which may override the configuration of this deploy".to_owned(), None);
            }
        }
        Stage::Installing | Stage::Building => {
            let command = match stage {
                Stage::Installing => build.commands.install.as_deref(),
                _ => build.commands.build.as_deref(),
            };
            say("info", format!("$ {}", command.unwrap_or_default()), None);
        }
        Stage::Deploying => {
            for lane in revision.lanes() {
                say(
                    "info",
                    format!("Deploying to {}", lane.name()),
                    Some(lane.slug()),
                );
            }
        }
    }
}

fn finish(lines: &mut Vec<Line>, revision: &Revision, stage: Stage, at: u64, how: How) {
    let mut say = |level, message: String| {
        lines.push(Line {
            at,
            level,
            step: stage,
            message,
            timeline: None,
        });
    };
    match how {
        How::Succeeded => say("info", format!("Finished {}", stage.word())),
        How::Cancelled => say("warn", "The build was cancelled".to_owned()),
        How::TimedOut => {
            let limit = revision.build.length_ms;
            say("error", format!("The build timed out after {limit} ms"));
        }
        How::Errored => match &revision.build.ending {
            Ending::Fails { log } => {
                for line in log {
                    say("error", line.clone());
                }
                say("error", format!("Failed while {}", stage.word()));
            }
            Ending::WarmupFails { message, .. } => {
                say("error", format!("Warmup failed: {message}"));
            }
            Ending::Succeeds
            | Ending::TimesOut
            | Ending::Skipped
            | Ending::Cancelled
            | Ending::Never
            | Ending::Unheard(_) => say("error", "Failed".to_owned()),
        },
    }
}

/// Whether the app brings a configuration of its own, which the service may prefer to the one that was sent.
fn overrides_config(revision: &Revision) -> bool {
    revision
        .assets
        .file("deno.json")
        .and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok())
        .is_some_and(|settings| settings.get("deploy").is_some())
}
