//! Changes of what answers where: attach, detach, promote; and the timelines, which tell it.

use http::StatusCode;

use super::apps::Pin;
use super::build::Status;
use super::error::ApiError;
use super::hosts::{Binding, Lane, bare, production_template};
use super::organization::Organization;
use super::page::Page;
use super::revision::Revision;
use super::{Asked, Reply};

pub(crate) fn timelines(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let revision = org.revision(asked.param("revision"))?;
    let told = revision
        .lanes()
        .map(|lane| revision.timeline(org, lane, asked.now))
        .collect();
    Ok(Reply::Json(StatusCode::OK, told))
}

/// The timelines of an app: production as it stands, and one for each revision that has previews.
pub(crate) fn app_timelines(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let app = org.app(asked.param("app"))?;
    let found = org
        .revisions
        .iter()
        .filter(|one| one.app == app.id)
        .flat_map(|one| Lane::ALL.map(|lane| (one, lane)))
        .filter(|(one, lane)| !org.hosts_of(one, *lane, asked.now).is_empty())
        // Two lanes of one revision are two items of a list.
        .map(|(one, lane)| {
            (
                one.number * 2 + u64::from(lane == Lane::Production),
                (one, lane),
            )
        });
    let tell = |(one, lane): (&Revision, Lane)| one.timeline(org, lane, asked.now);
    Page::of(asked.query, found, tell).map(Reply::Page)
}

/// Binds hosts to a revision, besides those that it is bound to.
pub(crate) fn attach(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let revision = org.revision(asked.param("revision"))?;
    let mut wanted = Vec::new();
    for lane in Lane::ALL {
        for template in body.texts(lane.slug())?.unwrap_or_default() {
            check_host(org, revision, &template)?;
            wanted.push((lane, template));
        }
    }
    let id = revision.id.clone();
    bind(
        org,
        &id,
        wanted,
        asked.now.saturating_add(asked.knobs.routing_ms),
    )?;
    Ok(Reply::Empty)
}

/// Unbinds a host, named as itself or by its template.
pub(crate) fn detach(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let hostname = asked.param("hostname");
    let until = asked.now.saturating_add(asked.knobs.routing_ms);
    let revision = org.revision_mut(asked.param("revision"))?;
    let mut is_bound = false;
    for binding in &mut revision.bindings {
        if binding.until.is_none() && binding.is_meant(hostname) {
            binding.until = Some(until);
            is_bound = true;
        }
    }
    if is_bound {
        Ok(Reply::Empty)
    } else {
        Err(ApiError::not_found("bound host", hostname))
    }
}

/// Holds production at a revision: at the app's own host and at every other that its production is bound to.
pub(crate) fn promote(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let revision = org.revision(asked.param("revision"))?;
    if revision.build.status(asked.now) != Status::Succeeded {
        let message = format!("The revision '{}' was not built successfully", revision.id);
        return Err(ApiError::conflict("REVISION_NOT_BUILT", message));
    }
    let (id, app) = (revision.id.clone(), revision.app.clone());
    let mut templates = vec![production_template(&org.zone)];
    for other in org.revisions.iter().filter(|one| one.app == app) {
        for binding in &other.bindings {
            if binding.lane == Lane::Production && binding.until.is_none() {
                templates.push(binding.template.clone());
            }
        }
    }
    let from = asked.now.saturating_add(asked.knobs.routing_ms);
    let wanted = templates
        .into_iter()
        .map(|template| (Lane::Production, template));
    bind(org, &id, wanted.collect(), from)?;
    org.app_mut(&app)?.pins.push(Pin { revision: id, from });
    Ok(Reply::Empty)
}

/// Refuses a host that is neither the organization's own nor under a verified domain.
pub(crate) fn check_host(
    org: &Organization,
    revision: &Revision,
    template: &str,
) -> Result<(), ApiError> {
    let app = org.app(&revision.app)?;
    let host = org.names(app, &revision.id).expand(template);
    if host.is_empty() || host.contains(['{', '}', '/', '*']) {
        return Err(ApiError::malformed(format!(
            "'{template}' is not a hostname"
        )));
    }
    if org.may_serve(&host) {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::BAD_REQUEST,
        "DOMAIN_NOT_VERIFIED",
        format!("'{host}' is not under a verified domain of the organization"),
    ))
}

/// Adds bindings that are not there yet.
pub(crate) fn bind(
    org: &mut Organization,
    revision: &str,
    wanted: Vec<(Lane, String)>,
    from: u64,
) -> Result<(), ApiError> {
    let mut bindings = org.revision(revision)?.bindings.clone();
    let app = org.app(&org.revision(revision)?.app)?;
    for (lane, template) in wanted {
        let binding = Binding::new(lane, &template, org.names(app, revision), from);
        let host = bare(&binding.host);
        let is_there = bindings
            .iter()
            .any(|one| one.lane == lane && one.until.is_none() && one.leads(&host));
        if !is_there {
            bindings.push(binding);
        }
    }
    org.revision_mut(revision)?.bindings = bindings;
    Ok(())
}
