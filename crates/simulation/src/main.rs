//! `simulate`: many seeds on every core, or one seed with its story.

use std::{
    collections::BTreeMap,
    io::{Write as _, stdout},
    num::NonZeroUsize,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
#[cfg(feature = "mutants")]
use foreshow_simulation::{Mutant, run_with};
use foreshow_simulation::{Report, Stats, run};

/// How many failing seeds are told in full, and how many of each broken promise are listed.
const TOLD: usize = 1;
const LISTED: u64 = 5;
/// Progress is shown this often.
const SHOWN_EVERY: Duration = Duration::from_secs(10);

/// Runs the real engine in simulated worlds, one a seed, and checks what it promises.
#[derive(Parser)]
struct Cli {
    /// How many seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This seed alone, with its story.
    #[arg(long)]
    seed: Option<u64>,
    /// Switch on each deliberate bug in turn, and run seeds until it is caught.
    #[cfg(feature = "mutants")]
    #[arg(long)]
    mutants: bool,
    /// Only this deliberate bug; with `--seed`, the story of that seed with it.
    #[cfg(feature = "mutants")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[cfg(feature = "mutants")]
    if cli.mutants || cli.mutant.is_some() {
        return each_mutant(&cli);
    }
    match cli.seed {
        Some(seed) => one(&run(seed, true)),
        None => many(cli.from, cli.seeds),
    }
}

fn say(line: &str) {
    // Whoever closed our output wants to hear no more.
    writeln!(stdout().lock(), "{line}").ok();
}

fn one(report: &Report) -> ExitCode {
    say(report.story.text());
    if let Some(violation) = &report.violation {
        say(&format!(
            "seed {} ({:?}) breaks {}: {}",
            report.seed, report.profile, violation.invariant, violation.why
        ));
        return ExitCode::FAILURE;
    }
    say(&format!(
        "seed {} ({:?}) holds; {}",
        report.seed, report.profile, report.stats
    ));
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Totals {
    done: u64,
    stats: Stats,
    failed: BTreeMap<u64, Report>,
    failed_count: u64,
    by_invariant: BTreeMap<&'static str, u64>,
}

fn many(from: u64, count: u64) -> ExitCode {
    let began_at = Instant::now();
    let next = AtomicU64::new(from);
    let totals = Mutex::new((Totals::default(), Instant::now()));
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let report = run(seed, false);
                    let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                    let (totals, shown_at) = &mut *totals;
                    totals.add(report);
                    if shown_at.elapsed() >= SHOWN_EVERY {
                        *shown_at = Instant::now();
                        say(&totals.progress(count, began_at));
                    }
                }
            });
        }
    });
    let (totals, _) = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&totals.progress(count, began_at));
    say(&totals.stats.to_string());
    if totals.failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for seed in totals.failed.keys().take(TOLD) {
        say(run(*seed, true).story.text());
    }
    for report in totals.failed.values() {
        if let Some(violation) = &report.violation {
            say(&format!(
                "seed {} ({:?}) breaks {}: {}",
                report.seed, report.profile, violation.invariant, violation.why
            ));
        }
    }
    for (invariant, count) in &totals.by_invariant {
        say(&format!("{count} seeds break {invariant}"));
    }
    if let Some(seed) = totals.failed.keys().next() {
        say(&format!(
            "the story of one: cargo xtask simulate --seed {seed}"
        ));
    }
    ExitCode::FAILURE
}

impl Totals {
    fn add(&mut self, report: Report) {
        self.done += 1;
        self.stats.add(&report.stats);
        if let Some(violation) = &report.violation {
            self.failed_count += 1;
            *self.by_invariant.entry(violation.invariant).or_default() += 1;
            if self.by_invariant[violation.invariant] <= LISTED
                || self.failed.keys().next() > Some(&report.seed)
            {
                self.failed.insert(report.seed, report);
            }
        }
    }

    fn progress(&self, count: u64, began_at: Instant) -> String {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let rate = self.done as f64 / began_at.elapsed().as_secs_f64();
        format!(
            "{} of {count} seeds, {rate:.0} a second, {} failed",
            self.done, self.failed_count
        )
    }
}

/// Seeds that each deliberate bug is given.
#[cfg(feature = "mutants")]
const MUTANT_SEEDS: u64 = 5_000;

#[cfg(feature = "mutants")]
fn each_mutant(cli: &Cli) -> ExitCode {
    let wanted = cli.mutant.as_deref();
    let mutants = Mutant::ALL.into_iter().filter(|mutant| {
        wanted.is_none_or(|wanted| format!("{mutant:?}").eq_ignore_ascii_case(wanted))
    });
    let mut survived = Vec::new();
    for mutant in mutants {
        if let Some(seed) = cli.seed {
            return one(&run_with(seed, Some(mutant), true));
        }
        let report = caught(mutant, cli.from, MUTANT_SEEDS);
        if let Some((report, violation)) =
            report.and_then(|report| Some((report.seed, report.violation?)))
        {
            let name = format!("{mutant:?}");
            say(&format!(
                "{name:<22} after {:>5} seeds  {}",
                report - cli.from + 1,
                violation.invariant
            ));
        } else {
            say(&format!("{mutant:?} survives {MUTANT_SEEDS} seeds"));
            survived.push(mutant);
        }
    }
    if survived.is_empty() {
        return ExitCode::SUCCESS;
    }
    say(&format!("not caught: {survived:?}"));
    ExitCode::FAILURE
}

/// The first seed that catches the bug.
#[cfg(feature = "mutants")]
fn caught(mutant: Mutant, from: u64, count: u64) -> Option<Report> {
    let next = AtomicU64::new(from);
    let first = Mutex::new(None::<Report>);
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_done = |first: &Option<Report>| {
                        first.as_ref().is_some_and(|first| first.seed < seed)
                    };
                    if seed >= from + count
                        || is_done(&first.lock().unwrap_or_else(PoisonError::into_inner))
                    {
                        return;
                    }
                    let report = run_with(seed, Some(mutant), false);
                    if report.violation.is_some() {
                        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                        if first.as_ref().is_none_or(|first| report.seed < first.seed) {
                            *first = Some(report);
                        }
                    }
                }
            });
        }
    });
    first.into_inner().unwrap_or_else(PoisonError::into_inner)
}
