//! Deterministic simulation of the engine.
//!
//! The real engine, workers and sweeper included, runs over simulated ports on a paused clock, in one thread, with one source of
//! randomness: a seed. Workers crash, freeze and restart at any step, requests and answers are lost or land late, the store
//! forgets, clocks step, messages come twice and in any order; then the world heals, comes to rest, and is held against the
//! promises. A seed repeats itself exactly, so a broken promise comes with the story that led to it.
//!
//! | room | idea |
//! | --- | --- |
//! | `world` | what a world shares: time, dice, weather, story |
//! | `process` | a worker's tasks, frozen or killed together |
//! | `link` | calls whose request, landing and answer part ways |
//! | `ports` | broker, store and provider, each shared by all and linked to each worker |
//! | `scenario`, `faults` | what a seed's world is made of, and what strikes it |
//! | `fleet` | workers that run, end, and run again |
//! | `check` | the promises |
//! | `run` | one seed, from its beginning to its judgement |

mod check;
mod faults;
mod fleet;
mod link;
mod ports;
mod process;
mod run;
mod scenario;
mod stats;
mod story;
mod weather;
mod world;

pub use check::Violation;
pub use faults::Profile;
#[cfg(feature = "mutants")]
pub use foreshow_engine::mutants::Mutant;
#[cfg(feature = "mutants")]
pub use run::run_with;
pub use run::{Report, run};
pub use stats::{Count, Stats};
pub use story::Story;
