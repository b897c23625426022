//! RabbitMQ and Redis, as configured, and what all members of a fleet must agree on.
//!
//! Opening either never waits for its server: whoever needs an answer does.

use std::future::Future;
use std::time::Duration;

use foreshow_broker::rabbitmq::{AmqpUrl, RabbitMqBroker, RabbitMqOptions, ResultsMode};
use foreshow_contract::InstallationKey;
use foreshow_engine::StoreError;
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::backends::Servers;
use super::chain;
use crate::config::{Config, ResultMode};
use crate::failure::{Exit, Failure, OrFail as _};

/// What to do about two keys in one fleet.
pub(crate) const HELP_INSTALLATION: &str = "give every worker and gateway the same key: `installation_key` \
    (FORESHOW_INSTALLATION_KEY, or …_FILE), or the same data folder. With another, the same update counts as a conflict, and \
    previews get other addresses";

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
                for drift in rabbitmq.check_topology().await? {
                    warn!("{drift}; an operator can mend it with `foreshow topology apply`");
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

/// Whether the fleet has this key. The first who asks decides.
pub(crate) async fn is_installation(
    redis: &RedisStore,
    key: &InstallationKey,
) -> Result<bool, StoreError> {
    let fingerprint = key.digest("installation", b"fingerprint").to_string();
    Ok(redis.agree("installation", &fingerprint).await? == fingerprint)
}

/// Asks until there is an answer, or the worker is asked to stop: one line when it begins to wait, one when it need not.
async fn patiently<T, E, F>(
    whom: &'static str,
    stop: CancellationToken,
    mut ask: impl FnMut() -> F,
) -> Option<T>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    let mut is_waiting = false;
    loop {
        let answer = tokio::select! {
            answer = ask() => answer,
            () = stop.cancelled() => return None,
        };
        match answer {
            Ok(answer) => {
                if is_waiting {
                    info!("{whom} answers");
                }
                return Some(answer);
            }
            Err(error) if !is_waiting => {
                is_waiting = true;
                warn!("waiting for {whom}: {}", chain(&error));
            }
            Err(_) => {}
        }
        tokio::select! {
            () = sleep(ASK_EVERY) => {}
            () = stop.cancelled() => return None,
        }
    }
}
