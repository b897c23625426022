//! A progress bar on standard error, where that is a terminal; nothing anywhere else.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use foreshow_contract::BuildingState;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a preview has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// We look for files, read and store them.
    Packing,
    /// The event waits for a worker.
    Queued,
    /// The worker reads and checks the files.
    Preparing,
    /// The provider gets what it lacks.
    Uploading,
    /// The provider builds.
    Building,
    /// Its URL is asked until it answers.
    Probing,
    /// It is there.
    Ready,
}

impl Stage {
    fn word(self) -> &'static str {
        match self {
            Self::Packing => "packing",
            Self::Queued => "queued",
            Self::Preparing => "preparing",
            Self::Uploading => "uploading",
            Self::Building => "building",
            Self::Probing => "probing",
            Self::Ready => "ready",
        }
    }
}

impl From<BuildingState> for Stage {
    fn from(state: BuildingState) -> Self {
        match state {
            BuildingState::Queued => Self::Queued,
            BuildingState::Preparing => Self::Preparing,
            BuildingState::Uploading => Self::Uploading,
            BuildingState::Building => Self::Building,
            BuildingState::Probing => Self::Probing,
        }
    }
}

/// The bar. Gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar; hidden where nobody can see it or nobody wants to.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let target = if is_wanted && stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(Stage::Ready as u64), target);
        let style = ProgressStyle::with_template(
            "{spinner:.cyan} {bar:20.cyan/dim} {prefix:9} {wide_msg:.dim} {elapsed}",
        );
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸─").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        }
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(80));
        }
        Self { bar }
    }

    /// Has come this far. A stage that is told late does not move the bar back.
    pub(crate) fn at(&self, stage: Stage) {
        if stage as u64 >= self.bar.position() {
            self.bar.set_prefix(stage.word());
            self.bar.set_position(stage as u64);
        }
    }

    /// A few words beside the bar.
    pub(crate) fn note(&self, words: impl Into<String>) {
        self.bar.set_message(words.into());
    }

    /// Writes something while the bar is out of the way.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A line that counts what has no end that is known before. Gone from the screen when it is dropped.
#[derive(Debug)]
pub(crate) struct Counter {
    bar: ProgressBar,
}

impl Counter {
    /// A line; hidden where nobody can see it or nobody wants to.
    pub(crate) fn new(is_wanted: bool) -> Self {
        let bar = if is_wanted && stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(80));
        }
        Self { bar }
    }

    /// What the line says now.
    pub(crate) fn note(&self, words: impl FnOnce() -> String) {
        if !self.bar.is_hidden() {
            self.bar.set_message(words());
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_report_does_not_move_the_bar_back() {
        let progress = Progress::new(false);
        progress.at(Stage::Building);
        progress.at(Stage::Queued);
        assert_eq!(progress.bar.position(), Stage::Building as u64);
    }
}
