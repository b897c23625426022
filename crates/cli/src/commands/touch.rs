use std::time::Duration;

use clap::Args;
use foreshow_contract::{ContextEvent, ContextId, ContextKey, ContextTouched, Timestamp};
use foreshow_engine::{ContextRecord, ContextStatus, Queue};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::args::{Global, Tenant};
use crate::ending::Heard;
use crate::events;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{answer, shell_quoted};
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
        // A touch of nothing is dropped without a word, so it is found out before the event is sent.
        let before = expiry(&key, recorded(client, &key).await?.as_ref())?;
        let event = events::enveloped(ContextEvent::Touched(ContextTouched { key: key.clone() }))?;
        events::publish(&*client.backends.broker, &event).await?;
        let mut kept_until = prolonged(client, &key, before).await?;
        if kept_until.is_none() {
            if matches!(
                client.backends.broker.has_consumers(Queue::Deploy).await,
                Ok(false)
            ) {
                client.tell_unattended(&Heard::Unattended);
            } else {
                // The worker is busy, or had nothing to add: until then it is kept in any case.
                kept_until = Some(before);
            }
        }
        let words = if global.json {
            json!({ "eventId": event.envelope.id, "expiresAt": kept_until }).to_string()
        } else {
            match kept_until {
                Some(at) => format!("{key} is kept until {at} at least"),
                None => format!("{key} will be kept once a worker reads the event"),
            }
        };
        answer(&words)?;
        Ok(Exit::Done)
    }
}

/// The new expiry, if it is there soon.
async fn prolonged(
    client: &Client,
    key: &ContextKey,
    before: Timestamp,
) -> Result<Option<Timestamp>, Failure> {
    let give_up_at = Instant::now() + LOOKS_FOR;
    while Instant::now() < give_up_at {
        let expires_at = expiry(key, recorded(client, key).await?.as_ref())?;
        if expires_at != before {
            return Ok(Some(expires_at));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(None)
}

async fn recorded(client: &Client, key: &ContextKey) -> Result<Option<ContextRecord>, Failure> {
    let record = client.backends.store.context(key).await;
    record.or_fail(Exit::Environment)
}

/// When the live preview expires.
///
/// # Errors
/// With exit code 1 where the context is not known, or nothing is live in it.
fn expiry(key: &ContextKey, record: Option<&ContextRecord>) -> Result<Timestamp, Failure> {
    let record = record.ok_or_else(|| events::unknown_context(key))?;
    record
        .expires_at
        .filter(|_| record.status(None) == ContextStatus::Live)
        .ok_or_else(|| {
            let what = format!("nothing is live in {key}, so there is nothing to keep");
            Failure::new(Exit::Failed, what).help(format!(
                "publish it: foreshow publish DIR --context {} --tenant {}",
                shell_quoted(key.context.as_str()),
                shell_quoted(key.tenant.as_str())
            ))
        })
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{Ordinal, Revision};

    use super::*;

    #[test]
    fn only_what_is_live_can_be_kept() {
        let key = ContextKey::try_new("acme", "ctx").unwrap();
        let told = |record: Option<&ContextRecord>| {
            let failure = expiry(&key, record).unwrap_err();
            assert_eq!(failure.exit, Exit::Failed);
            failure.to_string()
        };
        assert!(told(None).contains("there is no context ctx"));

        let revision = Revision::try_new(7).unwrap();
        let mut record = events::testing::record(Ordinal::update(revision));
        assert!(told(Some(&record)).contains("nothing is live in acme/ctx"));

        let at = Timestamp::from_micros(5);
        record.expires_at = Some(at);
        record.live = Some(events::testing::live(revision));
        assert_eq!(expiry(&key, Some(&record)).unwrap(), at);

        // Its end is accepted, and what was live is about to be removed.
        record.floor = Some(revision);
        assert!(told(Some(&record)).contains("nothing is live in acme/ctx"));
    }
}
