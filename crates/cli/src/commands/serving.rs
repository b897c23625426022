//! What `up`, `worker` and `gateway` have in common: running until somebody asks to stop.

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::terminal::tell;
use crate::wiring::Service;

/// Greets, and does `beside` while the service runs, until Ctrl-C, SIGTERM, or a part of it ends.
pub(super) async fn until_asked_to_stop(
    service: Service,
    mut interrupts: Interrupts,
    global: &Global,
    greet: impl FnOnce(&Service) -> Result<(), Failure>,
    beside: impl AsyncFnOnce(&Service),
) -> Result<Exit, Failure> {
    let greeted = greet(&service);
    // Nobody who was not told the address could use it.
    if greeted.is_ok() {
        let beside = async {
            beside(&service).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = interrupts.next() => {
                if !global.quiet && !global.json {
                    tell("Stopping. Ctrl-C again ends it at once.");
                }
            }
            () = service.broken() => {}
            () = beside => {}
        }
    }
    tokio::select! {
        stopped = service.stop() => greeted.and(stopped).map(|()| Exit::Done),
        () = interrupts.next() => Ok(Exit::Interrupted),
    }
}
