//! From the simulator's books and the store's records to what the checker reads.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    check::{AliasMove, Create, Final, Standing},
    world::World,
};

/// Faults after which a create was carried out, whatever its caller heard.
const DONE_ALL_THE_SAME: [&str; 3] = ["reset_after", "malformed_json", "huge_body"];

/// Whose a deployment is, by its tags.
fn tags(meta: &Value) -> Option<(String, u64)> {
    let text = |name: &str| meta[name].as_str();
    let context = format!("{}/{}", text("foreshowTenant")?, text("foreshowContext")?);
    Some((context, text("foreshowRevision")?.parse().ok()?))
}

/// Creates that were carried out since then, and moves of aliases.
pub(crate) fn calls(world: &World, began: Instant) -> (Vec<Create>, Vec<AliasMove>) {
    let (mut creates, mut moves) = (Vec::new(), Vec::new());
    for call in world.cloud.ledger() {
        let at = world.cloud_began + Duration::from_millis(call.at_ms);
        let at = at.saturating_duration_since(began);
        let is_done = match call.fault {
            Some(fault) => {
                DONE_ALL_THE_SAME.contains(&fault)
                    || (fault == "slow" && call.status.is_some_and(|status| status < 300))
            }
            None => call.status.is_some_and(|status| status < 300),
        };
        if !is_done {
            continue;
        }
        match call.operation {
            "create_deployment" => {
                if let Some((context, revision)) = tags(&call.json()["meta"]) {
                    creates.push(Create {
                        context,
                        revision,
                        at,
                    });
                }
            }
            "assign_alias" => {
                let deployment = call.path.split('/').rev().nth(1).unwrap_or_default();
                moves.push(AliasMove {
                    deployment: deployment.to_owned(),
                    at,
                });
            }
            _ => {}
        }
    }
    (creates, moves)
}

/// Deployments that the provider has of contexts whose names begin so.
pub(crate) fn standing(world: &World, prefix: &str) -> Vec<Standing> {
    let state = world.cloud.state();
    let deployments = state["deployments"].as_array().into_iter().flatten();
    deployments
        .filter_map(|deployment| {
            let (context, revision) = tags(&deployment["meta"])?;
            let id = ["id", "uid"]
                .into_iter()
                .find_map(|name| deployment[name].as_str())?;
            Some(Standing {
                id: id.to_owned(),
                context,
                revision,
            })
        })
        .filter(|one| is_of(&one.context, prefix))
        .collect()
}

/// Records of contexts whose names begin so, and what their aliases show.
pub(crate) async fn records(world: &World, prefix: &str) -> BTreeMap<String, Final> {
    let state = world.cloud.state();
    let aliases = state["aliases"].as_array().into_iter().flatten();
    let shown: BTreeMap<String, String> = aliases
        .filter_map(|alias| {
            let label = alias["alias"].as_str()?.split('.').next()?;
            Some((label.to_owned(), alias["deploymentId"].as_str()?.to_owned()))
        })
        .collect();
    let contexts = world.store.contexts(None, 100_000).await;
    let contexts = contexts.expect("the store answers");
    let records = contexts.into_iter().map(|context| {
        let record = Final {
            live: context
                .record
                .live
                .map(|live| (live.revision.get(), live.deployment.to_string())),
            shown: shown.get(context.record.alias.as_str()).cloned(),
        };
        (context.key.to_string(), record)
    });
    records.filter(|(name, _)| is_of(name, prefix)).collect()
}

fn is_of(context: &str, prefix: &str) -> bool {
    let name = context.split_once('/').map(|(_, name)| name);
    name.is_some_and(|name| name.starts_with(prefix))
}
