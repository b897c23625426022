//! Each finding as a line: what is done, with what, and why.

use foreshow_contract::{
    ContextId, DeploymentId, Ordinal, ProviderName, Revision, TenantId, Timestamp,
};
use foreshow_engine::sweep::{Finding, Report, SweepError, Swept};
use foreshow_engine::{BuildState, ContextRecord, Deployment, Judgement, StaysAs, Verdict};
use serde::Serialize;
use serde_json::{Value, json};

use crate::wiring::chain;

/// A context about which there is something to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of events")]
pub(super) struct Context {
    pub(super) tenant_id: TenantId,
    pub(super) context_id: ContextId,
    /// `null` where the store does not know the context.
    pub(super) record: Option<Record>,
    pub(super) findings: Vec<Line>,
    #[serde(skip)]
    pub(super) is_to_be_done: bool,
}

/// What the record said before.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// The newest accepted event.
    pub(super) desired: Ordinal,
    pub(super) live_revision: Option<Revision>,
    pub(super) live_deployment_id: Option<DeploymentId>,
    pub(super) live_provider: Option<ProviderName>,
    pub(super) building_deployment_id: Option<DeploymentId>,
    /// No revision at or below this goes live.
    pub(super) floor: Option<Revision>,
    /// The worker that had the lease, and until when.
    pub(super) holder: Option<String>,
    pub(super) held_until: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
}

/// One finding.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) action: Action,
    pub(super) provider: Option<ProviderName>,
    pub(super) deployment_id: Option<DeploymentId>,
    pub(super) revision: Option<Revision>,
    /// How its build stood, as the provider listed it.
    pub(super) state: Option<&'static str>,
    pub(super) why: String,
    /// Of one that stays for its event: how long.
    pub(super) until: Option<Timestamp>,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Action {
    Leave,
    Adopt,
    Delete,
    Seed,
    MoveAlias,
    Mend,
    Forget,
    Expire,
}

impl Action {
    /// For people: what is done, or was.
    pub(super) fn word(self, is_done: bool) -> &'static str {
        let (now, then) = match self {
            Self::Leave => ("leave", "left"),
            Self::Adopt => ("adopt", "adopted"),
            Self::Delete => ("delete", "deleted"),
            Self::Seed => ("write down", "written down"),
            Self::MoveAlias => ("move alias", "moved alias"),
            Self::Mend | Self::Forget => ("mend record", "mended record"),
            Self::Expire => ("expire", "expires"),
        };
        if is_done { then } else { now }
    }
}

/// Every context with something to be told; of what is as it should be only where `all` asks for that.
pub(super) fn contexts(report: &Report, all: bool) -> Vec<Context> {
    let contexts = report.contexts.iter().map(|(key, case)| Context {
        tenant_id: key.tenant.clone(),
        context_id: key.context.clone(),
        record: case.record.as_ref().map(Record::of),
        is_to_be_done: case.findings.iter().any(Finding::is_to_be_done),
        findings: case
            .findings
            .iter()
            .filter(|finding| all || !is_as_it_should_be(finding))
            .map(Line::of)
            .collect(),
    });
    contexts
        .filter(|context| !context.findings.is_empty())
        .collect()
}

/// Whether a deployment's time begins with this.
pub(super) fn is_adopted(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::Judged {
            judgement: Judgement::Stays(_),
            ..
        }
    ) && finding.is_to_be_done()
}

fn is_as_it_should_be(finding: &Finding) -> bool {
    matches!(
        finding,
        Finding::Judged {
            judgement: Judgement::Known(_) | Judgement::Stays(StaysAs::Kept),
            ..
        }
    )
}

/// All of it, for programs. `contexts` are its [lines](contexts).
pub(super) fn told(report: &Report, contexts: &[Context], is_dry_run: bool) -> Value {
    let Swept {
        seen,
        seeded,
        unrecorded: _,
        deleted,
        aliases_moved,
        mended,
        expired,
    } = report.swept;
    let troubles = report.troubles.iter().map(|(key, error)| {
        json!({
            "tenantId": key.as_ref().map(|key| &key.tenant),
            "contextId": key.as_ref().map(|key| &key.context),
            "message": trouble(error),
        })
    });
    json!({
        "isDryRun": is_dry_run,
        "storeForgot": report.is_forgetful,
        "contexts": contexts,
        "troubles": troubles.collect::<Vec<_>>(),
        "deploymentsSeen": seen,
        "deploymentsDeleted": deleted,
        "contextsFound": seeded,
        "aliasesMoved": aliases_moved,
        "recordsMended": mended,
        "previewsExpired": expired,
    })
}

/// Who did not answer, and what lies beneath.
pub(super) fn trouble(error: &SweepError) -> String {
    chain(error)
}

impl Record {
    fn of(record: &ContextRecord) -> Self {
        let (live, building) = (record.live.as_ref(), record.building.as_ref());
        let lease = record.lease.as_ref();
        Self {
            desired: record.desired,
            live_revision: live.map(|live| live.revision),
            live_deployment_id: live.map(|live| live.deployment.clone()),
            live_provider: live.map(|live| live.provider.clone()),
            building_deployment_id: building.map(|building| building.deployment.clone()),
            floor: record.floor,
            holder: lease.map(|lease| lease.owner.worker().to_owned()),
            held_until: lease.map(|lease| lease.until),
            expires_at: record.expires_at,
        }
    }
}

impl Line {
    fn of(finding: &Finding) -> Self {
        match finding {
            Finding::Judged {
                provider,
                deployment,
                judgement,
            } => Self {
                until: match judgement {
                    Judgement::Stays(StaysAs::Awaited { until, .. }) => Some(*until),
                    Judgement::Known(_) | Judgement::Stays(StaysAs::Kept) | Judgement::Goes(_) => {
                        None
                    }
                },
                ..Self::listed(
                    action(judgement),
                    provider,
                    deployment,
                    judgement.to_string(),
                )
            },
            Finding::Seeded {
                provider,
                deployment,
                becomes_live,
            } => {
                let why = "the store does not know its context".to_owned();
                let why = if *becomes_live {
                    format!("{why}; it becomes what is live")
                } else {
                    why
                };
                Self::listed(Action::Seed, provider, deployment, why)
            }
            Finding::LiveEnded {
                provider,
                deployment,
                revision,
            } => {
                let why = "it is live, and an accepted end covers it";
                Self::recorded(
                    Action::Delete,
                    provider,
                    deployment,
                    *revision,
                    why.to_owned(),
                )
            }
            Finding::AliasBehind {
                provider,
                from,
                to,
                revision,
            } => {
                let why = from.as_ref().map_or_else(
                    || "it is live, and the alias shows nothing".to_owned(),
                    |from| format!("it is live, and the alias shows {from}"),
                );
                Self::recorded(Action::MoveAlias, provider, to, *revision, why)
            }
            Finding::LiveGone {
                provider,
                deployment,
                revision,
            } => {
                let why = "it is live in the record, and gone at its provider; publish the context again to bring it back";
                Self::recorded(
                    Action::Mend,
                    provider,
                    deployment,
                    *revision,
                    why.to_owned(),
                )
            }
            Finding::CondemnedGone { deployment } => Self {
                deployment_id: Some(deployment.clone()),
                ..Self::bare(Action::Forget, "it was condemned, and is gone".to_owned())
            },
            Finding::Expired {
                revision,
                expires_at,
            } => Self {
                revision: Some(*revision),
                ..Self::bare(
                    Action::Expire,
                    format!(
                        "its retention was over at {expires_at}; a worker is asked to remove it"
                    ),
                )
            },
        }
    }

    fn bare(action: Action, why: String) -> Self {
        Self {
            action,
            provider: None,
            deployment_id: None,
            revision: None,
            state: None,
            why,
            until: None,
        }
    }

    fn listed(
        action: Action,
        provider: &ProviderName,
        deployment: &Deployment,
        why: String,
    ) -> Self {
        Self {
            state: Some(state(&deployment.state)),
            ..Self::recorded(action, provider, &deployment.id, deployment.revision, why)
        }
    }

    fn recorded(
        action: Action,
        provider: &ProviderName,
        deployment: &DeploymentId,
        revision: Revision,
        why: String,
    ) -> Self {
        Self {
            provider: Some(provider.clone()),
            deployment_id: Some(deployment.clone()),
            revision: Some(revision),
            ..Self::bare(action, why)
        }
    }
}

fn action(judgement: &Judgement) -> Action {
    match judgement.verdict() {
        Verdict::Condemned => Action::Delete,
        Verdict::Adopted if judgement.changes() => Action::Adopt,
        Verdict::Known | Verdict::Adopted => Action::Leave,
    }
}

fn state(state: &BuildState) -> &'static str {
    match state {
        BuildState::Building => "building",
        BuildState::Ready => "ready",
        BuildState::Failed { .. } => "failed",
        BuildState::Gone => "gone",
    }
}
