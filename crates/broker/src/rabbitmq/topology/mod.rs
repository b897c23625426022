//! Exchanges, queues and bindings, as data.
//!
//! ```text
//! upstream ──► foreshow.events ──┬─ context.updated.*, context.touched.* ──► foreshow.deploy
//!                 (topic)        ├─ context.ended.* ───────────────────────► foreshow.cleanup
//! worker ────► foreshow.events ──┤─ context.expired.*, context.reset.* ────► foreshow.cleanup
//!                                └─ anything else ─► foreshow.dead-letters
//! worker ────► foreshow.delay.<n>s ──► foreshow.delay.<n>s ── after its time ──► the queue it came from
//! worker ────► foreshow.dead-letters ──► foreshow.dead-letters
//! worker ────► foreshow.results ──┬─ who subscribes
//!                 (topic)         └─ nobody ─► foreshow.unrouted (the newest 10,000)
//! ```
//!
//! All of it is durable, and the queues are quorum queues that state delivery limit, dead-letter strategy and overflow
//! themselves: the defaults differ between versions, and a policy could change them. Declaring is idempotent: what is
//! there in the same shape stays, what is there in another is an error, and nothing is ever deleted.
//!
//! A queue's shape can't be changed in place. Who wants another one drains and deletes the queue, and applies again.

mod apply;
mod check;
mod definitions;
mod names;
mod plan;

pub use check::Drift;
pub use plan::{Argument, Binding, Exchange, ExchangeType, QueueShape, Topology};

pub(super) use apply::apply;
pub(super) use check::check;
pub(super) use names::Names;
