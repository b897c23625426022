//! Dropping: for good, so whoever drops by a filter hears first how many that would be.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};

use clap::Args;
use foreshow_contract::{Content, ContextEvent};
use foreshow_engine::{Decided, LetterId};
use serde_json::json;

use super::TWO_AT_ONCE;
use super::counts::{Counts, letters};
use super::filter::Selection;
use super::pass::{Ended, Pass, Wanted, missing};
use super::replay::superseded;
use super::seen::Seen;
use crate::args::Global;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{Counter, answer, tell};
use crate::wiring::Client;

/// Drop dead letters for good.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(crate) struct Discard {
    #[command(flatten)]
    selection: Selection,

    /// Say what would be dropped, and drop nothing
    #[arg(long)]
    dry_run: bool,

    /// Do not ask whether it is meant; needed where a filter finds more than one and nobody can be asked
    #[arg(long, short = 'y')]
    yes: bool,
}

fn after_help() -> String {
    format!(
        "\
Nobody hears of it: the event's end was told when it died. A bundle that Foreshow itself keeps for the event is released.

{TWO_AT_ONCE}

Exit codes: 0 dropped; 1 an id is not there, or it was not meant; 2 more than one by a filter, without --yes; 130 stopped by
Ctrl-C or SIGTERM, between two letters, after telling what was done."
    )
}

impl Discard {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        self.selection.check("drop")?;
        let mut dropped = Counts::default();
        let Some(client) = Client::open_existing(global).await? else {
            let ended = Ended {
                missing: self.selection.ids.clone(),
                is_interrupted: false,
            };
            return self.told(global, &dropped, &ended);
        };
        let mut wanted = Wanted::from(&self.selection);
        let must_ask = !self.yes && !self.dry_run && !self.selection.is_by_id();
        if must_ask {
            let (ids, counts, is_interrupted) = look(&client, wanted).await?;
            if is_interrupted {
                return Ok(Exit::Interrupted);
            }
            if counts.total > 1 {
                confirm(&counts).await?;
            }
            // Those that were counted, and no others.
            wanted = Wanted::These(ids.into_iter().collect());
        }
        let mut pass = Pass::begin(&client, wanted).await?;
        let counter = Counter::new(!global.quiet && !global.json);
        while let Some(seen) = pass.next().await? {
            if self.dry_run {
                dropped.add(&seen);
            } else if pass.discard(&seen.letter.id).await? == Decided::Done {
                dropped.add(&seen);
                release_bundle(&client, &seen).await;
            }
            counter.note(|| self.words(&dropped));
        }
        drop(counter);
        let mut ended = pass.end().await;
        if must_ask {
            // Whoever took them since has them.
            ended.missing.clear();
        }
        self.told(global, &dropped, &ended)
    }

    fn words(&self, dropped: &Counts) -> String {
        let would = if self.dry_run { " would be" } else { "" };
        format!("{}{would} dropped", letters(dropped.total))
    }

    fn told(&self, global: &Global, dropped: &Counts, ended: &Ended) -> Result<Exit, Failure> {
        if global.json {
            let not_found = ended.missing.iter();
            let not_found = not_found.map(|id| json!({ "id": id, "why": missing(id) }));
            let told = json!({
                "dryRun": self.dry_run,
                "dropped": dropped.json(),
                "missing": not_found.collect::<Vec<_>>(),
                "isInterrupted": ended.is_interrupted,
            });
            answer(&told.to_string())?;
        } else {
            ended.tell_missing();
            let mut told = self.words(dropped);
            if ended.is_interrupted {
                told = format!("Stopped: {told}; the rest is left");
            }
            if self.dry_run && dropped.total > 0 {
                told = format!("{told}\n\n{}", dropped.words());
            }
            answer(&told)?;
        }
        Ok(if ended.is_interrupted {
            Exit::Interrupted
        } else if ended.missing.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        })
    }
}

/// Counts what would be dropped.
async fn look(client: &Client, wanted: Wanted) -> Result<(Vec<LetterId>, Counts, bool), Failure> {
    let mut pass = Pass::begin(client, wanted).await?;
    let mut counts = Counts::default();
    let mut ids = Vec::new();
    while let Some(seen) = pass.next().await? {
        counts.add(&seen);
        ids.push(seen.letter.id);
    }
    let ended = pass.end().await;
    Ok((ids, counts, ended.is_interrupted))
}

/// Asks somebody at a terminal.
///
/// # Errors
/// With exit code 2 where there is nobody to ask, and 1 where they do not mean it.
async fn confirm(counts: &Counts) -> Result<(), Failure> {
    let what = format!("this drops {} for good", letters(counts.total));
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Failure::new(Exit::Usage, what)
            .help("say that it is meant with --yes, or look first with --dry-run"));
    }
    tell(&counts.words());
    let question = format!("\n{what}. Type yes: ");
    let asked = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        let mut out = stderr().lock();
        out.write_all(question.as_bytes())?;
        out.flush()?;
        stdin().read_line(&mut line)?;
        Ok::<_, std::io::Error>(line)
    });
    let line = asked
        .await
        .or_fail(Exit::Environment)?
        .or_fail(Exit::Environment)?;
    if line.trim().eq_ignore_ascii_case("yes") {
        Ok(())
    } else {
        Err(Failure::new(Exit::Failed, "nothing was dropped")
            .help("nothing but `yes` is taken for a yes"))
    }
}

/// The letter's event is gone for good: nobody asks for its own bundle in its name again. What can't be released goes when
/// it is old.
pub(super) async fn release_bundle(client: &Client, seen: &Seen) {
    let Ok(incoming) = &seen.event else {
        return;
    };
    let ContextEvent::Updated(update) = &incoming.event else {
        return;
    };
    let (Content::Bundle(bundle), Some(vault)) = (&update.content, &client.backends.bundles) else {
        return;
    };
    if bundle.as_local().is_none() {
        return;
    }
    // A replay of the same event may be on its way, and needs it; what nobody needs goes by age.
    if !matches!(superseded(client, seen).await, Ok(Some(_))) {
        return;
    }
    let released = vault.release(bundle, &update.key, update.revision).await;
    if let Err(error) = released {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a bundle was not released; it goes when it is old"
        );
    }
}
