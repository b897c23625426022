//! What the lifecycle promises, in figures: how soon another worker goes on, what a storm costs, how fresh a preview is
//! under constant updates.
//!
//! Run by `cargo xtask bench lifecycle`; `cargo xtask bench lifecycle -- take-over fleet` runs that part on that ground
//! alone. Each part says what it was run with, and whether what was promised was kept; where it was not, the run fails.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod figures;
mod grounds;
mod handing;
mod storms;

use std::process::ExitCode;

use self::{figures::Verdicts, grounds::Grounds, handing::Leaves};

/// What can be chosen by its word.
const PARTS: [&str; 4] = ["take-over", "hand-over", "storm", "restless"];
const GROUNDS: [&str; 2] = ["sqlite", "fleet"];

fn main() -> ExitCode {
    // Cargo adds words of its own.
    let words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    let words: Vec<_> = words.collect();
    let is_known = |word: &String| PARTS.iter().chain(&GROUNDS).any(|known| known == word);
    if let Some(unknown) = words.iter().find(|word| !is_known(word)) {
        println!("there is no {unknown:?} to measure; choose among {PARTS:?} and {GROUNDS:?}");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    runtime.block_on(measure(&words))
}

async fn measure(words: &[String]) -> ExitCode {
    let mut verdicts = Verdicts::default();
    for ground in chosen(words, &GROUNDS) {
        let grounds = Grounds::start(ground).await;
        for part in chosen(words, &PARTS) {
            println!("\n{part} on {}", grounds.words());
            match part {
                "take-over" => handing::measure(&grounds, Leaves::Killed, &mut verdicts).await,
                "hand-over" => handing::measure(&grounds, Leaves::Asked, &mut verdicts).await,
                "storm" => storms::storm(&grounds, &mut verdicts).await,
                _ => storms::restless(&grounds, &mut verdicts).await,
            }
        }
    }
    verdicts.exit_code()
}

/// Those that were named; all where none was.
fn chosen<'a>(words: &[String], of: &[&'a str]) -> Vec<&'a str> {
    let named = of
        .iter()
        .copied()
        .filter(|one| words.iter().any(|word| word == one));
    let named: Vec<_> = named.collect();
    if named.is_empty() { of.to_vec() } else { named }
}
