//! `GET apps/{app}/analytics`: visits, in buckets of fifteen minutes.

use http::StatusCode;
use serde_json::{Value, json};

use super::error::ApiError;
use super::organization::Organization;
use super::runtime_logs::instant;
use super::{Asked, Reply, rfc3339};

const BUCKET_MS: u64 = 15 * 60_000;
const DAY_MS: u64 = 24 * 3_600_000;
/// The longest span that is told: more is cut at its begin.
const MAX_BUCKETS: u64 = 31 * 96;

pub(crate) fn get(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let app = org.app(asked.param("app"))?;
    let until = instant(asked.query, "until")?
        .unwrap_or(asked.now)
        .min(asked.now);
    let since = instant(asked.query, "since")?.unwrap_or_else(|| until.saturating_sub(DAY_MS));
    let last = until / BUCKET_MS;
    let first = (since / BUCKET_MS).max(last.saturating_sub(MAX_BUCKETS));
    let values: Vec<Value> = (first..=last)
        .map(|bucket| {
            let visits = org
                .logs
                .visits(&app.id)
                .filter(|at| at / BUCKET_MS == bucket)
                .count();
            json!([rfc3339(bucket * BUCKET_MS), visits])
        })
        .collect();
    let told = json!({
        "fields": [
            { "name": "time", "type": "time" },
            { "name": "request_count", "type": "number" },
        ],
        "values": values,
    });
    Ok(Reply::Json(StatusCode::OK, told))
}
