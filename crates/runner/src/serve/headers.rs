//! Headers of every answer from a preview.

use http::header::{ACCEPT, CACHE_CONTROL, ETAG, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::insert_text;
use crate::PreviewDeployment;

/// Names the deployment that spoke, so that a probe can tell it from another or from the gateway.
pub const DEPLOYMENT_HEADER: &str = "x-foreshow-deployment";
/// The revision in that deployment's tags.
pub const REVISION_HEADER: &str = "x-foreshow-revision";

/// What a stranger's page may do to its neighbours: nothing. What it may do to itself: everything; scripts run, for each
/// preview has its own origin.
///
/// - `nosniff`: an upload is what its name says, never a script in disguise.
/// - `no-referrer`: its address is a secret, and links out would tell it.
/// - `noindex`: nor should a search engine keep it.
/// - `Origin-Agent-Cluster`: its own process where the browser can, and `document.domain` can't merge neighbours.
/// - `same-origin-allow-popups`: whoever opened the preview can't be reached through `window.opener`. The stricter
///   `same-origin` would break sign-in windows that the page itself opens.
pub(super) fn for_hostile_content(headers: &mut HeaderMap) {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
        (HeaderName::from_static("origin-agent-cluster"), "?1"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin-allow-popups",
        ),
    ];
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

pub(super) fn name_deployment(headers: &mut HeaderMap, deployment: &PreviewDeployment) {
    insert_text(
        headers,
        HeaderName::from_static(DEPLOYMENT_HEADER),
        deployment.id.as_str(),
    );
    insert_text(
        headers,
        HeaderName::from_static(REVISION_HEADER),
        &deployment.revision.to_string(),
    );
}

/// Keep it, but ask each time: the alias shows another revision with the next update.
pub(super) fn ask_each_time(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

/// [`ask_each_time`], with what to ask by.
pub(super) fn revalidate(headers: &mut HeaderMap, etag: &str) {
    ask_each_time(headers);
    insert_text(headers, ETAG, etag);
}

/// Another `Accept` may get another answer at this address.
pub(super) fn vary_by_accept(headers: &mut HeaderMap) {
    headers.insert(VARY, HeaderValue::from(ACCEPT));
}
