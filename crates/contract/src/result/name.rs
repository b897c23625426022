//! Result ids and routing keys.

use super::{OutcomeKind, OutcomeMark};
use crate::{ContextId, ContextKey, EventKind, RejectedEvent, Revision, Sha256, TenantId};

/// A result's id: `<tenant>/<context>/<revision>/<event kind>/<outcome>[/<reason or counter>][/replay-<n>]`.
///
/// The same for every repeat of the same outcome. `kind` is that of the event that it ends or reports on. `replay`
/// counts how often an operator replayed the event from the dead letters; 0, which is not shown, is its first life.
pub fn result_id(
    key: &ContextKey,
    revision: Revision,
    kind: EventKind,
    mark: OutcomeMark,
    replay: u32,
) -> String {
    let outcome = mark.outcome().short();
    let mut id = format!("{key}/{revision}/{}/{outcome}", kind.word());
    match mark {
        OutcomeMark::Removed(reason) => id = format!("{id}/{}", reason.word()),
        OutcomeMark::Building(counter) => id = format!("{id}/{counter}"),
        OutcomeMark::Ready | OutcomeMark::Failed | OutcomeMark::Superseded => {}
    }
    if replay > 0 {
        id = format!("{id}/replay-{replay}");
    }
    id
}

/// The id of an `event.rejected`: `rejected/` and the first 32 hexadecimal digits of a SHA-256.
///
/// Digested are the event's source, a NUL byte and the event's id; where either could not be read, the whole body's
/// digest takes their place.
pub fn rejected_id(event: &RejectedEvent) -> String {
    let digest = match (&event.source, &event.id) {
        (Some(source), Some(id)) => Sha256::of(format!("{source}\0{id}").as_bytes()).to_hex(),
        _ => event.body_digest.clone(),
    };
    format!("rejected/{}", digest.get(..32).unwrap_or(&digest))
}

/// What stands for a tenant or a context that could not be read.
const UNKNOWN: &str = "unknown";

/// The key under which a result is published: `<outcome>.<tenant>.<context>`, such as `preview.ready.acme.ctx-42`.
///
/// A rejected event may not have said whose it is; the word `unknown` then takes that place. At most 245 bytes.
pub fn routing_key(
    outcome: OutcomeKind,
    tenant: Option<&TenantId>,
    context: Option<&ContextId>,
) -> String {
    let tenant = tenant.map_or_else(|| UNKNOWN.to_owned(), TenantId::escaped);
    let context = context.map_or_else(|| UNKNOWN.to_owned(), ContextId::escaped);
    format!("{}.{tenant}.{context}", outcome.word())
}

/// The key under which a context event is published: `context.<kind>.<tenant>`, such as `context.updated.acme`.
pub fn event_routing_key(kind: EventKind, tenant: &TenantId) -> String {
    format!("context.{}.{}", kind.word(), tenant.escaped())
}
