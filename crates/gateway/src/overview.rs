//! The gateway's own pages: every context, its state and its addresses.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use foreshow_contract::Timestamp;
use foreshow_engine::StoreError;
use http::HeaderMap;
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use crate::dispatch::Gate;
use crate::pages;
use crate::state::PreviewState;
use crate::summary::PreviewSummary;

/// Contexts that are told about at once.
const LISTED: u32 = 500;

/// A row of the page.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(flatten)]
    preview: PreviewSummary,
    /// When it expires, for people.
    expires_in: Option<String>,
}

impl Row {
    fn of(preview: PreviewSummary, now: Timestamp) -> Self {
        let left = preview.expires_at.map(|at| at.saturating_since(now));
        Self {
            expires_in: left.map(readable),
            preview,
        }
    }
}

#[derive(Serialize)]
struct Listing {
    previews: Vec<PreviewSummary>,
}

/// `GET /`
pub(crate) async fn page(State(gate): State<Arc<Gate>>, asked: HeaderMap) -> Response {
    match summaries(&gate).await {
        Ok(previews) => {
            let now = gate.services.clock.now();
            let previews: Vec<_> = previews
                .into_iter()
                .map(|preview| Row::of(preview, now))
                .collect();
            let page = context! { title => "Previews", previews => Value::from(Serde(&previews)), reload_seconds => 5 };
            gate.pages.render("overview.html", page)
        }
        Err(error) => unavailable(&gate, &asked, &error),
    }
}

/// `GET /v1/previews`
pub(crate) async fn list(State(gate): State<Arc<Gate>>, asked: HeaderMap) -> Response {
    match summaries(&gate).await {
        Ok(previews) => pages::json(&Listing { previews }),
        Err(error) => unavailable(&gate, &asked, &error),
    }
}

fn unavailable(gate: &Gate, asked: &HeaderMap, error: &StoreError) -> Response {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "the contexts could not be listed"
    );
    gate.pages.state(asked, &PreviewState::Unavailable)
}

async fn summaries(gate: &Gate) -> Result<Vec<PreviewSummary>, StoreError> {
    let contexts = gate.services.store.contexts(None, LISTED).await?;
    Ok(contexts
        .into_iter()
        .map(|context| PreviewSummary::of(context, &gate.services.provider, &gate.origin))
        .collect())
}

fn readable(duration: Duration) -> String {
    const HOUR: u64 = 60 * 60;
    match duration.as_secs() {
        seconds @ 0..60 => format!("in {seconds} s"),
        seconds @ 60..HOUR => format!("in {} min", seconds / 60),
        seconds @ HOUR..172_800 => format!("in {} h", seconds / HOUR),
        seconds => format!("in {} days", seconds / (24 * HOUR)),
    }
}
