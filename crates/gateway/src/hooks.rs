//! What providers say of their deployments: `POST /v1/hooks/{provider}`.
//!
//! A webhook only cuts a wait short. What it says is not believed: whoever watches the context is woken, and asks the provider. So one
//! that is lost, late, doubled or out of order changes nothing, and a replayed one costs a question. Its signature takes the place of
//! the gateway's token, which no provider knows.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::response::{IntoResponse as _, Response};
use foreshow_contract::ContextKey;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use tracing::debug;

use crate::GatewayServices;
use crate::api::ApiError;

/// Where hooks are received.
const PATH: &str = "/v1/hooks/";

/// The largest body that is read, in bytes: what providers send has a few kilobytes.
const BODY_MAX: usize = 1 << 20;

/// Reads what a provider says.
pub trait ProviderHook: Send + Sync + 'static {
    /// The provider's name, as in its address here.
    fn provider(&self) -> &'static str;

    /// The context that it is about; `None` where it is about none of ours.
    ///
    /// # Errors
    /// [`NotSigned`] where the signature is not the provider's.
    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Option<ContextKey>, NotSigned>;
}

/// It does not come from the provider, or not from the account that is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is missing or wrong")]
pub struct NotSigned;

/// Whether the request is a hook's.
pub(crate) fn is_hook(request: &Parts) -> bool {
    request.uri.path().starts_with(PATH)
}

/// Takes a hook.
pub(crate) async fn receive(services: &GatewayServices, request: &Parts, body: Body) -> Response {
    match take(services, request, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

async fn take(services: &GatewayServices, request: &Parts, body: Body) -> Result<(), ApiError> {
    let hook = find(&services.hooks, request.uri.path()).ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no_such_hook",
            "No provider is configured to call here: set its webhook_secret.",
        )
    })?;
    if request.method != Method::POST {
        return Err(ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "A hook is a POST.",
        ));
    }
    let body = to_bytes(body, BODY_MAX).await.map_err(|_| {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "A hook's body has at most 1 MiB.",
        )
    })?;
    let about = hook.read(&request.headers, &body).map_err(|NotSigned| {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "wrong_signature",
            "The signature is missing or wrong: the provider's webhook_secret here must be the one that it signs with.",
        )
    })?;
    if let Some(key) = about {
        debug!(context.id = %key, "{} has news of {key}", hook.provider());
        services
            .store
            .nudge(&key)
            .await
            .map_err(|_| ApiError::unavailable("The store does not answer."))?;
    }
    Ok(())
}

fn find<'a>(hooks: &'a [Arc<dyn ProviderHook>], path: &str) -> Option<&'a Arc<dyn ProviderHook>> {
    let name = path.strip_prefix(PATH)?;
    hooks.iter().find(|hook| hook.provider() == name)
}
