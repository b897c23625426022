//! What a sweep found and did about it, or would do.
//!
//! A sweep and a dry run are the same walk ([`Walk`]): both decide by the same reads and the same pure functions, and differ only
//! where something would be written, at a provider, in the store or to the broker. A dry run leaves that out. What it
//! tells was so when it looked; the store decides anew, in one step, when a sweep comes by.

use std::{collections::BTreeMap, error::Error};

use foreshow_contract::{
    ContextId, ContextKey, DeploymentId, ProviderName, Revision, TenantId, Timestamp,
};
use tracing::debug;

use super::{SweepError, audit::Audit};
use crate::{ContextRecord, Deployment, Judgement, worker::Engine};

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deployments that were seen.
    pub seen: u64,
    /// Contexts that the store did not know, and knows now.
    pub seeded: u64,
    /// Deployments of these contexts.
    pub unrecorded: u64,
    /// Deployments that nobody can want any more, deleted.
    pub deleted: u64,
    /// Aliases that were moved forward.
    pub aliases_moved: u64,
    /// Records whose live deployment is gone.
    pub mended: u64,
    /// Previews whose retention is over, and that workers were asked to remove.
    pub expired: u64,
}

/// Which contexts a dry run looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only of this tenant.
    pub tenant: Option<TenantId>,
    /// Only these, of whichever tenant.
    pub context: Option<ContextId>,
}

impl Scope {
    /// Whether the context is one of them.
    pub fn takes(&self, key: &ContextKey) -> bool {
        self.tenant
            .as_ref()
            .is_none_or(|tenant| *tenant == key.tenant)
            && self
                .context
                .as_ref()
                .is_none_or(|context| *context == key.context)
    }

    /// The context, where it is a single one.
    pub(super) fn single(&self) -> Option<ContextKey> {
        let (tenant, context) = (self.tenant.clone()?, self.context.clone()?);
        Some(ContextKey::new(tenant, context))
    }
}

/// What providers have and what the store knows, compared.
#[derive(Debug, Default)]
pub struct Report {
    /// How much of what.
    pub swept: Swept,
    /// Each context about which there is something to say.
    pub contexts: BTreeMap<ContextKey, Case>,
    /// The store has lost its memory, or is new: a sweep rebuilds it first.
    pub is_forgetful: bool,
    /// Who did not answer, and the context that was looked at, where it was one. What could be looked at without it was.
    pub troubles: Vec<(Option<ContextKey>, SweepError)>,
}

/// One context.
#[derive(Debug, Default)]
pub struct Case {
    /// Its record, as it was before; `None` where the store does not know it.
    pub record: Option<ContextRecord>,
    /// What was found, and what follows.
    pub findings: Vec<Finding>,
}

/// Something found, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A deployment was compared with its record.
    Judged {
        /// Who hosts it.
        provider: ProviderName,
        /// The deployment, as it was listed.
        deployment: Deployment,
        /// What becomes of it, and why.
        judgement: Judgement,
    },
    /// A deployment of a context that the store does not know: it is written down.
    Seeded {
        /// Who hosts it.
        provider: ProviderName,
        /// The deployment, as it was listed.
        deployment: Deployment,
        /// Whether it becomes what is live.
        becomes_live: bool,
    },
    /// What is live is covered by an accepted end, whose own run a newer event passed: it is deleted.
    LiveEnded {
        /// Who hosts it.
        provider: ProviderName,
        /// The deployment.
        deployment: DeploymentId,
        /// Its revision.
        revision: Revision,
    },
    /// The alias does not show what is live: it is moved.
    AliasBehind {
        /// Who hosts it.
        provider: ProviderName,
        /// What it shows.
        from: Option<DeploymentId>,
        /// What is live.
        to: DeploymentId,
        /// Its revision.
        revision: Revision,
    },
    /// What is live in the record is gone at its provider: the record is mended.
    LiveGone {
        /// Who hosted it.
        provider: ProviderName,
        /// The deployment.
        deployment: DeploymentId,
        /// Its revision.
        revision: Revision,
    },
    /// A condemned deployment is gone: the record need not name it any more.
    CondemnedGone {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// The preview's retention is over: a worker is asked to remove it.
    Expired {
        /// The newest revision that was wanted.
        revision: Revision,
        /// When it was over.
        expires_at: Timestamp,
    },
}

impl Finding {
    /// Whether anything follows: something that is written or deleted.
    pub fn is_to_be_done(&self) -> bool {
        match self {
            Self::Judged { judgement, .. } => judgement.changes(),
            Self::Seeded { .. }
            | Self::LiveEnded { .. }
            | Self::AliasBehind { .. }
            | Self::LiveGone { .. }
            | Self::CondemnedGone { .. }
            | Self::Expired { .. } => true,
        }
    }
}

impl Report {
    /// What was done; or the first trouble.
    ///
    /// # Errors
    /// Where anybody did not answer.
    pub fn into_swept(mut self) -> Result<Swept, SweepError> {
        if self.troubles.is_empty() {
            return Ok(self.swept);
        }
        Err(self.troubles.swap_remove(0).1)
    }
}

/// Whether what is decided is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It is, and counted.
    Sweep,
    /// It is, and told.
    SweepAndTell,
    /// It is only told.
    DryRun,
}

/// One comparison of everything.
pub(super) struct Walk<'a> {
    pub(super) engine: &'a Engine,
    pub(super) scope: Scope,
    pub(super) report: Report,
    /// What was counted among the contexts, and how many these are.
    pub(super) counted: Option<(Audit, usize)>,
    manner: Manner,
}

impl<'a> Walk<'a> {
    pub(super) fn new(engine: &'a Engine, manner: Manner, scope: Scope) -> Self {
        Self {
            engine,
            scope,
            report: Report::default(),
            counted: None,
            manner,
        }
    }

    /// Whether what is decided is carried out.
    pub(super) fn carries_out(&self) -> bool {
        match self.manner {
            Manner::Sweep | Manner::SweepAndTell => true,
            Manner::DryRun => false,
        }
    }

    /// Whether what was found is told to somebody.
    pub(super) fn tells(&self) -> bool {
        match self.manner {
            Manner::Sweep => false,
            Manner::SweepAndTell | Manner::DryRun => true,
        }
    }

    /// Notes what was found of a context. Where nothing is told nothing is kept: there may be a million of them.
    pub(super) fn note(
        &mut self,
        key: &ContextKey,
        record: Option<&ContextRecord>,
        finding: impl FnOnce() -> Finding,
    ) {
        if self.tells() {
            let case = self.report.contexts.entry(key.clone());
            let case = case.or_insert_with(|| Case {
                record: record.cloned(),
                findings: Vec::new(),
            });
            case.findings.push(finding());
        }
    }

    /// Notes that something could not be looked at, or done; the rest goes on.
    pub(super) fn trouble(&mut self, key: Option<&ContextKey>, error: SweepError) {
        debug!(
            context.id = key.map(tracing::field::display),
            error = &error as &dyn Error,
            "not swept"
        );
        if self.tells() || self.report.troubles.is_empty() {
            self.report.troubles.push((key.cloned(), error));
        }
    }
}
