//! Visits of sites: Vercel's edge, with its headers and its own pages for what is not there.

use axum::response::Response;
use data_encoding::HEXLOWER;
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH, LOCATION, SERVER, SET_COOKIE},
};
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::{
    deployment::{Deployment, End, Phase},
    ids,
    knobs::{StrangerAnswer, VercelKnobs},
    protection::{self, Gate},
    world::World,
};
use crate::core::{
    SiteAnswer,
    site::{self, Found, SiteRules, Visit},
    text,
};

const ERROR: HeaderName = HeaderName::from_static("x-vercel-error");
pub(super) const ID: HeaderName = HeaderName::from_static("x-vercel-id");

/// Answers a visit.
pub(super) fn answer(world: &World, knobs: &VercelKnobs, visit: &Visit) -> Response {
    let now_ms = world.clock().now_ms();
    let mut response = page(world, knobs, visit, now_ms);
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("Vercel"));
    headers.insert(ID, id(now_ms));
    response
}

/// The id of an answer, as Vercel's look: `fra1::abcde-1700000000000-0123456789ab`.
pub(super) fn id(now_ms: u64) -> HeaderValue {
    let id = format!(
        "fra1::{}-{now_ms}-{:012x}",
        ids::of_host(),
        fastrand::u64(..1 << 48)
    );
    HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("fra1::simulator"))
}

fn page(world: &World, knobs: &VercelKnobs, visit: &Visit, now_ms: u64) -> Response {
    if world.vanished.contains_key(&visit.host) {
        return error(
            StatusCode::GONE,
            "DEPLOYMENT_DELETED",
            "The deployment has been deleted.",
        );
    }
    let not_found = || {
        error(
            StatusCode::NOT_FOUND,
            "DEPLOYMENT_NOT_FOUND",
            "The deployment could not be found on Vercel.",
        )
    };
    let Some(deployment) = world.by_host(&visit.host) else {
        return not_found();
    };
    let Some(project) = world.projects.get(&deployment.project) else {
        return not_found();
    };
    let links = world
        .links
        .get(&deployment.id)
        .map_or(&[][..], Vec::as_slice);
    let cookie = match protection::gate(project, deployment, links, visit, now_ms) {
        Gate::Shut => return shut(knobs.stranger, visit),
        Gate::Open => None,
        Gate::OpenWithCookie(pass) => Some(pass),
    };
    let ready_ms = match &deployment.phase {
        Phase::Ended {
            end: End::Ready,
            at_ms,
            ..
        } => *at_ms,
        Phase::Queued | Phase::Building { .. } => {
            let mut response = error(
                StatusCode::SEE_OTHER,
                "DEPLOYMENT_NOT_READY_REDIRECTING",
                "The deployment is not ready yet.",
            );
            response.headers_mut().insert(
                LOCATION,
                HeaderValue::from_static("https://vercel.com/deployments"),
            );
            return response;
        }
        Phase::Ended {
            end: End::Other(state),
            ..
        } if state == "BLOCKED" => {
            return error(
                StatusCode::FORBIDDEN,
                "DEPLOYMENT_BLOCKED",
                "The deployment is blocked.",
            );
        }
        Phase::Ended { .. } => return not_found(),
    };
    let mut shown = deployment;
    if let Some(delay) = knobs.builds.site_delay
        && now_ms < ready_ms.saturating_add(delay.ms)
    {
        match delay.answer {
            SiteAnswer::NotFound => return not_found(),
            SiteAnswer::BadGateway => {
                return error(
                    StatusCode::BAD_GATEWAY,
                    "BODY_NOT_A_STRING_FROM_FUNCTION",
                    "The edge could not reach the deployment.",
                );
            }
            SiteAnswer::Previous => match before(world, deployment) {
                Some(previous) => shown = previous,
                None => return not_found(),
            },
        }
    }
    let mut response = serve(shown, visit);
    if !deployment.is_production() {
        response.headers_mut().insert(
            HeaderName::from_static("x-robots-tag"),
            HeaderValue::from_static("noindex"),
        );
    }
    if let Some(pass) = cookie {
        let cookie = format!(
            "{}={pass}; Path=/; HttpOnly; SameSite=Lax",
            protection::COOKIE_NAME
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
    }
    response
}

/// The ready deployment of the same project that was created before.
fn before<'a>(world: &'a World, deployment: &Deployment) -> Option<&'a Deployment> {
    let earlier = world
        .deployments
        .range(..deployment.created_ms)
        .rev()
        .map(|(_, one)| one);
    let mut of = earlier.filter(|one| one.project == deployment.project);
    of.find(|one| one.ready_ms().is_some())
}

fn serve(deployment: &Deployment, visit: &Visit) -> Response {
    if !matches!(visit.method, Method::GET | Method::HEAD) {
        return error(
            StatusCode::METHOD_NOT_ALLOWED,
            "INVALID_REQUEST_METHOD",
            "This method is not allowed.",
        );
    }
    let rules = rules(deployment);
    if let Some(found) = site::find(&deployment.site, &visit.path, rules) {
        return file(visit, StatusCode::OK, &found);
    }
    if let Some((path, content)) = deployment.site.get_key_value("404.html") {
        return file(visit, StatusCode::NOT_FOUND, &Found { path, content });
    }
    let runs_code = deployment
        .settings
        .get("framework")
        .is_some_and(Value::is_string);
    if runs_code && !deployment.site.contains_key("index.html") {
        // The simulator runs no code: what would be rendered is told apart by the deployment's id.
        return text(
            StatusCode::OK,
            "text/html; charset=utf-8",
            format!(
                "<!doctype html><title>{0}</title><h1>{0}</h1>\n",
                deployment.id
            ),
        );
    }
    error(
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
        "The page could not be found.",
    )
}

fn file(visit: &Visit, status: StatusCode, found: &Found<'_>) -> Response {
    let tag = format!("\"{}\"", HEXLOWER.encode(&Sha1::digest(found.content)));
    let is_known = visit
        .headers
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if is_known && status == StatusCode::OK {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        site::serve(&visit.method, status, found)
    };
    let headers = response.headers_mut();
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=0, must-revalidate"),
    );
    headers.insert(
        HeaderName::from_static("x-vercel-cache"),
        HeaderValue::from_static("HIT"),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Of `vercel.json` only what static sites live by: clean URLs, and rewrites of everything to the front page.
fn rules(deployment: &Deployment) -> SiteRules {
    let told = deployment
        .sources
        .iter()
        .find(|one| one.path == "vercel.json");
    let told: Value = told
        .and_then(|one| serde_json::from_slice(&one.content).ok())
        .unwrap_or_default();
    let all = |list: &str| {
        told.get(list)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let leads_to_front = |rule: &Value, name: &str| {
        matches!(
            rule.get(name).and_then(Value::as_str),
            Some("/" | "/index.html")
        )
    };
    SiteRules {
        clean_urls: told.get("cleanUrls") == Some(&Value::Bool(true)),
        spa: all("rewrites")
            .iter()
            .any(|rule| leads_to_front(rule, "destination"))
            || all("routes")
                .iter()
                .any(|rule| leads_to_front(rule, "dest")),
    }
}

/// What a stranger gets.
fn shut(answer: StrangerAnswer, visit: &Visit) -> Response {
    let nonce = ids::new("", 24);
    let login = format!(
        "https://vercel.com/sso-api?url=http%3A%2F%2F{}%2F&nonce={nonce}",
        visit.host
    );
    let mut response = match answer {
        StrangerAnswer::Unauthorized => text(
            StatusCode::UNAUTHORIZED,
            "text/html; charset=utf-8",
            format!(
                "<!doctype html><title>Authentication Required</title><meta http-equiv=\"refresh\" content=\"1; url={login}\">\
                 <p>Authentication Required</p>\n",
            ),
        ),
        StrangerAnswer::Redirect => {
            let mut response = text(
                StatusCode::FOUND,
                "text/plain; charset=utf-8",
                "Redirecting...\n",
            );
            if let Ok(login) = HeaderValue::from_str(&login) {
                response.headers_mut().insert(LOCATION, login);
            }
            response
        }
    };
    if let Ok(cookie) =
        HeaderValue::from_str(&format!("_vercel_sso_nonce={nonce}; Path=/; HttpOnly"))
    {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn error(status: StatusCode, code: &'static str, message: &str) -> Response {
    let mut response = text(
        status,
        "text/plain; charset=utf-8",
        format!("{message}\n\n{code}\n"),
    );
    response
        .headers_mut()
        .insert(ERROR, HeaderValue::from_static(code));
    response
}
