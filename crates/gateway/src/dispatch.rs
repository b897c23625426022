//! From a request to whoever answers it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use foreshow_runner::{Addressed, PreviewOrigin};
use http::StatusCode;
use tower::ServiceExt as _;

use crate::pages::Pages;
use crate::state::PreviewState;
use crate::{GatewayServices, guard, host, overview, previews};

/// What every answer may need.
pub(crate) struct Gate {
    pub(crate) services: GatewayServices,
    pub(crate) origin: PreviewOrigin,
    /// Whether only this machine can reach it.
    pub(crate) is_private: bool,
    pub(crate) pages: Pages,
}

/// The whole server.
pub(crate) fn router(gate: Gate) -> Router {
    let gate = Arc::new(gate);
    let own = Router::new()
        .route("/", get(overview::page))
        .route("/v1/previews", get(overview::list))
        .fallback(async || (StatusCode::NOT_FOUND, "The gateway has no such page.\n"))
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
        Addressed::Suffix | Addressed::Elsewhere => {
            match guard::admit(&parts, &host, gate.is_private) {
                Ok(()) => own
                    .oneshot(Request::from_parts(parts, body))
                    .await
                    .into_response(),
                Err((status, what)) => gate.pages.refusal(&parts.headers, status, what),
            }
        }
    }
}
