//! The harness of the end-to-end stories: the built binary, driven from outside as its users drive it.
//!
//! Each story has a folder of its own, port 0, and ends the processes that it started, by their id.

mod clients;
mod cloud;
mod dir;
mod ends;
mod files;
mod ground;
mod http;
mod previews;
mod process;
mod proxy;
mod up;
mod upstream;

pub use clients::{Client, Listener};
pub use cloud::{Cloud, DENO_TOKEN, VERCEL_TOKEN};
pub use dir::{site, write};
pub use ends::Ends;
pub use files::FileServer;
pub use ground::{Ground, PrivateServers};
pub use http::{Answer, fetch, fetch_with};
pub use previews::{Ledger, Previews};
pub use process::{Foreshow, binary};
pub use proxy::{Flow, Proxy, Weather};
pub use up::{Up, holder};
pub use upstream::{Publisher, Upstream, end, event, key, update};

use std::time::{Duration, Instant};

/// Waits until `check` is true, asking again and again; fails after three minutes, saying what it waited for.
///
/// # Panics
/// When the time is over.
pub async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let give_up_at = Instant::now() + Duration::from_mins(3);
    while !check().await {
        assert!(
            Instant::now() < give_up_at,
            "waited three minutes for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
