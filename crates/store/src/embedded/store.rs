//! The handle, and the port's methods as steps.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, atomic::AtomicI64},
    time::Duration,
};

use async_trait::async_trait;
use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Ordinal, TenantId, Timestamp};
use foreshow_engine::{
    Admission, AdmitRequest, Claim, Claimed, Clock, ContextRecord, ContextSummary, Gate,
    GateAnswer, GateEntry, GateId, GateReport, GiveBack, GoLive, HistoryEntry, LeaseId, Live,
    Owner, Purpose, QuotaMember, QuotaSet, RecordedDeployment, Recording, Remembered, Renewal,
    Seed, SettledOutcome, Settlement, Settling, Store, StoreError, Suspect, Verdict, Watch,
};
use foreshow_sqlite::{
    Database,
    rusqlite::{Connection, Transaction},
};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::{
    error::{StepError, on},
    gates, history, memory, outcomes, quota, records, schema, settling,
    steps::{self, Noticed, Step},
    watching::{self, Watching},
};

/// How long it is remembered how an event ended, unless configured otherwise: 30 days, as long as tombstones.
///
/// Shorter than the oldest message that may still be queued somewhere, and a copy of it would be worked on again.
pub const KEEP_OUTCOMES: Duration = Duration::from_hours(30 * 24);

/// The store in one SQLite file. Cheap to clone.
#[derive(Clone)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
}

struct Inner {
    db: Database,
    clock: Arc<dyn Clock>,
    keep_outcomes: Duration,
    /// When outcomes are pruned next, in µs.
    prune_at: Arc<AtomicI64>,
    watching: Arc<Watching>,
    /// Started for the first watch.
    lookout: OnceLock<AbortOnDropHandle<()>>,
    runtime: Handle,
}

impl EmbeddedStore {
    /// Opens the store in `db`, making its tables where they are missing. Outcomes are remembered for `keep_outcomes`:
    /// [`KEEP_OUTCOMES`], unless configured otherwise.
    ///
    /// # Errors
    /// Where the file can't be read or written, or belongs to a newer version; the source tells.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn open(
        db: Database,
        clock: Arc<dyn Clock>,
        keep_outcomes: Duration,
    ) -> Result<Self, StoreError> {
        db.migrate("store", schema::STORE)
            .await
            .map_err(on("open its tables"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                db,
                clock,
                keep_outcomes,
                prune_at: Arc::new(AtomicI64::new(i64::MIN)),
                watching: Arc::default(),
                lookout: OnceLock::new(),
                runtime: Handle::current(),
            }),
        })
    }

    /// Runs a step on a context, and tells those who wait for it once it is committed.
    async fn step<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &ContextKey,
        change: impl FnOnce(&mut Step<'_>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let clock = Arc::clone(&self.inner.clock);
        let name = key.clone();
        let (answer, noticed) = self
            .write(operation, move |tx| {
                steps::run(tx, &name, clock.now(), change)
            })
            .await?;
        self.inner.watching.note(key, noticed);
        Ok(answer)
    }

    async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.db.write(change).await.map_err(on(operation))
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, StepError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.db.read(query).await.map_err(on(operation))
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let (asked, kept) = (claim.clone(), self.inner.keep_outcomes);
        let (answer, record, remembers) = self
            .step("claim a context", &claim.key, move |step| {
                let prior = outcomes::load(step.tx, step.key, asked.ordinal)?;
                let update = Ordinal::update(asked.ordinal.revision);
                let remembered = Remembered {
                    prior: prior.as_ref(),
                    is_update_over: asked.purpose == Purpose::Expiry
                        && outcomes::load(step.tx, step.key, update)?.is_some(),
                    kept,
                };
                let desired = step.record.as_ref().map(|record| record.desired);
                let answer = ContextRecord::claim(&mut step.record, &asked, remembered, step.now);
                step.concerns_waiters =
                    step.record.as_ref().map(|record| record.desired) != desired;
                Ok((answer, step.record.clone(), memory::remembers(step.tx)?))
            })
            .await?;
        Ok(answer.into_claimed(claim, record, remembers))
    }

    async fn renew(&self, lease: &LeaseId, ttl: Duration) -> Result<Renewal, StoreError> {
        let id = lease.clone();
        self.step("renew a lease", &lease.key, move |step| {
            let Some(record) = &mut step.record else {
                return Ok(Renewal::Lost);
            };
            let is_renewed = record.renew(&id, ttl, step.now);
            Ok(if is_renewed {
                Renewal::Renewed {
                    desired: record.desired,
                    floor: record.floor,
                }
            } else {
                Renewal::Lost
            })
        })
        .await
    }

    async fn record_deployment(
        &self,
        lease: &LeaseId,
        deployment: &RecordedDeployment,
    ) -> Result<Recording, StoreError> {
        let (id, deployment) = (lease.clone(), deployment.clone());
        self.step("record a deployment", &lease.key, move |step| {
            Ok(step.record.as_mut().map_or(Recording::Lost, |record| {
                record.record_deployment(&id, &deployment, step.now)
            }))
        })
        .await
    }

    async fn go_live(
        &self,
        lease: &LeaseId,
        live: &Live,
        expires_at: Timestamp,
        ttl: Duration,
    ) -> Result<GoLive, StoreError> {
        let (id, live) = (lease.clone(), live.clone());
        self.step("record what goes live", &lease.key, move |step| {
            Ok(step.record.as_mut().map_or(Recording::Lost, |record| {
                record.go_live(&id, &live, expires_at, ttl, step.now)
            }))
        })
        .await
    }

    async fn settle(
        &self,
        lease: &LeaseId,
        settlement: &Settlement,
    ) -> Result<Settling, StoreError> {
        let (id, settlement) = (lease.clone(), settlement.clone());
        let prune_at = Arc::clone(&self.inner.prune_at);
        let keep = self.inner.keep_outcomes;
        self.step("settle an event", &lease.key, move |step| {
            let settling = settling::settle(step, &id, settlement)?;
            settling::prune_if_due(step, &prune_at, keep)?;
            Ok(settling)
        })
        .await
    }

    async fn release(&self, lease: &LeaseId, back: &GiveBack) -> Result<(), StoreError> {
        let (id, back) = (lease.clone(), back.clone());
        self.step("release a lease", &lease.key, move |step| {
            if let Some(record) = &mut step.record {
                let held = record.lease.clone();
                if record.release(&id, &back, step.now) {
                    step.concerns_waiters = true;
                    let entry = HistoryEntry::given_back(&id, &back, held.as_ref(), step.now);
                    history::append(step.tx, &entry)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn seed(&self, key: &ContextKey, seed: &Seed) -> Result<(), StoreError> {
        let seed = seed.clone();
        self.step("seed a context", key, move |step| {
            let desired = step.record.as_ref().map(|record| record.desired);
            ContextRecord::seed(&mut step.record, &seed, step.now);
            step.concerns_waiters = step.record.as_ref().map(|record| record.desired) != desired;
            Ok(())
        })
        .await
    }

    async fn judge(&self, key: &ContextKey, suspect: &Suspect) -> Result<Verdict, StoreError> {
        let suspect = suspect.clone();
        self.step("judge a deployment", key, move |step| {
            let deployment = &suspect.deployment;
            let update = Ordinal::update(deployment.revision);
            let prior = outcomes::load(step.tx, step.key, update)?;
            let is_kept = outcomes::is_kept(step.tx, step.key, &deployment.id)?;
            Ok(step.record.as_mut().map_or(Verdict::Adopted, |record| {
                record.judge(&suspect, prior.as_ref(), is_kept, step.now)
            }))
        })
        .await
    }

    async fn is_kept(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<bool, StoreError> {
        let (key, deployment) = (key.clone(), deployment.clone());
        self.read("tell what is kept", move |connection| {
            outcomes::is_kept(connection, &key, &deployment)
        })
        .await
    }

    async fn forget_condemned(
        &self,
        key: &ContextKey,
        deployment: &DeploymentId,
    ) -> Result<(), StoreError> {
        let deployment = deployment.clone();
        self.step("forget a deployment", key, move |step| {
            if let Some(record) = &mut step.record {
                record.forget_condemned(&deployment);
            }
            Ok(())
        })
        .await
    }

    async fn mend(&self, key: &ContextKey, gone: &DeploymentId) -> Result<bool, StoreError> {
        let gone = gone.clone();
        self.step("mend a record", key, move |step| {
            let record = step.record.as_mut();
            Ok(record.is_some_and(|record| record.mend(&gone, step.now)))
        })
        .await
    }

    async fn remembers(&self) -> Result<bool, StoreError> {
        self.read("tell whether it remembers", memory::remembers)
            .await
    }

    async fn begin_rebuild(&self, nonce: &str) -> Result<(), StoreError> {
        let nonce = nonce.to_owned();
        self.write("begin a rebuild", move |tx| {
            memory::begin_rebuild(tx, &nonce)
        })
        .await
    }

    async fn complete_rebuild(&self, nonce: &str) -> Result<bool, StoreError> {
        let nonce = nonce.to_owned();
        self.write("complete a rebuild", move |tx| {
            memory::complete_rebuild(tx, &nonce)
        })
        .await
    }

    async fn lead_sweep(&self, owner: &Owner, ttl: Duration) -> Result<bool, StoreError> {
        let (owner, clock) = (owner.clone(), Arc::clone(&self.inner.clock));
        self.write("lead the sweep", move |tx| {
            memory::lead_sweep(tx, &owner, ttl, clock.now())
        })
        .await
    }

    async fn touch(
        &self,
        key: &ContextKey,
        ttl: Option<Duration>,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.step("touch a context", key, move |step| {
            let expires_at = step
                .record
                .as_mut()
                .and_then(|record| record.touch(ttl, step.now));
            if let Some(expires_at) = expires_at {
                quota::prolong(step.tx, step.key, expires_at)?;
            }
            Ok(expires_at)
        })
        .await
    }

    async fn admit(&self, request: &AdmitRequest) -> Result<Admission, StoreError> {
        let (request, clock) = (request.clone(), Arc::clone(&self.inner.clock));
        self.write("admit a revision", move |tx| {
            quota::admit(tx, &request, clock.now())
        })
        .await
    }

    async fn leave(&self, member: &QuotaMember) -> Result<(), StoreError> {
        let member = member.clone();
        self.write("leave a quota", move |tx| quota::leave(tx, &member))
            .await
    }

    async fn quota_used(&self, tenant: &TenantId, set: QuotaSet) -> Result<u64, StoreError> {
        let (tenant, now) = (tenant.clone(), self.inner.clock.now());
        self.read("read a quota", move |connection| {
            quota::used(connection, &tenant, set, now)
        })
        .await
    }

    async fn gates(&self) -> Result<BTreeMap<GateId, Gate>, StoreError> {
        self.read("read the gates", gates::all).await
    }

    async fn enter_gate(&self, gate: &GateId, entry: &GateEntry) -> Result<GateAnswer, StoreError> {
        let (gate, entry) = (gate.clone(), entry.clone());
        let clock = Arc::clone(&self.inner.clock);
        self.write("enter a gate", move |tx| {
            gates::enter(tx, &gate, &entry, clock.now())
        })
        .await
    }

    async fn report_gate(&self, gate: &GateId, report: &GateReport) -> Result<(), StoreError> {
        let (gate, report) = (gate.clone(), *report);
        let clock = Arc::clone(&self.inner.clock);
        self.write("report to a gate", move |tx| {
            gates::report(tx, &gate, &report, clock.now())
        })
        .await
    }

    async fn nudge(&self, key: &ContextKey) -> Result<(), StoreError> {
        let name = key.clone();
        // Of a context that has no row, other processes hear nothing: nobody has claimed it, so nobody waits for its build.
        let notices = self
            .write("wake who watches", move |tx| records::notice(tx, &name))
            .await?;
        let noticed = Noticed {
            notices: notices.unwrap_or(0),
            is_new: true,
        };
        self.inner.watching.note(key, noticed);
        Ok(())
    }

    async fn context(&self, key: &ContextKey) -> Result<Option<ContextRecord>, StoreError> {
        let key = key.clone();
        self.read("read a context", move |connection| {
            Ok(records::load(connection, &key)?.map(|found| found.record))
        })
        .await
    }

    async fn contexts(
        &self,
        tenant: Option<&TenantId>,
        limit: u32,
    ) -> Result<Vec<ContextSummary>, StoreError> {
        let tenant = tenant.cloned();
        self.read("list contexts", move |connection| {
            records::list(connection, tenant.as_ref(), limit)
        })
        .await
    }

    async fn outcome(
        &self,
        key: &ContextKey,
        ordinal: Ordinal,
    ) -> Result<Option<SettledOutcome>, StoreError> {
        let key = key.clone();
        self.read("read an outcome", move |connection| {
            outcomes::load(connection, &key, ordinal)
        })
        .await
    }

    async fn resolve_alias(&self, alias: &HostLabel) -> Result<Option<ContextKey>, StoreError> {
        let alias = alias.clone();
        self.read("resolve an alias", move |connection| {
            records::by_alias(connection, &alias)
        })
        .await
    }

    async fn expired(
        &self,
        since: Timestamp,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<(ContextKey, ContextRecord)>, StoreError> {
        self.read("list expired previews", move |connection| {
            records::expired(connection, (since, now), limit)
        })
        .await
    }

    fn keeps_outcomes_for(&self) -> Duration {
        self.inner.keep_outcomes
    }

    async fn history(
        &self,
        key: Option<&ContextKey>,
        limit: u32,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let key = key.cloned();
        self.read("read the history", move |connection| {
            history::newest(connection, key.as_ref(), limit)
        })
        .await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        self.read("tell the time", |_| Ok(())).await?;
        Ok(self.inner.clock.now())
    }

    fn watch(&self, key: &ContextKey) -> Box<dyn Watch> {
        let Inner {
            db,
            watching,
            runtime,
            ..
        } = &*self.inner;
        self.inner.lookout.get_or_init(|| {
            let looking = watching::keep(db.clone(), Arc::clone(watching), db.changes());
            AbortOnDropHandle::new(runtime.spawn(looking))
        });
        Box::new(watching.watch(key))
    }
}
