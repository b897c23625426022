//! A label's answer: its site, or why there is none.

use axum::body::Body;
use axum::response::Response;
use foreshow_contract::HostLabel;
use foreshow_runner::{PreviewDeployment, PreviewError, Resolved};
use http::request::Parts;

use crate::dispatch::Gate;
use crate::state::PreviewState;

/// A deployment may be removed between finding it and opening its file; then the label is looked up once more.
const LOOKS: usize = 2;

/// Answers for the preview host with this label.
pub(crate) async fn answer(gate: &Gate, label: &HostLabel, request: &Parts) -> Response {
    let mut answered = Err(PreviewError::Interrupted);
    for _ in 0..LOOKS {
        answered = try_answer(gate, label, request).await;
        match &answered {
            Err(PreviewError::BlobMissing { .. }) => {}
            Ok(_) | Err(_) => break,
        }
    }
    answered.unwrap_or_else(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, label = %label, "a preview could not be served");
        gate.pages.state(&request.headers, &PreviewState::Unavailable)
    })
}

async fn try_answer(
    gate: &Gate,
    label: &HostLabel,
    request: &Parts,
) -> Result<Response, PreviewError> {
    let now = gate.services.clock.now();
    let state = match gate.services.previews.resolve(label, now).await? {
        Resolved::Revision(deployment) | Resolved::Alias(deployment) => {
            match PreviewState::of_build(&deployment.state) {
                None => return site(gate, &deployment, request).await,
                Some(state) => state,
            }
        }
        Resolved::Removed { .. } => by_record(gate, label)
            .await
            .unwrap_or(PreviewState::Removed),
        Resolved::Unknown => by_record(gate, label)
            .await
            .unwrap_or(PreviewState::Unknown),
    };
    Ok(gate.pages.state(&request.headers, &state))
}

async fn site(
    gate: &Gate,
    deployment: &PreviewDeployment,
    request: &Parts,
) -> Result<Response, PreviewError> {
    Ok(gate
        .services
        .previews
        .serve(deployment, request)
        .await?
        .map(Body::new))
}

/// What the record of the context with this alias says, if there is one.
async fn by_record(gate: &Gate, label: &HostLabel) -> Option<PreviewState> {
    PreviewState::of_alias(&*gate.services.store, label)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the state of a preview could not be looked up"
            );
            Some(PreviewState::Unavailable)
        })
}
