//! Worker and gateway in one process.
//!
//! Stopping is a list: the worker hands over what it holds; the gateway, which its probes need until then, ends; its
//! announcement is taken back; the files are closed. Killed at any point, the next start finds everything.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use foreshow_contract::ProviderName;
use foreshow_engine::{Drained, Engine, EngineParts, Worker};
use foreshow_gateway::{BoundGateway, Gateway, GatewayError, GatewayServices};
use foreshow_providers::local::{self, LocalProvider};
use foreshow_runner::PreviewHost;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Backends;
use crate::config::Loaded;
use crate::data_dir::{Announcement, DataDir, gateway_addr};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::installation_key;

/// A running worker and its gateway.
pub(crate) struct Service {
    /// Broker and store.
    pub(crate) backends: Backends,
    /// The gateway's own page.
    pub(crate) url: String,
    previews: PreviewHost,
    announcement: Announcement,
    worker: JoinHandle<Drained>,
    gateway: JoinHandle<Result<(), GatewayError>>,
    stop_worker: CancellationToken,
    stop_gateway: CancellationToken,
    /// Cancelled when either ends, however it ends.
    ended: CancellationToken,
}

impl Service {
    /// Starts both. The port comes first: a busy one is found before anything is written.
    pub(crate) async fn start(loaded: &Loaded) -> Result<Self, Failure> {
        let config = &loaded.config;
        let gateway = bind(loaded).await?;
        let dir = DataDir::prepare(loaded.data_dir())?;
        let installation = installation_key::load(config, &dir)?;
        let backends = Backends::open(config, &dir).await?;
        let clock = Arc::clone(&backends.clock);
        let previews = PreviewHost::open(&dir.previews(), clock.now())
            .await
            .or_fail(Exit::Environment)?;
        sweep_bundles(&backends, config.sqlite.outcomes_kept()).await;

        let provider = LocalProvider::try_new(
            previews.clone(),
            gateway.origin().clone(),
            gateway.probe_addr(),
            Arc::clone(&clock),
            config.local.clone(),
        );
        let engine = Engine::new(EngineParts {
            broker: Arc::clone(&backends.broker),
            store: Arc::clone(&backends.store),
            providers: vec![Arc::new(provider.or_fail(Exit::Environment)?)],
            bundles: Arc::new(backends.bundles.clone()),
            clock: Arc::clone(&clock),
            installation,
            options: config.engine(),
            seed: random()?,
        });
        let engine = engine.or_fail(Exit::Usage)?;
        let services = GatewayServices {
            previews: previews.clone(),
            provider: ProviderName::from(local::NAME),
            store: Arc::clone(&backends.store),
            clock,
        };
        let url = gateway.url();
        let announcement = dir
            .announce_gateway(gateway.local_addr())
            .or_fail(Exit::Environment)?;
        let (stop_worker, stop_gateway) = (CancellationToken::new(), CancellationToken::new());
        let ended = CancellationToken::new();
        let gateway = tokio::spawn(noticed(
            gateway.serve(services, stop_gateway.clone()),
            &ended,
        ));
        let worker = tokio::spawn(noticed(
            Worker::new(engine).run(stop_worker.clone()),
            &ended,
        ));
        Ok(Self {
            backends,
            url,
            previews,
            announcement,
            worker,
            gateway,
            stop_worker,
            stop_gateway,
            ended,
        })
    }

    /// Returns when a part ended that nobody asked to; [`stop`](Self::stop) tells why.
    pub(crate) async fn broken(&self) {
        self.ended.cancelled().await;
    }

    /// Stops in order.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let is_broken = self.ended.is_cancelled();
        self.stop_worker.cancel();
        let drained = self.worker.await;
        match &drained {
            Ok(Drained::Cleanly) => debug!("the worker has handed over everything"),
            Ok(Drained::CutOff(jobs)) => {
                warn!(
                    jobs,
                    "some jobs did not end in time; another worker, or the next start, takes them over"
                );
            }
            Err(_) => {}
        }
        self.stop_gateway.cancel();
        let served = self.gateway.await;
        self.announcement.retract();
        self.previews.close().await;
        self.backends.close().await;
        info!("stopped");
        drained.map_err(|error| defect("worker", error))?;
        served
            .map_err(|error| defect("gateway", error))?
            .or_fail(Exit::Environment)?;
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
    Gateway::bind(wanted).await.map_err(|error| {
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
    })
}

/// What publishers left who died half-way. Trouble with it can wait for the next start.
async fn sweep_bundles(backends: &Backends, older_than: Duration) {
    match backends
        .bundles
        .sweep(backends.clock.now().saturating_sub(older_than))
        .await
    {
        Ok(0) => {}
        Ok(bundles) => info!(bundles, "removed bundles that no event needs"),
        Err(error) => warn!(
            error = &error as &dyn std::error::Error,
            "old bundles could not be removed"
        ),
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
