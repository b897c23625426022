//! What the streams tell: each asks the organization what is new since it last looked.
//!
//! A build's feeds are over when the build is, or when its revision is gone. One that is opened later replays what was. Live logs are
//! never over.

use serde_json::Value;

use super::organization::Organization;
use super::runtime_logs::LogQuery;
use super::streams::News;
use super::{build_logs, progress};

/// What a stream is about, and how far it has told.
#[derive(Debug)]
pub(crate) enum Feed {
    /// Snapshots of a build, whenever one differs from the last.
    Progress { revision: String, last: Value },
    /// Lines of a build's log.
    BuildLogs {
        revision: String,
        step: Option<String>,
        timeline: Option<String>,
        told: usize,
    },
    /// What a running app writes.
    Logs { query: LogQuery },
}

impl Feed {
    /// What is new.
    pub(crate) fn news(&mut self, org: &Organization, now: u64) -> News {
        match self {
            Self::Progress { revision, last } => {
                let Ok(revision) = org.revision(revision) else {
                    return News::gone();
                };
                let snapshot = progress::snapshot(revision, now);
                let events = if snapshot == *last {
                    Vec::new()
                } else {
                    last.clone_from(&snapshot);
                    vec![snapshot]
                };
                let is_over = revision.build.status(now).is_over();
                News { events, is_over }
            }
            Self::BuildLogs {
                revision,
                step,
                timeline,
                told,
            } => {
                let Ok(revision) = org.revision(revision) else {
                    return News::gone();
                };
                let lines = build_logs::lines(revision, now, step.as_deref(), timeline.as_deref());
                let events: Vec<Value> = lines.into_iter().skip(*told).collect();
                *told += events.len();
                let is_over = revision.build.status(now).is_over();
                News { events, is_over }
            }
            Self::Logs { query } => News {
                events: query.fresh_rows(org, now),
                is_over: false,
            },
        }
    }
}
