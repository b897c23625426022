//! The promises under fire: real workers, RabbitMQ and Redis, and a simulator of Vercel, broken in every way that one machine can,
//! one family of faults after another; then a checker that knows what was published and what was told.
//!
//! `cargo xtask chaos` builds everything and runs this. What it prints, it also writes as a table. A violation is told with ids,
//! and the run fails.
//!
//! | room | idea |
//! | --- | --- |
//! | `world` | servers, proxies, workers as processes, the simulator |
//! | `load` | what upstream publishes, from the seed |
//! | `faults` | what is broken, and how much |
//! | `log`, `books` | what was told; what the provider and the store have |
//! | `check` | the judge, pure |
//! | `report` | lines and the table |
#![expect(clippy::print_stdout, reason = "a chaos run tells its figures")]

mod books;
mod check;
mod faults;
mod load;
mod log;
mod report;
mod world;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use foreshow_contract::Timestamp;

use self::{
    check::{Kind, Run, Violation},
    faults::{Fault, Strike, Strikes},
    load::Plan,
    report::Line,
    world::World,
};

/// Break everything, and see whether the promises hold.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask chaos")]
struct Options {
    /// For how long faults strike, in minutes, all families together; with the rests between it takes about three times as long.
    #[arg(long, default_value_t = 3.0)]
    minutes: f64,

    /// What faults and load follow from [default: a random one, which is told]
    #[arg(long)]
    seed: Option<u64>,

    /// Only these, e.g. `F2,F8`
    #[arg(long, value_delimiter = ',', value_name = "F2,F8,…")]
    faults: Vec<String>,

    /// Events to publish, all families together [default: as many as the time is good for]
    #[arg(long)]
    events: Option<usize>,

    /// Where to write the table, as Markdown
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Of each revision's events in a second of a family's time, over all contexts: what a debug build on two cores keeps up with.
const EVENTS_PER_SECOND: f64 = 20.0;
/// How long everything may take to end after everything is well again.
const NEVER: Duration = Duration::from_mins(2);

fn main() -> ExitCode {
    let options = Options::parse();
    let chosen = match chosen(&options.faults) {
        Ok(chosen) => chosen,
        Err(unknown) => {
            println!(
                "there is no fault {unknown:?} here; there are {}",
                Fault::ALL.map(Fault::number).join(", ")
            );
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be had");
    let code = runtime.block_on(run(&options, &chosen));
    // The process ends here. A runtime that is taken down under a connection's own thread has that panic.
    std::mem::forget(runtime);
    code
}

/// Those that were named; all where none was.
fn chosen(named: &[String]) -> Result<Vec<Fault>, String> {
    if named.is_empty() {
        return Ok(Fault::ALL.to_vec());
    }
    let find = |name: &String| {
        let mut all = Fault::ALL.into_iter();
        let found = all.find(|fault| fault.number().eq_ignore_ascii_case(name));
        found.ok_or_else(|| name.clone())
    };
    named.iter().map(find).collect()
}

async fn run(options: &Options, chosen: &[Fault]) -> ExitCode {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    #[expect(clippy::cast_precision_loss, reason = "there are few faults")]
    let each = Duration::from_secs_f64(options.minutes.max(0.1) * 60.0 / chosen.len() as f64);
    println!(
        "chaos with seed {seed}: {} families, {:.0} s each",
        chosen.len(),
        each.as_secs_f64()
    );
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive count of events"
    )]
    let events = options.events.map_or_else(
        || (each.as_secs_f64() * EVENTS_PER_SECOND) as usize,
        |events| events / chosen.len(),
    );
    let began = Instant::now();
    let mut world = World::start().await;
    let mut lines = Vec::new();
    for fault in chosen {
        let line = family(&mut world, *fault, seed, each, events).await;
        println!("{}", line.told());
        if !line.wrong().is_empty() {
            match world.keep_logs(&fault.number()) {
                Ok(folder) => println!("    what the workers said: {}", folder.display()),
                Err(error) => println!("    what the workers said could not be kept: {error}"),
            }
            // The next family begins with workers of its own.
            world.heal(true).await;
        }
        lines.push(line);
    }
    let mut command = format!(
        "cargo xtask chaos --minutes {} --seed {seed}",
        options.minutes
    );
    if !options.faults.is_empty() {
        command = format!("{command} --faults {}", options.faults.join(","));
    }
    if let Some(events) = options.events {
        command = format!("{command} --events {events}");
    }
    let rabbitmq = world.vhost().management().get("overview").await;
    let rabbitmq = rabbitmq.ok().flatten().unwrap_or_default();
    let setting = format!(
        "{} UTC, RabbitMQ {}, {} workers in a {} build, leases of {:.0} s, {:.0} min in all.",
        Timestamp::now(),
        rabbitmq["rabbitmq_version"].as_str().unwrap_or("?"),
        world::WORKERS,
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
        world::TTL.as_secs_f64(),
        began.elapsed().as_secs_f64() / 60.0,
    );
    let markdown = report::markdown(&lines, &command, &setting);
    if let Some(path) = &options.report {
        std::fs::write(path, &markdown).expect("the report can be written");
    }
    let forgot: Vec<_> = lines
        .iter()
        .filter(|line| line.fault.bounds(&line.strikes).memory_lost)
        .map(|line| prefix(line.fault))
        .collect();
    let late = check::check_late(&world.log.all_heard(began), |context| {
        forgot.iter().any(|prefix| context.contains(prefix))
    });
    for violation in &late {
        println!("VIOLATION {violation}");
    }
    let wrong: usize = lines.iter().map(|line| line.wrong().len()).sum();
    let wrong = wrong + late.len();
    if wrong == 0 {
        println!("every invariant holds in every family; {command}");
        ExitCode::SUCCESS
    } else {
        println!("{wrong} violations; {command}");
        ExitCode::FAILURE
    }
}

/// What the names of a family's contexts begin with: no other's do.
fn prefix(fault: Fault) -> String {
    format!("{}c", fault.number().to_lowercase())
}

/// One family: load and strikes side by side, then everything healed, ended, swept twice and judged.
async fn family(
    world: &mut World,
    fault: Fault,
    seed: u64,
    lasts: Duration,
    events: usize,
) -> Line {
    let number = Fault::ALL.iter().position(|one| *one == fault);
    let mut rng = fastrand::Rng::with_seed(seed ^ (number.unwrap_or(0) as u64) << 32);
    let prefix = prefix(fault);
    world.cloud.clear_ledger();
    let letters_before = world.dead_letters().await;
    let began = Instant::now();
    let shape = fault.shape((events / 6).max(10), lasts);
    let plan = Plan::draw(&prefix, shape, &mut rng);
    let contexts: BTreeSet<String> = plan.names().map(|event| event.context.clone()).collect();
    let sampling = world.sample(began);
    let load = plan.publish(world.publisher.clone(), began);
    let mut strikes = fault
        .strike(Strike {
            world,
            rng: &mut rng,
            until: began + shape.lasts,
            prefix: &prefix,
        })
        .await;
    if !strikes.are_armed {
        strikes.troubles.extend(world.gone());
    }
    world.heal(strikes.are_armed).await;
    let mut published = load.published().await;
    let loaded_until = began.elapsed();
    if fault.bounds(&Strikes::default()).memory_lost {
        // A store that forgot what was newest may have let an older one win: the next event mends it.
        ended(world, &published).await;
        let round = Plan::round(contexts, shape.revisions + 1, Duration::from_secs(2));
        let load = round.publish(world.publisher.clone(), began);
        published.extend(load.published().await);
    }
    ended(world, &published).await;
    if let Err(left) = world.comes_to_rest(NEVER).await {
        strikes
            .troubles
            .push(format!("it does not come to rest: {left}"));
    }
    if let Err(consumers) = world.consumed_again(NEVER).await {
        strikes.troubles.push(format!(
            "only {consumers} of {} workers consume again after everything is well",
            world.slots.len()
        ));
    }
    strikes.troubles.extend(world.gone());
    let samples = sampling.end();
    let letters = world.dead_letters().await;
    // Those two look after their own.
    if letters != letters_before && !matches!(fault, Fault::F7 | Fault::F21) {
        strikes.troubles.push(format!(
            "there were {letters_before} dead letters, and now there are {letters}: nothing here is poison"
        ));
    }
    let mut swept = 0;
    match world.sweep().await {
        Ok(deleted) => swept += deleted,
        Err(trouble) => strikes.troubles.push(trouble),
    }
    let after_one = books::standing(world, &prefix);
    match world.sweep().await {
        Ok(deleted) => swept += deleted,
        Err(trouble) => strikes.troubles.push(trouble),
    }
    let after_two = books::standing(world, &prefix);
    let (creates, alias_moves) = books::calls(world, began);
    let copies = published.iter().map(|one| one.copies).sum();
    let run = Run {
        heard: world.log.heard_since(&prefix, began),
        records: books::records(world, &prefix).await,
        bounds: fault.bounds(&strikes),
        published,
        creates: creates
            .into_iter()
            .filter(|create| create.context.contains(&prefix))
            .collect(),
        alias_moves,
        after_one,
        after_two,
        samples,
        loaded_until,
    };
    let verdict = check::check(&run);
    tell_more(&run, &verdict.violations);
    Line {
        fault,
        strikes,
        verdict,
        copies,
        swept,
        took: began.elapsed(),
    }
}

/// Waits until every confirmed event has ended, or enough time has passed that it never will.
async fn ended(world: &World, published: &[check::Published]) {
    let began = Instant::now();
    let confirmed = published.iter().filter(|one| one.confirmed_at.is_some());
    let mut waits: Vec<_> = confirmed.map(|one| &one.event).collect();
    while began.elapsed() < NEVER {
        waits.retain(|event| !world.log.has_ended(event));
        if waits.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The story of each context that a violation names.
fn tell_more(run: &Run, violations: &[Violation]) {
    let contexts: BTreeSet<&String> = run
        .records
        .keys()
        .filter(|context| {
            violations
                .iter()
                .any(|one| one.what.contains(&format!("{context}/")))
        })
        .take(5)
        .collect();
    for context in contexts {
        println!("  the story of {context}:");
        let mut story = Vec::new();
        for one in run
            .published
            .iter()
            .filter(|one| one.event.context == *context)
        {
            let kind = match one.event.kind {
                Kind::Update => "update",
                Kind::End => "end",
            };
            let at = one.confirmed_at.unwrap_or_default();
            let is_confirmed = one.confirmed_at.is_some();
            story.push((
                at,
                format!(
                    "{kind} {} published, confirmed: {is_confirmed}",
                    one.event.revision
                ),
            ));
        }
        for one in run.heard.iter().filter(|one| one.event.context == *context) {
            story.push((one.at, format!("told {} {:?}", one.id, one.end)));
        }
        for one in run.creates.iter().filter(|one| one.context == *context) {
            story.push((one.at, format!("created for {}", one.revision)));
        }
        story.sort();
        for (at, what) in story {
            println!("    {:>8.3} s  {what}", at.as_secs_f64());
        }
        println!("    record: {:?}", run.records.get(context));
        let left = run.after_two.iter().filter(|one| one.context == *context);
        println!("    at the provider: {:?}", left.collect::<Vec<_>>());
    }
}
