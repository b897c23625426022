//! From a request to whoever answers it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, put};
use foreshow_runner::{Addressed, PreviewOrigin};
use http::StatusCode;
use http::request::Parts;
use tower::ServiceExt as _;

use crate::api::{self, ApiError};
use crate::bundles::{self, Uploads};
use crate::guard::{Guard, Refusal};
use crate::linger::linger;
use crate::pages::Pages;
use crate::state::PreviewState;
use crate::{GatewayServices, hooks, host, overview, previews};

/// What every answer may need.
pub(crate) struct Gate {
    pub(crate) services: GatewayServices,
    pub(crate) origin: PreviewOrigin,
    pub(crate) guard: Guard,
    pub(crate) pages: Pages,
    pub(crate) uploads: Uploads,
}

/// The whole server.
pub(crate) fn router(gate: Gate) -> Router {
    let gate = Arc::new(gate);
    let own = Router::new()
        .route("/", get(overview::page))
        .route("/v1/previews", get(overview::list))
        .route("/v1/bundles", put(bundles::put))
        .route("/v1/bundles/{name}", get(bundles::get))
        .route(
            "/v1/bundles/{name}/hold",
            put(bundles::hold).delete(bundles::release),
        )
        .fallback(nothing)
        .with_state(Arc::clone(&gate));
    Router::new().fallback(dispatch).with_state((gate, own))
}

async fn dispatch(State((gate, own)): State<(Arc<Gate>, Router)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(host) = host::of(&parts) else {
        return (StatusCode::BAD_REQUEST, "The request must name one host.\n").into_response();
    };
    match gate.origin.addressed(&host) {
        Addressed::Preview(label) => previews::answer(&gate, &label, &parts).await,
        Addressed::NoLabel => gate.pages.state(&parts.headers, &PreviewState::Unknown),
        // Whoever checks whether it lives rarely knows its name.
        Addressed::Suffix | Addressed::Elsewhere if parts.uri.path() == "/healthz" => {
            "ok\n".into_response()
        }
        Addressed::Suffix | Addressed::Elsewhere if hooks::is_hook(&parts) => {
            hooks::receive(&gate.services, &parts, body).await
        }
        Addressed::Suffix | Addressed::Elsewhere => match gate.guard.admit(&parts, &host) {
            Ok(()) => own
                .oneshot(Request::from_parts(parts, body))
                .await
                .into_response(),
            Err(refusal) => {
                linger(&parts.headers, body.into_data_stream());
                refuse(&gate, &parts, refusal)
            }
        },
    }
}

/// Says why, to a program or to a person.
fn refuse(gate: &Gate, asked: &Parts, refusal: Refusal) -> Response {
    if api::is_api(asked.uri.path()) {
        return ApiError::from(refusal).into_response();
    }
    gate.pages
        .refusal(&asked.headers, refusal.status, refusal.message)
}

async fn nothing(request: Request) -> Response {
    let what = "The gateway has no such page.";
    if api::is_api(request.uri().path()) {
        return ApiError::new(StatusCode::NOT_FOUND, "no_such_page", what).into_response();
    }
    (StatusCode::NOT_FOUND, format!("{what}\n")).into_response()
}
