//! Previews at Deno Deploy, through its v2 API.
//!
//! - A context has one app, whose name only this installation can know (`tags`). Each deployment is a revision of it with a host of
//!   its own; the app's production host is the context's alias, moved by promoting a revision (`alias`).
//! - A push sends every file (`deploy`): the API has no uploads and reuses nothing.
//! - *Ready* means that the vendor tells the revision's host (`state`). Hosts are read, not computed (`hosts`).
//! - The environment is the app's, as secrets (`env`).
//! - What cannot be deleted is detached first, and at the end of all the app goes (`removal`).
//!
//! What the vendor's papers leave open is taken from a public record of live calls of 2026-09 and from the official clients, and said
//! where it matters: both shapes of errors, both forms of streams, links that are relative or name another host.

mod alias;
mod check;
mod client;
mod config;
mod deploy;
mod domain;
mod env;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hosts;
mod listing;
mod log;
mod operations;
mod page;
mod removal;
mod seen;
mod settings;
mod state;
mod tags;
mod wire;

#[cfg(test)]
mod tests;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, InstallationKey, ProviderName};
use foreshow_engine::{
    AccountId, Address, BuildState, Capabilities, Clock, CreateRequest, Created, Deployment,
    DomainState, Failure, Inventory, Probe, ProbeQuestion, Provider, ProviderCheck, ProviderError,
    RateLimit, code,
};
use http::HeaderMap;

pub use error::{AppError, DenoError};
pub use settings::DenoSettings;

use crate::http::{ApiClient, ApiOptions, ApiUrl, ClientError, Prober};
use client::Client;
use error::failed;
use removal::EmptyApp;
use seen::Seen;
use tags::{Place, Tags, slug};

/// Its name in events, records and configuration.
pub const NAME: &str = "deno";

/// In seconds.
const HOUR: NonZeroU32 = NonZeroU32::new(3_600).expect("3,600 is not 0");

/// The Deno Deploy provider.
pub struct DenoProvider {
    name: ProviderName,
    capabilities: Capabilities,
    account: AccountId,
    settings: DenoSettings,
    key: InstallationKey,
    tags: Tags,
    url: ApiUrl,
    client: Client,
    prober: Prober,
    domain: hosts::Domain,
    seen: Seen,
    clock: Arc<dyn Clock>,
}

impl DenoProvider {
    /// A provider of this installation. Nothing is asked yet.
    ///
    /// # Errors
    /// [`DenoError::Client`] where the settings can't be used.
    pub fn try_new(
        settings: DenoSettings,
        key: InstallationKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DenoError> {
        let url = ApiUrl::try_new(&settings.api_url).map_err(ClientError::from)?;
        let options = ApiOptions {
            url: &url,
            token: &settings.token,
            ca_file: settings.ca_file.as_deref(),
            dialect: &operations::DIALECT,
            hidden: &[],
        };
        let api = ApiClient::try_new(options, Arc::clone(&clock))?;
        let mut capabilities = Capabilities::of(config::FRAMEWORKS);
        capabilities.max_bytes = Some(settings.max_bytes);
        // One token, one organization; and a key in the store has to be free of secrets.
        let account = key.digest(
            "foreshow.account.deno.v1",
            settings.token.expose().as_bytes(),
        );
        let installation = key.digest("foreshow.tag.installation.v1", &[]);
        Ok(Self {
            name: ProviderName::from(NAME),
            capabilities,
            account: AccountId::new(format!("{NAME}/{}", &account.to_hex()[..12])),
            tags: Tags::new(installation.to_hex()[..16].to_owned()),
            prober: Prober::try_new(&url, settings.ca_file.as_deref(), |_| None)?,
            domain: hosts::Domain::of_org(settings.org.as_deref()),
            seen: Seen::default(),
            client: Client::new(api, &settings),
            url,
            key,
            settings,
            clock,
        })
    }

    fn slug_of(&self, key: &ContextKey) -> String {
        slug(&self.key.alias_label(key))
    }

    fn unknown(&self, operation: &'static str, id: &DeploymentId) -> ProviderError {
        ProviderError {
            provider: self.name.clone(),
            operation,
            message: format!("{id} is no deployment of this provider"),
            failure: Failure::Permanent(code::INTERNAL),
            source: None,
        }
    }
}

#[async_trait]
impl Provider for DenoProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn url(&self, address: &Address) -> String {
        let host = self.domain.host(address.as_str());
        format!("{}://{host}", self.url.preview_scheme())
    }

    fn account(&self) -> Option<&AccountId> {
        Some(&self.account)
    }

    fn create_limit(&self) -> Option<RateLimit> {
        let count = self.settings.creates_per_hour?;
        Some(RateLimit {
            count,
            per_seconds: HOUR,
        })
    }

    /// Static files are there within seconds, a build takes minutes.
    fn look_every(&self, building_for: Duration) -> Option<Duration> {
        Some(match building_for.as_secs() {
            ..15 => Duration::from_secs(1),
            15..60 => Duration::from_secs(2),
            60.. => Duration::from_secs(5),
        })
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        let app = slug(alias);
        match self.domain.known() {
            Some(_) => Address::new(self.domain.host(&app)),
            None => Address::new(app),
        }
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        self.of_context(key)
            .await
            .map_err(failed("list deployments"))
    }

    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError> {
        self.page(after)
            .await
            .map_err(failed("list all deployments"))
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        self.deploy(&request)
            .await
            .map_err(failed("create a deployment"))
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        let Some(place) = Place::parse(id) else {
            return Ok(BuildState::Gone);
        };
        self.state_of(&place)
            .await
            .map_err(failed("look up a deployment"))
    }

    async fn locate(&self, deployment: &Deployment) -> Result<Option<Address>, ProviderError> {
        let host = self
            .host_of(deployment)
            .await
            .map_err(failed("look up a deployment"))?;
        Ok(host.map(Address::new))
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        let Some(place) = Place::parse(id) else {
            return Ok(());
        };
        self.remove(&place, EmptyApp::Kept)
            .await
            .map_err(failed("cancel a build"))
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        let Some(place) = Place::parse(id) else {
            return Ok(());
        };
        self.remove(&place, EmptyApp::Removed)
            .await
            .map_err(failed("delete a deployment"))
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        let shown = self
            .shown(&slug(alias))
            .await
            .map_err(failed("look up an alias"))?;
        Ok(shown.map(|place| place.id()))
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        const OPERATION: &str = "move an alias";
        let Some(place) = Place::parse(to) else {
            return Ok(false);
        };
        if place.app != slug(alias) {
            return Err(self.unknown(OPERATION, to));
        }
        self.show(&place).await.map_err(failed(OPERATION))
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        question: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        let host = self
            .host_of(deployment)
            .await
            .map_err(failed("probe a deployment"))?;
        let Some(host) = host else {
            let seen = "Deno Deploy does not tell its host yet".to_owned();
            return Ok(Probe::NotYet { seen });
        };
        let base = format!("{}://{host}", self.url.preview_scheme());
        Ok(self.prober.probe(&base, question, HeaderMap::new()).await)
    }

    async fn move_domain(
        &self,
        domain: &str,
        to: &Deployment,
    ) -> Result<DomainState, ProviderError> {
        const OPERATION: &str = "move a domain";
        let Some(place) = Place::parse(&to.id) else {
            return Err(self.unknown(OPERATION, &to.id));
        };
        self.bind(domain, &place).await.map_err(failed(OPERATION))
    }

    async fn check(&self) -> Result<Vec<ProviderCheck>, ProviderError> {
        Ok(self.look().await)
    }
}
