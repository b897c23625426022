//! Who may ask the gateway itself.
//!
//! Its pages name every preview, and its API takes what will be deployed. Who shows the token may do everything, from
//! anywhere and under any host name: no other site's page has it, and none can make a browser send it. A wrong one is
//! always refused. Without one, nobody beyond this machine is answered; and on the loopback interface, where any
//! preview's page can reach, only
//!
//! - under a loopback name, else a page elsewhere could have its own name resolve to 127.0.0.1 and read along (DNS
//!   rebinding);
//! - not for another site's page: `Sec-Fetch-Site` and `Origin`, which no page can forge, tell of it. Following a link to
//!   the start page is fine.
//!
//! Whatever changes something is a PUT or a DELETE, which a browser sends elsewhere only after asking, and it is never
//! told yes: there is no CORS here. Whoever adds a POST, which a plain form can send, must insist on `application/json`.

use std::net::IpAddr;

use foreshow_contract::Secret;
use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use subtle::ConstantTimeEq as _;

use crate::host;

/// Why it is refused: the status, a stable code, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

/// Checks requests for the gateway itself.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    /// Whether only this machine can reach it.
    is_private: bool,
    token: Option<Secret>,
}

impl Guard {
    /// For a gateway that listens on `ip`.
    pub(crate) fn new(ip: IpAddr, token: Option<Secret>) -> Self {
        Self {
            is_private: ip.to_canonical().is_loopback(),
            token,
        }
    }

    pub(crate) fn admit(&self, request: &Parts, host: &str) -> Result<(), Refusal> {
        if let (Some(token), Some(shown)) = (&self.token, bearer(&request.headers)) {
            return if is_same(token, shown) {
                Ok(())
            } else {
                Err(WRONG_TOKEN)
            };
        }
        match (self.is_private, &self.token) {
            (true, _) => admit_without_token(request, host),
            (false, Some(_)) => Err(TOKEN_REQUIRED),
            (false, None) => Err(NO_TOKEN),
        }
    }
}

const WRONG_TOKEN: Refusal = Refusal {
    status: StatusCode::UNAUTHORIZED,
    code: "wrong_token",
    message: "The token is not this gateway's: send the one that it was started with (its gateway.token) as `Authorization: \
              Bearer …`.",
};

const TOKEN_REQUIRED: Refusal = Refusal {
    status: StatusCode::UNAUTHORIZED,
    code: "token_required",
    message: "The gateway listens beyond this machine, where it wants its token: send `Authorization: Bearer …` with the \
              gateway.token that it was started with. A browser can't: use `foreshow previews`, or a gateway bound to \
              127.0.0.1.",
};

const NO_TOKEN: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    code: "no_token_configured",
    message: "The gateway listens beyond this machine, where its own pages and API need a token, and it has none: set \
              gateway.token (FORESHOW_GATEWAY__TOKEN) for it and its clients, or bind it to 127.0.0.1.",
};

const NOT_THIS_HOST: Refusal = Refusal {
    status: StatusCode::MISDIRECTED_REQUEST,
    code: "unknown_host",
    message: "No preview and no page of the gateway has this host name: use localhost, or a preview's own URL.",
};

const ANOTHER_SITE: Refusal = Refusal {
    status: StatusCode::FORBIDDEN,
    code: "another_site",
    message: "Another site's page asked for this: open it in a tab of its own.",
};

fn admit_without_token(request: &Parts, host: &str) -> Result<(), Refusal> {
    if !host::is_loopback_name(host) {
        return Err(NOT_THIS_HOST);
    }
    if is_from_another_site(request) {
        return Err(ANOTHER_SITE);
    }
    Ok(())
}

/// The token that the request shows. One that can't be read, or more than one, is none that we know.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut shown = headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let Ok(value) = value.to_str() else {
            return Some("");
        };
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then(|| token.trim_matches(' '))
    });
    let first = shown.next()?;
    Some(shown.next().map_or(first, |_| ""))
}

/// In a time that tells nothing of where they differ; only of their lengths.
fn is_same(token: &Secret, shown: &str) -> bool {
    let token = token.expose().as_bytes();
    !token.is_empty() && bool::from(token.ct_eq(shown.as_bytes()))
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
            request.method == Method::GET
                && request.uri.path() == "/"
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

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const LOOPBACK: &str = "127.0.0.1";
    const BEYOND: &str = "0.0.0.0";

    fn asked(listens: &str, token: Option<&str>, host: &str, headers: &[(&str, &str)]) -> String {
        let guard = Guard::new(listens.parse().unwrap(), token.map(Secret::from));
        ["GET", "PUT", "DELETE"]
            .map(|method| {
                let mut request = Request::builder()
                    .method(method)
                    .uri("/v1/bundles")
                    .header(HOST, host);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let request = request.body(()).unwrap().into_parts().0;
                guard
                    .admit(&request, host)
                    .map_or_else(|refusal| refusal.code, |()| "yes")
            })
            .into_iter()
            .reduce(|a, b| if a == b { a } else { "depends on the method" })
            .unwrap()
            .to_owned()
    }

    #[test]
    fn who_may_ask() {
        let right = &[("authorization", "Bearer s3cret")][..];
        let lower = &[("authorization", "bearer s3cret")][..];
        let wrong = &[("authorization", "Bearer s3creT")][..];
        let shorter = &[("authorization", "Bearer s3")][..];
        let empty = &[("authorization", "Bearer ")][..];
        let basic = &[("authorization", "Basic czNjcmV0")][..];
        let two = &[
            ("authorization", "Bearer s3cret"),
            ("authorization", "Bearer other"),
        ][..];
        let evil = &[("origin", "http://evil.example")][..];
        let preview = &[("sec-fetch-site", "cross-site")][..];
        let evil_with_token = &[
            ("origin", "http://evil.example"),
            ("authorization", "Bearer s3cret"),
        ][..];
        let evil_with_link = &[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ][..];
        let none = &[][..];
        let token = Some("s3cret");
        for (listens, token, host, headers, answer) in [
            (LOOPBACK, None, "localhost", none, "yes"),
            (LOOPBACK, None, "localhost", right, "yes"),
            (LOOPBACK, None, "gateway.example", none, "unknown_host"),
            (LOOPBACK, None, "gateway.example", right, "unknown_host"),
            (LOOPBACK, None, "localhost", evil, "another_site"),
            (LOOPBACK, None, "localhost", preview, "another_site"),
            (LOOPBACK, None, "localhost", evil_with_link, "another_site"),
            (LOOPBACK, token, "localhost", none, "yes"),
            (LOOPBACK, token, "127.0.0.1", basic, "yes"),
            (LOOPBACK, token, "localhost", evil, "another_site"),
            (LOOPBACK, token, "gateway.example", none, "unknown_host"),
            (LOOPBACK, token, "gateway.example", right, "yes"),
            (LOOPBACK, token, "localhost", wrong, "wrong_token"),
            (LOOPBACK, token, "localhost", evil_with_token, "yes"),
            (LOOPBACK, Some(""), "localhost", empty, "wrong_token"),
            (BEYOND, None, "localhost", none, "no_token_configured"),
            (BEYOND, None, "localhost", right, "no_token_configured"),
            (BEYOND, token, "gateway:8080", right, "yes"),
            (BEYOND, token, "gateway:8080", lower, "yes"),
            (BEYOND, token, "gateway:8080", none, "token_required"),
            (BEYOND, token, "localhost", none, "token_required"),
            (BEYOND, token, "gateway:8080", basic, "token_required"),
            (BEYOND, token, "gateway:8080", wrong, "wrong_token"),
            (BEYOND, token, "gateway:8080", shorter, "wrong_token"),
            (BEYOND, token, "gateway:8080", empty, "wrong_token"),
            (BEYOND, token, "gateway:8080", two, "wrong_token"),
            (BEYOND, Some(""), "gateway:8080", empty, "wrong_token"),
            ("::1", None, "localhost", none, "yes"),
            ("::ffff:127.0.0.1", None, "localhost", none, "yes"),
            ("::", None, "localhost", none, "no_token_configured"),
        ] {
            assert_eq!(
                asked(listens, token, host, headers),
                answer,
                "on {listens} with the token {token:?}: {host} {headers:?}"
            );
        }
    }

    #[test]
    fn what_is_refused_says_which_key_to_set_and_no_token() {
        for refusal in [WRONG_TOKEN, TOKEN_REQUIRED, NO_TOKEN] {
            assert!(refusal.message.contains("gateway.token"), "{refusal:?}");
        }
        let guard = Guard::new(BEYOND.parse().unwrap(), Some("s3cret".into()));
        assert!(!format!("{guard:?}").contains("s3cret"));
    }
}
