//! Asking the gateway, as a visitor's browser would.
//!
//! The label is sent as the `Host` and the connection goes to the gateway's own address: not every resolver knows names
//! below `localhost`. No proxy stands between a machine and itself, and a redirect is an answer.

use std::time::Duration;

use foreshow_contract::DeploymentId;
use foreshow_engine::Probe;
use foreshow_runner::DEPLOYMENT_HEADER;
use http::header::HOST;
use reqwest::redirect::Policy;

use super::LocalError;

/// A gateway on this machine, or near it, that takes longer is not well; the engine asks again.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// The same for the connection alone.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct GatewayClient {
    http: reqwest::Client,
    /// Without a slash at the end.
    url: String,
}

impl GatewayClient {
    pub(super) fn try_new(url: &str) -> Result<Self, LocalError> {
        let http = foreshow_tls::inward()
            .redirect(Policy::none())
            .connect_timeout(CONNECTS_WITHIN)
            .timeout(ANSWERS_WITHIN)
            .build()
            .map_err(|source| LocalError::Client { source })?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').to_owned(),
        })
    }

    /// Asks `path` of the preview at `host`, and tells whether the deployment itself answered.
    pub(super) async fn probe(
        &self,
        host: &str,
        id: &DeploymentId,
        path: &str,
    ) -> Result<Probe, LocalError> {
        let slash = if path.starts_with('/') { "" } else { "/" };
        let answer = self
            .http
            .get(format!("{}{slash}{path}", self.url))
            .header(HOST, host)
            .send()
            .await
            .map_err(|source| LocalError::Unreachable {
                url: self.url.clone(),
                source,
            })?;
        let status = answer.status();
        let spoke = answer
            .headers()
            .get(DEPLOYMENT_HEADER)
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        Ok(match spoke {
            Some(spoke) if id == &*spoke => Probe::Revision {
                status: status.as_u16(),
            },
            Some(spoke) => Probe::NotYet {
                seen: format!("deployment {spoke} answered with {status}"),
            },
            None => Probe::NotYet {
                seen: format!("the gateway itself answered with {status}"),
            },
        })
    }
}
