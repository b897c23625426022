//! How a client reaches its gateway, and why it can't: the address, the token, our own disk.

use std::io;
use std::path::PathBuf;

use foreshow_contract::Secret;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use reqwest::Url;

/// No client can be made. The URL, which may hold a password, is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum GatewayBundlesError {
    /// The address is none.
    #[error("gateway.url {what}: give it as http://HOST:PORT")]
    Url {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The token can't be sent.
    #[error("gateway.token {what}: use printable characters without spaces")]
    Token {
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is no room for what is fetched.
    #[error("bundles can't be received in {}: check that it is a folder that this user may write to", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// No HTTP client can be made.
    #[error("no HTTP client can be made")]
    Client {
        /// What lies beneath.
        #[source]
        source: reqwest::Error,
    },
}

/// The address that all paths are joined to: it ends with a slash.
pub(super) fn parse_base(url: &str) -> Result<Url, GatewayBundlesError> {
    let wrong = |what| GatewayBundlesError::Url { what };
    let mut base: Url = url.trim().parse().map_err(|_| wrong("is no URL"))?;
    match base.scheme() {
        "http" => {}
        "https" => {
            return Err(wrong(
                "begins with https, which this version can't speak to a gateway",
            ));
        }
        _ => return Err(wrong("does not begin with http")),
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(wrong(
            "has a user or a password in it, which belongs into gateway.token",
        ));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    if !base.path().ends_with('/') {
        let path = format!("{}/", base.path());
        base.set_path(&path);
    }
    Ok(base)
}

/// The header that shows the token, and that no log prints.
pub(super) fn authorization(token: Secret) -> Result<HeaderMap, GatewayBundlesError> {
    let token = token.expose();
    if token.is_empty() {
        return Err(GatewayBundlesError::Token { what: "is empty" });
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(GatewayBundlesError::Token {
            what: "can't be sent in a header",
        });
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .expect("printable characters are a header's value");
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}
