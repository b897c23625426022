//! Providers behind the gates of their accounts.
//!
//! [`Guarded`] stands between the engine and a provider: no call goes out while the fleet leaves the account alone, and what comes of
//! each call is told to the fleet. So the jobs, the clean-up and the sweeper need not know of it; only routing looks, to choose who is
//! well.
//!
//! In ordinary times this costs no command but one read of all gates, shared by the process and at most [`FRESH`] old. The store is
//! asked to let a caller in only where a gate is closed or the account's creates are counted. While the store does not answer, calls go
//! out: a refused call is cheaper than a stalled fleet.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, ProviderName, Timestamp};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{
    AccountId, Address, BuildState, Capabilities, Clock, Closed, CreateRequest, Created,
    Deployment, DomainState, Failure, Gate, GateAnswer, GateEntry, GateId, GateReport, Inventory,
    Lane, Probe, ProbeQuestion, Provider, ProviderCheck, ProviderError, RateLimit, Store,
    StoreError, observe, routing::HealthOptions,
};

/// How old what is known of the gates may be.
const FRESH: Duration = Duration::from_millis(250);

/// How long the one on trial is waited for: what a create with all its uploads may take.
const TRIAL: Duration = Duration::from_mins(1);

/// No limit is over sooner: what says so would have everybody ask again at once.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// What this process knows of the fleet's gates.
pub(crate) struct Gates {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    options: HealthOptions,
    view: Mutex<View>,
    reading: tokio::sync::Mutex<()>,
    rng: Mutex<fastrand::Rng>,
}

#[derive(Default)]
struct View {
    gates: BTreeMap<GateId, Gate>,
    read_at: Option<Instant>,
}

/// The right to make one call.
#[derive(Clone, Copy)]
struct Pass {
    trial: bool,
}

impl Gates {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        options: HealthOptions,
        seed: u64,
    ) -> Self {
        Self {
            store,
            clock,
            options,
            view: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            rng: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    /// Until when, and why, the fleet leaves the account alone: creates or everything.
    pub(crate) fn closed(&self, account: Option<&AccountId>) -> Option<(Timestamp, Closed)> {
        let account = account?;
        let now = self.clock.now();
        let view = self.view();
        [Lane::Create, Lane::Other]
            .into_iter()
            .filter_map(|lane| {
                let gate = view.gates.get(&GateId {
                    account: account.clone(),
                    lane,
                })?;
                let (until, why) = gate.closed.filter(|_| !gate.is_open(now))?;
                Some((until.max(gate.trial_until.unwrap_or(until)), why))
            })
            .max_by_key(|(until, _)| *until)
    }

    /// Reads the gates where what is known is old.
    pub(crate) async fn refresh(&self) {
        let is_fresh = |view: &View| view.read_at.is_some_and(|at| at.elapsed() < FRESH);
        if is_fresh(&self.view()) {
            return;
        }
        // Whoever comes while another reads goes by what was known.
        let Ok(_reading) = self.reading.try_lock() else {
            return;
        };
        match self.store.gates().await {
            Ok(gates) => {
                *self.view() = View {
                    gates,
                    read_at: Some(Instant::now()),
                };
            }
            Err(error) => unheard(&error),
        }
    }

    async fn enter(
        &self,
        gate: &GateId,
        limit: Option<RateLimit>,
    ) -> Result<Pass, (Timestamp, Closed)> {
        self.refresh().await;
        let now = self.clock.now();
        let closed = self.known(gate).and_then(|gate| gate.closed);
        match closed {
            None if limit.is_none() => return Ok(Pass { trial: false }),
            Some((until, why)) if until > now => return Err((until, why)),
            None | Some(_) => {}
        }
        let name = {
            let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
            format!("{:016x}", rng.u64(..))
        };
        let entry = GateEntry {
            name,
            trial: TRIAL,
            limit,
        };
        match self.store.enter_gate(gate, &entry).await {
            Ok(GateAnswer::Open) => Ok(Pass { trial: false }),
            Ok(GateAnswer::Trial) => Ok(Pass { trial: true }),
            Ok(GateAnswer::Closed { until, why }) => Err((until, why)),
            Err(error) => {
                unheard(&error);
                Ok(Pass { trial: false })
            }
        }
    }

    /// Tells the fleet what came of a call. A limit in the answer is bounded on the way.
    async fn report<T>(&self, gate: &GateId, pass: Pass, answer: &mut Result<T, ProviderError>) {
        let known = self.known(gate).unwrap_or_default();
        let report = match answer {
            Err(ProviderError {
                failure: Failure::RateLimited { until },
                ..
            }) => {
                let now = self.clock.now();
                let longest = Duration::from_secs(self.options.longest_wait_seconds);
                let wait = until
                    .saturating_since(now)
                    .clamp(WAIT_MIN.min(longest), longest);
                *until = now.saturating_add(wait);
                GateReport::Limited { wait }
            }
            Err(ProviderError {
                failure: Failure::ProviderDown,
                ..
            }) => GateReport::Down {
                trial: pass.trial,
                threshold: self.options.failures,
                wait: Duration::from_millis(self.options.closed_ms),
                wait_max: Duration::from_millis(self.options.closed_max_ms),
            },
            Ok(_) | Err(_) if pass.trial || known.failures > 0 => {
                GateReport::Answered { trial: pass.trial }
            }
            Ok(_) | Err(_) => return,
        };
        let is_down = matches!(report, GateReport::Down { .. });
        let now = self.clock.now();
        let (was, is) = {
            let mut view = self.view();
            let known = view.gates.entry(gate.clone()).or_default();
            let was = known.closed;
            known.report(&report, now);
            (was, known.closed)
        };
        if let (true, Some((until, Closed::Down)), Err(error)) = (is_down, is, &mut *answer) {
            // The provider is away: that is nobody's attempt.
            error.failure = Failure::ProviderClosed { until };
        }
        match (was, is) {
            (None, Some((until, why))) => {
                observe::gate_closed(why);
                match why {
                    Closed::Limited => {
                        info!("{gate} is left alone until {until}: it asked to wait");
                    }
                    Closed::Down => {
                        warn!("{gate} is left alone until {until}: it failed again and again");
                    }
                }
            }
            (Some(_), None) => info!("{gate} answers again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        if let Err(error) = self.store.report_gate(gate, &report).await {
            unheard(&error);
        }
    }

    fn known(&self, gate: &GateId) -> Option<Gate> {
        self.view().gates.get(gate).cloned()
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unheard(error: &StoreError) {
    debug!(
        error = error as &dyn std::error::Error,
        "the gates could not be asked; calls go out"
    );
}

/// A provider behind its account's gates.
pub(crate) struct Guarded {
    inner: Arc<dyn Provider>,
    account: AccountId,
    gates: Arc<Gates>,
}

impl Guarded {
    /// The provider, guarded where it has an account.
    pub(crate) fn guard(inner: Arc<dyn Provider>, gates: &Arc<Gates>) -> Arc<dyn Provider> {
        match inner.account().cloned() {
            None => inner,
            Some(account) => Arc::new(Self {
                inner,
                account,
                gates: Arc::clone(gates),
            }),
        }
    }

    async fn call<T>(
        &self,
        lane: Lane,
        operation: &'static str,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let gate = GateId {
            account: self.account.clone(),
            lane,
        };
        let limit = match lane {
            Lane::Create => self.inner.create_limit(),
            Lane::Other => None,
        };
        let pass = self
            .gates
            .enter(&gate, limit)
            .await
            .map_err(|(until, why)| self.left_alone(operation, until, why))?;
        let mut answer = call.await;
        self.gates.report(&gate, pass, &mut answer).await;
        answer
    }

    fn left_alone(&self, operation: &'static str, until: Timestamp, why: Closed) -> ProviderError {
        let (failure, message) = match why {
            Closed::Limited => (
                Failure::RateLimited { until },
                format!("its rate limit is used up until {until}"),
            ),
            Closed::Down => (
                Failure::ProviderClosed { until },
                format!("it failed again and again and is left alone until {until}"),
            ),
        };
        ProviderError {
            provider: self.inner.name().clone(),
            operation,
            message,
            failure,
            source: None,
        }
    }
}

#[async_trait]
impl Provider for Guarded {
    fn name(&self) -> &ProviderName {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn url(&self, address: &Address) -> String {
        self.inner.url(address)
    }

    fn account(&self) -> Option<&AccountId> {
        Some(&self.account)
    }

    fn create_limit(&self) -> Option<RateLimit> {
        self.inner.create_limit()
    }

    fn look_every(&self, building_for: Duration) -> Option<Duration> {
        self.inner.look_every(building_for)
    }

    fn alias_address(&self, alias: &HostLabel) -> Address {
        self.inner.alias_address(alias)
    }

    async fn list(&self, key: &ContextKey) -> Result<Vec<Deployment>, ProviderError> {
        self.call(Lane::Other, "list deployments", self.inner.list(key))
            .await
    }

    async fn inventory(&self, after: Option<&str>) -> Result<Inventory, ProviderError> {
        self.call(
            Lane::Other,
            "list all deployments",
            self.inner.inventory(after),
        )
        .await
    }

    async fn create(&self, request: CreateRequest<'_>) -> Result<Created, ProviderError> {
        self.call(
            Lane::Create,
            "create a deployment",
            self.inner.create(request),
        )
        .await
    }

    async fn status(&self, id: &DeploymentId) -> Result<BuildState, ProviderError> {
        self.call(Lane::Other, "look up a deployment", self.inner.status(id))
            .await
    }

    async fn locate(&self, deployment: &Deployment) -> Result<Option<Address>, ProviderError> {
        let located = self.inner.locate(deployment);
        self.call(Lane::Other, "locate a deployment", located).await
    }

    async fn cancel(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.call(Lane::Other, "cancel a build", self.inner.cancel(id))
            .await
    }

    async fn delete(&self, id: &DeploymentId) -> Result<(), ProviderError> {
        self.call(Lane::Other, "delete a deployment", self.inner.delete(id))
            .await
    }

    async fn alias(&self, alias: &HostLabel) -> Result<Option<DeploymentId>, ProviderError> {
        self.call(Lane::Other, "look up an alias", self.inner.alias(alias))
            .await
    }

    async fn move_alias(
        &self,
        alias: &HostLabel,
        to: &DeploymentId,
    ) -> Result<bool, ProviderError> {
        let moved = self.inner.move_alias(alias, to);
        self.call(Lane::Other, "move an alias", moved).await
    }

    async fn probe(
        &self,
        deployment: &Deployment,
        question: ProbeQuestion<'_>,
    ) -> Result<Probe, ProviderError> {
        // It asks a preview, not the account: one that does not answer says nothing of it.
        self.inner.probe(deployment, question).await
    }

    async fn move_domain(
        &self,
        domain: &str,
        to: &Deployment,
    ) -> Result<DomainState, ProviderError> {
        let moved = self.inner.move_domain(domain, to);
        self.call(Lane::Other, "move a domain", moved).await
    }

    async fn check(&self) -> Result<Vec<ProviderCheck>, ProviderError> {
        self.inner.check().await
    }
}
