//! The log, on standard error.

use std::fmt;
use std::io::{IsTerminal as _, stderr};

use foreshow_contract::Timestamp;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::args::Global;
use crate::config::{LOG_FILTER_GRAMMAR, LogOptions};
use crate::failure::{Exit, Failure};

/// Who reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Somebody who started a service and wants to know what it does.
    Operator,
    /// Somebody who asked for one thing and gets an answer.
    Caller,
}

/// Starts logging. What is logged, the first that is given: `RUST_LOG`, `-v` and `-q`, `log.filter`, the default.
pub(crate) fn start(
    global: &Global,
    options: &LogOptions,
    audience: Audience,
) -> Result<(), Failure> {
    let filter = filter(std::env::var("RUST_LOG").ok(), global, options, audience)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    if global.json {
        // Only the first call of a process starts it.
        log.json()
            .flatten_event(true)
            .with_timer(Rfc3339)
            .try_init()
            .ok();
    } else {
        let colours = stderr().is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        log.compact()
            .with_ansi(colours)
            .with_target(global.verbose > 0)
            .with_timer(Clock)
            .try_init()
            .ok();
    }
    Ok(())
}

fn filter(
    rust_log: Option<String>,
    global: &Global,
    options: &LogOptions,
    audience: Audience,
) -> Result<EnvFilter, Failure> {
    let from_flags = match (global.quiet, global.verbose) {
        (true, _) => Some("error"),
        (false, 0) => None,
        (false, 1) => Some("info,foreshow=debug"),
        (false, _) => Some("debug,foreshow=trace"),
    };
    let default = match audience {
        // What the clients of broker and store say is said again, in our words, by who knows what follows from it.
        Audience::Operator => "warn,foreshow=info,lapin=off,redis=off",
        // A caller is told of an error when the command ends by it.
        Audience::Caller => "warn,lapin=off,redis=off,foreshow_broker=off,foreshow_store=off",
    };
    let (directives, place) = match (
        rust_log.filter(|text| !text.is_empty()),
        from_flags,
        &options.filter,
    ) {
        (Some(directives), _, _) => (directives, "RUST_LOG"),
        (None, Some(directives), _) => (directives.to_owned(), "-v"),
        (None, None, Some(directives)) => (directives.as_str().to_owned(), "`log.filter`"),
        (None, None, None) => (default.to_owned(), "the default"),
    };
    EnvFilter::builder().parse(&directives).map_err(|error| {
        Failure::of(
            Exit::Usage,
            anyhow::Error::new(error).context(format!("{place} cannot be {directives:?}")),
        )
        .help(LOG_FILTER_GRAMMAR)
    })
}

/// The time of day, in UTC: whoever watches knows the day.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(crate::terminal::time_of_day(Timestamp::now()).as_str())
    }
}

/// For programs, in full.
struct Rfc3339;

impl FormatTime for Rfc3339 {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Timestamp::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(rust_log: Option<&str>, verbose: u8, configured: Option<&str>) -> String {
        let global = Global {
            verbose,
            ..Global::default()
        };
        let options = LogOptions {
            filter: configured.map(|text| text.to_owned().try_into().unwrap()),
        };
        filter(
            rust_log.map(str::to_owned),
            &global,
            &options,
            Audience::Caller,
        )
        .unwrap()
        .to_string()
    }

    /// In any order: a filter sorts its directives by how much they match.
    fn sorted(directives: &str) -> Vec<&str> {
        let mut directives: Vec<_> = directives.split(',').collect();
        directives.sort_unstable();
        directives
    }

    #[test]
    fn the_nearest_word_on_logging_holds() {
        let quiet = "warn,lapin=off,redis=off,foreshow_broker=off,foreshow_store=off";
        assert_eq!(sorted(&chosen(None, 0, None)), sorted(quiet));
        assert_eq!(chosen(None, 0, Some("trace")), "trace");
        assert_eq!(chosen(None, 1, Some("trace")), "foreshow=debug,info");
        assert_eq!(chosen(Some("error"), 1, Some("trace")), "error");
        assert_eq!(sorted(&chosen(Some(""), 0, None)), sorted(quiet));
    }

    #[test]
    fn a_bad_filter_names_its_place() {
        let told = filter(
            Some("foreshow=loud".to_owned()),
            &Global::default(),
            &LogOptions::default(),
            Audience::Caller,
        )
        .unwrap_err()
        .to_string();
        assert!(
            told.contains("RUST_LOG cannot be \"foreshow=loud\""),
            "{told}"
        );
    }
}
