//! How measurements are shown.

use std::{fmt, process::ExitCode, time::Duration};

/// Measurements of one thing.
#[derive(Default)]
pub(crate) struct Figures(Vec<Duration>);

impl Figures {
    /// The largest.
    pub(crate) fn max(&self) -> Duration {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// The smallest of those that are not below so many percent of all.
    fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

impl Extend<Duration> for Figures {
    fn extend<T: IntoIterator<Item = Duration>>(&mut self, more: T) {
        self.0.extend(more);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n={}", self.0.len())?;
        for (name, percent) in [("min", 0), ("p50", 50), ("p90", 90), ("max", 100)] {
            write!(f, "  {name} {:.3} s", self.quantile(percent).as_secs_f64())?;
        }
        Ok(())
    }
}

/// What was promised, and whether it was kept.
#[derive(Default)]
pub(crate) struct Verdicts {
    missed: Vec<String>,
}

impl Verdicts {
    /// Says so, and remembers what was not.
    pub(crate) fn is_kept(&mut self, kept: bool, promise: String) {
        println!("  {}: {promise}", if kept { "kept" } else { "MISSED" });
        if !kept {
            self.missed.push(promise);
        }
    }

    /// Fails where something was missed, naming it once more.
    pub(crate) fn exit_code(&self) -> ExitCode {
        for missed in &self.missed {
            println!("\nMISSED: {missed}");
        }
        if self.missed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
