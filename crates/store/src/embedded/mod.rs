//! The store in one SQLite file, for everything that one machine runs.
//!
//! What it keeps true: every method is one transaction, that loads the context's record, applies the transition of
//! [`foreshow_engine::record`] and saves what changed. The rules live there and nowhere here. SQLite's write lock puts the
//! transactions of all processes in one order, and each is synced before it is answered: killed at any instant, a step
//! has happened whole or not at all.
//!
//! | room | idea |
//! | --- | --- |
//! | `records` | the contexts' rows |
//! | `outcomes` | how events ended, kept by age |
//! | `quota` | sets with deadlines |
//! | `gates` | whether providers' accounts may be called |
//! | `history` | what happened last |
//! | `memory` | whether it has its whole memory, and who sweeps |
//! | `watching` | telling those who wait, across processes |
//! | `bundles` | the files of large events, kept while an event needs them |

mod bundles;
mod error;
mod gates;
mod history;
mod memory;
mod outcomes;
mod quota;
mod records;
mod schema;
mod settling;
mod steps;
mod store;
#[cfg(test)]
mod upgrade_tests;
mod watching;

pub use bundles::EmbeddedBundles;
pub use store::{EmbeddedStore, KEEP_OUTCOMES};
