//! What is told: a line for each fault while it runs, and a table at the end.

use std::{fmt::Write as _, time::Duration};

use crate::{
    check::{Counts, Verdict},
    faults::{Fault, NOT_COVERED, Strikes},
};

/// What came of one fault.
pub(crate) struct Line {
    pub(crate) fault: Fault,
    pub(crate) strikes: Strikes,
    pub(crate) verdict: Verdict,
    /// Copies of events that were published.
    pub(crate) copies: u32,
    /// Deployments that the two sweeps deleted.
    pub(crate) swept: u64,
    pub(crate) took: Duration,
}

impl Line {
    /// Everything that does not hold.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let violations = self.verdict.violations.iter().map(ToString::to_string);
        violations.chain(self.strikes.troubles.clone()).collect()
    }

    fn cells(&self) -> Vec<String> {
        let Counts {
            attempts,
            acknowledged,
            ok,
            lost,
            recovered,
            duplicated,
            unexpected,
            forgotten,
            failed,
            extra_creates,
            orphans,
        } = self.verdict.counts;
        let verdict = match self.wrong().len() {
            0 => "holds".to_owned(),
            wrong => format!("**{wrong} violations**"),
        };
        let told_twice = if forgotten > 0 {
            format!("{unexpected} (+{forgotten} forgotten)")
        } else {
            unexpected.to_string()
        };
        vec![
            self.fault.number(),
            format!("{}: {}", self.fault.name(), self.strikes.dose),
            attempts.to_string(),
            acknowledged.to_string(),
            ok.to_string(),
            lost.to_string(),
            recovered.to_string(),
            duplicated.to_string(),
            told_twice,
            failed.to_string(),
            extra_creates.to_string(),
            self.swept.to_string(),
            format!("{} / {}", orphans.0, orphans.1),
            times(&self.strikes.take_over),
            times(&self.strikes.hand_over),
            verdict,
        ]
    }

    /// For whoever watches.
    pub(crate) fn told(&self) -> String {
        let Counts {
            attempts,
            acknowledged,
            ok,
            lost,
            recovered,
            duplicated,
            unexpected,
            ..
        } = self.verdict.counts;
        let mut told = format!(
            "{} {} — {}\n    events {attempts} ({} copies), acknowledged {acknowledged}, ok {ok}, lost {lost}, recovered {recovered}, \
             duplicated {duplicated}, unexpected {unexpected}; extra creates {}, deleted by sweeps {}, orphans after one sweep {}, after two {}; {:.0} s",
            self.fault.number(),
            self.fault.name(),
            self.strikes.dose,
            self.copies,
            self.verdict.counts.extra_creates,
            self.swept,
            self.verdict.counts.orphans.0,
            self.verdict.counts.orphans.1,
            self.took.as_secs_f64(),
        );
        for (name, took) in [
            ("take-over", &self.strikes.take_over),
            ("hand-over", &self.strikes.hand_over),
        ] {
            if !took.is_empty() {
                write!(told, "\n    {name}: {}", times(took)).expect("text takes everything");
            }
        }
        let wrong = self.wrong();
        if wrong.is_empty() {
            told.push_str("\n    holds");
        }
        for what in wrong.iter().take(20) {
            write!(told, "\n    VIOLATION {what}").expect("text takes everything");
        }
        if wrong.len() > 20 {
            write!(told, "\n    and {} more", wrong.len() - 20).expect("text takes everything");
        }
        told
    }
}

/// A distribution, in a few figures.
fn times(took: &[Duration]) -> String {
    if took.is_empty() {
        return "—".to_owned();
    }
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    let at = |percent: usize| {
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted[rank - 1].as_secs_f64()
    };
    format!(
        "n={} p50 {:.2} s, p99 {:.2} s, max {:.2} s",
        sorted.len(),
        at(50),
        at(99),
        at(100)
    )
}

/// The whole, in Markdown.
pub(crate) fn markdown(lines: &[Line], command: &str, setting: &str) -> String {
    let head = [
        "fault",
        "what, and the dose",
        "attempts",
        "acknowledged",
        "ok",
        "lost",
        "recovered",
        "duplicated",
        "unexpected",
        "failed",
        "extra creates",
        "swept",
        "orphans after 1 / 2 sweeps",
        "take-over",
        "hand-over",
        "verdict",
    ];
    let mut text = format!("`{command}`\n\n{setting}\n\n");
    let mut row = |cells: &[String]| {
        writeln!(text, "| {} |", cells.join(" | ")).expect("text takes everything");
    };
    row(&head.map(str::to_owned));
    row(&head.map(|_| "---".to_owned()));
    for line in lines {
        row(&line.cells());
    }
    let sum = |of: fn(&Counts) -> usize| -> usize {
        lines.iter().map(|line| of(&line.verdict.counts)).sum()
    };
    writeln!(
        text,
        "\nIn all {} events, {} of them confirmed: {} lost, {} unexpected.\n\nNot covered by this runner: {}.",
        sum(|counts| counts.attempts),
        sum(|counts| counts.acknowledged),
        sum(|counts| counts.lost),
        sum(|counts| counts.unexpected),
        NOT_COVERED
            .map(|(fault, why)| format!("{fault} ({why})"))
            .join("; ")
    )
    .expect("text takes everything");
    text
}
