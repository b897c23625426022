//! The gateway's own pages: every context, its state and its addresses.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use foreshow_contract::{ContextId, DeploymentId, ProviderName, Revision, TenantId, Timestamp};
use foreshow_engine::{ContextSummary, StoreError};
use http::{HeaderMap, StatusCode};
use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use crate::dispatch::Gate;
use crate::state::PreviewState;

/// Contexts that are told about at once.
const LISTED: u32 = 500;

/// A context, as it is told about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PreviewSummary {
    tenant_id: TenantId,
    context_id: ContextId,
    /// `live`, `building`, `failed` or `ended`.
    status: &'static str,
    /// The live revision.
    revision: Option<Revision>,
    /// The newest accepted one.
    desired_revision: Revision,
    /// The live revision's own address.
    url: Option<String>,
    /// The context's stable address.
    alias_url: Option<String>,
    provider: Option<ProviderName>,
    deployment_id: Option<DeploymentId>,
    expires_at: Option<Timestamp>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<String>,
}

#[derive(Serialize)]
struct Listing {
    previews: Vec<PreviewSummary>,
}

/// `GET /`
pub(crate) async fn page(State(gate): State<Arc<Gate>>, asked: HeaderMap) -> Response {
    match summaries(&gate, true).await {
        Ok(previews) => {
            let page = context! { title => "Previews", previews => Value::from(Serde(&previews)), reload_seconds => 5 };
            gate.pages.render("overview.html", page)
        }
        Err(error) => unavailable(&gate, &asked, &error),
    }
}

/// `GET /v1/previews`
pub(crate) async fn list(State(gate): State<Arc<Gate>>, asked: HeaderMap) -> Response {
    match summaries(&gate, false).await {
        Ok(previews) => {
            let headers = [
                (http::header::CACHE_CONTROL, "no-store"),
                (http::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (StatusCode::OK, headers, Json(Listing { previews })).into_response()
        }
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

async fn summaries(gate: &Gate, for_people: bool) -> Result<Vec<PreviewSummary>, StoreError> {
    let contexts = gate.services.store.contexts(None, LISTED).await?;
    let now = for_people.then(|| gate.services.clock.now());
    Ok(contexts
        .into_iter()
        .map(|context| summary(gate, context, now))
        .collect())
}

fn summary(gate: &Gate, context: ContextSummary, now: Option<Timestamp>) -> PreviewSummary {
    let ContextSummary { key, record, last } = context;
    let desired = record.desired;
    let status = record.status(last.as_ref().filter(|last| last.ordinal == desired));
    let live = record
        .live
        .filter(|live| record.floor.is_none_or(|floor| live.revision > floor));
    let is_ours = live
        .as_ref()
        .is_none_or(|live| live.provider == gate.services.provider);
    let expires_at = record.expires_at.filter(|_| live.is_some());
    PreviewSummary {
        status: status.word(),
        revision: live.as_ref().map(|live| live.revision),
        desired_revision: desired.revision,
        url: live
            .as_ref()
            .filter(|_| is_ours)
            .map(|live| gate.origin.url(&live.address)),
        alias_url: is_ours.then(|| gate.origin.url(&record.alias)),
        expires_at,
        expires_in: expires_at
            .zip(now)
            .map(|(at, now)| readable(at.saturating_since(now))),
        provider: live.as_ref().map(|live| live.provider.clone()),
        deployment_id: live.map(|live| live.deployment),
        tenant_id: key.tenant,
        context_id: key.context,
    }
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
