//! `why`: what a context shows, what is wanted of it, and who or what that waits for.
//!
//! Everything is asked of the store and of the broker, never of a worker: a worker that hangs cannot hide it. The answers are
//! taken one after another, so an event that ends in between may show in one and not in the other; asking again tells.
//!
//! | room | idea |
//! | --- | --- |
//! | `facts` | what store and broker answered |
//! | `account`, `parts` | what follows from that, for programs as it is |
//! | `words` | the same for people |

mod account;
mod facts;
mod parts;
mod words;

#[cfg(test)]
mod tests;

use clap::Args;
use foreshow_contract::{ContextId, ContextKey};
use foreshow_engine::Queue;

use self::account::Account;
use self::facts::Facts;
use crate::args::{Global, Tenant};
use crate::events;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::answer;
use crate::wiring::Client;

/// Tell what a context shows, what it waits for, and what happened to it.
#[derive(Debug, Args)]
#[command(after_help = "\
Times are UTC, by the store's clock. Limits are those of this command's own configuration: give it the workers'. A touch that prolonged a
preview is told as its new expiry; the history does not have it.")]
pub(crate) struct Why {
    /// The context's id
    context: ContextId,

    #[command(flatten)]
    tenant: Tenant,

    /// Happenings to tell of at most, the newest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

impl Why {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let key = self.tenant.key(&self.context);
        let loaded = Client::load(global)?;
        let limits = loaded.config.limits.clone();
        let Some(client) = Client::existing(loaded, global).await? else {
            return Err(events::unknown_context(&key));
        };
        let asking = async {
            let Some(facts) = Facts::ask(&client, &key, &limits, self.limit).await? else {
                return Err(unknown(&client, &key).await);
            };
            let account = Account::of(facts, client.urls());
            if global.json {
                answer(&serde_json::to_string(&account).or_fail(Exit::Environment)?)?;
            } else {
                answer(&words::told(&account))?;
            }
            Ok(Exit::Done)
        };
        client.until_interrupted(asking).await
    }
}

/// That the store knows no such context, and what may be the reason.
async fn unknown(client: &Client, key: &ContextKey) -> Failure {
    let consumers = client.backends.broker.has_consumers(Queue::Deploy).await;
    let remembers = client.backends.store.remembers().await;
    let failure = events::unknown_context(key);
    match (consumers, remembers) {
        (Ok(false), _) => failure.help(
            "no worker reads the events, so nobody has looked at one of this context yet: start one with `foreshow up` or \
             `foreshow worker`",
        ),
        (_, Ok(false)) => failure.help(format!("{}; ask again then", words::FORGETFUL)),
        (Ok(true) | Err(_), Ok(true) | Err(_)) => failure,
    }
}
