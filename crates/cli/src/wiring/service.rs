//! Worker, gateway, or both, in one process.
//!
//! Stopping is a list: the worker hands over what it holds; the thread that renews its leases ends; the gateway, which its
//! probes need until then, ends; its announcement is taken back; the files are closed. Killed at any point, the next start finds everything.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use foreshow_contract::{InstallationKey, ProviderName};
use foreshow_engine::{
    BundleVault, Clock, Drained, Engine, EngineParts, Queue, Store, Tasks, Worker,
};
use foreshow_gateway::{
    AdminServer, BoundAdmin, BoundGateway, Gateway, GatewayBundleService, GatewayError,
    GatewayServices,
};
use foreshow_providers::local::{self, LocalProvider};
use foreshow_runner::{PreviewHost, PreviewOrigin};
use foreshow_store::embedded::EmbeddedBundles;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use super::backends::outcomes_kept;
use super::client::origin;
use super::leases::Leases;
use super::{Backends, admin, fetching, fleet, metrics, naming, providers};
use crate::config::Loaded;
use crate::data_dir::{Announcement, DataDir, gateway_addr};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::installation_key;

/// The largest bundle that is taken unless another size is configured.
const BUNDLE_MAX_BYTES: u64 = 512 << 20;

/// How long a start waits for servers that may be away before it says that it runs, and waits on.
const JOINS_WITHIN: Duration = Duration::from_secs(5);

/// How often bundles that no event needs are looked for: they are removed weeks later than they could be anyway.
const SWEEP_EVERY: Duration = Duration::from_hours(6);

/// What a process is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roles {
    /// Both, for one machine.
    Both,
    /// Deploys and cleans up.
    Worker,
    /// Serves previews, and keeps bundles.
    Gateway,
}

impl Roles {
    pub(super) fn works(self) -> bool {
        match self {
            Self::Both | Self::Worker => true,
            Self::Gateway => false,
        }
    }

    fn serves(self) -> bool {
        match self {
            Self::Both | Self::Gateway => true,
            Self::Worker => false,
        }
    }
}

/// A running worker, gateway, or both.
pub(crate) struct Service {
    /// Broker and store.
    pub(crate) backends: Backends,
    /// The gateway's own page, where this process has one.
    pub(crate) url: Option<String>,
    /// Where health and metrics are told.
    pub(crate) admin: Option<SocketAddr>,
    previews: PreviewHost,
    announcement: Option<Announcement>,
    worker: Option<JoinHandle<Result<Drained, Failure>>>,
    leases: Option<Leases>,
    servers: Vec<(&'static str, JoinHandle<Result<(), GatewayError>>)>,
    stop_worker: CancellationToken,
    stop_servers: CancellationToken,
    /// Cancelled when a part ends, however it ends.
    ended: CancellationToken,
    _sweeper: Option<AbortOnDropHandle<()>>,
}

impl Service {
    /// Starts what the roles name. The ports come first: a busy one is found before anything is written.
    pub(crate) async fn start(loaded: &Loaded, roles: Roles) -> Result<Self, Failure> {
        let config = &loaded.config;
        fleet::check_pair(loaded)?;
        let gateway = if roles.serves() {
            Some(bind(loaded).await?)
        } else {
            None
        };
        let admin = match config.admin {
            Some(addr) => Some(AdminServer::bind(addr.0).await.or_fail(Exit::Environment)?),
            None => None,
        };
        // What nobody can ask for is not counted.
        let rendered = admin.is_some().then(metrics::install).transpose()?;
        let dir = DataDir::prepare(loaded.data_dir())?;
        let installation = installation_key::load(config, &dir)?;
        let mut backends = Backends::open(config, Some(&dir)).await?;
        if let (Roles::Gateway, Some(redis)) = (roles, &backends.servers.redis) {
            // It changes nothing that depends on the key; where Redis is away, its workers will tell.
            fleet::ensure_installation(redis, &installation).await?;
        }
        if roles == Roles::Worker
            && backends.servers.redis.is_some()
            && config.gateway.url.is_none()
        {
            info!(
                "gateway.url is not set: bundles and the gateway are looked for in this data folder, {}, which the gateway must \
                 share on this very machine",
                loaded.data_dir().display()
            );
        }
        let clock = Arc::clone(&backends.clock);
        let previews = PreviewHost::open(&dir.previews(), clock.now())
            .await
            .or_fail(Exit::Environment)?;
        let (stop_worker, stop_servers) = (CancellationToken::new(), CancellationToken::new());
        let ended = CancellationToken::new();

        let mut leases = None;
        let worker = if roles.works() {
            let leases = leases.insert(Leases::start(config)?);
            let made_of = MadeOf {
                loaded,
                dir: &dir,
                gateway: gateway.as_ref(),
                previews: &previews,
                backends: &backends,
                installation: &installation,
            };
            Some(made_of.engine(leases.store(), leases.tasks()).await?)
        } else {
            None
        };

        let mut servers = Vec::new();
        let (mut url, mut announcement, mut sweeper) = (None, None, None);
        if let Some(gateway) = gateway {
            let bundles = backends.own_bundles(config, &dir).await?;
            let sweeping = keep_swept(bundles.clone(), Arc::clone(&clock), outcomes_kept(config)?);
            sweeper = Some(AbortOnDropHandle::new(tokio::spawn(sweeping)));
            let services = GatewayServices {
                previews: previews.clone(),
                provider: ProviderName::from(local::NAME),
                store: Arc::clone(&backends.store),
                clock,
                bundles: Some(GatewayBundleService {
                    vault: Arc::new(bundles) as Arc<dyn BundleVault>,
                    folder: dir.bundles(),
                    max_bytes: config.gateway.bundle_max_bytes.unwrap_or(BUNDLE_MAX_BYTES),
                }),
                hooks: providers::hooks(config, &installation),
                token: config.gateway.token.clone(),
            };
            url = Some(gateway.url());
            announcement = Some(
                dir.announce_gateway(gateway.local_addr())
                    .or_fail(Exit::Environment)?,
            );
            let served = gateway.serve(services, stop_servers.clone());
            servers.push(("gateway", tokio::spawn(noticed(served, &ended))));
        }
        let joined = CancellationToken::new();
        let vitals = worker.as_ref().map(Engine::vitals).cloned();
        let admin_addr = admin.as_ref().map(BoundAdmin::local_addr);
        if let (Some(admin), Some(rendered)) = (admin, rendered) {
            let services = admin::services(&backends, vitals, joined.clone(), roles, rendered);
            let served = admin.serve(services, stop_servers.clone());
            servers.push(("admin server", tokio::spawn(noticed(served, &ended))));
        }
        let has_joined = joined.clone();
        let worker = worker.map(|engine| {
            let (config, servers) = (config.clone(), backends.servers.clone());
            let stop = stop_worker.clone();
            let work = async move {
                fleet::join(&config, &servers, &installation, &stop).await?;
                has_joined.cancel();
                Ok(Worker::new(engine).run(stop).await)
            };
            tokio::spawn(noticed(work, &ended))
        });
        if worker.is_some() {
            // Where the servers are there, it has joined before anybody is told that it runs.
            tokio::select! {
                () = joined.cancelled() => {}
                () = ended.cancelled() => {}
                () = tokio::time::sleep(JOINS_WITHIN) => {}
            }
        }
        let service = Self {
            backends,
            url,
            admin: admin_addr,
            previews,
            announcement,
            worker,
            leases,
            servers,
            stop_worker,
            stop_servers,
            ended,
            _sweeper: sweeper,
        };
        if service.ended.is_cancelled() {
            // It could not begin; stopping tells why.
            service.stop().await?;
            return Err(Failure::new(
                Exit::Environment,
                "a part ended before it began",
            ));
        }
        Ok(service)
    }

    /// Returns when a part ended that nobody asked to; [`stop`](Self::stop) tells why.
    pub(crate) async fn broken(&self) {
        self.ended.cancelled().await;
    }

    /// Stops in order.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let is_broken = self.ended.is_cancelled();
        self.stop_worker.cancel();
        let mut drained = None;
        if let Some(worker) = self.worker {
            let end = worker.await;
            match &end {
                Ok(Ok(Drained::Cleanly)) => debug!("the worker has handed over everything"),
                Ok(Ok(Drained::CutOff(jobs))) => {
                    warn!(
                        jobs,
                        "some jobs did not end in time; another worker, or the next start, takes them over"
                    );
                }
                Ok(Err(_)) | Err(_) => {}
            }
            drained = Some(end);
        }
        if let Some(leases) = self.leases {
            leases.end().await;
        }
        self.stop_servers.cancel();
        let mut served = Vec::new();
        for (part, server) in self.servers {
            served.push((part, server.await));
        }
        if let Some(announcement) = self.announcement {
            announcement.retract();
        }
        self.previews.close().await;
        self.backends.close().await;
        info!("stopped");
        if let Some(end) = drained {
            end.map_err(|error| defect("worker", error))??;
        }
        for (part, end) in served {
            end.map_err(|error| defect(part, error))?
                .or_fail(Exit::Environment)?;
        }
        if is_broken {
            Err(Failure::new(
                Exit::Environment,
                "a part ended that nobody asked to",
            ))
        } else {
            Ok(())
        }
    }
}

/// An engine that nobody works with: for what an operator asks of it once.
pub(crate) struct Idle {
    pub(crate) engine: Engine,
    backends: Backends,
    previews: PreviewHost,
}

impl Idle {
    /// Opens what a worker would, with a worker's settings.
    pub(crate) async fn open(loaded: &Loaded) -> Result<Self, Failure> {
        let config = &loaded.config;
        fleet::check_pair(loaded)?;
        let dir = DataDir::prepare(loaded.data_dir())?;
        let installation = installation_key::load(config, &dir)?;
        let backends = Backends::open(config, Some(&dir)).await?;
        if let Some(redis) = &backends.servers.redis {
            fleet::ensure_installation(redis, &installation).await?;
        }
        let previews = PreviewHost::open(&dir.previews(), backends.clock.now())
            .await
            .or_fail(Exit::Environment)?;
        let made_of = MadeOf {
            loaded,
            dir: &dir,
            gateway: None,
            previews: &previews,
            backends: &backends,
            installation: &installation,
        };
        let engine = made_of.engine(None, Tasks::default()).await?;
        Ok(Self {
            engine,
            backends,
            previews,
        })
    }

    /// Whether nobody reads this queue, as far as the broker tells.
    pub(crate) async fn is_unattended(&self, queue: Queue) -> bool {
        let asked = self.backends.broker.has_consumers(queue).await;
        matches!(asked, Ok(false))
    }

    /// Closes the files.
    pub(crate) async fn close(self) {
        drop(self.engine);
        self.previews.close().await;
        self.backends.close().await;
    }
}

/// What an engine is made of, in this process.
struct MadeOf<'a> {
    loaded: &'a Loaded,
    dir: &'a DataDir,
    gateway: Option<&'a BoundGateway>,
    previews: &'a PreviewHost,
    backends: &'a Backends,
    installation: &'a InstallationKey,
}

impl MadeOf<'_> {
    async fn engine(
        &self,
        lease_store: Option<Arc<dyn Store>>,
        tasks: Tasks,
    ) -> Result<Engine, Failure> {
        let (config, backends) = (&self.loaded.config, self.backends);
        let clock = &backends.clock;
        let name = naming::name(config.worker.name.as_ref(), random()?);
        info!("this process is called {name}");
        let provider = LocalProvider::try_new(
            self.previews.clone(),
            public_origin(self.loaded, self.gateway),
            &gateway_url(self.loaded, self.gateway),
            Arc::clone(clock),
            config.local.clone(),
        );
        let remote = providers::remote(config, self.installation, clock)?;
        let mut options = config.engine();
        let provider = provider.or_fail(Exit::Environment)?;
        let providers = providers::all(provider, remote, &mut options.routing)?;
        let own = backends.bundles.clone();
        let own = own.expect("whoever has a data folder has bundles");
        let bundles = fetching::every_bundle(config, self.dir, own).await?;
        let parts = EngineParts {
            broker: Arc::clone(&backends.broker),
            store: Arc::clone(&backends.store),
            lease_store,
            providers,
            bundles,
            clock: Arc::clone(clock),
            installation: self.installation.clone(),
            options,
            seed: random()?,
            worker: name,
            tasks,
        };
        #[cfg(feature = "failure-points")]
        let parts = super::failing::arm(parts)?;
        Engine::new(parts).or_fail(Exit::Usage)
    }
}

/// Where people reach previews.
fn public_origin(loaded: &Loaded, gateway: Option<&BoundGateway>) -> PreviewOrigin {
    gateway.map_or_else(|| origin(loaded), |gateway| gateway.origin().clone())
}

/// Where this process reaches the gateway: its own, or the one that is configured or announced.
fn gateway_url(loaded: &Loaded, gateway: Option<&BoundGateway>) -> String {
    let config = &loaded.config;
    match (gateway, &config.gateway.url) {
        (Some(gateway), _) => gateway.url(),
        (None, Some(url)) => url.clone(),
        (None, None) => {
            let announced = gateway_addr(loaded.data_dir());
            format!("http://{}", announced.unwrap_or(config.listen.0))
        }
    }
}

/// Cancels the token when the work ends, by a panic too.
fn noticed<F: Future>(
    work: F,
    ended: &CancellationToken,
) -> impl Future<Output = F::Output> + use<F> {
    let guard = ended.clone().drop_guard();
    async move {
        let _guard = guard;
        work.await
    }
}

async fn bind(loaded: &Loaded) -> Result<BoundGateway, Failure> {
    let wanted = loaded.config.listen.0;
    let bound = Gateway::bind(wanted).await.map_err(|error| {
        let is_ours = matches!(error, GatewayError::InUse { .. }) && gateway_addr(loaded.data_dir()) == Some(wanted);
        let failure = Failure::of(Exit::Environment, error);
        if is_ours {
            failure.help(format!(
                "that is probably the `foreshow up` of {}: just publish to it. A second one beside it is welcome, on a port \
                 of its own: --listen 127.0.0.1:0",
                loaded.data_dir().display()
            ))
        } else {
            failure
        }
    })?;
    Ok(match &loaded.config.gateway.public_url {
        Some(url) => bound.reached_at(url.0.clone()),
        None => bound,
    })
}

/// Removes what publishers left who died half-way. Trouble with it can wait for the next time.
async fn keep_swept(bundles: EmbeddedBundles, clock: Arc<dyn Clock>, older_than: Duration) {
    loop {
        match bundles.sweep(clock.now().saturating_sub(older_than)).await {
            Ok(0) => {}
            Ok(bundles) => info!(bundles, "removed bundles that no event needs"),
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "old bundles could not be removed"
            ),
        }
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}

fn random() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| {
        Failure::of(
            Exit::Environment,
            anyhow!("the system gave no random bytes: {error}"),
        )
    })
}

fn defect(part: &str, error: JoinError) -> Failure {
    Failure::of(
        Exit::Environment,
        anyhow::Error::new(error).context(format!("the {part} ended by a defect of Foreshow's")),
    )
    .help("start it again: nothing is lost. Please report the log")
}
