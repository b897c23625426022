use clap::Args;
use foreshow_contract::{ContextId, DeploymentId, ProviderName, Revision, TenantId, Timestamp};
use foreshow_engine::{ContextStatus, ContextSummary};
use foreshow_runner::PreviewOrigin;
use serde::Serialize;
use serde_json::json;

use crate::args::Global;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{Table, answer, tell, until};
use crate::wiring::Client;

/// List contexts and their previews.
#[derive(Debug, Args)]
pub(crate) struct Previews {
    /// Only of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,

    /// Ended contexts too
    #[arg(long)]
    all: bool,

    /// At most this many, those that changed last
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: u32,
}

/// A context, as the gateway's `/` tells it too.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Preview {
    tenant_id: TenantId,
    context_id: ContextId,
    status: &'static str,
    /// The live revision.
    revision: Option<Revision>,
    /// The newest accepted one.
    desired_revision: Revision,
    url: Option<String>,
    alias_url: String,
    provider: Option<ProviderName>,
    deployment_id: Option<DeploymentId>,
    expires_at: Option<Timestamp>,
}

impl Previews {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let Some(client) = Client::open_existing(global).await? else {
            if global.json {
                _ = answer(&json!({ "previews": [] }).to_string());
            } else {
                tell(
                    "There are no previews: nothing was ever published here. Begin with `foreshow up`.",
                );
            }
            return Ok(Exit::Done);
        };
        let listed = client
            .backends
            .store
            .contexts(self.tenant.as_ref(), self.limit)
            .await
            .or_fail(Exit::Environment)?;
        let is_cut = u32::try_from(listed.len()).is_ok_and(|listed| listed >= self.limit);
        let origin = client.origin();
        let previews: Vec<Preview> = listed
            .into_iter()
            .map(|summary| preview(summary, &origin))
            .filter(|preview| self.all || preview.status != ContextStatus::Ended.word())
            .collect();
        if global.json {
            _ = answer(&json!({ "previews": previews }).to_string());
            return Ok(Exit::Done);
        }
        if previews.is_empty() {
            tell("There are no previews. Publish one with `foreshow publish DIR --context ID`.");
            return Ok(Exit::Done);
        }
        _ = answer(&table(&previews, self.tenant.is_none(), Timestamp::now()).render());
        if is_cut {
            tell(&format!(
                "These are the {} that changed last; --limit shows more.",
                self.limit
            ));
        }
        Ok(Exit::Done)
    }
}

fn preview(summary: ContextSummary, origin: &PreviewOrigin) -> Preview {
    let ContextSummary { key, record, last } = summary;
    let status = record.status(last.as_ref());
    let live = record
        .live
        .as_ref()
        .filter(|_| status == ContextStatus::Live);
    Preview {
        status: status.word(),
        revision: live.map(|live| live.revision),
        desired_revision: record.desired.revision,
        url: live.map(|live| origin.url(&live.address)),
        alias_url: origin.url(&record.alias),
        provider: live.map(|live| live.provider.clone()),
        deployment_id: live.map(|live| live.deployment.clone()),
        expires_at: record.expires_at,
        tenant_id: key.tenant,
        context_id: key.context,
    }
}

fn table(previews: &[Preview], with_tenant: bool, now: Timestamp) -> Table {
    let mut table = if with_tenant {
        Table::new([
            "tenant",
            "context",
            "status",
            "revision",
            "expires",
            "alias url",
        ])
    } else {
        Table::new(["context", "status", "revision", "expires", "alias url"])
    };
    for preview in previews {
        let tenant = with_tenant.then(|| preview.tenant_id.to_string());
        let cells = [
            preview.context_id.to_string(),
            preview.status.to_owned(),
            preview
                .revision
                .unwrap_or(preview.desired_revision)
                .to_string(),
            preview
                .expires_at
                .map_or_else(|| "-".to_owned(), |at| until(at, now)),
            preview.alias_url.clone(),
        ];
        table.row(tenant.into_iter().chain(cells));
    }
    table
}
