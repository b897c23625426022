//! The gates of providers' accounts, and waking those who wait for a build.
//!
//! All gates are fields of one hash, so that one command reads them: there is one for each lane of each account, which are
//! few. Their entries under a limit are a set each, in the same slot, since they count only together with the gate.
//!
//! A gate is stored as words: `1 <closed until> <why> <failures> <closings> <on trial until>`, with `-` where there is none.
//! One that can't be read, for a newer version wrote it, counts as open, as one does that was lost: it costs one refused call,
//! while an error would stop the account for good.

use std::{collections::BTreeMap, time::Duration};

use foreshow_contract::ContextKey;
use foreshow_engine::{Closed, Gate, GateAnswer, GateEntry, GateId, GateReport, gate::LOOK_AGAIN};
use redis::cmd;

use super::{
    answers::Done,
    error::RedisStoreError,
    keys::{gate_field, gate_of},
    scripts::{Call, ENTER_GATE, REPORT_GATE},
    steps::life_ms,
    store::Inner,
    text::{span, to_instant},
};

/// How much longer than they count a gate's entries are kept.
const KEEP_ENTRIES: Duration = Duration::from_hours(24);

impl Inner {
    pub(super) async fn gates(&self) -> Result<BTreeMap<GateId, Gate>, RedisStoreError> {
        let mut command = cmd("HGETALL");
        command.arg(self.keys.gates());
        let fields: Vec<(String, String)> = self.link.query("HGETALL", &command).await?;
        let gates = fields.iter().filter_map(|(field, stored)| {
            let gate = parse(stored).unwrap_or_default();
            Some((gate_of(field)?, gate))
        });
        Ok(gates.collect())
    }

    pub(super) async fn enter_gate(
        &self,
        gate: &GateId,
        entry: &GateEntry,
    ) -> Result<GateAnswer, RedisStoreError> {
        let mut call = Call::of(&ENTER_GATE)
            .key(self.keys.gates())
            .key(self.keys.gate_entries(gate))
            .arg(self.clock.given())
            .arg(gate_field(gate))
            .arg(span(entry.trial))
            .arg(span(LOOK_AGAIN));
        if let Some(limit) = entry.limit {
            let per = Duration::from_secs(limit.per_seconds.get().into());
            call = call
                .arg(entry.name.as_str())
                .arg(limit.count.to_string())
                .arg(span(per))
                .arg(life_ms(KEEP_ENTRIES, per));
        }
        self.call(call).await
    }

    pub(super) async fn report_gate(
        &self,
        gate: &GateId,
        report: &GateReport,
    ) -> Result<(), RedisStoreError> {
        let on_trial = |trial: bool| if trial { "1" } else { "" };
        let call = Call::of(&REPORT_GATE)
            .key(self.keys.gates())
            .arg(self.clock.given())
            .arg(gate_field(gate));
        let call = match *report {
            GateReport::Answered { trial } => call.arg("answered").arg(on_trial(trial)),
            GateReport::Limited { wait } => call.arg("limited").arg("").arg(span(wait)),
            GateReport::Down {
                trial,
                threshold,
                wait,
                wait_max,
            } => call
                .arg("down")
                .arg(on_trial(trial))
                .arg(span(wait))
                .arg(threshold.to_string())
                .arg(span(wait_max)),
        };
        self.call(call).await.map(|Done| ())
    }

    pub(super) async fn nudge(&self, key: &ContextKey) -> Result<(), RedisStoreError> {
        let mut command = cmd("PUBLISH");
        command.arg(self.keys.channel()).arg(key.to_string());
        let heard = self.link.query::<u64>("PUBLISH", &command);
        heard.await.map(|_| ())
    }
}

/// A gate, as `prelude.lua` writes it.
fn parse(stored: &str) -> Option<Gate> {
    let words: Vec<&str> = stored.split(' ').collect();
    let ["1", until, why, failures, closings, trial] = words[..] else {
        return None;
    };
    let instant = |word: &str| match word {
        "-" => Some(None),
        word => to_instant(word.as_bytes()).map(Some),
    };
    Some(Gate {
        closed: match instant(until)? {
            Some(until) => Some((until, Closed::from_word(why)?)),
            None => None,
        },
        failures: failures.parse().ok()?,
        closings: closings.parse().ok()?,
        trial_until: instant(trial)?,
        entries: BTreeMap::new(),
    })
}

#[cfg(test)]
mod tests {
    use foreshow_contract::Timestamp;

    use super::*;

    #[test]
    fn a_gate_is_read_as_it_is_written() {
        assert_eq!(parse("1 - - 0 0 -"), Some(Gate::default()));
        let closed = Gate {
            closed: Some((Timestamp::from_micros(70), Closed::Down)),
            failures: 2,
            closings: 3,
            trial_until: Some(Timestamp::from_micros(80)),
            entries: BTreeMap::new(),
        };
        let stored = "1 00000000000000000070 down 2 3 00000000000000000080";
        assert_eq!(parse(stored), Some(closed));
    }

    #[test]
    fn what_is_damaged_or_newer_cannot_be_read() {
        for stored in [
            "",
            "2 - - 0 0 -",
            "1 - - 0 0",
            "1 - - 0 0 - -",
            "1 70 sleepy 0 0 -",
            "1 soon down 0 0 -",
            "1 - - -1 0 -",
        ] {
            assert_eq!(parse(stored), None, "{stored}");
        }
    }
}
