//! RabbitMQ and Redis, as configured, and what all members of a fleet must agree on.
//!
//! Opening either never waits for its server: whoever needs an answer does.

use std::future::Future;
use std::time::Duration;

use foreshow_broker::rabbitmq::{AmqpUrl, Drift, RabbitMqBroker, RabbitMqOptions, ResultsMode};
use foreshow_contract::InstallationKey;
use foreshow_engine::StoreError;
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::backends::{Servers, backend};
use super::chain;
use crate::config::{Backend, Config, Loaded, ResultMode, Role};
use crate::failure::{Exit, Failure, OrFail as _};

/// What to do about two keys in one fleet.
pub(crate) const HELP_INSTALLATION: &str = "give every worker and gateway the same key: `installation_key` \
    (FORESHOW_INSTALLATION_KEY, or …_FILE), or the same data folder. With another, the same update counts as a conflict, and \
    previews get other addresses. Where the fleet shall have a new one, stop all of it and delete the Redis key \
    `NAMESPACE:agreed:installation`";

/// What to look at where the broker does not answer.
pub(crate) const HELP_BROKER: &str = "check that it runs, and `broker` (FORESHOW_BROKER): scheme, user, password, host, port and vhost";

/// The same for the store.
pub(crate) const HELP_STORE: &str =
    "check that it runs, and `store` (FORESHOW_STORE): scheme, user, password, host and port";

/// What the fleet agrees on.
const INSTALLATION: &str = "installation";

/// How often a server that is away is asked again.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// RabbitMQ as the broker.
pub(crate) fn rabbitmq(config: &Config, urls: &[String]) -> Result<RabbitMqBroker, Failure> {
    let urls = AmqpUrl::parse_list(&urls.join(",")).or_fail(Exit::Usage)?;
    let settings = &config.rabbitmq;
    let options = RabbitMqOptions {
        ca_file: settings.ca_file.clone(),
        prefix: settings.prefix.clone(),
        heartbeat: Duration::from_secs(settings.heartbeat_seconds.into()),
        connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
        publish_timeout: Duration::from_millis(settings.publish_timeout_ms),
        publish_channels: settings.publish_channels.get(),
        results: match settings.results {
            ResultMode::Binary => ResultsMode::Binary,
            ResultMode::Structured => ResultsMode::Structured,
        },
        ..RabbitMqOptions::new(urls)
    };
    RabbitMqBroker::start(options).or_fail(Exit::Usage)
}

/// Redis as the store.
pub(crate) fn redis(config: &Config, url: &str) -> Result<RedisStore, Failure> {
    let url = RedisUrl::parse(url).or_fail(Exit::Usage)?;
    let settings = &config.redis;
    let options = RedisOptions {
        namespace: settings.namespace.clone(),
        keep_outcomes: Duration::from_secs(settings.outcomes_kept_seconds),
        connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
        response_timeout: Duration::from_millis(settings.response_timeout_ms),
        ca_file: settings.ca_file.clone(),
    };
    RedisStore::start(&url, options).or_fail(Exit::Usage)
}

/// What a worker does before it takes its first delivery, however long the servers are away: declares the topology, and
/// makes sure that it has the fleet's key. Returns early where the worker is asked to stop.
///
/// # Errors
/// Where the fleet has another key: what this worker did would be told as a conflict by the others.
pub(crate) async fn join(
    config: &Config,
    servers: &Servers,
    key: &InstallationKey,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    if let Some(rabbitmq) = servers.rabbitmq.clone() {
        let declare = config.topology.declare;
        patiently("RabbitMQ", stop.clone(), move || {
            let rabbitmq = rabbitmq.clone();
            async move {
                if declare {
                    return rabbitmq.apply_topology().await;
                }
                let drift = rabbitmq.check_topology().await?;
                if let Some(told) = summary(&drift) {
                    warn!("{told}; an operator can mend it with `foreshow topology apply`");
                }
                Ok(())
            }
        })
        .await;
    }
    let Some(redis) = servers.redis.clone() else {
        return Ok(());
    };
    let key = key.clone();
    match patiently("Redis", stop.clone(), move || {
        let (redis, key) = (redis.clone(), key.clone());
        async move { is_installation(&redis, &key).await }
    })
    .await
    {
        Some(false) => Err(Failure::new(
            Exit::Usage,
            "this process has another installation key than the rest of its fleet",
        )
        .help(HELP_INSTALLATION)),
        Some(true) | None => Ok(()),
    }
}

/// What is wrong with the topology, in one line; `None` where nothing is.
pub(crate) fn summary(drift: &[Drift]) -> Option<String> {
    const TOLD: usize = 3;
    let mut told: Vec<_> = drift.iter().take(TOLD).map(ToString::to_string).collect();
    if drift.len() > TOLD {
        told.push(format!("and {} more", drift.len() - TOLD));
    }
    (!told.is_empty()).then(|| told.join("; "))
}

/// Refuses a server beside a file that nobody named: whoever forgets one of the two variables would take part in a fleet
/// with a memory of their own.
///
/// # Errors
/// With exit code 2, naming the one that is missing.
pub(crate) fn check_pair(loaded: &Loaded) -> Result<(), Failure> {
    let [broker, store] = [Role::Broker, Role::Store].map(|role| backend(&loaded.config, role));
    let is_file = |backend: &Backend| matches!(backend, Backend::Sqlite { .. });
    let missing = match (is_file(&broker?), is_file(&store?)) {
        (false, true) if loaded.is_default("store") => {
            ("broker", "store", "FORESHOW_STORE", "redis://HOST")
        }
        (true, false) if loaded.is_default("broker") => {
            ("store", "broker", "FORESHOW_BROKER", "amqp://HOST")
        }
        _ => return Ok(()),
    };
    let (given, missing, variable, example) = missing;
    let what = format!(
        "`{given}` is a server, and `{missing}` is not given: it would be a file of this machine alone"
    );
    Err(Failure::new(Exit::Usage, what).help(format!(
        "name it too: {variable}={example}, or --{missing}; where a file is what you want, say `sqlite:`"
    )))
}

/// Refuses another key than the fleet's. Where Redis is away, or nobody has a key yet, there is nothing to compare.
///
/// # Errors
/// With exit code 2, saying what to do.
pub(crate) async fn ensure_installation(
    redis: &RedisStore,
    key: &InstallationKey,
) -> Result<(), Failure> {
    match has_installation(redis, key).await {
        Ok(Some(false)) => Err(Failure::new(
            Exit::Usage,
            "this process has another installation key than its fleet",
        )
        .help(HELP_INSTALLATION)),
        Ok(Some(true) | None) | Err(_) => Ok(()),
    }
}

/// Whether the fleet has this key, without deciding it; `None` where nobody has said yet.
pub(crate) async fn has_installation(
    redis: &RedisStore,
    key: &InstallationKey,
) -> Result<Option<bool>, StoreError> {
    let agreed = redis.agreed(INSTALLATION).await?;
    Ok(agreed.map(|agreed| agreed == fingerprint(key)))
}

fn fingerprint(key: &InstallationKey) -> String {
    key.digest(INSTALLATION, b"fingerprint").to_string()
}

/// Whether the fleet has this key. The first who asks decides.
async fn is_installation(redis: &RedisStore, key: &InstallationKey) -> Result<bool, StoreError> {
    let fingerprint = fingerprint(key);
    Ok(redis.agree(INSTALLATION, &fingerprint).await? == fingerprint)
}

/// Asks until there is an answer, or the worker is asked to stop: one line for each reason to wait, one when there is none.
async fn patiently<T, E, F>(
    whom: &'static str,
    stop: CancellationToken,
    mut ask: impl FnMut() -> F,
) -> Option<T>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut waits_for: Option<String> = None;
    loop {
        let answer = tokio::select! {
            answer = ask() => answer,
            () = stop.cancelled() => return None,
        };
        match answer {
            Ok(answer) => {
                if waits_for.is_some() {
                    info!("{whom} answers");
                }
                return Some(answer);
            }
            Err(error) => {
                let told = chain(&error);
                if waits_for.as_ref() != Some(&told) {
                    warn!("waiting for {whom}: {told}");
                    waits_for = Some(told);
                }
            }
        }
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            () = stop.cancelled() => return None,
        }
    }
}
