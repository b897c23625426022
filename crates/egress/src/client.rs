//! The guarded client.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy as Redirects;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, retry};

use crate::policy::Policy;
use crate::resolver::{Guard, System};
use crate::{EgressError, EgressOptions, Refused, Resolve, Target};

/// For the look-up, the connection and TLS together. Resolvers ask a second time after five seconds.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// How long a server may say nothing. A last resort: callers have bounds of their own, and tighter ones.
const READS_WITHIN: Duration = Duration::from_mins(1);
/// A connection goes on with the address that was checked when it was made, so it should not last for its own sake.
const IDLE_FOR: Duration = Duration::from_secs(30);
/// Strangers name many hosts, and few of them twice in a row.
const IDLE_PER_HOST: usize = 2;

/// Makes requests to where strangers say, if the public could go there too. Cheap to clone: all clones share one client.
#[derive(Clone, Debug)]
pub struct Egress {
    client: Client,
    policy: Arc<Policy>,
}

impl Egress {
    /// A guarded client that asks the system about names.
    ///
    /// # Errors
    /// [`EgressError`], which names the key to mend.
    pub fn try_new(options: &EgressOptions) -> Result<Self, EgressError> {
        Self::with_resolver(options, Arc::new(System))
    }

    /// A guarded client that asks a resolver of the caller's. Its answers are checked like the system's.
    ///
    /// # Errors
    /// [`EgressError`], which names the key to mend.
    pub fn with_resolver(
        options: &EgressOptions,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, EgressError> {
        Self::assemble(options, resolver, |builder| builder)
    }

    /// The client, and what a test adds to it.
    fn assemble(
        options: &EgressOptions,
        resolver: Arc<dyn Resolve>,
        finish: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self, EgressError> {
        options.check()?;
        let policy = Arc::new(Policy::new(options));
        let guard = Guard {
            policy: Arc::clone(&policy),
            resolver,
        };
        let builder = foreshow_tls::public(options.ca_file.as_deref())?
            // A proxy would resolve and connect in our stead, where nothing is checked.
            .no_proxy()
            // Another address is another request, checked by whoever makes it.
            .redirect(Redirects::none())
            .dns_resolver(Arc::new(guard))
            // Said even where this build can't decompress: features of one crate are features of all.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .default_headers(HeaderMap::from_iter([(
                ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            )]))
            // Whose bounds on headers are known: 100 of them, 400 KiB in all.
            .http1_only()
            .retry(retry::never())
            .connect_timeout(CONNECTS_WITHIN)
            .read_timeout(READS_WITHIN)
            .pool_idle_timeout(IDLE_FOR)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .user_agent(concat!("foreshow/", env!("CARGO_PKG_VERSION")));
        let client = finish(builder).build().map_err(EgressError::Http)?;
        Ok(Self { client, policy })
    }

    /// Checks what needs no network: syntax, scheme, credentials, port, and the address where the host is one. A name's
    /// addresses are checked whenever a connection is made.
    ///
    /// # Errors
    /// [`Refused`], which is final.
    pub fn check(&self, url: &str) -> Result<Target, Refused> {
        self.policy.check(url)
    }

    /// A request to a target that this client (or its clone) has checked. Nothing is sent yet. The time for the whole answer
    /// is the caller's to set, with [`RequestBuilder::timeout`] or around it.
    ///
    /// A [`reqwest::Error`] shows the whole URL, signature and all: log it [without](reqwest::Error::without_url).
    pub fn request(&self, method: Method, target: &Target) -> RequestBuilder {
        self.client.request(method, target.url().clone())
    }

    /// Where an answer redirects to: a URL relative to `from`, checked like any other, and never `http` after `https`. `None`
    /// where the answer is no redirect (301, 302, 303, 307 or 308), or has no `Location`.
    ///
    /// Nothing was followed. Whoever follows counts, and leaves behind what was meant for the first host alone, such as a token.
    ///
    /// # Errors
    /// [`Refused`], which is final.
    pub fn redirect(&self, from: &Target, response: &Response) -> Result<Option<Target>, Refused> {
        match response.status() {
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => {}
            _ => return Ok(None),
        }
        response
            .headers()
            .get(LOCATION)
            .map(|location| self.policy.check_redirect(from, location.as_bytes()))
            .transpose()
    }

    /// Why a request failed, where it was refused at its connect. `None` for every other failure.
    pub fn refusal(error: &reqwest::Error) -> Option<&Refused> {
        let mut source = error.source();
        while let Some(error) = source {
            if let Some(refused) = error.downcast_ref() {
                return Some(refused);
            }
            source = error.source();
        }
        None
    }
}

#[cfg(test)]
mod tests;
