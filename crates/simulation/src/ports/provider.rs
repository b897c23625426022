//! A hosting provider, as its real kin are: a create is not idempotent, nothing is fenced, and what was sent may land late.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, Framework, HostLabel, ProviderName, Revision};
use foreshow_engine::{
    Address, BuildState, Capabilities, Clock as _, CreateRequest, Created, Deployment, Failure,
    Inventory, Probe, ProbeQuestion, Provider, ProviderError,
};
use tokio::time::Instant;

use crate::{
    link::Link,
    process::current_task,
    stats::Count,
    weather::Port,
    world::{WallClock, World, lock},
};

/// How long a provider's builds take, and how many fail (in ten thousand) in any weather.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Builds {
    pub(crate) takes: (Duration, Duration),
    pub(crate) fail: u32,
}

/// A provider that all workers share.
#[derive(Clone)]
pub(crate) struct SharedProvider {
    pub(crate) name: ProviderName,
    world: World,
    builds: Builds,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    deployments: BTreeMap<DeploymentId, Held>,
    aliases: BTreeMap<HostLabel, DeploymentId>,
    created: u64,
}

/// A deployment, as the provider has it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) id: DeploymentId,
    pub(crate) key: ContextKey,
    pub(crate) revision: Revision,
    /// The digest of its files.
    pub(crate) tree: String,
    address: Address,
    done_at: Instant,
    fails: bool,
    answers_at: Instant,
}

impl Held {
    pub(crate) fn state(&self) -> BuildState {
        if Instant::now() < self.done_at {
            BuildState::Building
        } else if self.fails {
            BuildState::Failed {
                log_tail: vec!["error: expected `;`".to_owned()],
            }
        } else {
            BuildState::Ready
        }
    }

    fn seen(&self) -> Deployment {
        Deployment {
            id: self.id.clone(),
            key: self.key.clone(),
            revision: self.revision,
            state: self.state(),
            address: self.address.clone(),
        }
    }
}

impl SharedProvider {
    pub(crate) fn new(world: &World, name: &str, builds: Builds) -> Self {
        Self {
            name: ProviderName::from(name),
            world: world.clone(),
            builds,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Everything it has.
    pub(crate) fn deployments(&self) -> Vec<Held> {
        self.lock().deployments.values().cloned().collect()
    }

    /// What the alias shows.
    pub(crate) fn shown(&self, alias: &HostLabel) -> Option<DeploymentId> {
        self.lock().aliases.get(alias).cloned()
    }

    /// One of its deployments goes away by itself.
    pub(crate) fn lose_one(&self) {
        let mut state = self.lock();
        if state.deployments.is_empty() {
            return;
        }
        let place = self.world.dice().usize(0..state.deployments.len());
        let id = state
            .deployments
            .keys()
            .nth(place)
            .expect("it is within")
            .clone();
        let held = state.deployments.remove(&id).expect("it is there");
        state.aliases.retain(|_, shown| *shown != id);
        drop(state);
        self.world.stats().count(Count::Vanished);
        self.world.tell(self.name.as_str(), || {
            format!(
                "loses {id} of {}/{}",
                held.key.context.as_str(),
                held.revision
            )
        });
        self.world.tower().vanished(&held.key, &id);
    }

    fn create(
        &self,
        key: ContextKey,
        revision: Revision,
        address: Address,
        tree: String,
    ) -> Deployment {
        let mut state = self.lock();
        state.created += 1;
        let id = DeploymentId::new(format!("{}-{}", self.name, state.created));
        let takes = self.world.span(self.builds.takes);
        let fails = self
            .world
            .happens(self.builds.fail + self.world.weather().failed_build);
        let answers = Duration::from_millis(self.world.dice().u64(0..300));
        let done_at = Instant::now() + takes;
        let held = Held {
            id: id.clone(),
            key,
            revision,
            tree,
            address,
            done_at,
            fails,
            answers_at: done_at + answers,
        };
        let seen = held.seen();
        state.deployments.insert(id, held);
        seen
    }

    fn remove(&self, id: &DeploymentId) -> Option<Held> {
        let mut state = self.lock();
        let held = state.deployments.remove(id)?;
        state.aliases.retain(|_, shown| shown != id);
        Some(held)
    }
}

/// A worker's link to a provider.
pub(crate) struct ProviderLink {
    link: Link,
    shared: SharedProvider,
    capabilities: Capabilities,
    clock: WallClock,
}

impl ProviderLink {
    pub(crate) fn new(link: Link, shared: SharedProvider, clock: WallClock) -> Self {
        let capabilities = Capabilities::of([Framework::Static]);
        Self {
            link,
            shared,
            capabilities,
            clock,
        }
    }

    fn error(&self, operation: &'static str, message: &str, failure: Failure) -> ProviderError {
        ProviderError {
            provider: self.shared.name.clone(),
            operation,
            message: message.to_owned(),
            failure,
            source: None,
        }
    }

    /// The error of a provider that is not well, where it is not.
    fn refusal(&self) -> Option<Failure> {
        let world = &self.link.world;
        let weather = world.weather();
        let is_down = weather
            .providers_down_until
            .is_some_and(|until| Instant::now() < until);
        let rate = weather.provider_error;
        drop(weather);
        if is_down {
            return Some(Failure::ProviderDown);
        }
        if !world.happens(rate) {
            return None;
        }
        world.stats().count(Count::ProviderErrors);
        let kind = world.dice().u8(0..4);
        Some(match kind {
            0 => Failure::ProviderDown,
            1 => Failure::RateLimited {
                until: self
                    .clock
                    .now()
                    .saturating_add(Duration::from_millis(world.dice().u64(500..5_000))),
            },
            2 => Failure::Retryable {
                after: Some(Duration::from_millis(world.dice().u64(0..2_000))),
            },
            _ => Failure::Retryable { after: None },
        })
    }

    async fn ask<T: Send + 'static>(
        &self,
        operation: &'static str,
        of: Option<&ContextKey>,
        changes: bool,
        landing: impl FnOnce(&SharedProvider) -> T + Send + 'static,
    ) -> Result<T, ProviderError> {
        let task = current_task();
        if let Some(failure) = self.refusal() {
            return Err(self.error(operation, "a fault was switched on", failure));
        }
        let shared = self.shared.clone();
        let starting = || {
            self.link
                .world
                .tower()
                .calls_provider(task, operation, of, &self.link.world);
        };
        let asked = self
            .link
            .call(Port::Provider, changes, starting, move || landing(&shared));
        asked.await.map_err(|lost| {
            let failure = if self.link.world.dice().bool() {
                Failure::ProviderDown
            } else {
                Failure::Retryable { after: None }
            };
            self.error(operation, &lost.to_string(), failure)
        })
    }

    fn key_of(&self, id: &DeploymentId) -> Option<ContextKey> {
        self.shared
            .lock()
            .deployments
            .get(id)
            .map(|held| held.key.clone())
    }

    async fn take_away(
        &self,
        operation: &'static str,
        id: &DeploymentId,
    ) -> Result<(), ProviderError> {
        let held = self.shared.lock().deployments.get(id).cloned();
        if let Some(held) = &held {
            self.link
                .world
                .tower()
                .removes(current_task(), &held.key, id, held.revision);
        }
        let key = held.map(|held| held.key);
        let (ours, who) = (id.clone(), self.link.process.name().to_owned());
        self.ask(operation, key.as_ref(), true, move |shared| {
            let Some(held) = shared.remove(&ours) else {
                return;
            };
            shared.world.tell(&who, || {
                format!(
                    "{operation}s {ours} of {}/{}",
                    held.key.context.as_str(),
                    held.revision
                )
            });
            shared
                .world
                .tower()
                .removed(&held.key, held.revision, &ours, &shared.world);
        })
        .await
    }
}

#[async_trait]
impl Provider for ProviderLink {
    fn name(&self) -> &ProviderName {
        &self.shared.name
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn url(&self, address: &Address) -> String {
        format!("https://{address}.{}.example/", self.shared.name)
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        Address::new(alias.as_str())
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        let task = current_task();
        let ours = key.clone();
        let listed = self
            .ask("list", Some(key), false, move |shared| {
                let state = shared.lock();
                let of_key = state.deployments.values().filter(|held| held.key == ours);
                of_key.map(Held::seen).collect::<Vec<_>>()
            })
            .await?;
        self.link
            .world
            .tower()
            .listed(task, &self.shared.name, key, &listed);
        Ok(listed)
    }

    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError> {
        /// Deployments on a page.
        const PAGE: usize = 5;
        let after = after.map(DeploymentId::new);
        self.ask("inventory", None, false, move |shared| {
            let state = shared.lock();
            let rest = state
                .deployments
                .values()
                .filter(|held| after.as_ref().is_none_or(|after| held.id > *after));
            let deployments: Vec<_> = rest.take(PAGE).map(Held::seen).collect();
            let next = (deployments.len() == PAGE)
                .then(|| deployments.last().map(|last| last.id.to_string()))
                .flatten();
            Inventory { deployments, next }
        })
        .await
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        let task = current_task();
        let (key, revision) = (request.key.clone(), request.revision);
        let address = Address::new(request.label.as_str());
        let tree = request.tree.digest().to_string();
        let bytes_uploaded = request.tree.total_bytes();
        self.link
            .world
            .tower()
            .creates(task, &self.shared.name, &key, revision, &self.link.world);
        let who = self.link.process.name().to_owned();
        let ours = key.clone();
        let deployment = self
            .ask("create", Some(&key), true, move |shared| {
                let deployment = shared.create(ours, revision, address, tree);
                shared.world.stats().count(Count::Creates);
                let at = shared.world.elapsed();
                shared
                    .world
                    .tower()
                    .created(&deployment.key, revision, &deployment.id, at);
                shared.world.tell(&who, || {
                    format!(
                        "creates {} of {}/{revision}",
                        deployment.id,
                        deployment.key.context.as_str()
                    )
                });
                deployment
            })
            .await?;
        let lose = self.link.world.weather().lose_created;
        if self.link.world.happens(lose) {
            self.link.world.stats().count(Count::AnswersLost);
            return Err(self.error("create", "no answer", Failure::Retryable { after: None }));
        }
        Ok(Created {
            deployment,
            bytes_uploaded,
            bytes_reused: 0,
        })
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        let (ours, key) = (id.clone(), self.key_of(id));
        self.ask("status", key.as_ref(), false, move |shared| {
            let state = shared.lock();
            state
                .deployments
                .get(&ours)
                .map_or(BuildState::Gone, Held::state)
        })
        .await
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.take_away("cancel", id).await
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.take_away("delete", id).await
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        let ours = alias.clone();
        self.ask("alias", None, false, move |shared| shared.shown(&ours))
            .await
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        let key = self.key_of(to);
        let (alias, to) = (alias.clone(), to.clone());
        let who = self.link.process.name().to_owned();
        self.ask("move alias", key.as_ref(), true, move |shared| {
            let mut state = shared.lock();
            let Some(held) = state.deployments.get(&to).cloned() else {
                return false;
            };
            let before = state.aliases.insert(alias, to.clone());
            drop(state);
            if before.as_ref() != Some(&to) {
                shared.world.tell(&who, || {
                    format!(
                        "shows {to} of {}/{}",
                        held.key.context.as_str(),
                        held.revision
                    )
                });
                shared.world.tower().shown(
                    &shared.name,
                    &held.key,
                    &to,
                    held.revision,
                    &shared.world,
                );
            }
            true
        })
        .await
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        _: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        let ours = deployment.id.clone();
        self.ask("probe", Some(&deployment.key), false, move |shared| {
            let state = shared.lock();
            let held = state.deployments.get(&ours);
            let answers = held.is_some_and(|held| {
                held.state() == BuildState::Ready && Instant::now() >= held.answers_at
            });
            if answers {
                Probe::Revision { status: 200 }
            } else {
                Probe::NotYet {
                    seen: "the provider's own page".to_owned(),
                }
            }
        })
        .await
    }
}
