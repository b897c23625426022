//! What the admin port tells: whether this process gets on, and whether it can be given work.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foreshow_engine::{Broker, Clock, Store, Vitals};
use foreshow_gateway::{AdminServices, Health, ReadyCheck};
use tokio_util::sync::CancellationToken;

use super::Backends;
use super::metrics::Rendered;
use super::service::Roles;

/// A consumer that has not beaten for this long is stuck: it beats each second, and a machine that is short of
/// processors for this long has more trouble than a restart would mend.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// How far this machine's clock and the store's may be apart. Leases are counted by the holder's own monotonic clock and
/// the store's own; the wall clock decides expiries and what time a result tells.
const CLOCKS_AGREE_WITHIN: Duration = Duration::from_secs(5);

/// What the admin server of this process answers from.
pub(super) fn services(
    backends: &Backends,
    vitals: Option<Vitals>,
    joined: CancellationToken,
    roles: Roles,
    rendered: Rendered,
) -> AdminServices {
    let health = move || match &vitals {
        Some(vitals) if vitals.silent_for() > STUCK_AFTER => Health::Stuck {
            why: format!(
                "a consumer has not moved for {} s; restart this process, what it holds goes on elsewhere",
                vitals.silent_for().as_secs()
            ),
        },
        Some(_) | None => Health::Ok,
    };
    AdminServices {
        health: Arc::new(health),
        ready: Arc::new(Readiness {
            broker: roles.works().then(|| Arc::clone(&backends.broker)),
            joined,
            store: Arc::clone(&backends.store),
            clock: Arc::clone(&backends.clock),
        }),
        metrics: Arc::new(move || rendered.text()),
    }
}

struct Readiness {
    broker: Option<Arc<dyn Broker>>,
    /// Cancelled once the worker has found the topology and its fleet's key.
    joined: CancellationToken,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl ReadyCheck for Readiness {
    async fn check(&self) -> Vec<(&'static str, Result<(), String>)> {
        let broker = async {
            match &self.broker {
                Some(broker) => Some(broker.ping().await.map_err(|error| chain(&error))),
                None => None,
            }
        };
        let (broker, store) = tokio::join!(broker, self.store.now());
        let mut checks = Vec::new();
        if let Some(broker) = broker {
            let is_there = broker.is_ok();
            checks.push(("broker", broker));
            if is_there && !self.joined.is_cancelled() {
                let why = "the worker has not joined its fleet: its log says what it waits for";
                checks.push(("worker", Err(why.to_owned())));
            }
        }
        match store {
            Ok(now) => {
                checks.push(("store", Ok(())));
                checks.push(("clocks", agree(self.clock.now(), now)));
            }
            Err(error) => checks.push(("store", Err(chain(&error)))),
        }
        checks
    }
}

/// Whether two clocks are close enough.
pub(crate) fn agree(
    ours: foreshow_contract::Timestamp,
    theirs: foreshow_contract::Timestamp,
) -> Result<(), String> {
    let apart = ours
        .saturating_since(theirs)
        .max(theirs.saturating_since(ours));
    if apart <= CLOCKS_AGREE_WITHIN {
        return Ok(());
    }
    Err(format!(
        "this machine's clock and the store's are {} s apart: set both by NTP",
        apart.as_secs()
    ))
}

/// An error with all that lies beneath it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut told: Vec<String> = Vec::new();
    for cause in causes.map(ToString::to_string) {
        if told.last().is_none_or(|last| !last.contains(&cause)) {
            told.push(cause);
        }
    }
    told.join(": ")
}
