//! `sweep`: what providers have, compared with the records, and put right; or, as a dry run, only told.
//!
//! | room | idea |
//! | --- | --- |
//! | `line` | each finding as an action and its reason, for programs as it is |
//! | `words` | the same for people, with totals |

mod line;
mod words;

#[cfg(test)]
mod tests;

use clap::Args;
use foreshow_contract::{ContextId, TenantId, Timestamp};
use foreshow_engine::Queue;
use foreshow_engine::sweep::{Report, Scope, SweepError};

use crate::args::Global;
use crate::config::{Backend, Role};
use crate::failure::{Exit, Failure, OrFail as _};
use crate::interrupt::Interrupts;
use crate::terminal::{answer, tell};
use crate::wiring::{Client, Idle, backend};

/// Compare providers and records now, and have expired previews removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Workers do this by themselves, every `sweep.every_seconds` and, of expired previews, every few seconds. It needs what a worker
needs: the providers' settings and the installation's key. Where the store was wiped it rebuilds first. Killed half-way it
leaves nothing undone for good: the next sweep sees the same again.

A dry run writes nothing: nothing is condemned, adopted, deleted, moved or told to workers. It decides as a sweep does, by what it
reads; a sweep decides anew, so what changes in between may come out otherwise. It asks everything of every provider, which
counts against their rate limits; --context asks for one context alone.

Exit codes: 0 nothing was to be done (without --dry-run: it is done); 1 the dry run found something to do; 3 a provider, broker or
store did not answer: what could be told without it was.")]
pub(crate) struct Sweep {
    /// Tell what a sweep would do and why, and do nothing of it
    #[arg(long)]
    dry_run: bool,

    /// Only contexts of this tenant
    #[arg(long, value_name = "TENANT", requires = "dry_run")]
    tenant: Option<TenantId>,

    /// Only this context, of the tenant `default` unless --tenant names another
    #[arg(long, value_name = "ID", requires = "dry_run")]
    context: Option<ContextId>,

    /// Tell of deployments that are as they should be, too
    #[arg(long)]
    all: bool,
}

impl Sweep {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = Client::load(global)?;
        if self.dry_run
            && let Backend::Sqlite { file } = backend(&loaded.config, Role::Store)?
            && !file.exists()
        {
            // Nothing was ever published here: a dry run leaves no folder behind.
            return self.tell(&Report::default(), global.json);
        }
        let scope = self.scope()?;
        let idle = Idle::open(&loaded).await?;
        let mut interrupts = Interrupts::listen()?;
        let report = tokio::select! {
            report = async {
                if self.dry_run {
                    idle.engine.foresee_sweep(scope).await
                } else {
                    idle.engine.sweep_and_tell().await
                }
            } => Some(report.or_fail(Exit::Environment)),
            () = interrupts.next() => None,
        };
        let is_unattended = idle.is_unattended(Queue::Cleanup).await;
        idle.close().await;
        let Some(report) = report else {
            return Ok(Exit::Interrupted);
        };
        let mut report = report?;
        if report.swept.expired > 0 && is_unattended && !global.quiet {
            tell(
                "warning: no worker is running, so what has expired stays; start one with `foreshow up` or `foreshow worker`",
            );
        }
        let exit = self.tell(&report, global.json)?;
        if report.troubles.is_empty() {
            return Ok(exit);
        }
        let others = report.troubles.len() - 1;
        let failure: Result<(), SweepError> = Err(report.troubles.swap_remove(0).1);
        let help = match others {
            0 => "what could be compared without it was; sweep again when it answers".to_owned(),
            others => {
                format!("{others} more could not be looked at; sweep again when that is mended")
            }
        };
        failure
            .or_fail(Exit::Environment)
            .map_err(|failure| failure.help(help))
            .map(|()| exit)
    }

    fn scope(&self) -> Result<Scope, Failure> {
        let default = self.context.as_ref().map(|_| TenantId::try_new("default"));
        let tenant = match self.tenant.clone() {
            Some(tenant) => Some(tenant),
            None => default.transpose().or_fail(Exit::Usage)?,
        };
        Ok(Scope {
            tenant,
            context: self.context.clone(),
        })
    }

    fn tell(&self, report: &Report, as_json: bool) -> Result<Exit, Failure> {
        let contexts = line::contexts(report, self.all);
        answer(&if as_json {
            line::told(report, &contexts, self.dry_run).to_string()
        } else {
            words::told(report, &contexts, self.dry_run, Timestamp::now())
        })?;
        let is_to_be_done = contexts.iter().any(|context| context.is_to_be_done);
        Ok(if self.dry_run && is_to_be_done {
            Exit::Failed
        } else {
            Exit::Done
        })
    }
}
