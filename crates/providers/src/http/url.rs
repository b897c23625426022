//! Where a vendor's API is.

use std::fmt;

use reqwest::Url;

/// The base of an API's paths: `https`, or `http` on loopback. No credentials, no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(Url);

/// The address of an API can't be used. It is not repeated, for it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("api_url {0}: give it as https://HOST, or http://127.0.0.1:PORT for a simulator")]
pub struct ApiUrlError(&'static str);

impl ApiUrl {
    /// Checks an address.
    ///
    /// # Errors
    /// [`ApiUrlError`], which says what is wrong with it.
    pub fn try_new(url: &str) -> Result<Self, ApiUrlError> {
        let url: Url = url.trim().parse().map_err(|_| ApiUrlError("is no URL"))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                return Err(ApiUrlError(
                    "would send the token in the clear: http is taken on loopback only",
                ));
            }
            _ => return Err(ApiUrlError("does not begin with https")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ApiUrlError(
                "has a user or a password in it, which belongs into the token's key",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ApiUrlError("has a query or a fragment"));
        }
        Ok(Self(url))
    }

    /// Whether it is plain HTTP on this machine: a simulator, whose previews are not served by `https` either.
    pub fn is_loopback_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// `https`, or `http` where a simulator serves the previews.
    pub fn preview_scheme(&self) -> &'static str {
        if self.is_loopback_http() {
            "http"
        } else {
            "https"
        }
    }

    /// The URL of a template's path, each `{…}` of it replaced by the next argument as one segment. `None` where an argument
    /// can't be a segment.
    pub(super) fn join(&self, template: &str, args: &[&str]) -> Option<Url> {
        let mut url = self.0.clone();
        let mut args = args.iter();
        {
            let mut path = url.path_segments_mut().ok()?;
            path.pop_if_empty();
            for segment in template.trim_start_matches('/').split('/') {
                if !segment.starts_with('{') {
                    path.push(segment);
                    continue;
                }
                let arg = args.next()?;
                // Dots name other folders, escaped or not.
                if matches!(
                    arg.to_ascii_lowercase().as_str(),
                    "" | "." | ".." | "%2e" | "%2e%2e"
                ) {
                    return None;
                }
                path.push(arg);
            }
        }
        args.next().is_none().then_some(url)
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_by_https_or_to_this_machine() {
        for good in [
            "https://api.vercel.com",
            "http://127.0.0.1:4001",
            "http://localhost:1/",
            "http://[::1]:9/base",
        ] {
            ApiUrl::try_new(good).unwrap();
        }
        for bad in [
            "http://api.vercel.com",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://user@api.vercel.com",
            "https://:hunter2@api.vercel.com",
            "https://api.vercel.com/?a=b",
            "api.vercel.com",
        ] {
            let error = ApiUrl::try_new(bad).unwrap_err();
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn an_argument_is_one_segment_of_the_path_whatever_is_in_it() {
        let url = ApiUrl::try_new("https://api.example/base/").unwrap();
        let joined = |arg| {
            url.join("/v13/deployments/{id}/aliases", &[arg])
                .map(String::from)
        };
        let expected = |arg| {
            Some(format!(
                "https://api.example/base/v13/deployments/{arg}/aliases"
            ))
        };
        assert_eq!(joined("dpl_1"), expected("dpl_1"));
        assert_eq!(joined("a/../b?c#d"), expected("a%2F..%2Fb%3Fc%23d"));
        assert_eq!(joined("../x"), expected("..%2Fx"));
        for bad in ["", ".", "..", "%2e%2E"] {
            assert_eq!(joined(bad), None, "{bad}");
        }
        assert_eq!(url.join("/v1/{a}/{b}", &["one"]), None);
        assert_eq!(url.join("/v1/{a}", &["one", "two"]), None);
    }
}
