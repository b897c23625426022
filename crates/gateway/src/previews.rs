//! A label's answer: its site, or why there is none.

use axum::body::Body;
use axum::response::Response;
use foreshow_contract::{HostLabel, Timestamp};
use foreshow_runner::{PreviewDeployment, PreviewError, Resolved};
use http::request::Parts;

use crate::dispatch::Gate;
use crate::state::PreviewState;

/// A label is looked up this often where the first answer may be out of date already:
///
/// - a deployment may be removed between finding it and opening its file;
/// - an alias may be moved, and its event settled, between looking for what it shows and asking the record why it shows
///   nothing. The page of [`PreviewState::Lost`] stays as it is, so it must not be shown for that.
const LOOKS: usize = 2;

/// What a label has to answer.
enum Answer {
    Site(Response),
    State(PreviewState),
}

/// Answers for the preview host with this label.
pub(crate) async fn answer(gate: &Gate, label: &HostLabel, request: &Parts) -> Response {
    let mut answered = Err(PreviewError::Interrupted);
    for _ in 0..LOOKS {
        answered = try_answer(gate, label, request).await;
        match &answered {
            Err(PreviewError::BlobMissing { .. }) | Ok(Answer::State(PreviewState::Lost)) => {}
            Ok(_) | Err(_) => break,
        }
    }
    let state = match answered {
        Ok(Answer::Site(response)) => return response,
        Ok(Answer::State(state)) => state,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, label = %label, "a preview could not be served");
            PreviewState::Unavailable
        }
    };
    gate.pages.state(&request.headers, &state)
}

async fn try_answer(
    gate: &Gate,
    label: &HostLabel,
    request: &Parts,
) -> Result<Answer, PreviewError> {
    let now = gate.services.clock.now();
    let state = match gate.services.previews.resolve(label, now).await? {
        Resolved::Revision(deployment) | Resolved::Alias(deployment) => {
            match PreviewState::of_build(&deployment.state) {
                None => return site(gate, &deployment, request).await.map(Answer::Site),
                Some(state) => state,
            }
        }
        Resolved::Removed { .. } => by_record(gate, label, now)
            .await
            .unwrap_or(PreviewState::Removed),
        Resolved::Unknown => by_record(gate, label, now)
            .await
            .unwrap_or(PreviewState::Unknown),
    };
    Ok(Answer::State(state))
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
async fn by_record(gate: &Gate, label: &HostLabel, now: Timestamp) -> Option<PreviewState> {
    PreviewState::of_alias(&*gate.services.store, label, now)
        .await
        .unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the state of a preview could not be looked up"
            );
            Some(PreviewState::Unavailable)
        })
}
