//! Revisions: read, listed, cancelled, deleted.
//!
//! A revision that is being built or that answers anywhere cannot be deleted: it has to be cancelled, or detached from its
//! hosts, first. That the service refuses is a fact; the status and code of the refusal are not.

use http::StatusCode;

use super::error::ApiError;
use super::organization::Organization;
use super::page::Page;
use super::{Asked, Reply};

const STATUSES: [&str; 5] = ["skipped", "queued", "building", "succeeded", "failed"];

pub(crate) fn get(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let revision = org.revision(asked.param("revision"))?;
    Ok(Reply::Json(
        StatusCode::OK,
        revision.to_json(org, asked.now),
    ))
}

pub(crate) fn list(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let app = org.app(asked.param("app"))?;
    let status = asked.query.get("status");
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(ApiError::invalid_at("status"));
    }
    let found = org
        .revisions
        .iter()
        .filter(|one| one.app == app.id)
        .filter(|one| status.is_none_or(|status| one.build.status(asked.now).word() == status))
        .map(|one| (one.number, one));
    Page::of(asked.query, found, |one| one.list_item(asked.now)).map(Reply::Page)
}

pub(crate) fn update(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let retention = asked.retention(&body)?;
    let revision = org.revision_mut(asked.param("revision"))?;
    if let Some(retention) = retention {
        revision.retention = retention;
    }
    get(org, asked)
}

pub(crate) fn delete(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let revision = org.revision(asked.param("revision"))?;
    if !revision.build.status(asked.now).is_over() {
        let message = format!(
            "The revision '{}' is being built: cancel it first",
            revision.id
        );
        return Err(ApiError::conflict("REVISION_BUILDING", message));
    }
    if org.is_routed(revision, asked.now) {
        let message = format!(
            "The revision '{}' is routed: detach its hosts first",
            revision.id
        );
        return Err(ApiError::conflict("REVISION_ROUTED", message));
    }
    let id = revision.id.clone();
    org.revisions.retain(|one| one.id != id);
    Ok(Reply::Empty)
}

/// Asks a build to stop. Of one that is over the answer is how it stands.
pub(crate) fn cancel(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let cancel_ms = asked.knobs.cancel_ms;
    let build = &mut org.revision_mut(asked.param("revision"))?.build;
    if build.cancel_requested_at.is_none() {
        build.cancel_ms = cancel_ms;
    }
    build.cancel(asked.now);
    get(org, asked)
}
