use std::collections::BTreeMap;

use clap::Args;
use foreshow_contract::{EventKind, Timestamp};
use serde_json::{Value, json};

use super::TWO_AT_ONCE;
use super::counts::{Counts, letters};
use super::filter::Filter;
use super::pass::{Pass, Wanted};
use super::seen::Seen;
use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::terminal::{Table, ago, answer, bytes, tell};
use crate::wiring::Client;

/// List dead letters, the oldest first, and count them by code and by tenant.
#[derive(Debug, Args)]
#[command(after_help = TWO_AT_ONCE)]
pub(crate) struct List {
    #[command(flatten)]
    filter: Filter,

    /// Show at most this many, the oldest; all are counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,

    /// Only count them
    #[arg(long)]
    count: bool,
}

impl List {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let Some(client) = Client::open_existing(global).await? else {
            self.told(global, &Counts::default(), &Listed::default())?;
            return Ok(Exit::Done);
        };
        let mut pass = Pass::begin(&client, Wanted::Matching(self.filter.clone())).await?;
        let mut counts = Counts::default();
        let mut listed = Listed::default();
        let now = client.backends.clock.now();
        while let Some(seen) = pass.next().await? {
            counts.add(&seen);
            if !self.count {
                listed.add(&seen, now, global.json, self.limit);
            }
        }
        let ended = pass.end().await;
        if ended.is_interrupted {
            return Ok(Exit::Interrupted);
        }
        self.told(global, &counts, &listed)?;
        Ok(Exit::Done)
    }

    fn told(&self, global: &Global, counts: &Counts, listed: &Listed) -> Result<(), Failure> {
        if global.json {
            let mut json = json!({ "counts": counts.json() });
            if !self.count {
                json["deadLetters"] = Value::Array(listed.json());
            }
            answer(&json.to_string())?;
        } else if counts.total == 0 {
            tell("There are no such dead letters.");
        } else if self.count {
            answer(&format!("{}\n\n{}", letters(counts.total), counts.words()))?;
        } else {
            answer(&listed.table().render())?;
            tell(&format!(
                "\n{}\n\n{}",
                letters(counts.total),
                counts.words()
            ));
            if counts.total > listed.rows.len() as u64 {
                tell(&format!(
                    "\nThese are the {} oldest; --limit shows more.",
                    listed.rows.len()
                ));
            }
        }
        Ok(())
    }
}

/// The letters that are shown: the oldest, whatever order the broker gives them in after somebody looked at them.
#[derive(Default)]
struct Listed {
    /// By when they died, and then as they came.
    rows: BTreeMap<(Timestamp, usize), Row>,
    came: usize,
}

enum Row {
    Json(Value),
    Cells([String; 9]),
}

impl Listed {
    fn add(&mut self, seen: &Seen, now: Timestamp, as_json: bool, limit: usize) {
        let nothing = || "-".to_owned();
        let row = if as_json {
            Row::Json(seen.summary())
        } else {
            Row::Cells([
                seen.letter.id.to_string(),
                ago(seen.at(), now),
                seen.code().to_owned(),
                seen.tenant().map_or_else(nothing, ToString::to_string),
                seen.context().map_or_else(nothing, ToString::to_string),
                event(seen),
                seen.letter.attempt.to_string(),
                seen.letter.replay.to_string(),
                bytes(seen.body_bytes()),
            ])
        };
        self.rows.insert((seen.at(), self.came), row);
        self.came += 1;
        if self.rows.len() > limit {
            self.rows.pop_last();
        }
    }

    fn json(&self) -> Vec<Value> {
        let rows = self.rows.values();
        let json = rows.filter_map(|row| match row {
            Row::Json(json) => Some(json.clone()),
            Row::Cells(_) => None,
        });
        json.collect()
    }

    fn table(&self) -> Table {
        let mut table = Table::new([
            "id", "died", "code", "tenant", "context", "event", "attempt", "replays", "size",
        ]);
        for row in self.rows.values() {
            if let Row::Cells(cells) = row {
                table.row(cells.clone());
            }
        }
        table
    }
}

/// `7 updated`, as far as it is known.
pub(super) fn event(seen: &Seen) -> String {
    let kind = seen.kind().map(EventKind::word);
    match (seen.revision(), kind) {
        (Some(revision), Some(kind)) => format!("{revision} {kind}"),
        (Some(revision), None) => revision.to_string(),
        (None, Some(kind)) => kind.to_owned(),
        (None, None) => "unreadable".to_owned(),
    }
}
