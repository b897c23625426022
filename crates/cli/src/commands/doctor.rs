//! `doctor`: everything that a worker needs, looked at one by one.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use foreshow_contract::InstallationKey;
use foreshow_engine::{Clock, Queue};
use foreshow_fetch::{CacheSize, cache_size};
use serde_json::json;

use crate::args::Global;
use crate::config::{Backend, Loaded, Role, redacted};
use crate::data_dir::{DataDir, fetched_below, gateway_addr};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::installation_key;
use crate::terminal::answer;
use crate::wiring::fetching::egress;
use crate::wiring::providers::{check as check_providers, remote};
use crate::wiring::{Backends, Client, WallClock, agree, backend, chain, fleet};

/// Nothing here takes longer where it is well.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Check broker, store, data folder and clocks, and say how to mend each.
#[derive(Debug, Args)]
#[command(
    after_help = "Changes nothing. Exits with 0 where everything is well, and with 1 where something must be mended."
)]
pub(crate) struct Doctor {}

/// How one thing is.
struct Finding {
    what: String,
    state: State,
    said: String,
    help: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    /// It works, and somebody should look at it.
    Doubtful,
    Sick,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Well => "ok",
            Self::Doubtful => "warn",
            Self::Sick => "fail",
        }
    }
}

impl Finding {
    fn well(what: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            state: State::Well,
            said: said.into(),
            help: None,
        }
    }

    fn doubtful(what: impl Into<String>, said: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            state: State::Doubtful,
            said: said.into(),
            help: Some(help.into()),
        }
    }

    fn sick(what: impl Into<String>, said: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            state: State::Sick,
            ..Self::doubtful(what, said, help)
        }
    }
}

impl Doctor {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = Client::load(global)?;
        let mut findings = vec![Finding::well(
            "configuration",
            loaded.file.as_ref().map_or_else(
                || "no file; defaults, environment and flags alone".to_owned(),
                |file| file.display().to_string(),
            ),
        )];
        let dir = data_folder(&loaded, &mut findings);
        if let Err(failure) = fleet::check_pair(&loaded) {
            let said = failure.to_string().replace('\n', ";");
            findings.push(Finding::sick(
                "broker and store",
                said,
                "name both, or neither",
            ));
        }
        match check_providers(&loaded.config) {
            Ok(()) => providers(&loaded, dir.as_ref(), &mut findings).await?,
            Err(failure) => findings.push(Finding::sick(
                "providers",
                failure.to_string().replace('\n', ";"),
                "mend the configuration",
            )),
        }
        fetching(&loaded, &mut findings).await;
        let is_embedded = [Role::Broker, Role::Store]
            .map(|role| backend(&loaded.config, role))
            .iter()
            .any(|backend| matches!(backend, Ok(Backend::Sqlite { .. })));
        if is_embedded && dir.is_none() {
            // Nothing was ever published here, and a doctor makes nothing.
            return report(global, &findings);
        }
        match Backends::open(&loaded.config, dir.as_ref()).await {
            Ok(backends) => {
                broker(&loaded, &backends, &mut findings).await?;
                store(&loaded, &backends, dir.as_ref(), &mut findings).await?;
                backends.close().await;
            }
            Err(failure) => findings.push(Finding::sick(
                "broker and store",
                failure.to_string(),
                "mend the configuration",
            )),
        }
        findings.push(gateway(&loaded).await);
        report(global, &findings)
    }
}

fn report(global: &Global, findings: &[Finding]) -> Result<Exit, Failure> {
    let is_sick = findings.iter().any(|finding| finding.state == State::Sick);
    if global.json {
        let checks: Vec<_> = findings
            .iter()
            .map(|finding| {
                json!({
                    "name": finding.what,
                    "state": finding.state.word(),
                    "message": finding.said,
                    "help": finding.help,
                })
            })
            .collect();
        answer(&json!({ "ok": !is_sick, "checks": checks }).to_string())?;
    } else {
        for finding in findings {
            let Finding {
                what, state, said, ..
            } = finding;
            answer(&format!("{:<4}  {what}: {said}", state.word()))?;
            if let Some(help) = &finding.help {
                answer(&format!("      {help}"))?;
            }
        }
    }
    Ok(if is_sick { Exit::Failed } else { Exit::Done })
}

fn data_folder(loaded: &Loaded, findings: &mut Vec<Finding>) -> Option<DataDir> {
    let path = loaded.data_dir();
    let shown = path.display().to_string();
    let is_embedded = [Role::Broker, Role::Store]
        .into_iter()
        .any(|role| matches!(backend(&loaded.config, role), Ok(Backend::Sqlite { .. })));
    if !path.exists() {
        let said = if is_embedded {
            format!("{shown} is not there yet; `foreshow up` makes it, with everything in it")
        } else {
            format!("{shown} is not there; a client of a fleet needs none")
        };
        findings.push(Finding::well("data folder", said));
        return None;
    }
    match DataDir::prepare(path) {
        Ok(dir) => {
            findings.push(Finding::well(
                "data folder",
                format!("{shown} can be written"),
            ));
            Some(dir)
        }
        Err(failure) => {
            findings.push(Finding::sick(
                "data folder",
                failure.to_string().replace('\n', ";"),
                "see above",
            ));
            None
        }
    }
}

async fn broker(
    loaded: &Loaded,
    backends: &Backends,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let shown = redacted(&loaded.config.broker);
    if let Some(rabbitmq) = &backends.servers.rabbitmq {
        let checked = async {
            rabbitmq.opened().await?;
            rabbitmq.check_topology().await
        };
        match within(checked).await {
            Ok(drift) if drift.is_empty() => {
                findings.push(Finding::well("broker", shown.clone()));
                findings.push(Finding::well(
                    "topology",
                    "exchanges and queues are as they should be",
                ));
            }
            Ok(drift) => {
                findings.push(Finding::well("broker", shown));
                findings.push(Finding::sick(
                    "topology",
                    fleet::summary(&drift).unwrap_or_default(),
                    "what is missing is declared by `foreshow topology apply`, or by the first worker; what is different must \
                     be deleted first, once it is empty. `foreshow topology check` tells all",
                ));
                return Ok(());
            }
            Err(said) => {
                findings.push(Finding::sick(
                    "broker",
                    format!("{shown}: {said}"),
                    fleet::HELP_BROKER,
                ));
                return Ok(());
            }
        }
    }
    match within(backends.broker.ping()).await {
        Ok(()) if backends.servers.rabbitmq.is_some() => {}
        Ok(()) => findings.push(Finding::well("broker", shown)),
        Err(said) => {
            findings.push(Finding::sick(
                "broker",
                format!("{shown}: {said}"),
                fleet::HELP_BROKER,
            ));
            return Ok(());
        }
    }
    // Whoever reads deploys reads their backlog too, on demand.
    for queue in [Queue::Deploy, Queue::Cleanup] {
        match within(backends.broker.has_consumers(queue)).await {
            Ok(true) => {}
            Ok(false) => findings.push(Finding::doubtful(
                "workers",
                format!("nobody reads {}", queue.name()),
                "start `foreshow worker`, or `foreshow up`",
            )),
            Err(said) => findings.push(Finding::sick("workers", said, fleet::HELP_BROKER)),
        }
    }
    Ok(())
}

async fn store(
    loaded: &Loaded,
    backends: &Backends,
    dir: Option<&DataDir>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let shown = redacted(&loaded.config.store);
    let now = match within(backends.store.now()).await {
        Ok(now) => now,
        Err(said) => {
            findings.push(Finding::sick(
                "store",
                format!("{shown}: {said}"),
                fleet::HELP_STORE,
            ));
            return Ok(());
        }
    };
    findings.push(Finding::well("store", shown));
    findings.push(match agree(backends.clock.now(), now) {
        Ok(()) => Finding::well("clocks", "this machine's and the store's agree"),
        Err(said) => Finding::sick(
            "clocks",
            said,
            "leases do not depend on it, but expiries do",
        ),
    });
    let Some(redis) = &backends.servers.redis else {
        return Ok(());
    };
    match within(redis.advice()).await {
        Ok(advice) if advice.is_empty() => {
            findings.push(Finding::well(
                "store settings",
                "nothing it keeps is thrown away",
            ));
        }
        Ok(advice) => {
            for (said, help) in advice {
                findings.push(Finding::doubtful("store settings", said, help));
            }
        }
        Err(said) => findings.push(Finding::doubtful(
            "store settings",
            said,
            "its user may not ask for them (INFO, CONFIG GET)",
        )),
    }
    let key = match dir {
        Some(dir) if dir.installation_key().exists() => {
            Some(installation_key::load(&loaded.config, dir)?)
        }
        Some(_) | None => installation_key::configured(&loaded.config)?,
    };
    if let Some(key) = key {
        findings.push(match fleet::has_installation(redis, &key).await {
            Ok(None) => Finding::well("installation key", "the first worker's will be the fleet's"),
            Ok(Some(true)) => Finding::well("installation key", "the fleet's"),
            Ok(Some(false)) => Finding::sick(
                "installation key",
                "another key than the fleet's",
                fleet::HELP_INSTALLATION,
            ),
            Err(error) => Finding::sick("installation key", chain(&error), fleet::HELP_STORE),
        });
    }
    Ok(())
}

/// Looks at each provider's credentials and what they permit.
async fn providers(
    loaded: &Loaded,
    dir: Option<&DataDir>,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let key = match dir {
        Some(dir) if dir.installation_key().exists() => {
            installation_key::load(&loaded.config, dir)?
        }
        // Nothing that is looked at depends on it.
        Some(_) | None => installation_key::configured(&loaded.config)?
            .unwrap_or(InstallationKey::try_from_slice(&[0; 32]).or_fail(Exit::Usage)?),
    };
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    for provider in remote(&loaded.config, &key, &clock)? {
        let name = provider.name();
        match within(provider.check()).await {
            Ok(checks) => findings.extend(checks.into_iter().map(|check| {
                let what = format!("{name} {}", check.what);
                if check.is_well {
                    Finding::well(what, check.said)
                } else {
                    Finding::sick(what, check.said, "previews cannot be deployed there until that is mended")
                }
            })),
            Err(said) => findings.push(Finding::sick(
                name.to_string(),
                said,
                "its API does not answer, or refuses the token; the provider's status page may tell",
            )),
        }
    }
    Ok(())
}

/// Looks at what is kept of bundles by URL, and at how open the guard is that stands before them.
async fn fetching(loaded: &Loaded, findings: &mut Vec<Finding>) {
    let config = &loaded.config;
    if let Err(failure) = egress(config) {
        findings.push(Finding::sick(
            "bundles by URL",
            failure.to_string().replace('\n', ";"),
            "mend the configuration",
        ));
        return;
    }
    let folder = fetched_below(loaded.data_dir());
    let shown = folder.display().to_string();
    let looked = tokio::task::spawn_blocking(move || cache_size(&folder)).await;
    let looked = looked.map_err(|error| error.to_string());
    findings.push(
        match looked.map(|looked| looked.map_err(|error| error.to_string())) {
            Ok(Ok(_)) if config.bundles.cache_bytes == 0 => Finding::well(
                "bundles by URL",
                format!("received in {shown}, and not kept (bundles.cache_bytes is 0)"),
            ),
            Ok(Ok(CacheSize { bundles, bytes })) => Finding::well(
                "bundles by URL",
                format!(
                    "{bundles} kept in {shown}: {:.1} of {:.1} MB",
                    megabytes(bytes),
                    megabytes(config.bundles.cache_bytes)
                ),
            ),
            Ok(Err(error)) | Err(error) => Finding::doubtful(
                "bundles by URL",
                format!("{shown} cannot be looked at: {error}"),
                "check its owner: the worker receives bundles there",
            ),
        },
    );
    let serves_others = [Role::Broker, Role::Store]
        .into_iter()
        .any(|role| !matches!(backend(config, role), Ok(Backend::Sqlite { .. })));
    if !serves_others {
        return;
    }
    if !config.egress.allow.is_empty() {
        let allowed: Vec<_> = config
            .egress
            .allow
            .iter()
            .map(ToString::to_string)
            .collect();
        findings.push(Finding::doubtful(
            "egress",
            format!("every tenant can have {} asked in our name", allowed.join(", ")),
            "fine where the servers there are meant for all tenants; else take it out of egress.allow",
        ));
    }
    if config.egress.http {
        findings.push(Finding::doubtful(
            "egress",
            "bundles may come by plain http, which whoever is on the way can read",
            "serve them by https, and set egress.http to false",
        ));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

async fn gateway(loaded: &Loaded) -> Finding {
    let config = &loaded.config;
    let announced = gateway_addr(loaded.data_dir()).map(|addr| format!("http://{addr}"));
    let Some(url) = config.gateway.url.clone().or(announced) else {
        return Finding::doubtful(
            "gateway",
            "none is known",
            "start `foreshow up` or `foreshow gateway`, or say where it is: gateway.url",
        );
    };
    let asked = async {
        let client = foreshow_tls::inward().timeout(ANSWERS_WITHIN).build()?;
        let url = format!("{}/healthz", url.trim_end_matches('/'));
        client.get(url).send().await?.error_for_status()
    };
    match asked.await {
        Ok(_) => Finding::well("gateway", url),
        Err(error) => Finding::doubtful(
            "gateway",
            format!("{url}: {}", chain(&error.without_url())),
            "without it previews are not served, and workers cannot check them",
        ),
    }
}

/// Asks, for a bounded time; the error in words.
async fn within<T, E: std::error::Error + 'static>(
    ask: impl Future<Output = Result<T, E>>,
) -> Result<T, String> {
    match tokio::time::timeout(ANSWERS_WITHIN, ask).await {
        Ok(answer) => answer.map_err(|error| chain(&error)),
        Err(_) => Err(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())),
    }
}
