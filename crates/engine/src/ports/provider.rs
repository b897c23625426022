use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use foreshow_bundle::Tree;
use foreshow_contract::{
    App, ContextKey, DeploymentId, Framework, HostLabel, ProviderName, Revision, Secret, Sha256,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use crate::{AccountId, Failure, RateLimit};

/// A hosting provider.
///
/// No provider's create is idempotent and none has fences, so the engine leans on two things only: what carries a
/// context's tags can be listed (at once after a create was answered), and deleting twice is harmless.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Its name in events and configuration.
    fn name(&self) -> &ProviderName;

    /// What it can host.
    fn capabilities(&self) -> &Capabilities;

    /// The public URL of an address that this provider gave.
    fn url(&self, address: &Address) -> String;

    /// The account whose limits and health its calls share with every other worker's; `None` where it has neither.
    fn account(&self) -> Option<&AccountId> {
        None
    }

    /// How many creates the account is allowed, where that is known: they are counted by the whole fleet.
    fn create_limit(&self) -> Option<RateLimit> {
        None
    }

    /// How long to wait between two questions about a build that was begun so long ago; `None` leaves it to the engine.
    fn look_every(&self, building_for: Duration) -> Option<Duration> {
        let _ = building_for;
        None
    }

    /// The address of a context's stable alias.
    fn alias_address(&self, alias: &HostLabel) -> Address;

    /// Every deployment that carries this context's tags, in any state, of any revision.
    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError>;

    /// Deployments of all contexts that carry this installation's tags, a page at a time: the first where `after` is
    /// `None`, else the one that follows the page that gave it. A deployment that comes or goes meanwhile may be missed, and one at
    /// a page's border may come twice.
    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError>;

    /// Creates a deployment with the tags given, uploading only what the provider lacks.
    ///
    /// Not idempotent: after an error the deployment may exist, or may still come to exist.
    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError>;

    /// How the deployment's build stands.
    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError>;

    /// Where a deployment that is [ready](BuildState::Ready) is reached: some providers tell it only then. `None` where it is
    /// not known yet.
    async fn locate(&self, deployment: &Deployment) -> Result<Option<Address>, ProviderError> {
        Ok(Some(deployment.address.clone()))
    }

    /// Stops a build that runs and removes what it left. Idempotent. `Ok` only once the provider confirmed it.
    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError>;

    /// Removes the deployment and every alias that shows it. Idempotent: one that is gone counts as removed.
    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError>;

    /// The deployment that the alias shows.
    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError>;

    /// Points the alias at the deployment; `false` where the deployment is gone.
    async fn move_alias(&self, alias: &HostLabel, to: &DeploymentId)
    -> Result<bool, ProviderError>;

    /// Asks the deployment's own URL and tells who answered.
    async fn probe(
        &self,
        deployment: &Deployment,
        question: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError>;

    /// Points a domain of the tenant's own at the deployment. Idempotent.
    async fn move_domain(
        &self,
        domain: &str,
        to: &Deployment,
    ) -> Result<DomainState, ProviderError> {
        let _ = (domain, to);
        Ok(DomainState::Refused {
            why: format!("{} has no domains of one's own here", self.name()),
        })
    }

    /// Looks whether the credentials are good and what they permit, changing nothing: what was found, for people.
    async fn check(&self) -> Result<Vec<ProviderCheck>, ProviderError> {
        Ok(Vec::new())
    }
}

/// What is asked of a deployment's own URL.
#[derive(Clone, Copy, Debug)]
pub struct ProbeQuestion<'a> {
    /// The path, beginning with a slash.
    pub path: &'a str,
    /// The SHA-256 of what this revision answers there, where that is known: of a file that is served as it is.
    pub expected: Option<&'a Sha256>,
}

/// How a tenant's own domain stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainState {
    /// It shows the deployment.
    Bound,
    /// It will, once whoever has the domain has proved it.
    Unverified {
        /// The DNS records that are missing, as `TYPE NAME VALUE`.
        records: Vec<String>,
    },
    /// It will not.
    Refused {
        /// Why, for people.
        why: String,
    },
}

/// Something about an account that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderCheck {
    /// What was looked at, e.g. `token`.
    pub what: &'static str,
    /// Whether it is well.
    pub is_well: bool,
    /// What was found, and how to mend it.
    pub said: String,
}

/// What a provider can host.
#[derive(Clone, Debug)]
pub struct Capabilities {
    /// The frameworks it takes.
    pub frameworks: BTreeSet<Framework>,
    /// The largest sum of all files, in bytes, where there is a bound.
    pub max_bytes: Option<u64>,
    /// The most files, where there is a bound.
    pub max_files: Option<usize>,
    /// Whether it runs code, and so takes environment variables.
    pub runs_code: bool,
}

impl Capabilities {
    /// Frameworks, without bounds.
    pub fn of(frameworks: impl IntoIterator<Item = Framework>) -> Self {
        let frameworks: BTreeSet<_> = frameworks.into_iter().collect();
        Self {
            runs_code: frameworks.iter().any(|one| *one != Framework::Static),
            frameworks,
            max_bytes: None,
            max_files: None,
        }
    }
}

/// What to deploy.
#[derive(Clone, Copy, Debug)]
pub struct CreateRequest<'a> {
    /// The context.
    pub key: &'a ContextKey,
    /// Its revision.
    pub revision: Revision,
    /// The host label of this revision.
    pub label: &'a HostLabel,
    /// The files.
    pub tree: &'a Arc<Tree>,
    /// How they are built and served.
    pub app: &'a App,
    /// Environment of the build and the app.
    pub env: &'a BTreeMap<String, Secret>,
}

/// A deployment that was just created.
#[derive(Clone, Debug)]
pub struct Created {
    /// The deployment.
    pub deployment: Deployment,
    /// Bytes sent, because the provider lacked them.
    pub bytes_uploaded: u64,
    /// Bytes that the provider already had.
    pub bytes_reused: u64,
}

/// A deployment as the provider lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The provider's id.
    pub id: DeploymentId,
    /// The context in its tags.
    pub key: ContextKey,
    /// The revision in its tags.
    pub revision: Revision,
    /// How its build stands.
    pub state: BuildState,
    /// Where it is reached, as far as that is known before [`Provider::locate`] tells.
    pub address: Address,
}

/// A page of a provider's deployments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Those on this page.
    pub deployments: Vec<Deployment>,
    /// What to ask for the next page with; `None` on the last.
    pub next: Option<String>,
}

/// How a build stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// Waiting or running.
    Building,
    /// It serves.
    Ready,
    /// It failed.
    Failed {
        /// The last lines of the build's log.
        log_tail: Vec<String>,
    },
    /// The provider does not have it (any more).
    Gone,
}

/// Where something is reached, in terms that only its provider can turn into a URL: a host label, say, or a host name.
///
/// The store keeps addresses rather than URLs, so a port or a domain that changes does not make old records wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(Arc<str>);

impl Address {
    /// Wraps what a provider gave.
    pub fn new(address: impl Into<Arc<str>>) -> Self {
        Self(address.into())
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who answered a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The deployment itself, with this HTTP status.
    Revision {
        /// The HTTP status.
        status: u16,
    },
    /// Something else, for now: another revision, or the provider's own page.
    NotYet {
        /// What was seen, for people.
        seen: String,
    },
}

/// A provider did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{provider} could not {operation}: {message}")]
pub struct ProviderError {
    /// Which provider.
    pub provider: ProviderName,
    /// What was asked, e.g. `create a deployment`.
    pub operation: &'static str,
    /// What it said or what happened, free of secrets.
    pub message: String,
    /// What follows for the job.
    pub failure: Failure,
    /// What lies beneath, if anything.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}
