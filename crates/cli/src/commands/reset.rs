use std::io::{IsTerminal as _, Write as _, stderr, stdin};
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use foreshow_contract::{ContextEvent, ContextId, ContextKey, ContextReset, ResetId};
use foreshow_engine::{ContextRecord, Queue};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::args::{Global, Tenant};
use crate::ending::Heard;
use crate::events;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{answer, shell_quoted};
use crate::wiring::Client;

/// How often it is looked whether a worker has done it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often it is said that nobody reads the queue.
const UNATTENDED_AFTER: Duration = Duration::from_secs(3);

/// Forget a context that a revision far too great has closed, so that any revision is its newest.
#[derive(Debug, Args)]
#[command(after_help = "\
An upstream service that once sent a revision such as 9007199254740991 has closed the context: nothing newer can ever come. A
reset removes everything that was deployed for it, and forgets its order and how its events ended; whatever comes next, however
small its revision, is the newest.

Messages of the old revisions that still wait in a queue are new again then. So stop the upstream service first, or let the
queues run dry. Consumers that drop results by their ids may drop those of revisions that come once more.")]
pub(crate) struct Reset {
    /// The context's id
    context: ContextId,

    #[command(flatten)]
    tenant: Tenant,

    /// Do not ask whether it is meant
    #[arg(long, short = 'y')]
    yes: bool,

    /// Do not wait until a worker has done it
    #[arg(long)]
    no_wait: bool,
}

impl Reset {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let Some(client) = Client::open_existing(global).await? else {
            return Err(events::unknown_context(&self.tenant.key(&self.context)));
        };
        client.until_interrupted(self.reset(global, &client)).await
    }

    async fn reset(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let key = self.tenant.key(&self.context);
        let Some(before) = recorded(client, &key).await? else {
            return Err(events::unknown_context(&key));
        };
        if !self.yes {
            confirm(&key, &before).await?;
        }
        // By the store's clock, as everything that is compared with it.
        let asked_at = client
            .backends
            .store
            .now()
            .await
            .or_fail(Exit::Environment)?;
        let reset = ResetId::asked_at(asked_at, random()?);
        let event = events::enveloped(ContextEvent::Reset(ContextReset {
            key: key.clone(),
            reset: reset.clone(),
        }))?;
        events::publish(&*client.backends.broker, &event).await?;
        let mut told = json!({
            "eventId": event.envelope.id,
            "resetId": reset.as_str(),
            "tenantId": key.tenant,
            "contextId": key.context,
            "previousRevision": before.desired.revision,
            "previousLiveRevision": before.live.as_ref().map(|live| live.revision),
            "isDone": false,
        });
        if self.no_wait {
            return tell(global, &told, &event.envelope.id);
        }
        until_done(client, &key, &reset).await?;
        told["isDone"] = Value::Bool(true);
        tell(global, &told, &done(&key, &before))
    }
}

fn tell(global: &Global, json: &Value, words: &str) -> Result<Exit, Failure> {
    answer(&if global.json {
        json.to_string()
    } else {
        words.to_owned()
    })?;
    Ok(Exit::Done)
}

/// What the context was, for whoever is asked.
fn described(record: &ContextRecord) -> String {
    let live = record.live.as_ref().map_or_else(
        || "nothing is live".to_owned(),
        |live| format!("revision {} is live", live.revision),
    );
    format!("its newest event is {}, and {live}", record.desired)
}

fn done(key: &ContextKey, before: &ContextRecord) -> String {
    format!(
        "{key} is reset: its newest event was {}{}. Whatever comes next is its newest",
        before.desired,
        before
            .live
            .as_ref()
            .map_or_else(String::new, |live| format!(
                ", and revision {}, which was live, is removed",
                live.revision
            ))
    )
}

/// Asks somebody at a terminal.
///
/// # Errors
/// With exit code 2 where there is nobody to ask, and 1 where they do not mean it.
async fn confirm(key: &ContextKey, before: &ContextRecord) -> Result<(), Failure> {
    let is_asked = stdin().is_terminal() && stderr().is_terminal();
    let again = format!(
        "foreshow reset {} --tenant {} --yes",
        shell_quoted(key.context.as_str()),
        shell_quoted(key.tenant.as_str())
    );
    if !is_asked {
        let what = format!(
            "a reset of {key} removes its previews and forgets its order: {}",
            described(before)
        );
        return Err(Failure::new(Exit::Usage, what).help(format!("say that it is meant: {again}")));
    }
    let question = format!(
        "{key}: {}. Remove its previews, and forget all that was? Type yes: ",
        described(before)
    );
    let answered = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        let mut out = stderr().lock();
        out.write_all(question.as_bytes())?;
        out.flush()?;
        stdin().read_line(&mut line)?;
        Ok::<_, std::io::Error>(line)
    });
    let line = answered
        .await
        .or_fail(Exit::Environment)?
        .or_fail(Exit::Environment)?;
    if line.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        let what = format!("{key} was left as it is");
        Err(Failure::new(Exit::Failed, what).help("nothing but `yes` is taken for a yes"))
    }
}

/// Waits until the record tells that this reset is done, be it with another one that ended since.
async fn until_done(client: &Client, key: &ContextKey, reset: &ResetId) -> Result<(), Failure> {
    let mut look_at_consumers = Instant::now() + UNATTENDED_AFTER;
    loop {
        let record = recorded(client, key).await?;
        let last = record.and_then(|record| record.last_reset);
        if last.is_some_and(|last| last.answers(reset)) {
            return Ok(());
        }
        if Instant::now() >= look_at_consumers {
            look_at_consumers += Duration::from_mins(10);
            let asked = client.backends.broker.has_consumers(Queue::Cleanup).await;
            if matches!(asked, Ok(false)) {
                client.tell_unattended(&Heard::Unattended);
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn recorded(client: &Client, key: &ContextKey) -> Result<Option<ContextRecord>, Failure> {
    let record = client.backends.store.context(key).await;
    record.or_fail(Exit::Environment)
}

fn random() -> Result<u128, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let error = anyhow!("the system gave no random bytes: {error}");
        Failure::of(Exit::Environment, error)
    })?;
    Ok(u128::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{Ordinal, Revision};

    use super::*;

    #[test]
    fn it_is_told_what_was_there() {
        let key = ContextKey::try_new("acme", "ctx").unwrap();
        let mut record = events::testing::record(Ordinal::update(Revision::MAX));
        assert!(described(&record).contains("9007199254740991 updated, and nothing is live"));
        record.live = Some(events::testing::live(Revision::try_new(7).unwrap()));
        assert!(described(&record).contains("revision 7 is live"));
        assert!(done(&key, &record).contains("revision 7, which was live, is removed"));
    }
}
