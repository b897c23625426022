//! A world's story: numbered lines of what happened. Told only where somebody will read it; a seed can be run again.

use std::{fmt::Write as _, time::Duration};

/// Lines of what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    is_told: bool,
    lines: usize,
    text: String,
}

impl Story {
    /// A story that is told, or one that stays empty.
    pub fn new(is_told: bool) -> Self {
        Self {
            is_told,
            ..Self::default()
        }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_told(&self) -> bool {
        self.is_told
    }

    pub(crate) fn line(&mut self, at: Duration, who: &str, what: &str) {
        self.lines += 1;
        let (seconds, millis) = (at.as_secs(), at.subsec_millis());
        writeln!(
            self.text,
            "{:>4} {seconds:>4}.{millis:03}s {who:<5} {what}",
            self.lines
        )
        .expect("a string takes every line");
    }
}
