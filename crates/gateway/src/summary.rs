//! A context as it is told about: in `GET /v1/previews`, on the overview page, and by the command `previews`.

use foreshow_contract::{ContextId, DeploymentId, ProviderName, Revision, TenantId, Timestamp};
use foreshow_engine::ContextSummary;
use foreshow_runner::PreviewOrigin;
use serde::Serialize;

/// A context, its state and its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewSummary {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name.
    pub context_id: ContextId,
    /// `live`, `building`, `failed` or `ended`.
    pub status: &'static str,
    /// The live revision.
    pub revision: Option<Revision>,
    /// The newest accepted one.
    pub desired_revision: Revision,
    /// The live revision's own address.
    pub url: Option<String>,
    /// The context's stable address; `null` where another provider hosts it.
    pub alias_url: Option<String>,
    /// Who hosts it.
    pub provider: Option<ProviderName>,
    /// As what, there.
    pub deployment_id: Option<DeploymentId>,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

impl PreviewSummary {
    /// Sums a context up. `local` is the provider whose previews are reached under `origin`.
    pub fn of(context: ContextSummary, local: &ProviderName, origin: &PreviewOrigin) -> Self {
        let ContextSummary { key, record, last } = context;
        let status = record.status(last.as_ref());
        let expires_at = record.expires_at;
        let ended_at = record.floor;
        let live = record
            .live
            .filter(|live| ended_at.is_none_or(|floor| live.revision > floor));
        let is_local = live.as_ref().is_none_or(|live| live.provider == *local);
        Self {
            status: status.word(),
            revision: live.as_ref().map(|live| live.revision),
            desired_revision: record.desired.revision,
            url: live
                .as_ref()
                .filter(|_| is_local)
                .map(|live| origin.url(&live.address)),
            alias_url: is_local.then(|| origin.url(&record.alias)),
            expires_at: expires_at.filter(|_| live.is_some()),
            provider: live.as_ref().map(|live| live.provider.clone()),
            deployment_id: live.map(|live| live.deployment),
            tenant_id: key.tenant,
            context_id: key.context,
        }
    }
}
