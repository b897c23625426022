use std::sync::Arc;

use foreshow_contract::Timestamp;
use foreshow_engine::Clock;

use super::text::instant;

/// The clock that all deadlines go by: the server's own, read inside the scripts, or in tests one that is handed to them.
#[derive(Clone)]
pub(super) struct StoreClock(Option<Arc<dyn Clock>>);

impl StoreClock {
    pub(super) fn of_the_server() -> Self {
        Self(None)
    }

    pub(super) fn given_by(clock: Arc<dyn Clock>) -> Self {
        Self(Some(clock))
    }

    /// The first argument of scripts: empty where they read the server's clock.
    pub(super) fn given(&self) -> String {
        self.instead().map(instant).unwrap_or_default()
    }

    /// What is shown instead of the server's clock.
    pub(super) fn instead(&self) -> Option<Timestamp> {
        self.0.as_ref().map(|clock| clock.now())
    }
}
