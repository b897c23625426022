//! Adapters of the Store port, and of the source of bundles that lives beside it.
//!
//! | module | keeps records in |
//! | --- | --- |
//! | [`embedded`] | one SQLite file, shared by the processes of one machine |
//! | [`redis`] | Redis, shared by a fleet |

pub mod embedded;
pub mod redis;
