//! Private RabbitMQ and Redis servers, for tests, benchmarks and `cargo xtask services`. Unix only.
//!
//! What this crate keeps true: a server that was started here listens on loopback alone, on ports of its own, keeps its
//! files in the folder that it was given, and is gone when whoever started it is gone, even where that was killed
//! ([`Group`] tells how). Nothing touches a server that somebody else runs on the machine.
//!
//! - An ordinary test calls [`shared::rabbitmq`] or [`shared::redis`]: one server per test run, and in it a vhost or a
//!   namespace per test.
//! - A test that kills, stops or configures its server starts one of its own: [`RabbitMq::start`], [`Redis::start`],
//!   [`RedisCluster::start`].

mod find;
mod folder;
mod group;
mod ports;
pub mod rabbitmq;
pub mod redis;
pub mod shared;

pub use find::{NotFound, RabbitMqPrograms, RedisPrograms, find_rabbitmq, find_redis};
pub use group::Group;
pub use rabbitmq::{Management, Permissions, RabbitMq, RabbitMqOptions, Vhost};
pub use redis::{Redis, RedisCluster, RedisOptions, RedisTls};

use std::{path::Path, time::Duration};

/// How long a server may take until it answers: RabbitMQ boots in 3 to 6 s, and the machine may be busy.
const START_WITHIN: Duration = Duration::from_mins(3);

/// How often a server that does not answer yet is asked again.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// How often a server is started with other ports, where somebody else was quicker to take one.
const TRIES: usize = 5;

/// A word that nobody else chose: 16 letters and digits, the first one a letter.
fn random_word() -> String {
    std::iter::once(fastrand::lowercase())
        .chain(std::iter::repeat_with(|| {
            let letter = fastrand::alphanumeric();
            letter.to_ascii_lowercase()
        }))
        .take(16)
        .collect()
}

/// The last lines of a file, for an error message.
fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}
