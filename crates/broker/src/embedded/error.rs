//! From the file's errors to the port's.

use foreshow_engine::BrokerError;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// For `map_err`: what was asked. Every trouble with the file may pass (space is made, a lock is freed, a mount comes
/// back), so all of it is `Unavailable`; the source says what and how to mend it.
pub(super) fn unavailable<E: Into<Cause>>(
    operation: &'static str,
) -> impl FnOnce(E) -> BrokerError {
    move |error| BrokerError::Unavailable {
        operation,
        source: error.into(),
    }
}
