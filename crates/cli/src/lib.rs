//! The `foreshow` binary: configuration, wiring, commands.
//!
//! | room | idea |
//! | --- | --- |
//! | `commands` | one file each: a struct of arguments with one `run`, and the list of them |
//! | `args` | what the command line has in common |
//! | `config` | defaults < file < environment < flags |
//! | `wiring` | ports and adapters put together |
//! | `data_dir`, `installation_key` | what is kept on disk, beside the databases |
//! | `failure` | exit codes, and errors for people |
//! | `events`, `ending` | events out, and the result that ends each |
//! | `terminal` | what people and scripts see |
//!
//! A library, so that what reads strangers' texts can be fuzzed; the binary is [`run`] and nothing else.

mod args;
mod commands;
mod config;
mod data_dir;
mod demo;
mod ending;
mod events;
mod failure;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod installation_key;
mod interrupt;
mod logging;
mod terminal;
mod ttl;
mod wiring;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::args::Cli;
use crate::failure::{Exit, Failure};

/// More threads only use more memory: jobs wait for disks and networks, not for processors.
const MAX_THREADS: usize = 4;

/// Does what the command line says, and tells how it went.
pub fn run() -> ExitCode {
    let Cli { global, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return without_command(&error),
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MAX_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build();
    let end = match runtime {
        Ok(runtime) => {
            let end = runtime.block_on(async {
                interrupt::survive_file_size_limits();
                command.run(&global).await
            });
            // What still blocks is a read of something that never comes; nothing that matters is left to do.
            match end {
                Ok(Exit::Interrupted) => runtime.shutdown_background(),
                _ => runtime.shutdown_timeout(Duration::from_secs(1)),
            }
            end
        }
        Err(error) => Err(Failure::of(Exit::Environment, error)),
    };
    match end {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let text = if global.json {
                failure.to_json().to_string()
            } else {
                failure.to_string()
            };
            terminal::tell(&text);
            failure.exit.into()
        }
    }
}

/// Help, the version, or what is wrong with the command line.
fn without_command(error: &clap::Error) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8);
    match terminal::reader(error.print()) {
        Err(failure) if !error.use_stderr() => {
            terminal::tell(&failure.to_string());
            failure.exit.into()
        }
        Ok(_) | Err(_) => code.into(),
    }
}
