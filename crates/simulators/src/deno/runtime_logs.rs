//! `GET apps/{app}/logs`: what running apps wrote.
//!
//! Nothing runs here, so there are two kinds of rows: one when a revision starts, and one for each visit. With `end` the answer is a
//! page; its cursor restarts *at* the last row's time, so pages overlap by the rows of that instant and a limit of 1 never gets on:
//! a client has to drop what it has seen. Without `end` the answer is a stream.

use std::collections::VecDeque;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use foreshow_contract::Timestamp;
use http::StatusCode;
use serde_json::{Value, json};

use super::error::ApiError;
use super::feeds::Feed;
use super::organization::Organization;
use super::{Asked, Reply, page, rfc3339};
use crate::core::Query;

/// How many visits are remembered.
const KEPT: usize = 10_000;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
const LEVELS: [&str; 4] = ["debug", "info", "warn", "error"];
const REGION: &str = "us";

#[derive(Clone, Debug)]
struct Row {
    at: u64,
    app: String,
    revision: String,
    message: String,
}

/// Visits, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuntimeLogs(VecDeque<Row>);

impl RuntimeLogs {
    pub(crate) fn visited(&mut self, at: u64, app: &str, revision: &str, message: String) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let (app, revision) = (app.to_owned(), revision.to_owned());
        self.0.push_back(Row {
            at,
            app,
            revision,
            message,
        });
    }

    /// When an app was visited.
    pub(crate) fn visits<'a>(&'a self, app: &'a str) -> impl Iterator<Item = u64> + 'a {
        self.0
            .iter()
            .filter(move |row| row.app == app)
            .map(|row| row.at)
    }
}

/// What a query asks for, checked.
#[derive(Clone, Debug)]
pub(crate) struct LogQuery {
    app: String,
    start: u64,
    /// `None` asks for a stream.
    end: Option<u64>,
    revision: Option<String>,
    level: Option<String>,
    text: Option<String>,
    limit: usize,
}

impl LogQuery {
    fn read(org: &Organization, asked: &Asked<'_>) -> Result<Self, ApiError> {
        let query = asked.query;
        let app = org.app(asked.param("app"))?.id.clone();
        let start = instant(query, "start")?.ok_or_else(|| ApiError::invalid_at("start"))?;
        let level = query.get("level").map(str::to_owned);
        if level
            .as_deref()
            .is_some_and(|level| !LEVELS.contains(&level))
        {
            return Err(ApiError::invalid_at("level"));
        }
        let from = query.get("cursor").map(read_cursor).transpose()?;
        Ok(Self {
            app,
            start: from.map_or(start, |from| from.max(start)),
            end: instant(query, "end")?,
            revision: query.get("revision_id").map(str::to_owned),
            level,
            text: query.get("query").map(str::to_owned),
            limit: page::limit(query, DEFAULT_LIMIT, MAX_LIMIT)?,
        })
    }

    /// The rows that came since the last look. Those of this very millisecond wait, since more of them may come.
    pub(crate) fn fresh_rows(&mut self, org: &Organization, now: u64) -> Vec<Value> {
        let rows = self.rows(org, now.saturating_sub(1));
        self.start = self.start.max(now);
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// The rows asked for that there are by now, oldest first.
    fn rows(&self, org: &Organization, now: u64) -> Vec<(u64, Value)> {
        let started = org.revisions.iter().filter_map(|revision| {
            Some(Row {
                at: revision.seen_from()?,
                app: revision.app.clone(),
                revision: revision.id.clone(),
                message: "Listening on http://0.0.0.0:8000/".to_owned(),
            })
        });
        let mut rows: Vec<Row> = org
            .logs
            .0
            .iter()
            .cloned()
            .chain(started)
            .filter(|row| row.app == self.app && row.at <= now && row.at >= self.start)
            .filter(|row| self.end.is_none_or(|end| row.at <= end))
            .filter(|row| self.revision.as_ref().is_none_or(|id| *id == row.revision))
            .filter(|row| {
                self.text
                    .as_ref()
                    .is_none_or(|text| row.message.contains(text))
            })
            .filter(|_| self.level.as_deref().is_none_or(|level| level == "info"))
            .collect();
        rows.sort_by_key(|row| row.at);
        rows.into_iter()
            .map(|row| {
                let told = json!({
                    "timestamp": rfc3339(row.at),
                    "level": "info",
                    "message": row.message,
                    "revision_id": row.revision,
                    "region": REGION,
                });
                (row.at, told)
            })
            .collect()
    }
}

/// A page where the query has an `end`, else a stream.
pub(crate) fn open(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let query = LogQuery::read(org, asked)?;
    if query.end.is_some() {
        return Ok(list(org, &query, asked.now));
    }
    if asked.accept.contains("application/json") {
        return Err(ApiError::malformed(
            "A live stream cannot be application/json: give `end`",
        ));
    }
    Ok(Reply::Stream(Feed::Logs { query }))
}

fn list(org: &Organization, query: &LogQuery, now: u64) -> Reply {
    let mut rows = query.rows(org, now);
    let has_more = rows.len() > query.limit;
    rows.truncate(query.limit);
    let cursor = rows
        .last()
        .filter(|_| has_more)
        .map(|(at, _)| URL_SAFE_NO_PAD.encode(format!("at:{at}")));
    let logs: Vec<Value> = rows.into_iter().map(|(_, row)| row).collect();
    Reply::Json(
        StatusCode::OK,
        json!({ "logs": logs, "next_cursor": cursor }),
    )
}

/// An instant of a query, in milliseconds.
pub(crate) fn instant(query: &Query, name: &str) -> Result<Option<u64>, ApiError> {
    query
        .get(name)
        .map(|text| {
            text.parse::<Timestamp>()
                .ok()
                .and_then(|at| u64::try_from(at.as_micros() / 1000).ok())
                .ok_or_else(|| ApiError::malformed(format!("Invalid date and time at {name}")))
        })
        .transpose()
}

fn read_cursor(cursor: &str) -> Result<u64, ApiError> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("at:")?.parse().ok())
        .ok_or_else(|| ApiError::invalid_at("cursor"))
}
