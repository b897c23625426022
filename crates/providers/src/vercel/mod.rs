//! Previews at Vercel, through its REST API (documented at vercel.com/docs/rest-api; operations as in `@vercel/sdk` 1.28, 2026).
//!
//! - A deployment's id is Vercel's own; its address is its host, `NAME-HASH-TEAM.vercel.app`. A context's stable address is an alias,
//!   `LABEL.vercel.app` or below a domain of the team's own.
//! - **Whose it is** stands in its `meta` ([`tags`]) from the moment of its creation: there is no idempotency key, so a create
//!   whose answer was lost is found again by that, and by nothing else.
//! - **A build that fails** is told with the last lines of its log ([`log`]); what it ended as is in [`state`].
//! - **Cancelling is confirmed** by looking until the build has ended; what it left is deleted.
//! - **Vercel's login** stands in front of a new project's previews. What is done about that is a setting
//!   ([`Protection`]); a probe tells the login from the preview.
//! - A tenant hears Vercel's words only about what the tenant sent. Team, project and token are the operator's.

mod client;
mod create;
mod domain;
mod error;
mod frameworks;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod log;
mod look;
mod project;
mod settings;
mod state;
mod tags;
mod webhook;
mod wire;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foreshow_contract::{
    ContextKey, DeploymentId, HostLabel, InstallationKey, ProviderName, Secret,
};
use foreshow_engine::{
    AccountId, Address, BuildState, Capabilities, Clock, CreateRequest, Created, Deployment,
    DomainState, Failure, Inventory, Probe, ProbeQuestion, Provider, ProviderCheck, ProviderError,
    RateLimit, code,
};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};
use tokio::time::{Instant, sleep};

pub use error::VercelError;
pub use settings::{BuildMachine, Protection, VercelSettings};
pub use webhook::{SIGNATURE_HEADER, VercelNotice, WebhookError, read_webhook};

use crate::http::{ApiClient, ApiOptions, ApiUrl, ClientError, Prober, Sight};
use client::{Api, PAGE};
use create::Creation;
use error::{DIALECT, error};
use project::Projects;
use tags::Tags;

/// Its name in events, records and configuration.
pub const NAME: &str = "vercel";

const LIST: &str = "list deployments";
const CANCEL: &str = "cancel a build";
const MOVE_ALIAS: &str = "move an alias";

/// Pages that are read for one context: as many deployments as an account creates in a day.
const PAGES: usize = 60;
/// How long a cancel may take to be seen. It is asked for again after that.
const CANCELS_WITHIN: Duration = Duration::from_secs(10);
/// The first and the largest interval between two looks at it.
const CANCEL_LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Keeps the toolbar out of a preview's pages.
const SKIP_TOOLBAR: &str = "x-vercel-skip-toolbar";
const BYPASS: &str = "x-vercel-protection-bypass";
/// What the probe's judge says of the login.
const LOGIN: &str = "Vercel's own login answered: the project is protected (vercel.protection)";

/// The Vercel provider. Cheap to share.
pub struct VercelProvider {
    name: ProviderName,
    capabilities: Capabilities,
    account: AccountId,
    settings: Arc<VercelSettings>,
    /// Of previews: `https`, or `http` with a simulator.
    scheme: &'static str,
    api: Api,
    projects: Projects,
    tags: Tags,
    prober: Prober,
}

impl VercelProvider {
    /// Speaks to Vercel as `settings` say. Nothing is asked yet.
    ///
    /// # Errors
    /// [`VercelError`], which names the setting to mend.
    pub fn try_new(
        settings: VercelSettings,
        installation: &InstallationKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, VercelError> {
        settings.check()?;
        let settings = Arc::new(settings);
        let url = ApiUrl::try_new(&settings.api_url).map_err(ClientError::Url)?;
        let ca_file = settings.ca_file.as_deref();
        let hidden: Vec<Secret> = [
            settings.team_id.as_deref().map(Secret::from),
            settings.team_slug.as_deref().map(Secret::from),
            settings.protection_secret.clone(),
        ]
        .into_iter()
        .flatten()
        .collect();
        let options = ApiOptions {
            url: &url,
            token: &settings.token,
            ca_file,
            dialect: &DIALECT,
            hidden: &hidden,
        };
        let api = Api::new(ApiClient::try_new(options, clock)?, &settings);
        let personal = tags::short(installation, settings.token.expose());
        Ok(Self {
            name: ProviderName::from(NAME),
            capabilities: Capabilities::of(frameworks::HOSTED),
            account: settings.account(&personal),
            scheme: url.preview_scheme(),
            projects: Projects::new(api.clone(), Arc::clone(&settings), installation.clone()),
            tags: Tags::new(installation),
            prober: prober(&url, ca_file)?,
            api,
            settings,
        })
    }

    /// A deployment of this installation's; `None` where it is somebody else's, or gone.
    fn ours(&self, wire: &wire::Deployment) -> Option<Deployment> {
        let (key, revision) = self.tags.read(&wire.meta)?;
        let state = state::build_state(wire, self.api.now());
        if state == BuildState::Gone {
            return None;
        }
        Some(Deployment {
            id: wire.id()?.into(),
            key,
            revision,
            state,
            address: address(wire),
        })
    }

    /// The state of a deployment, with its log where it failed.
    async fn stands(&self, id: &str, wire: &wire::Deployment) -> BuildState {
        let state = state::build_state(wire, self.api.now());
        let BuildState::Failed { log_tail: reason } = state else {
            return state;
        };
        // The reason alone is better than no answer.
        let mut log_tail = match self.api.events(id).await {
            Ok(events) => log::tail(&events),
            Err(_) => Vec::new(),
        };
        log_tail.extend(reason);
        BuildState::Failed { log_tail }
    }

    /// The headers that let a probe past Vercel's login and toolbar.
    fn bypass(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // Else the toolbar for comments is put into pages, and their bytes are not the file's.
        headers.insert(SKIP_TOOLBAR, HeaderValue::from_static("1"));
        if let Some(secret) = &self.settings.protection_secret {
            let mut value = HeaderValue::from_str(secret.expose())
                .expect("the secret was checked to be letters and digits");
            value.set_sensitive(true);
            headers.insert(BYPASS, value);
        }
        headers
    }
}

#[async_trait]
impl Provider for VercelProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn url(&self, address: &Address) -> String {
        format!("{}://{address}", self.scheme)
    }

    fn account(&self) -> Option<&AccountId> {
        Some(&self.account)
    }

    fn create_limit(&self) -> Option<RateLimit> {
        self.settings.create_limit()
    }

    /// The rhythm of Vercel's own client.
    fn look_every(&self, building_for: Duration) -> Option<Duration> {
        let seconds = match building_for.as_secs() {
            0..15 => 1,
            15..60 => 5,
            60..300 => 15,
            300.. => 30,
        };
        Some(Duration::from_secs(seconds))
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        Address::new(format!("{alias}.{}", self.settings.alias_suffix))
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        let project = self.projects.name_for(key);
        let (filter, value) = self.tags.filter(key);
        let mut found: Vec<Deployment> = Vec::new();
        let mut until: Option<String> = None;
        for _ in 0..PAGES {
            let page = self
                .api
                .list(Some(&project), (&filter, &value), PAGE, until.as_deref())
                .await?;
            let Some(page) = page else {
                // Without a project there is nothing in it.
                return Ok(Vec::new());
            };
            for deployment in page.deployments.iter().filter_map(|wire| self.ours(wire)) {
                if deployment.key == *key && found.iter().all(|known| known.id != deployment.id) {
                    found.push(deployment);
                }
            }
            until = next(&page, until.as_deref())?;
            if until.is_none() {
                self.tell_why(&mut found).await;
                return Ok(found);
            }
        }
        // A part of them could pass for all.
        let message = "it lists more deployments for one context than can be read";
        Err(error(LIST, Failure::Retryable { after: None }, message))
    }

    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError> {
        if after.is_some_and(|after| after.parse::<u64>().is_err()) {
            let message = "there is no such page of deployments";
            return Err(error(LIST, Failure::Permanent(code::INTERNAL), message));
        }
        let (filter, value) = self.tags.filter_all();
        let page = self
            .api
            .list(self.projects.shared(), (&filter, &value), PAGE, after)
            .await?;
        let Some(page) = page else {
            return Ok(Inventory::default());
        };
        Ok(Inventory {
            deployments: page
                .deployments
                .iter()
                .filter_map(|wire| self.ours(wire))
                .collect(),
            next: next(&page, after)?,
        })
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        let creation = Creation {
            api: &self.api,
            projects: &self.projects,
            settings: &self.settings,
            tags: &self.tags,
        };
        let made = creation.run(request).await?;
        let wire = &made.deployment;
        Ok(Created {
            deployment: Deployment {
                id: wire
                    .id()
                    .expect("a create without an id is an error")
                    .into(),
                key: request.key.clone(),
                revision: request.revision,
                state: state::build_state(wire, self.api.now()),
                address: address(wire),
            },
            bytes_uploaded: made.bytes_uploaded,
            bytes_reused: made.bytes_reused,
        })
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        let Some(wire) = self.api.get(id.as_str()).await? else {
            return Ok(BuildState::Gone);
        };
        Ok(self.stands(id.as_str(), &wire).await)
    }

    async fn locate(&self, deployment: &Deployment) -> Result<Option<Address>, ProviderError> {
        let is_known = |address: &Address| !address.as_str().is_empty();
        if is_known(&deployment.address) {
            return Ok(Some(deployment.address.clone()));
        }
        let found = self.api.get(deployment.id.as_str()).await?;
        Ok(found.as_ref().map(address).filter(is_known))
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        let is_heard = self.api.cancel(id.as_str()).await?;
        let give_up_at = Instant::now() + CANCELS_WITHIN;
        let (mut interval, longest) = CANCEL_LOOKS;
        loop {
            match self.api.get(id.as_str()).await? {
                None => return Ok(()),
                Some(wire) if state::is_ended(wire.state()) => return self.delete(id).await,
                // A state that nobody knows, and nothing in it to stop.
                Some(wire) if !is_heard && !state::is_in_progress(wire.state()) => {
                    return self.delete(id).await;
                }
                Some(_) => {}
            }
            if Instant::now() >= give_up_at {
                let message = "it did not stop the build in time";
                return Err(error(CANCEL, Failure::Retryable { after: None }, message));
            }
            sleep(interval).await;
            interval = (interval * 2).min(longest);
        }
    }

    /// Vercel removes a deployment's aliases with it.
    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        let project = if self.settings.project_per_context {
            let found = self.api.get(id.as_str()).await?;
            found.and_then(|wire| wire.project_id)
        } else {
            None
        };
        self.api.delete(id.as_str()).await?;
        if let Some(project) = project {
            self.projects.remove_if_empty(&project).await?;
        }
        Ok(())
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        let address = self.alias_address(alias);
        let shown = self.api.alias(address.as_str()).await?;
        Ok(shown.map(DeploymentId::from))
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        let address = self.alias_address(alias);
        let refused = match self.api.assign_alias(address.as_str(), to.as_str()).await {
            Ok(()) => return Ok(true),
            Err(error) => error,
        };
        // It is there already, or the name can't be had.
        if refused.is_status(409) && self.alias(alias).await?.as_ref() == Some(to) {
            return Ok(true);
        }
        // Either the deployment is not there or the domain: the status does not say which.
        if refused.is_status(404) || refused.is_status(410) {
            let found = self.api.get(to.as_str()).await?;
            let now = self.api.now();
            let is_gone =
                found.is_none_or(|wire| state::build_state(&wire, now) == BuildState::Gone);
            if is_gone {
                return Ok(false);
            }
        }
        Err(ProviderError {
            operation: MOVE_ALIAS,
            ..refused.into()
        })
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        question: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        let url = self.url(&deployment.address);
        let seen = self.prober.probe(&url, question, self.bypass()).await;
        Ok(match seen {
            // The host is this deployment's alone, so the login that guards it shows that it is served.
            Probe::NotYet { seen }
                if self.settings.protection == Protection::Leave && seen == LOGIN =>
            {
                Probe::Revision { status: 302 }
            }
            seen => seen,
        })
    }

    async fn move_domain(
        &self,
        domain: &str,
        to: &Deployment,
    ) -> Result<DomainState, ProviderError> {
        let name = self.projects.name_for(&to.key);
        let project = self.projects.ensure(&name).await?;
        let state = domain::point(&self.api, &project, domain, to.id.as_str()).await?;
        Ok(state)
    }

    async fn check(&self) -> Result<Vec<ProviderCheck>, ProviderError> {
        Ok(look::look(&self.api, &self.settings).await?)
    }
}

impl VercelProvider {
    /// Gives the newest revision its log where it failed: whoever takes it over may have to tell why.
    async fn tell_why(&self, found: &mut [Deployment]) {
        let Some(newest) = found.iter().map(|one| one.revision).max() else {
            return;
        };
        let failed = found.iter_mut().filter(|one| one.revision == newest);
        for deployment in failed {
            if let BuildState::Failed { log_tail } = &mut deployment.state
                && let Ok(events) = self.api.events(deployment.id.as_str()).await
            {
                log_tail.splice(0..0, log::tail(&events));
            }
        }
    }
}

/// Where a deployment is reached; empty where Vercel does not say so yet.
fn address(wire: &wire::Deployment) -> Address {
    Address::new(wire.url.as_deref().unwrap_or_default())
}

/// Where the next page begins. Pages go back in time, and it is not documented whether one begins with the instant it is asked
/// for or below it: a millisecond more is asked for, so that nothing is missed, and what comes twice is the same.
fn next(page: &wire::Deployments, after: Option<&str>) -> Result<Option<String>, ProviderError> {
    let Some(next_ms) = page.pagination.next else {
        return Ok(None);
    };
    let until_ms = next_ms + 1.0;
    let after_ms = after.and_then(|after| after.parse().ok());
    // One that does not go back would never end.
    if until_ms >= after_ms.unwrap_or(f64::MAX) {
        let message = "its pages of deployments do not end";
        return Err(error(LIST, Failure::ProviderDown, message));
    }
    Ok(Some(format!("{until_ms:.0}")))
}

fn prober(url: &ApiUrl, ca_file: Option<&Path>) -> Result<Prober, ClientError> {
    Prober::try_new(url, ca_file, judge)
}

/// Tells Vercel's own pages: errors carry a header, and the login leads to vercel.com or sets its own cookie.
fn judge(sight: &Sight<'_>) -> Option<String> {
    let text = |name: &str| sight.headers.get(name)?.to_str().ok();
    if let Some(code) = text("x-vercel-error") {
        let code: String = code
            .chars()
            .filter(char::is_ascii_graphic)
            .take(64)
            .collect();
        return Some(format!("Vercel itself answered with {code}"));
    }
    let leads_to_login = text(LOCATION.as_str()).is_some_and(|to| {
        to.starts_with("https://vercel.com/sso-api") || to.starts_with("https://vercel.com/login")
    });
    let sets_its_cookie = || {
        sight
            .headers
            .get_all(http::header::SET_COOKIE)
            .iter()
            .any(|cookie| cookie.as_bytes().starts_with(b"_vercel_sso_nonce="))
    };
    let is_login = leads_to_login || (sight.status.as_u16() == 401 && sets_its_cookie());
    is_login.then(|| LOGIN.to_owned())
}
