//! Sites: what a visitor of a host gets.
//!
//! With a static runtime it is the uploaded files, `spa` included. A program cannot be run here, so a dynamic app (one with an
//! entrypoint or a framework) serves those of its files that a path names, and answers everything else with 200 and a plain page
//! that tells its revision. A site whose files a build command would make serves the files as they were uploaded.

use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::config::Runtime;
use super::organization::Organization;
use super::revision::Revision;
use crate::core::site::{self, SiteRules, Visit};
use crate::core::{SiteAnswer, SiteDelay, text};

const VIA: HeaderName = HeaderName::from_static("via");
const HTML: &str = "text/html; charset=utf-8";

/// Answers a visit.
pub(crate) fn visit(
    org: &mut Organization,
    visit: &Visit,
    delay: Option<SiteDelay>,
    now: u64,
) -> Response {
    let (response, log) = look(org, visit, delay, now);
    if let Some((app, revision)) = log {
        let message = format!(
            "{} {} {}",
            visit.method,
            visit.path,
            response.status().as_u16()
        );
        org.logs.visited(now, &app, &revision, message);
    }
    signed(response)
}

type Log = Option<(String, String)>;

fn look(org: &Organization, visit: &Visit, delay: Option<SiteDelay>, now: u64) -> (Response, Log) {
    let mut candidates = org.serving_of(&visit.host, now);
    let Some(newest) = candidates.next() else {
        return (absent(org, &visit.host), None);
    };
    let is_early = |delay: &SiteDelay| {
        newest
            .seen_from()
            .is_some_and(|from| now < from.saturating_add(delay.ms))
    };
    let revision = match delay.filter(is_early).map(|delay| delay.answer) {
        None => newest,
        Some(SiteAnswer::NotFound) => {
            return (page(StatusCode::NOT_FOUND, "DEPLOYMENT_NOT_FOUND"), None);
        }
        Some(SiteAnswer::BadGateway) => {
            return (page(StatusCode::BAD_GATEWAY, "BAD_GATEWAY"), None);
        }
        Some(SiteAnswer::Previous) => {
            // At a host of one revision alone, the one before it in the same app.
            let before = candidates.next().or_else(|| {
                org.revisions
                    .iter()
                    .filter(|one| one.app == newest.app && one.number < newest.number)
                    .filter(|one| one.seen_from().is_some_and(|from| now >= from))
                    .max_by_key(|one| one.number)
            });
            match before {
                Some(before) => before,
                None => return (page(StatusCode::NOT_FOUND, "DEPLOYMENT_NOT_FOUND"), None),
            }
        }
    };
    let log = Some((revision.app.clone(), revision.id.clone()));
    (serve(revision, visit), log)
}

fn serve(revision: &Revision, visit: &Visit) -> Response {
    let runtime = revision
        .config
        .as_ref()
        .and_then(|config| config.runtime.as_ref());
    let (spa, is_static) = match runtime {
        Some(Runtime::Static { spa, .. }) => (*spa, true),
        Some(Runtime::Dynamic { .. }) | None => (false, false),
    };
    if is_static && !matches!(visit.method, Method::GET | Method::HEAD) {
        return page(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED");
    }
    let rules = SiteRules {
        clean_urls: true,
        spa,
    };
    if let Some(found) = site::find(&revision.files, &visit.path, rules) {
        return site::serve(&visit.method, StatusCode::OK, &found);
    }
    if is_static {
        return match site::find(&revision.files, "/404.html", SiteRules::default()) {
            Some(found) => site::serve(&visit.method, StatusCode::NOT_FOUND, &found),
            None => page(StatusCode::NOT_FOUND, "NOT_FOUND"),
        };
    }
    let told = format!(
        "<!doctype html>\n<title>{0}</title>\n<p>Revision {0}</p>\n",
        revision.id
    );
    text(StatusCode::OK, HTML, told)
}

fn absent(org: &Organization, host: &str) -> Response {
    if org.is_vanished(host) {
        page(StatusCode::GONE, "DEPLOYMENT_DELETED")
    } else {
        page(StatusCode::NOT_FOUND, "DEPLOYMENT_NOT_FOUND")
    }
}

/// The service's own page for what it cannot serve.
fn page(status: StatusCode, code: &str) -> Response {
    text(
        status,
        HTML,
        format!("<!doctype html>\n<title>{status}</title>\n<h1>{code}</h1>\n"),
    )
}

fn signed(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(VIA, HeaderValue::from_static("1.1 deno-deploy-simulator"));
    response
}
