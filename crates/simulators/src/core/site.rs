//! Sites: from a path to one of the files that were uploaded, as static hosts do it.

use std::collections::BTreeMap;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use percent_encoding::percent_decode_str;

use super::Query;

/// Files by their paths, which have no slash in front.
pub type Files = BTreeMap<String, Bytes>;

/// Somebody looks at a site.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The method.
    pub method: Method,
    /// The host in lower case, without its port.
    pub host: String,
    /// The path as it was sent.
    pub path: String,
    /// The query.
    pub query: Query,
    /// The headers.
    pub headers: HeaderMap,
}

/// How paths lead to files.
#[derive(Clone, Copy, Debug, Default)]
pub struct SiteRules {
    /// `/about` leads to `about.html`.
    pub clean_urls: bool,
    /// What leads nowhere leads to `index.html`.
    pub spa: bool,
}

/// A file that was found.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// Its path.
    pub path: &'a str,
    /// What is in it.
    pub content: &'a Bytes,
}

/// The file that a path leads to: itself, or `index.html` of the folder.
pub fn find<'a>(files: &'a Files, path: &str, rules: SiteRules) -> Option<Found<'a>> {
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let path = path.trim_start_matches('/');
    let folder = path.trim_end_matches('/');
    let index = if folder.is_empty() {
        "index.html".to_owned()
    } else {
        format!("{folder}/index.html")
    };
    let mut candidates = vec![path.to_owned(), index];
    if rules.clean_urls {
        candidates.push(format!("{folder}.html"));
    }
    if rules.spa {
        candidates.push("index.html".to_owned());
    }
    candidates
        .iter()
        .find_map(|one| files.get_key_value(one.as_str()))
        .map(|(path, content)| Found { path, content })
}

/// Answers with a file: its type by its name, its length, and no body to `HEAD`.
pub fn serve(method: &Method, status: StatusCode, found: &Found<'_>) -> Response {
    let mut mime = mime_guess::from_path(found.path)
        .first_or_octet_stream()
        .to_string();
    if mime.starts_with("text/") || matches!(&*mime, "application/javascript" | "application/json")
    {
        mime.push_str("; charset=utf-8");
    }
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(found.content.clone())
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(mime) = HeaderValue::from_str(&mime) {
        headers.insert(CONTENT_TYPE, mime);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(found.content.len()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, rules: SiteRules) -> Option<String> {
        let files: Files = [
            "index.html",
            "about.html",
            "docs/index.html",
            "docs/a b.css",
        ]
        .map(|path| (path.to_owned(), Bytes::from_static(b"x")))
        .into();
        find(&files, path, rules).map(|found| found.path.to_owned())
    }

    #[test]
    fn paths_lead_to_files_and_folders_to_their_index() {
        let plain = SiteRules::default();
        for (path, to) in [
            ("/", Some("index.html")),
            ("/docs", Some("docs/index.html")),
            ("/docs/", Some("docs/index.html")),
            ("/docs/a%20b.css", Some("docs/a b.css")),
            ("/about", None),
            ("/nowhere", None),
        ] {
            assert_eq!(found(path, plain).as_deref(), to, "{path}");
        }
    }

    #[test]
    fn clean_urls_and_single_pages_are_rules_of_their_own() {
        let clean = SiteRules {
            clean_urls: true,
            spa: false,
        };
        assert_eq!(found("/about", clean).as_deref(), Some("about.html"));
        let spa = SiteRules {
            clean_urls: false,
            spa: true,
        };
        assert_eq!(found("/deep/link", spa).as_deref(), Some("index.html"));
    }
}
