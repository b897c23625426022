//! Failure points: exact places in a job's life at which a test has this process die, freeze or stand still.
//!
//! Only in builds with the feature `failure-points`, which no user's build has. `FORESHOW_FAILURE_POINT` names one point, what
//! happens there, at which passage, and for whom: `POINT:ACTION:PASSAGE[:CONTEXT]`, e.g. `id-recorded:kill:3` or
//! `claimed:panic:every:poison`. A word that is none of these is an error at start.
//!
//! The ports are wrapped, and the engine knows nothing of it. A point is where everybody else would see the same state if the
//! process went there by itself:
//!
//! | point | what has happened, and what has not |
//! | --- | --- |
//! | `claimed` | the store has granted the lease; nothing was done under it |
//! | `create-sent` | the provider lists the deployment; nobody here has read the answer |
//! | `create-answered` | the answer was read; no record names the deployment |
//! | `id-recorded` | the record names it |
//! | `ready-seen` | it is built and answers; the record does not have it as live |
//! | `settled` | the outcome is recorded and the lease released; nobody was told |
//! | `result-sent` | the broker has confirmed the result; the delivery is out |
//! | `acked` | the acknowledgement was written |
//! | `renewing` | a lease is about to be renewed |
//!
//! | action | what happens |
//! | --- | --- |
//! | `kill`, `stop`, `term` | the process sends itself SIGKILL, SIGSTOP, SIGTERM |
//! | `panic` | the job panics |
//! | `block=MS` | every thread of the runtime that comes there stands still for so long, the caller's first |
//! | `fail` | only of `renewing`: the store is not asked, and an error answers |

mod broker;
mod provider;
mod setting;
mod store;
mod strike;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foreshow_contract::ContextKey;
use foreshow_engine::EngineParts;

use self::setting::Setting;
use crate::failure::{Exit, Failure};

pub(crate) use self::setting::{Action, Passage, Point, VARIABLE};

/// The engine's parts, wrapped where a failure point is set.
pub(crate) fn arm(mut parts: EngineParts) -> Result<EngineParts, Failure> {
    let Some(text) = std::env::var_os(VARIABLE) else {
        return Ok(parts);
    };
    let read = text.to_str().ok_or_else(|| "it is no text".to_owned());
    let setting = read.and_then(Setting::read).map_err(|problem| {
        Failure::new(
            Exit::Usage,
            format!("{VARIABLE} is {}: {problem}", text.display()),
        )
        .help("set it to POINT:ACTION:PASSAGE[:CONTEXT], e.g. id-recorded:kill:3")
    })?;
    let points = Points::new(setting);
    parts.store = Arc::new(store::FailingStore::new(parts.store, &points));
    parts.lease_store = parts
        .lease_store
        .map(|store| Arc::new(store::FailingStore::new(store, &points)) as _);
    parts.broker = Arc::new(broker::FailingBroker::new(parts.broker, &points));
    parts.providers = parts
        .providers
        .into_iter()
        .map(|provider| Arc::new(provider::FailingProvider::new(provider, &points)) as _)
        .collect();
    Ok(parts)
}

/// The setting, and how often its point was passed.
#[derive(Clone)]
struct Points(Arc<Armed>);

struct Armed {
    setting: Setting,
    passed: AtomicU64,
}

/// What a wrapped call does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Fail,
}

impl Points {
    fn new(setting: Setting) -> Self {
        Self(Arc::new(Armed {
            setting,
            passed: AtomicU64::new(0),
        }))
    }

    /// Whether this is the point that is set.
    fn is_at(&self, point: Point) -> bool {
        self.0.setting.point == point
    }

    /// Passes a point: strikes where it is this one's turn.
    fn pass(&self, point: Point, key: Option<&ContextKey>) -> Then {
        let Armed { setting, passed } = &*self.0;
        let is_meant = setting
            .context
            .as_deref()
            .is_none_or(|wanted| key.is_some_and(|key| key.context.as_str() == wanted));
        if setting.point != point || !is_meant {
            return Then::GoOn;
        }
        let passage = passed.fetch_add(1, Ordering::Relaxed) + 1;
        match setting.passage {
            Passage::Every => {}
            Passage::Nth(nth) if nth == passage => {}
            Passage::Nth(_) => return Then::GoOn,
        }
        strike::strike(setting.action, point, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(text: &str) -> Points {
        Points::new(Setting::read(text).unwrap())
    }

    #[test]
    fn it_strikes_at_its_point_and_passage_alone() {
        let points = points("renewing:fail:2");
        assert_eq!(points.pass(Point::Claimed, None), Then::GoOn);
        let passed: Vec<_> = (0..3).map(|_| points.pass(Point::Renewing, None)).collect();
        assert_eq!(passed, [Then::GoOn, Then::Fail, Then::GoOn]);
    }

    #[test]
    fn with_a_context_others_pass_and_are_not_counted() {
        let points = points("renewing:fail:1:a");
        let key = |context| ContextKey::try_new("acme", context).unwrap();
        assert_eq!(points.pass(Point::Renewing, Some(&key("b"))), Then::GoOn);
        assert_eq!(points.pass(Point::Renewing, Some(&key("a"))), Then::Fail);
    }

    #[test]
    #[should_panic(expected = "failure point claimed")]
    fn a_panic_names_its_point() {
        points("claimed:panic:every").pass(Point::Claimed, None);
    }
}
