use foreshow_contract::Timestamp;

/// The wall clock.
///
/// Used for what people and other machines read (times in results, expiry, ages). Whether a lease still holds is
/// decided by the process's own monotonic clock, never by this one: see [`crate::lease`].
pub trait Clock: Send + Sync + 'static {
    /// The time now, to the microsecond. It may step, also backwards.
    fn now(&self) -> Timestamp;
}
