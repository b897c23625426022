use clap::Args;
use foreshow_contract::{
    ContextEnded, ContextEvent, ContextId, EventKind, OrdinalKind, ResultBody, ResultEvent,
};
use foreshow_engine::Outcome;
use serde_json::json;

use crate::args::{Global, Tenant};
use crate::ending::{Awaited, Hearing};
use crate::events;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::answer;
use crate::wiring::Client;

/// End a context and remove its previews.
#[derive(Debug, Args)]
pub(crate) struct End {
    /// The context's id
    context: ContextId,

    #[command(flatten)]
    tenant: Tenant,

    /// Why, for whoever reads the event
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Do not wait until its previews are removed
    #[arg(long)]
    no_wait: bool,
}

impl End {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let Some(client) = Client::open_existing(global).await? else {
            return Err(events::unknown_context(&self.tenant.key(&self.context)));
        };
        client.until_interrupted(self.end(global, &client)).await
    }

    async fn end(self, global: &Global, client: &Client) -> Result<Exit, Failure> {
        let key = self.tenant.key(&self.context);
        let broker = &*client.backends.broker;
        let mut hearing = Hearing::of(broker, &key).await?;
        let Some(record) = client
            .backends
            .store
            .context(&key)
            .await
            .or_fail(Exit::Environment)?
        else {
            return Err(events::unknown_context(&key));
        };
        let revision = record.desired.revision;
        let awaited = match record.desired.kind {
            // Ended already, perhaps for another reason: a second event of the same revision would be a conflict.
            OrdinalKind::End => {
                let store = &client.backends.store;
                let settled = store
                    .outcome(&key, record.desired)
                    .await
                    .or_fail(Exit::Environment)?;
                match settled.map(|settled| settled.outcome) {
                    Some(Outcome::Removed { .. }) => {
                        let json = json!({ "tenantId": key.tenant, "contextId": key.context, "revision": revision });
                        let words = format!("{key} had ended already, at revision {revision}");
                        return told(global, &json.to_string(), &words);
                    }
                    Some(Outcome::Failed { report }) => {
                        let what = format!("{key} could not be ended before: {}", report.message);
                        return Err(Failure::new(Exit::Failed, what)
                            .help("publish it once more, then end it"));
                    }
                    Some(
                        Outcome::Ready(_) | Outcome::Superseded { .. } | Outcome::Reset { .. },
                    )
                    | None => {}
                }
                Awaited::known(&key, revision, EventKind::End)
            }
            OrdinalKind::Update => {
                let ended = ContextEnded {
                    key: key.clone(),
                    revision,
                    reason: self.reason,
                };
                let event = events::enveloped(ContextEvent::Ended(ended))?;
                events::publish(broker, &event).await?;
                if self.no_wait {
                    return told(
                        global,
                        &json!({ "eventId": event.envelope.id }).to_string(),
                        &event.envelope.id,
                    );
                }
                Awaited::known(&key, revision, EventKind::End).sent_as(&event)
            }
        };
        if self.no_wait {
            return Ok(Exit::Done);
        }
        let result = hearing
            .end_of(&awaited, |heard| client.tell_unattended(&heard))
            .await?;
        report(global, &result)
    }
}

fn report(global: &Global, result: &ResultEvent) -> Result<Exit, Failure> {
    if global.json {
        answer(&String::from_utf8_lossy(&result.to_json()))?;
    }
    let failure = match &result.body {
        ResultBody::Removed(removed) => {
            if !global.json {
                answer(&format!(
                    "{} has ended: its previews are removed",
                    removed.key
                ))?;
            }
            return Ok(Exit::Done);
        }
        ResultBody::Superseded(superseded) => {
            let what = format!(
                "{} was not ended: revision {} came meanwhile",
                superseded.key, superseded.winner.revision
            );
            Failure::new(Exit::Failed, what).help("end it again, if it shall end nevertheless")
        }
        ResultBody::Failed(failed) => Failure::new(
            Exit::Failed,
            format!(
                "{} could not be ended: {}",
                failed.key, failed.error.message
            ),
        ),
        ResultBody::Rejected(rejected) => Failure::new(
            Exit::Failed,
            format!(
                "the event was rejected ({}): {}",
                rejected.code, rejected.message
            ),
        ),
        ResultBody::Ready(_) | ResultBody::Building(_) => Failure::new(
            Exit::Failed,
            format!("the end was answered with {}", result.outcome()),
        ),
    };
    if global.json {
        Ok(failure.exit)
    } else {
        Err(failure)
    }
}

fn told(global: &Global, json: &str, words: &str) -> Result<Exit, Failure> {
    answer(if global.json { json } else { words })?;
    Ok(Exit::Done)
}
