use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, Framework, HostLabel, ProviderName, Revision};
use tokio::time::Instant;

use crate::{
    AccountId, Address, BuildState, Capabilities, CreateRequest, Created, Deployment, DomainState,
    Failure, Inventory, Probe, ProbeQuestion, Provider, ProviderError, RateLimit,
};

/// How the builds of a [`FakeProvider`] go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FakeBuild {
    /// Ready this long after their creation.
    Ready(Duration),
    /// Failed this long after.
    Failed(Duration),
    /// Never done.
    Never,
}

/// A provider that remembers what it was told, and does as its real kin do: creates are not idempotent.
#[derive(Clone)]
pub struct FakeProvider {
    name: ProviderName,
    capabilities: Capabilities,
    account: Option<AccountId>,
    create_limit: Option<RateLimit>,
    state: Arc<Mutex<State>>,
}

struct State {
    build: FakeBuild,
    deployments: BTreeMap<DeploymentId, Held>,
    aliases: BTreeMap<HostLabel, DeploymentId>,
    created: Vec<(ContextKey, u64)>,
    calls: Vec<String>,
    failures: Vec<(&'static str, Failure)>,
    failing: BTreeMap<&'static str, Failure>,
    asked: Vec<(&'static str, Instant)>,
    address_after: Duration,
    next: u64,
}

struct Held {
    deployment: Deployment,
    build: FakeBuild,
    since: Instant,
}

impl Held {
    fn state(&self) -> BuildState {
        match self.build {
            FakeBuild::Ready(after) if self.since.elapsed() >= after => BuildState::Ready,
            FakeBuild::Failed(after) if self.since.elapsed() >= after => BuildState::Failed {
                log_tail: vec!["error: expected `;`".to_owned()],
            },
            FakeBuild::Ready(_) | FakeBuild::Failed(_) | FakeBuild::Never => BuildState::Building,
        }
    }

    fn seen(&self) -> Deployment {
        Deployment {
            state: self.state(),
            ..self.deployment.clone()
        }
    }
}

impl FakeProvider {
    /// A provider of static sites whose builds go like this.
    pub fn new(name: &str, build: FakeBuild) -> Self {
        Self {
            name: ProviderName::from(name),
            capabilities: Capabilities::of([Framework::Static]),
            account: None,
            create_limit: None,
            state: Arc::new(Mutex::new(State {
                build,
                deployments: BTreeMap::new(),
                aliases: BTreeMap::new(),
                created: Vec::new(),
                calls: Vec::new(),
                failures: Vec::new(),
                failing: BTreeMap::new(),
                asked: Vec::new(),
                address_after: Duration::ZERO,
                next: 0,
            })),
        }
    }

    /// The same with an account, whose limits and health are shared.
    #[must_use]
    pub fn with_account(mut self, create_limit: Option<RateLimit>) -> Self {
        self.account = Some(AccountId::new(format!("{}:test", self.name)));
        self.create_limit = create_limit;
        self
    }

    /// Its deployments have an address only so long after they were created.
    pub fn set_address_after(&self, after: Duration) {
        self.lock().address_after = after;
    }

    /// Every call of this operation fails so, from now on; `None`: no longer.
    pub fn set_failing(&self, operation: &'static str, failure: Option<Failure>) {
        let failing = &mut self.lock().failing;
        match failure {
            Some(failure) => failing.insert(operation, failure),
            None => failing.remove(operation),
        };
    }

    /// When this operation was asked for, whatever came of it.
    pub fn asked(&self, operation: &'static str) -> Vec<Instant> {
        let state = self.lock();
        let asked = state.asked.iter().filter(|(one, _)| *one == operation);
        asked.map(|(_, at)| *at).collect()
    }

    /// Builds created from now on go like this.
    pub fn set_build(&self, build: FakeBuild) {
        self.lock().build = build;
    }

    /// The next call of this operation (`create`, `list`, `inventory`, `status`, `cancel`, `delete`, `alias`, `move_alias`, `probe`) fails so.
    /// A `create` that fails has created nothing.
    pub fn fail_next(&self, operation: &'static str, failure: Failure) {
        self.lock().failures.push((operation, failure));
    }

    /// A create lands whose caller has gone.
    pub fn land_late(&self, key: &ContextKey, revision: u64) {
        let mut state = self.lock();
        state.next += 1;
        let id = DeploymentId::new(format!("late-{}", state.next));
        let deployment = Deployment {
            id: id.clone(),
            key: key.clone(),
            revision: Revision::try_new(revision).expect("a test names a real revision"),
            state: BuildState::Building,
            address: Address::new(id.as_str()),
        };
        let held = Held {
            deployment,
            build: state.build,
            since: Instant::now(),
        };
        state.deployments.insert(id, held);
    }

    /// Every create that was answered: context and revision.
    pub fn created(&self) -> Vec<(ContextKey, u64)> {
        self.lock().created.clone()
    }

    /// Calls that changed something, in order, as readable lines.
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    /// What exists now.
    pub fn deployments(&self) -> Vec<Deployment> {
        self.lock().deployments.values().map(Held::seen).collect()
    }

    /// The revision that a context's alias shows.
    pub fn shown(&self, alias: &HostLabel) -> Option<u64> {
        let state = self.lock();
        let id = state.aliases.get(alias)?;
        state
            .deployments
            .get(id)
            .map(|held| held.deployment.revision.get())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, operation: &'static str) -> Result<MutexGuard<'_, State>, ProviderError> {
        let mut state = self.lock();
        state.asked.push((operation, Instant::now()));
        let mut failures = state.failures.iter();
        let next = failures.position(|(failing, _)| *failing == operation);
        let next = next.map(|at| state.failures.remove(at).1);
        if let Some(failure) = next.or_else(|| state.failing.get(operation).cloned()) {
            return Err(ProviderError {
                provider: self.name.clone(),
                operation,
                message: "a fault was switched on".to_owned(),
                failure,
                source: None,
            });
        }
        Ok(state)
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn url(&self, address: &Address) -> String {
        format!("https://{address}.{}.example/", self.name)
    }

    fn account(&self) -> Option<&AccountId> {
        self.account.as_ref()
    }

    fn create_limit(&self) -> Option<RateLimit> {
        self.create_limit
    }

    async fn locate(&self, deployment: &Deployment) -> Result<Option<Address>, ProviderError> {
        let state = self.call("locate")?;
        let held = state.deployments.get(&deployment.id);
        Ok(held
            .filter(|held| held.since.elapsed() >= state.address_after)
            .map(|held| held.deployment.address.clone()))
    }

    async fn move_domain(&self, _: &str, to: &Deployment) -> Result<DomainState, ProviderError> {
        let state = self.call("move_domain")?;
        Ok(if state.deployments.contains_key(&to.id) {
            DomainState::Bound
        } else {
            DomainState::Refused {
                why: "there is no such deployment".to_owned(),
            }
        })
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        Address::new(alias.as_str())
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        let state = self.call("list")?;
        Ok(state
            .deployments
            .values()
            .filter(|held| held.deployment.key == *key)
            .map(Held::seen)
            .collect())
    }

    async fn inventory(&self, _: Option<&str>) -> Result<Inventory, ProviderError> {
        let state = self.call("inventory")?;
        Ok(Inventory {
            deployments: state.deployments.values().map(Held::seen).collect(),
            next: None,
        })
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        let mut state = self.call("create")?;
        state.next += 1;
        let id = DeploymentId::new(format!("dpl-{}", state.next));
        let deployment = Deployment {
            id: id.clone(),
            key: request.key.clone(),
            revision: request.revision,
            state: BuildState::Building,
            address: Address::new(request.label.as_str()),
        };
        let held = Held {
            deployment: deployment.clone(),
            build: state.build,
            since: Instant::now(),
        };
        state.deployments.insert(id, held);
        state
            .created
            .push((request.key.clone(), request.revision.get()));
        let line = format!("create {}/{}", request.key.context, request.revision);
        state.calls.push(line);
        Ok(Created {
            deployment,
            bytes_uploaded: request.tree.total_bytes(),
            bytes_reused: 0,
        })
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        Ok(self
            .call("status")?
            .deployments
            .get(id)
            .map_or(BuildState::Gone, Held::state))
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        drop(self.call("cancel")?);
        self.delete(id).await
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        let mut state = self.call("delete")?;
        if let Some(held) = state.deployments.remove(id) {
            state.aliases.retain(|_, shown| shown != id);
            let line = format!(
                "delete {}/{}",
                held.deployment.key.context, held.deployment.revision
            );
            state.calls.push(line);
        }
        Ok(())
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        Ok(self.call("alias")?.aliases.get(alias).cloned())
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        let mut state = self.call("move_alias")?;
        let Some(held) = state.deployments.get(to) else {
            return Ok(false);
        };
        let line = format!(
            "alias {} shows {}",
            held.deployment.key.context, held.deployment.revision
        );
        if state.aliases.insert(alias.clone(), to.clone()).as_ref() != Some(to) {
            state.calls.push(line);
        }
        Ok(true)
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        _: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        let state = self.call("probe")?;
        Ok(
            match state.deployments.get(&deployment.id).map(Held::state) {
                Some(BuildState::Ready) => Probe::Revision { status: 200 },
                _ => Probe::NotYet {
                    seen: "the provider's own 404 page".to_owned(),
                },
            },
        )
    }
}
