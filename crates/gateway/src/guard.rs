//! Who may ask the gateway itself.
//!
//! Its pages name every preview, and there is no token yet. So it answers on the loopback interface only, and there:
//!
//! - only under a loopback name, else a page elsewhere could have its own name resolve to 127.0.0.1 and read along (DNS
//!   rebinding);
//! - not to another site's page: a preview can reach `localhost`, and `Sec-Fetch-Site` and `Origin`, which no page can
//!   forge, tell of it. Following a link to the start page is fine.
//!
//! Every method that exists here only reads.

use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::host;

/// Why it is refused: the status, and what to do about it.
pub(crate) type Refusal = (StatusCode, &'static str);

/// Checks a request for the gateway itself.
pub(crate) fn admit(request: &Parts, host: &str, is_private: bool) -> Result<(), Refusal> {
    if !is_private {
        let what = "The gateway listens beyond this machine, where its own pages need a token, which this version has not: \
                    bind it to 127.0.0.1 to see them.";
        return Err((StatusCode::FORBIDDEN, what));
    }
    if !host::is_loopback_name(host) {
        let what = "No preview and no page of the gateway has this host name: use localhost, or a preview's own URL.";
        return Err((StatusCode::MISDIRECTED_REQUEST, what));
    }
    if is_from_another_site(request) {
        return Err((
            StatusCode::FORBIDDEN,
            "Another site's page asked for this: open it in a tab of its own.",
        ));
    }
    Ok(())
}

fn is_from_another_site(request: &Parts) -> bool {
    let headers = &request.headers;
    let is_own_origin = text(headers, ORIGIN.as_str()).is_none_or(|origin| {
        text(headers, HOST.as_str())
            .is_some_and(|host| origin.strip_prefix("http://") == Some(host))
    });
    let comes_from_here = match text(headers, "sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        Some(_) => {
            request.uri.path() == "/"
                && text(headers, "sec-fetch-mode") == Some("navigate")
                && text(headers, "sec-fetch-dest") == Some("document")
        }
    };
    !(is_own_origin && comes_from_here)
}

/// A header's text. What isn't text is no value that we know.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
