//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};
use foreshow_contract::{ContextId, ContextKey, TenantId};

use crate::commands::Command;
use crate::config::{Loaded, Sources};
use crate::failure::{EXIT_CODES, Failure};

/// Turns context sessions into live previews.
#[derive(Parser)]
#[command(name = "foreshow", version, after_help = EXIT_CODES, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

// Without `Debug`: the URLs may hold passwords. Not a doc comment, which would be shown in the help.
/// Flags that every command takes, before or after its name.
#[derive(Clone, Default, Args)]
pub(crate) struct Global {
    /// The configuration file [default: foreshow.toml, where there is one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub(crate) config: Option<PathBuf>,

    /// What carries events and results [default: sqlite:, a file in the data folder]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub(crate) broker: Option<String>,

    /// What workers agree on [default: sqlite:, a file in the data folder]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub(crate) store: Option<String>,

    /// The folder that `up` and its neighbours share [default: .foreshow]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub(crate) data_dir: Option<String>,

    /// Write JSON for programs: results and listings, errors, and the log
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,

    /// Log more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global options")]
    pub(crate) verbose: u8,

    /// Say nothing but the answer and errors
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Global options"
    )]
    pub(crate) quiet: bool,
}

impl Global {
    /// Reads the configuration, with the environment and these flags.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        self.load_with([])
    }

    /// The same, with the command's own flags: key, flag, value.
    pub(crate) fn load_with<const N: usize>(
        &self,
        flags: [(&'static str, &'static str, Option<String>); N],
    ) -> Result<Loaded, Failure> {
        let given = [
            ("broker", "--broker", self.broker.clone()),
            ("store", "--store", self.store.clone()),
            ("data_dir", "--data-dir", self.data_dir.clone()),
        ];
        let flags = given
            .into_iter()
            .chain(flags)
            .filter_map(|(key, flag, value)| Some((key, flag, value?)))
            .collect();
        let sources = Sources {
            file: self.config.clone(),
            environment: std::env::vars_os().collect(),
            flags,
        };
        sources.load().map_err(Failure::from)
    }
}

/// Names a context by its id alone or with its tenant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Tenant {
    /// Whose context it is
    #[arg(long, value_name = "TENANT", default_value = "default")]
    pub(crate) tenant: TenantId,
}

impl Tenant {
    /// The context's full name.
    pub(crate) fn key(&self, context: &ContextId) -> ContextKey {
        ContextKey::new(self.tenant.clone(), context.clone())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_work_before_and_after_the_command() {
        for args in [
            "foreshow --json --data-dir d previews",
            "foreshow previews --data-dir d --json",
        ] {
            let cli = Cli::try_parse_from(args.split(' ')).unwrap();
            assert!(cli.global.json, "{args}");
            assert_eq!(cli.global.data_dir.as_deref(), Some("d"), "{args}");
        }
    }

    #[test]
    fn bad_names_and_revisions_are_usage_errors() {
        for args in [
            "foreshow publish dir",
            "foreshow publish dir --context c --revision 7a",
            "foreshow publish dir --context c --revision 9007199254740992",
            "foreshow end",
            "foreshow up --listen",
            "foreshow touch c --tenant=",
            "foreshow dance",
        ] {
            let error = Cli::try_parse_from(args.split(' ')).err().expect(args);
            assert_eq!(error.exit_code(), 2, "{args}");
        }
    }

    #[test]
    fn help_lists_the_exit_codes() {
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("130  interrupted"), "{help}");
    }
}
