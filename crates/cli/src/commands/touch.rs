use std::time::Duration;

use clap::Args;
use foreshow_contract::{ContextEvent, ContextId, ContextKey, ContextTouched, Timestamp};
use foreshow_engine::Queue;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::args::{Global, Tenant};
use crate::ending::Heard;
use crate::events;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{answer, until};
use crate::wiring::Client;

/// A touch ends silently, so its effect is looked for; a busy or absent worker is no failure.
const LOOKS_FOR: Duration = Duration::from_secs(1);

/// Keep a context's preview for longer.
#[derive(Debug, Args)]
pub(crate) struct Touch {
    /// The context's id
    context: ContextId,

    #[command(flatten)]
    tenant: Tenant,
}

impl Touch {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let Some(client) = Client::open_existing(global).await? else {
            return Err(events::unknown_context(&self.tenant.key(&self.context)));
        };
        client.until_interrupted(self.touch(global, &client)).await
    }

    async fn touch(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let key = self.tenant.key(&self.context);
        let Some(before) = client
            .backends
            .store
            .context(&key)
            .await
            .or_fail(Exit::Environment)?
        else {
            return Err(events::unknown_context(&key));
        };
        if before.expires_at.is_none() {
            return Err(Failure::new(
                Exit::Failed,
                format!("nothing is live in {key}, so nothing can be kept for longer"),
            )
            .help("publish it again"));
        }
        let event = events::enveloped(ContextEvent::Touched(ContextTouched { key: key.clone() }))?;
        events::publish(&*client.backends.broker, &event).await?;
        let mut expires_at = prolonged(client, &key, before.expires_at).await?;
        if expires_at.is_none() {
            if matches!(
                client.backends.broker.has_consumers(Queue::Deploy).await,
                Ok(false)
            ) {
                client.tell_unattended(&Heard::Unattended);
            } else {
                // Touched just after another event: there was nothing to prolong.
                expires_at = before.expires_at;
            }
        }
        if global.json {
            let words = json!({ "eventId": event.envelope.id, "expiresAt": expires_at });
            _ = answer(&words.to_string());
            return Ok(Exit::Done);
        }
        match expires_at {
            Some(at) => {
                let left = until(at, Timestamp::now());
                _ = answer(&format!("{key} is kept: it expires {left} ({at})"));
            }
            None => _ = answer(&format!("{key} will be kept once a worker reads the event")),
        }
        Ok(Exit::Done)
    }
}

/// The new expiry, if it is there soon.
async fn prolonged(
    client: &Client,
    key: &ContextKey,
    before: Option<Timestamp>,
) -> Result<Option<Timestamp>, Failure> {
    let give_up_at = Instant::now() + LOOKS_FOR;
    while Instant::now() < give_up_at {
        let record = client
            .backends
            .store
            .context(key)
            .await
            .or_fail(Exit::Environment)?;
        let expires_at = record.and_then(|record| record.expires_at);
        if expires_at != before {
            return Ok(expires_at);
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(None)
}
