//! Pages of the gateway's own: one look, no script, nothing from outside, everything escaped.

use axum::Json;
use axum::response::{Html, IntoResponse, Response};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, VARY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;

use crate::state::PreviewState;

/// The templates. Names end in `.html`: that is what switches escaping on.
const TEMPLATES: [(&str, &str); 3] = [
    ("layout.html", include_str!("templates/layout.html")),
    ("state.html", include_str!("templates/state.html")),
    ("overview.html", include_str!("templates/overview.html")),
];

/// Renders pages.
#[derive(Debug)]
pub(crate) struct Pages(Environment<'static>);

/// A state for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StateBody<'a> {
    state: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    log_tail: &'a [String],
}

impl Pages {
    pub(crate) fn new() -> Self {
        let mut pages = Environment::new();
        for (name, source) in TEMPLATES {
            pages
                .add_template(name, source)
                .expect("templates are part of the program, and a test renders each");
        }
        Self(pages)
    }

    /// Says why there is nothing to show, as a page that loads itself again or as JSON.
    pub(crate) fn state(&self, asked: &HeaderMap, state: &PreviewState) -> Response {
        let (code, log_tail) = match state {
            PreviewState::Failed { code, log_tail, .. } => {
                (Some(code.as_str()), log_tail.as_slice())
            }
            PreviewState::Building
            | PreviewState::Removed
            | PreviewState::Lost
            | PreviewState::Unknown
            | PreviewState::Unavailable => (None, &[][..]),
        };
        let retry_after = state.retry_after_seconds();
        let body = StateBody {
            state: state.word(),
            message: state.text(),
            retry_after_seconds: retry_after,
            code,
            log_tail,
        };
        let page = || {
            context! {
                state => state.word(), title => state.title(), text => state.text(), code,
                log_tail => Value::from(Serde(log_tail)),
                reload_seconds => state.reload_seconds(),
            }
        };
        let mut response = self.in_wanted_form(asked, state.status(), &body, page);
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Says why the gateway does not answer this.
    pub(crate) fn refusal(&self, asked: &HeaderMap, status: StatusCode, what: &str) -> Response {
        #[derive(Serialize)]
        struct Refused<'a> {
            message: &'a str,
        }
        let page = || context! { state => "refused", title => "Not here", text => what };
        self.in_wanted_form(asked, status, &Refused { message: what }, page)
    }

    /// One answer in two forms, as the client would rather have it.
    fn in_wanted_form(
        &self,
        asked: &HeaderMap,
        status: StatusCode,
        body: &impl Serialize,
        page: impl FnOnce() -> Value,
    ) -> Response {
        let response = if prefers_json(asked) {
            json(body)
        } else {
            self.render("state.html", page())
        };
        (status, response).into_response()
    }

    /// Renders a template, [kept to itself](kept_to_itself).
    pub(crate) fn render(&self, template: &str, page: Value) -> Response {
        match self
            .0
            .get_template(template)
            .and_then(|template| template.render(page))
        {
            Ok(html) => kept_to_itself(Html(html)),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    template,
                    "a page could not be rendered"
                );
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// What the page says, for programs; [kept to itself](kept_to_itself) likewise.
pub(crate) fn json(body: &impl Serialize) -> Response {
    kept_to_itself(Json(body))
}

/// The headers of every answer that the gateway gives by itself, in whichever form: nobody keeps it, shows it in a frame
/// of their own, or takes it for another type. A browser opens JSON as a page too, so that has the page's policy as well.
pub(crate) fn kept_to_itself(answer: impl IntoResponse) -> Response {
    const HEADERS: [(HeaderName, &str); 7] = [
        (CACHE_CONTROL, "no-store"),
        (VARY, "accept"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "SAMEORIGIN"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        ),
    ];
    (HEADERS, answer).into_response()
}

/// Whether the client would rather have JSON than a page. One that takes anything gets the page.
fn prefers_json(asked: &HeaderMap) -> bool {
    quality(asked, "application/json")
        > quality(asked, "text/html").max(quality(asked, "application/xhtml+xml"))
}

/// How much the client wants this type, as it names it; 0 where it doesn't.
fn quality(asked: &HeaderMap, wanted: &str) -> f32 {
    let given = asked
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let qualities = given.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_wanted = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        let quality = parts.find_map(|parameter| parameter.strip_prefix("q="));
        is_wanted.then(|| quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
    });
    qualities.fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;

    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))])
    }

    #[test]
    fn json_is_for_those_who_would_rather_have_it() {
        for yes in [
            "application/json",
            "Application/JSON, */*",
            "text/html;q=0.5, application/json",
            "application/json;q=0.2",
        ] {
            assert!(prefers_json(&accepting(yes)), "{yes}");
        }
        for no in [
            "*/*",
            "text/html",
            "text/html, application/json",
            "application/json;q=0.5, text/html",
            "application/json;q=0",
            "",
        ] {
            assert!(!prefers_json(&accepting(no)), "{no}");
        }
        assert!(!prefers_json(&HeaderMap::new()));
    }

    #[test]
    fn every_state_has_a_page_and_the_same_as_json() {
        let failed = PreviewState::Failed {
            code: "build_failed".into(),
            message: "<b>".into(),
            log_tail: vec!["boom".into()],
        };
        for state in [
            PreviewState::Building,
            failed,
            PreviewState::Removed,
            PreviewState::Lost,
            PreviewState::Unknown,
            PreviewState::Unavailable,
        ] {
            let page = Pages::new().state(&HeaderMap::new(), &state);
            assert_eq!(page.status(), state.status());
            let json = Pages::new().state(&accepting("application/json"), &state);
            assert_eq!(json.status(), state.status());
            assert_same_but_for_the_form(&page, &json);
        }
        let refusal = |asked: &HeaderMap| Pages::new().refusal(asked, StatusCode::FORBIDDEN, "no");
        let page = refusal(&HeaderMap::new());
        assert_eq!(page.status(), StatusCode::FORBIDDEN);
        assert_same_but_for_the_form(&page, &refusal(&accepting("application/json")));
    }

    fn assert_same_but_for_the_form(page: &Response, json: &Response) {
        let without_form = |response: &Response| {
            let mut headers = response.headers().clone();
            let form = headers.remove(CONTENT_TYPE).unwrap();
            (form, headers)
        };
        let ((html, of_page), (json, of_json)) = (without_form(page), without_form(json));
        assert_eq!(html, "text/html; charset=utf-8");
        assert_eq!(json, "application/json");
        assert_eq!(of_json, of_page);
        assert_eq!(of_json[CACHE_CONTROL], "no-store");
        assert_eq!(of_json[VARY], "accept");
        assert_eq!(of_json[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
