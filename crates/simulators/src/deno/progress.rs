//! Snapshots of a build's progress, as the stream `progress` tells them.

use serde_json::{Value, json};

use super::build::{Build, Ending, How, Stage, Standing};
use super::config::Runtime;
use super::error::ApiError;
use super::feeds::Feed;
use super::hosts::Lane;
use super::organization::Organization;
use super::revision::Revision;
use super::{Asked, Reply, rfc3339};

/// Opens the stream.
pub(crate) fn open(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let revision = org.revision(asked.param("revision"))?.id.clone();
    Ok(Reply::Stream(Feed::Progress {
        revision,
        last: Value::Null,
    }))
}

/// How a revision's build stands, whole.
pub(crate) fn snapshot(revision: &Revision, now: u64) -> Value {
    let build = &revision.build;
    json!({
        "queued": told(build.queue(now)),
        "preparing": told(build.stage(Stage::Preparing, now)),
        "installing": with_command(build.stage(Stage::Installing, now), build.commands.install.as_deref()),
        "building": with_command(build.stage(Stage::Building, now), build.commands.build.as_deref()),
        "deploying": deploying(revision, now),
    })
}

fn deploying(revision: &Revision, now: u64) -> Value {
    let standing = revision.build.stage(Stage::Deploying, now);
    let timelines: Vec<Value> = revision
        .lanes()
        .map(|lane| timeline(revision, lane, standing))
        .collect();
    let mut stage = told(standing);
    stage["timelines"] = json!(timelines);
    stage
}

fn timeline(revision: &Revision, lane: Lane, standing: Standing) -> Value {
    let config = revision.config.as_ref();
    let is_static = matches!(
        config.and_then(|config| config.runtime.as_ref()),
        Some(Runtime::Static { .. })
    );
    let predeploy = config.and_then(|config| config.predeploy.as_deref());
    let mut stage = told(standing);
    stage["slug"] = json!(lane.slug());
    stage["partition"] = revision.partition(lane);
    stage["databases"] = json!([]);
    stage["predeploy"] = match predeploy {
        None => with_command(Standing::Skipped, None),
        Some(command) => with_command(succeeded_before(standing), Some(command)),
    };
    if !is_static {
        stage["warmup"] = told(standing);
    }
    stage["routing"] = told(if fails_in_warmup(&revision.build) {
        Standing::Skipped
    } else {
        standing
    });
    stage
}

fn fails_in_warmup(build: &Build) -> bool {
    matches!(build.ending, Ending::WarmupFails { .. })
}

/// A step that went well before its stage ended badly.
fn succeeded_before(standing: Standing) -> Standing {
    match standing {
        Standing::Over {
            start,
            end,
            how: How::Errored,
        } => Standing::Over {
            start,
            end,
            how: How::Succeeded,
        },
        other => other,
    }
}

fn told(standing: Standing) -> Value {
    match standing {
        Standing::Pending => json!({ "status": "pending" }),
        Standing::Skipped => json!({ "status": "skipped" }),
        Standing::Running { start } => json!({ "status": "running", "start": rfc3339(start) }),
        Standing::Over { start, end, how } => {
            let status = match how {
                How::Succeeded => "succeeded",
                How::TimedOut => "timed_out",
                How::Cancelled => "cancelled",
                How::Errored => "errored",
            };
            json!({ "status": status, "start": rfc3339(start), "end": rfc3339(end) })
        }
    }
}

fn with_command(standing: Standing, command: Option<&str>) -> Value {
    let mut stage = told(standing);
    stage["command"] = json!(command);
    stage
}
