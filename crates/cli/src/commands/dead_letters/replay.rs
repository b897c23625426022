//! Replaying: publish again, at a pace that leaves room for live traffic.
//!
//! What a newer event has overtaken is not worth a worker's time: its end was told when it died, and the newest revision wins
//! anyway. So it is dropped instead, unless somebody wants to keep it. The store is asked for each letter, and right then: what
//! a replay of ten minutes comes to last is judged by what is newest by then. Where the store does not know the context, or
//! is overtaken between the question and the replay, the worker finds out and tells `superseded`.

use std::num::NonZeroU32;

use clap::Args;
use foreshow_contract::Ordinal;
use foreshow_engine::{Attempts, Decided};
use serde_json::{Value, json};

use super::TWO_AT_ONCE;
use super::counts::{Counts, letters};
use super::discard::release_bundle;
use super::filter::Selection;
use super::pace::Pace;
use super::pass::{Ended, Pass, Wanted, missing};
use super::seen::Seen;
use crate::args::Global;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{Counter, answer, one_line};
use crate::wiring::Client;

/// Skipped letters that are told one by one, to people.
const SKIPPED_SHOWN: usize = 10;

/// Publish again what was given up, as a new life of its revision.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub(crate) struct Replay {
    #[command(flatten)]
    selection: Selection,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// At most so many a second, so that live events go on
    #[arg(long, value_name = "N", default_value = "50")]
    rate: NonZeroU32,

    /// Wait while more than so many events wait for a worker where replays go: updates in the backlog, ends in the clean-up queue
    #[arg(long, value_name = "N", default_value_t = 100)]
    backlog: u64,

    /// Go on with the attempt that failed last, and with the message's age, instead of starting anew
    #[arg(long)]
    keep_attempts: bool,

    /// Leave what a newer event has superseded, instead of dropping it
    #[arg(long)]
    keep_superseded: bool,
}

fn after_help() -> String {
    format!(
        "\
Each message goes to the queue that it came from, exactly as it was published, and is then removed from the dead letters: killed
half-way it leaves one message twice at most, and loses none. Unless --keep-attempts is given it starts with its first attempt.
Its result has an id of its own (`…/replay-1`), so consumers that drop repeats hear of it.

What a newer event of its context has superseded is dropped. What cannot be replayed is left, and told: a message whose body was
left out, or that no queue takes.

{TWO_AT_ONCE}

Exit codes: 0 all that was meant was replayed or was superseded; 1 some could not be replayed, or an id is not there; 130 stopped
by Ctrl-C or SIGTERM, between two letters, after telling what was done."
    )
}

impl Replay {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        self.selection.check("replay")?;
        let mut done = Done::default();
        let Some(client) = Client::open_existing(global).await? else {
            let ended = Ended {
                missing: self.selection.ids.clone(),
                is_interrupted: false,
            };
            return self.told(global, &done, &ended);
        };
        let mut pass = Pass::begin(&client, Wanted::from(&self.selection)).await?;
        let counter = Counter::new(!global.quiet && !global.json);
        let mut pace = Pace::new(self.rate, self.backlog);
        let replayed = self
            .replay_all(&client, &mut pass, &mut pace, &mut done, &counter)
            .await;
        drop(counter);
        match replayed {
            Ok(()) => {
                let ended = pass.end().await;
                self.told(global, &done, &ended)
            }
            Err(failure) => {
                // What was done so far is done.
                let ended = Ended {
                    missing: Vec::new(),
                    is_interrupted: false,
                };
                self.told(global, &done, &ended)?;
                Err(failure)
            }
        }
    }

    async fn replay_all(
        &self,
        client: &Client,
        pass: &mut Pass,
        pace: &mut Pace,
        done: &mut Done,
        counter: &Counter,
    ) -> Result<(), Failure> {
        while let Some(seen) = pass.next().await? {
            self.replay_one(client, pass, pace, done, &seen).await?;
            counter.note(|| done.words(self.dry_run));
        }
        Ok(())
    }

    async fn replay_one(
        &self,
        client: &Client,
        pass: &mut Pass,
        pace: &mut Pace,
        done: &mut Done,
        seen: &Seen,
    ) -> Result<(), Failure> {
        let id = &seen.letter.id;
        if superseded(client, seen).await?.is_some() {
            if self.keep_superseded {
                done.superseded_left += 1;
            } else if self.dry_run {
                done.superseded += 1;
            } else if pass.discard(id).await? == Decided::Done {
                done.superseded += 1;
                release_bundle(client, seen).await;
            }
            return Ok(());
        }
        let queue = match seen.letter.destination() {
            Ok(queue) => queue,
            Err(why) => {
                done.skipped.push((id.to_string(), why.to_string()));
                return Ok(());
            }
        };
        if self.dry_run {
            done.replayed.add(seen);
            return Ok(());
        }
        let attempts = if self.keep_attempts {
            Attempts::Keep
        } else {
            Attempts::Reset
        };
        let broker = &*client.backends.broker;
        let turn = async || pace.turn(broker, queue).await;
        if pass.wait(turn).await? && pass.replay(id, attempts).await? == Decided::Done {
            done.replayed.add(seen);
        }
        Ok(())
    }

    fn told(&self, global: &Global, done: &Done, ended: &Ended) -> Result<Exit, Failure> {
        if global.json {
            answer(&done.json(self.dry_run, ended).to_string())?;
        } else {
            ended.tell_missing();
            answer(&done.told(self.dry_run, ended))?;
        }
        Ok(if ended.is_interrupted {
            Exit::Interrupted
        } else if done.skipped.is_empty() && ended.missing.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        })
    }
}

/// What is newer than the letter's event, if it is that which its context wants. One that never reached a queue has not
/// been told its end: that is a worker's to do, so it is not asked for.
pub(super) async fn superseded(client: &Client, seen: &Seen) -> Result<Option<Ordinal>, Failure> {
    let (Some(key), Some(ordinal), Some(_)) = (seen.key(), seen.ordinal(), seen.letter.queue)
    else {
        return Ok(None);
    };
    let record = client.backends.store.context(key).await;
    let record = record.or_fail(Exit::Environment)?;
    Ok(record
        .map(|record| record.desired)
        .filter(|desired| *desired > ordinal))
}

/// What a replay did, or would do.
#[derive(Debug, Default)]
struct Done {
    replayed: Counts,
    superseded: u64,
    superseded_left: u64,
    skipped: Vec<(String, String)>,
}

impl Done {
    /// In one line.
    fn words(&self, is_dry_run: bool) -> String {
        let [replayed, dropped] = if is_dry_run {
            ["would be replayed", "superseded would be dropped"]
        } else {
            ["replayed", "superseded dropped"]
        };
        let mut words = vec![format!("{} {replayed}", letters(self.replayed.total))];
        let more = [
            (self.superseded, dropped),
            (self.superseded_left, "superseded left"),
            (self.skipped.len() as u64, "cannot be replayed and left"),
        ];
        for (count, what) in more {
            if count > 0 {
                words.push(format!("{count} {what}"));
            }
        }
        words.join(", ")
    }

    fn told(&self, is_dry_run: bool, ended: &Ended) -> String {
        let mut told = self.words(is_dry_run);
        if ended.is_interrupted {
            told = format!("Stopped: {told}; the rest is left");
        }
        let mut lines = vec![told];
        if is_dry_run && self.replayed.total > 0 {
            lines.push(format!("\n{}", self.replayed.words()));
        }
        for (id, why) in self.skipped.iter().take(SKIPPED_SHOWN) {
            lines.push(format!("{id} is left: {}", one_line(why)));
        }
        let more = self.skipped.len().saturating_sub(SKIPPED_SHOWN);
        if more > 0 {
            lines.push(format!("… and {more} more; --json tells of all"));
        }
        lines.join("\n")
    }

    fn json(&self, is_dry_run: bool, ended: &Ended) -> Value {
        let skipped = self.skipped.iter();
        let skipped = skipped.map(|(id, why)| json!({ "id": id, "why": why }));
        json!({
            "dryRun": is_dry_run,
            "replayed": self.replayed.json(),
            "supersededDropped": self.superseded,
            "supersededLeft": self.superseded_left,
            "skipped": skipped.collect::<Vec<_>>(),
            "missing": ended.missing.iter().map(|id| json!({ "id": id, "why": missing(id) })).collect::<Vec<_>>(),
            "isInterrupted": ended.is_interrupted,
        })
    }
}
