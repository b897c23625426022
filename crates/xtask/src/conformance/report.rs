//! What was claimed: counted by part, out of the lines that the parts print.

use std::{collections::BTreeMap, fmt, fs, io::Write as _, path::Path, process::ExitStatus};

use anyhow::{Context, Result};

/// A line of ours, at once.
pub(super) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .context("cannot print")
}

/// The versions that a `package.json` pins.
pub(super) fn versions(file: &Path) -> Result<BTreeMap<String, String>> {
    let read = || format!("cannot read {}", file.display());
    let package: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(file).with_context(read)?).with_context(read)?;
    serde_json::from_value(package["dependencies"].clone()).with_context(read)
}

/// One part: a client, or a document.
#[derive(Debug)]
pub(super) struct Part {
    name: String,
    held: usize,
    failed: usize,
    /// Why it says nothing else.
    note: Option<String>,
    is_skipped: bool,
}

impl Part {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            held: 0,
            failed: 0,
            note: None,
            is_skipped: false,
        }
    }

    pub(super) fn skipped(name: String, why: String) -> Self {
        Self {
            note: Some(why),
            is_skipped: true,
            ..Self::new(name)
        }
    }

    /// Counts a line that begins a claim. Lines below it are about it.
    pub(super) fn hear(&mut self, line: &str) {
        if line.starts_with("ok ") {
            self.held += 1;
        } else if line.starts_with("FAILED ") {
            self.failed += 1;
        }
    }

    /// It has ended. Having said nothing, or well though a claim failed, or badly though none did, is a failure of its own.
    pub(super) fn end(&mut self, status: ExitStatus) {
        if status.success() && self.failed == 0 && self.held > 0
            || !status.success() && self.failed > 0
        {
            return;
        }
        self.failed += 1;
        self.note = Some(match self.held {
            0 if status.success() => "it made no claim".to_owned(),
            _ => format!("it ended unlike its claims: {status}"),
        });
    }
}

/// All parts.
#[derive(Debug, Default)]
pub(super) struct Report {
    parts: Vec<Part>,
}

impl Report {
    pub(super) fn add(&mut self, part: Part) {
        self.parts.push(part);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.parts.iter().any(|part| part.failed > 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .parts
            .iter()
            .map(|part| part.name.len())
            .max()
            .unwrap_or_default();
        for part in &self.parts {
            write!(formatter, "\n{:width$}  ", part.name)?;
            if part.is_skipped {
                write!(formatter, "skipped")?;
            } else {
                let claims = part.held + part.failed;
                write!(formatter, "{claims:>3} claims, {} failed", part.failed)?;
            }
            if let Some(note) = &part.note {
                write!(formatter, ": {note}")?;
            }
        }
        let sum = |of: fn(&Part) -> usize| self.parts.iter().map(of).sum::<usize>();
        write!(
            formatter,
            "\n{} claims, {} failed, {} skipped",
            sum(|part| part.held + part.failed),
            sum(|part| part.failed),
            sum(|part| usize::from(part.is_skipped)),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    fn ended(lines: &[&str], code: i32) -> Part {
        let mut part = Part::new("part".to_owned());
        for line in lines {
            part.hear(line);
        }
        part.end(ExitStatus::from_raw(code << 8));
        part
    }

    #[test]
    fn claims_are_counted_and_what_is_said_about_them_is_not() {
        let good = ended(&["ok one", "ok two", "  ok not a claim", "okay"], 0);
        assert_eq!((good.held, good.failed, good.note), (2, 0, None));
        let bad = ended(&["ok one", "FAILED two", "    FAILED why"], 1);
        assert_eq!((bad.held, bad.failed, bad.note), (1, 1, None));
    }

    #[test]
    fn a_part_that_is_dead_or_contradicts_itself_has_failed() {
        for (lines, code) in [
            (&[][..], 0),
            (&[][..], 1),
            (&["ok one"][..], 1),
            (&["ok one", "FAILED two"][..], 0),
        ] {
            let part = ended(lines, code);
            assert!(part.failed > 0 && part.note.is_some(), "{part:?}");
        }
    }

    #[test]
    fn the_summary_tells_what_was_skipped_and_why() {
        let mut report = Report::default();
        report.add(ended(&["ok one"], 0));
        report.add(Part::skipped("other".to_owned(), "no document".to_owned()));
        assert!(!report.has_failed());
        let told = "\npart     1 claims, 0 failed\nother  skipped: no document\n1 claims, 0 failed, 1 skipped";
        assert_eq!(report.to_string(), told);
        report.add(ended(&["FAILED one"], 1));
        assert!(report.has_failed());
        assert!(
            report
                .to_string()
                .ends_with("\n2 claims, 1 failed, 1 skipped")
        );
    }
}
