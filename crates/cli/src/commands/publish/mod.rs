//! `publish`: a directory becomes an event, and the event is followed to its end.

mod files;
mod report;

use std::cell::Cell;
use std::path::PathBuf;

use clap::Args;
use foreshow_bundle::Collected;
use foreshow_contract::{
    App, Content, ContextEvent, ContextId, ContextKey, ContextUpdated, EventKind, IncomingEvent,
    ProviderName, RejectionCode, ResultBody, ResultEvent, Retention, Revision, Routing, Timestamp,
};
use serde_json::json;

use self::files::Files;
use crate::args::{Global, Tenant};
use crate::ending::{Awaited, Heard, Hearing};
use crate::events;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{Progress, Stage, answer, bytes, count, tell};
use crate::ttl::Ttl;
use crate::wiring::{Client, providers};

/// Others may publish the same context at the same moment and be given the same number.
const REVISIONS_TRIED: u32 = 5;

/// Deploy a directory and follow it until its preview is ready.
#[derive(Debug, Args)]
#[command(after_help = "\
When the preview is ready its URL, alone, is written to standard output; everything else goes to standard error.
Left out are what .gitignore, .vercelignore and .foreshowignore say, and the defaults (.env, node_modules and the like);
a line such as `!dist/` in a .foreshowignore takes back.")]
pub(crate) struct Publish {
    /// The directory that holds the files
    dir: PathBuf,

    /// The context's id: the same one again gives the next revision of the same preview
    #[arg(long, value_name = "ID")]
    context: ContextId,

    #[command(flatten)]
    tenant: Tenant,

    /// The revision's number [default: the newest plus one, or the time in microseconds for a new context]
    #[arg(long, value_name = "N")]
    revision: Option<Revision>,

    /// Print the context's stable URL, which always shows its newest revision
    #[arg(long)]
    alias: bool,

    /// Return as soon as the event is in the queue, and print its id
    #[arg(long, conflicts_with = "alias")]
    no_wait: bool,

    /// Answer unknown paths with /index.html, for apps that route in the browser
    #[arg(long)]
    spa: bool,

    /// How long the preview is kept, as 90s, 15m, 24h or 7d; an update or a touch begins it anew [default: the worker's]
    #[arg(long, value_name = "DURATION")]
    ttl: Option<Ttl>,

    /// A provider to deploy to; repeated, the favourite first [default: any]
    #[arg(long = "provider", value_name = "NAME")]
    providers: Vec<String>,
}

impl Publish {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = Client::load(global)?;
        for doubt in providers::check_asked(&loaded.config, &self.asked_providers())? {
            if !global.quiet {
                tell(&format!("warning: {doubt}"));
            }
        }
        let progress = Progress::new(!global.quiet && !global.json);
        progress.at(Stage::Packing);
        // First of all, so that a mistyped name leaves no data folder behind.
        let collected = files::collect(&self.dir, &loaded.config.bundle).await?;
        let words = format!(
            "{}, {}",
            count(collected.files().len(), "file"),
            bytes(collected.total_bytes())
        );
        progress.note(words);
        let client = Client::with(loaded, global).await?;
        let is_published = Cell::new(false);
        let exit = client
            .until_interrupted(self.publish(global, &client, &collected, &progress, &is_published))
            .await;
        drop(progress);
        if matches!(exit, Ok(Exit::Interrupted)) && is_published.get() && !global.quiet {
            tell("Interrupted. The preview goes on without us: `foreshow previews` shows it.");
        }
        exit
    }

    async fn publish(
        &self,
        global: &Global,
        client: &Client,
        collected: &Collected,
        progress: &Progress,
        is_published: &Cell<bool>,
    ) -> Result<Exit, Failure> {
        let key = self.tenant.key(&self.context);
        let broker = &*client.backends.broker;
        let mut hearing = Hearing::of(broker, &key).await?;
        let mut tried = 1;
        let result = loop {
            let event = self.event(client, &key, collected).await?;
            events::publish(broker, &event).await?;
            is_published.set(true);
            progress.at(Stage::Queued);
            if self.no_wait {
                let id = event.envelope.id;
                let words = json!({ "eventId": id, "revision": event.event.revision() });
                answer(&if global.json { words.to_string() } else { id })?;
                return Ok(Exit::Done);
            }
            let ContextEvent::Updated(update) = &event.event else {
                unreachable!("it publishes updates")
            };
            let awaited = Awaited::known(&key, update.revision, EventKind::Update).sent_as(&event);
            let result = loop {
                let heard = hearing
                    .end_of(&awaited, |heard| follow(client, progress, &heard))
                    .await?;
                if client.is_end_of(update, &heard).await? {
                    break heard;
                }
                // Somebody else's, under the same revision: ours is about to be refused for that.
            };
            if self.revision.is_some() || tried >= REVISIONS_TRIED || !is_conflict(&result) {
                break result;
            }
            tried += 1;
        };
        progress.at(Stage::Ready);
        progress.aside(|| report::report(&result, collected, self.alias, global))
    }

    fn asked_providers(&self) -> Vec<ProviderName> {
        let names = self.providers.iter();
        names
            .map(|name| ProviderName::from(name.as_str()))
            .collect()
    }

    async fn event(
        &self,
        client: &Client,
        key: &ContextKey,
        collected: &Collected,
    ) -> Result<IncomingEvent, Failure> {
        let known = client
            .backends
            .store
            .context(key)
            .await
            .or_fail(Exit::Environment)?;
        let revision = events::next_revision(self.revision, known.as_ref(), Timestamp::now())?;
        let content = match files::carry(client, key, revision, collected).await? {
            Files::Inline(files) => Content::Files(files),
            Files::Bundle(bundle) => Content::Bundle(bundle),
        };
        events::enveloped(ContextEvent::Updated(ContextUpdated {
            app: App {
                spa_fallback: self.spa,
                ..App::default()
            },
            routing: Routing {
                providers: self.asked_providers(),
                strategy: None,
            },
            retention: Retention {
                ttl: self.ttl.map(|ttl| ttl.0),
                ..Retention::default()
            },
            ..ContextUpdated::new(key.clone(), revision, content)
        }))
    }
}

fn follow(client: &Client, progress: &Progress, heard: &Heard<'_>) {
    match heard {
        Heard::Progress(building) => progress.at(building.state.into()),
        Heard::Unattended => progress.aside(|| client.tell_unattended(heard)),
    }
}

fn is_conflict(result: &ResultEvent) -> bool {
    matches!(&result.body, ResultBody::Rejected(rejected) if rejected.code == RejectionCode::RevisionConflict)
}
