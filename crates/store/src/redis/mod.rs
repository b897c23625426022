//! The store in Redis, for a fleet: one server, a Redis Cluster, or what Sentinels watch; 7.0 or later.
//!
//! What it keeps true: every step on a context is one script on keys of one slot, and does what
//! [`foreshow_engine::record`] says; the two are compared step by step. The scripts go by the server's own clock, so the
//! workers' clocks do not matter. An answer may be lost, so every step may be asked for again: under its lease's owner and
//! fence it changes nothing more. A settlement that is made again answers `Lost`; the claim that follows then answers with
//! the recorded end, which is as good.
//!
//! Should Redis lose everything, it goes on by itself: scripts are sent anew, records are made anew by the next claims, and
//! fences go on to grow, because each is at least the clock's microseconds. Until the sweeper has rebuilt what the providers
//! know, it says that it does not remember, and a claim says so too where its record is new (`memory`).
//!
//! | room | idea |
//! | --- | --- |
//! | `url`, `connect`, `link` | where Redis is, and one connection to it that is kept |
//! | `keys`, `fields`, `outcomes`, `text` | how things are named and written |
//! | `lua/`, `scripts`, `answers` | the steps, what they take and what they answer |
//! | `store`, `steps`, `quota` | the port's methods |
//! | `gates` | whether providers' accounts may be called |
//! | `looks` | what a look at the providers tells of a context |
//! | `memory` | whether it has its whole memory, and who sweeps |
//! | `index`, `listing`, `expired`, `history` | what is searched for among all contexts |
//! | `watching` | telling those who wait |
//! | `operator` | what an operator asks: one value for all, and advice |
//!
//! | key | what | goes |
//! | --- | --- | --- |
//! | `…:{c:<tenant>/<context>}` | the record: a hash | when nothing is live and nobody has changed it for as long as ends are kept |
//! | `…:{c:…}:<revision>u`, `…e` | how that update or end ended | when it is as old |
//! | `…:{c:…}:shown` | announced revisions and their deployments | the same; and what is older than the 1,000 newest, which nobody is told was replaced |
//! | `…:{t:<tenant>}:live_previews`, `…:concurrent_builds` | quota sets: members by deadline | a day after the last deadline |
//! | `…:{ix:<shard>}:names`, `:changed`, `:expiry` | the index | with the contexts, as whoever asks for expired ones finds them gone |
//! | `…:{ix:<shard>}:history` | a capped stream | its oldest entries |
//! | `…:{ix:<shard>}:memory` | whether the shard has its whole memory: a hash | never |
//! | `…:{gates}` | every account's gates: a hash | never |
//! | `…:{gates}:<lane>/<account>` | entries that count against its limit, by when they were made | a day after the last of them counts |
//! | `…:sweeper` | who sweeps | a day after it could be another |
//! | `…:agreed:<what>` | what all members of a fleet agree on | never |
//! | `…:notices` | the channel of notices | |

mod answers;
mod clock;
mod connect;
mod error;
mod expired;
mod fields;
mod gates;
mod history;
mod index;
mod keys;
mod link;
mod listing;
mod looks;
mod memory;
pub mod metrics;
mod operator;
mod options;
mod outcomes;
mod quota;
mod reading;
mod scripts;
mod steps;
mod store;
#[cfg(test)]
mod testing;
mod text;
mod url;
mod watching;

pub use error::RedisStoreError;
pub use options::RedisOptions;
pub use store::RedisStore;
pub use url::{RedisUrl, RedisUrlError};
