//! A vendor's API at one origin, with one token.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foreshow_contract::{Secret, Timestamp};
use foreshow_engine::Clock;
use foreshow_tls::TlsError;
use http::HeaderValue;
use reqwest::redirect::Policy;

use super::{ApiUrl, ApiUrlError, Call, Dialect, Operation};

/// Vendors' front doors are near everywhere; what takes longer is not going to answer.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// Unused connections go before most front doors close them.
const IDLE_FOR: Duration = Duration::from_secs(50);

/// Everything that a client needs.
#[derive(Clone, Copy)]
pub struct ApiOptions<'a> {
    /// Where the API is.
    pub url: &'a ApiUrl,
    /// The token, sent as `Authorization: Bearer`.
    pub token: &'a Secret,
    /// Certificates to trust beside the public ones, in PEM.
    pub ca_file: Option<&'a Path>,
    /// How the vendor speaks.
    pub dialect: &'static Dialect,
    /// What else must not stand in a message, such as the account's own ids.
    pub hidden: &'a [Secret],
}

/// No client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the API can't be used.
    #[error(transparent)]
    Url(#[from] ApiUrlError),
    /// The token can't be sent.
    #[error("the token {0}: copy it again from the provider's settings")]
    Token(&'static str),
    /// The certificates can't be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client can't be made.
    #[error("no HTTP client can be made")]
    Http(#[source] reqwest::Error),
}

/// Calls a vendor's API. Cheap to clone.
#[derive(Clone)]
pub struct ApiClient {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) http: reqwest::Client,
    pub(super) url: ApiUrl,
    pub(super) authorization: HeaderValue,
    pub(super) dialect: &'static Dialect,
    pub(super) hidden: Vec<Secret>,
    clock: Arc<dyn Clock>,
}

impl ApiClient {
    /// A client of the API. Nothing is connected yet.
    ///
    /// # Errors
    /// [`ClientError`], which names what to mend.
    pub fn try_new(options: ApiOptions<'_>, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let http = builder(options.url, options.ca_file)?
            .build()
            .map_err(ClientError::Http)?;
        let mut hidden = options.hidden.to_vec();
        hidden.push(options.token.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                url: options.url.clone(),
                authorization: authorization(options.token)?,
                dialect: options.dialect,
                hidden,
                clock,
            }),
        })
    }

    /// Begins a call; each `{…}` of the operation's path takes the next of `args`.
    pub fn call<'a>(&'a self, operation: &'static Operation, args: &[&str]) -> Call<'a> {
        Call::new(self, operation, args)
    }

    /// The time now, as the installation's clock has it.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

/// What API and previews have in common: no redirects, bounded connecting, and no proxy to this machine itself.
pub(super) fn builder(
    url: &ApiUrl,
    ca_file: Option<&Path>,
) -> Result<reqwest::ClientBuilder, TlsError> {
    let builder = if url.is_loopback_http() {
        foreshow_tls::inward()
    } else {
        foreshow_tls::public(ca_file)?
    };
    Ok(builder
        .redirect(Policy::none())
        .connect_timeout(CONNECTS_WITHIN)
        .pool_idle_timeout(IDLE_FOR)
        .user_agent(concat!("foreshow/", env!("CARGO_PKG_VERSION"))))
}

fn authorization(token: &Secret) -> Result<HeaderValue, ClientError> {
    let token = token.expose();
    if token.is_empty() {
        return Err(ClientError::Token("is empty"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ClientError::Token(
            "has characters in it that no token has, such as a space or a line's end",
        ));
    }
    let mut value: HeaderValue = format!("Bearer {token}")
        .parse()
        .expect("graphic characters are a header's value");
    value.set_sensitive(true);
    Ok(value)
}
