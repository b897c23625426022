use clap::Args;
use foreshow_contract::{TenantId, Timestamp};
use foreshow_engine::{ContextStatus, Queue};
use foreshow_gateway::PreviewSummary;
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

    /// Ended and expired contexts too
    #[arg(long)]
    all: bool,

    /// At most this many, those that changed last
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: u32,
}

impl Previews {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let Some(client) = Client::open_existing(global).await? else {
            if global.json {
                answer(&json!({ "previews": [] }).to_string())?;
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
        client.warn_if_unattended(Queue::Deploy).await;
        let previews: Vec<PreviewSummary> = listed
            .into_iter()
            .map(|summary| client.urls().summary(summary))
            .filter(|preview| self.all || !is_over(preview.status))
            .collect();
        if global.json {
            answer(&json!({ "previews": previews }).to_string())?;
            return Ok(Exit::Done);
        }
        if previews.is_empty() {
            tell("There are no previews. Publish one with `foreshow publish DIR --context ID`.");
            return Ok(Exit::Done);
        }
        answer(&table(&previews, self.tenant.is_none(), Timestamp::now()).render())?;
        if is_cut {
            tell(&format!(
                "These are the {} that changed last; --limit shows more.",
                self.limit
            ));
        }
        Ok(Exit::Done)
    }
}

/// Whether nothing is live or on its way.
fn is_over(status: &str) -> bool {
    [ContextStatus::Ended, ContextStatus::Expired]
        .iter()
        .any(|over| over.word() == status)
}

fn table(previews: &[PreviewSummary], with_tenant: bool, now: Timestamp) -> Table {
    let mut table = if with_tenant {
        Table::new([
            "tenant",
            "context",
            "status",
            "revision",
            "provider",
            "expires",
            "alias url",
        ])
    } else {
        Table::new([
            "context",
            "status",
            "revision",
            "provider",
            "expires",
            "alias url",
        ])
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
                .provider
                .as_ref()
                .map_or_else(|| "-".to_owned(), ToString::to_string),
            preview
                .expires_at
                .map_or_else(|| "-".to_owned(), |at| until(at, now)),
            preview.alias_url.clone().unwrap_or_else(|| "-".to_owned()),
        ];
        table.row(tenant.into_iter().chain(cells));
    }
    table
}
