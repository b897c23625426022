//! The data of each outcome.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BuildingState, DomainReport, EstimatedCost, FailureReport, OutcomeKind, OutcomeMark,
    RemovalReason, SizeReport, Timings, Winner,
};
use crate::{
    ContextId, ContextKey, DeploymentId, ProviderName, Rejection, RejectionCode, Revision,
    TenantId, Timestamp,
};

/// What a result says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ResultBody {
    /// `preview.ready`
    Ready(Ready),
    /// `preview.failed`
    Failed(Failed),
    /// `preview.superseded`
    Superseded(Superseded),
    /// `preview.removed`
    Removed(Removed),
    /// `preview.building`
    Building(Building),
    /// `event.rejected`
    Rejected(Rejected),
}

impl ResultBody {
    /// Which outcome it is.
    pub fn outcome(&self) -> OutcomeKind {
        match self {
            Self::Ready(_) => OutcomeKind::Ready,
            Self::Failed(_) => OutcomeKind::Failed,
            Self::Superseded(_) => OutcomeKind::Superseded,
            Self::Removed(_) => OutcomeKind::Removed,
            Self::Building(_) => OutcomeKind::Building,
            Self::Rejected(_) => OutcomeKind::Rejected,
        }
    }

    /// What the result's id says of it; `None` for a rejection, which is named by its event.
    pub fn mark(&self) -> Option<OutcomeMark> {
        match self {
            Self::Ready(_) => Some(OutcomeMark::Ready),
            Self::Failed(_) => Some(OutcomeMark::Failed),
            Self::Superseded(_) => Some(OutcomeMark::Superseded),
            Self::Removed(removed) => Some(OutcomeMark::Removed(removed.reason)),
            Self::Building(building) => Some(OutcomeMark::Building(building.counter)),
            Self::Rejected(_) => None,
        }
    }

    /// Whose it is; a rejected event may not have said.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Rejected(rejected) => rejected.tenant_id.as_ref(),
            other => other.certain_key().map(|key| &key.tenant),
        }
    }

    /// Which context it is about; a rejected event may not have said.
    pub fn context(&self) -> Option<&ContextId> {
        match self {
            Self::Rejected(rejected) => rejected.context_id.as_ref(),
            other => other.certain_key().map(|key| &key.context),
        }
    }

    /// Which revision it is about; a rejected event may not have said.
    pub fn revision(&self) -> Option<Revision> {
        match self {
            Self::Ready(ready) => Some(ready.revision),
            Self::Failed(failed) => Some(failed.revision),
            Self::Superseded(superseded) => Some(superseded.revision),
            Self::Removed(removed) => Some(removed.revision),
            Self::Building(building) => Some(building.revision),
            Self::Rejected(rejected) => rejected.revision,
        }
    }

    fn certain_key(&self) -> Option<&ContextKey> {
        match self {
            Self::Ready(ready) => Some(&ready.key),
            Self::Failed(failed) => Some(&failed.key),
            Self::Superseded(superseded) => Some(&superseded.key),
            Self::Removed(removed) => Some(&removed.key),
            Self::Building(building) => Some(&building.key),
            Self::Rejected(_) => None,
        }
    }
}

/// The preview answers, at this revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Which context.
    #[serde(flatten)]
    pub key: ContextKey,
    /// Which revision.
    pub revision: Revision,
    /// This revision's own address.
    pub url: String,
    /// The context's stable address, which from now on shows this revision.
    pub alias_url: String,
    /// Where it is deployed.
    pub provider: ProviderName,
    /// As what, there.
    pub deployment_id: DeploymentId,
    /// Whether files and settings equal those that were live: then nothing had to be deployed.
    pub unchanged: bool,
    /// When it will be removed unless another event comes; null if it won't be.
    pub expires_at: Option<Timestamp>,
    /// Where the time went.
    pub timings: Timings,
    /// Bytes of files that the provider lacked.
    pub bytes_uploaded: u64,
    /// Bytes of files that the provider had.
    pub bytes_reused: u64,
    /// How many attempts it took; 1 where nothing failed.
    pub attempts: u32,
    /// What it is thought to cost; null where that is not known.
    pub estimated_cost: Option<EstimatedCost>,
    /// The domains that the update asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<DomainReport>,
    /// Where its bytes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeReport>,
}

/// The preview could not be made. What was live before still is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// Which context.
    #[serde(flatten)]
    pub key: ContextKey,
    /// Which revision.
    pub revision: Revision,
    /// Why.
    pub error: FailureReport,
}

/// A newer event took this one's place. No failure: nothing to alert anyone about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Superseded {
    /// Which context.
    #[serde(flatten)]
    pub key: ContextKey,
    /// Which revision.
    pub revision: Revision,
    /// The newer event. A repeat of this result may name another.
    pub winner: Winner,
}

/// The preview is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Removed {
    /// Which context.
    #[serde(flatten)]
    pub key: ContextKey,
    /// Which revision.
    pub revision: Revision,
    /// Why.
    pub reason: RemovalReason,
}

/// The preview is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Building {
    /// Which context.
    #[serde(flatten)]
    pub key: ContextKey,
    /// Which revision.
    pub revision: Revision,
    /// How far it has come.
    pub state: BuildingState,
    /// Grows with every progress report of this revision.
    pub counter: u64,
    /// Where it is being deployed, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// As what, there, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
}

/// The event itself could not be taken. Has whatever could be read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// Which context it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_id: Option<ContextId>,
    /// Which revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The event's `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The event's `source`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_source: Option<String>,
    /// Why, for programs.
    pub code: RejectionCode,
    /// Why and how to mend it, for people.
    pub message: String,
    /// Where in the event, as a JSON path in which `$.data` is the data in either mode, or as the message's header or
    /// property, such as `header ce-time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

impl From<&Rejection> for Rejected {
    fn from(rejection: &Rejection) -> Self {
        let event = &rejection.event;
        Self {
            tenant_id: event.tenant.clone(),
            context_id: event.context.clone(),
            revision: event.revision,
            event_id: event.id.clone(),
            event_source: event.source.clone(),
            code: rejection.code,
            message: rejection.message.clone(),
            path: rejection.path.clone(),
        }
    }
}
