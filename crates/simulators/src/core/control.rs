//! `/_simulator/…`: what whoever runs the simulator may do, over HTTP. The same as [`Simulator`](super::Simulator)'s methods.
//!
//! Nobody is asked for a token: the simulator listens on loopback and holds nothing worth one.

use axum::response::Response;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    Fault, FaultId, Operation, Product, Query, request,
    routes::{Route, find_route},
    server::Desk,
};

#[derive(Clone, Copy)]
enum Act {
    Help,
    ReadLedger,
    ClearLedger,
    ReadFaults,
    AddFault,
    ClearFaults,
    ClearFault,
    ReadKnobs,
    TurnKnobs,
    ReadState,
    Vanish,
    VerifyDomain,
}

const ROUTES: &[Route<Act>] = &[
    ("GET", "", Act::Help),
    ("GET", "ledger", Act::ReadLedger),
    ("DELETE", "ledger", Act::ClearLedger),
    ("GET", "faults", Act::ReadFaults),
    ("POST", "faults", Act::AddFault),
    ("DELETE", "faults", Act::ClearFaults),
    ("DELETE", "faults/{id}", Act::ClearFault),
    ("GET", "knobs", Act::ReadKnobs),
    ("PUT", "knobs", Act::TurnKnobs),
    ("GET", "state", Act::ReadState),
    ("POST", "vanish/{id}", Act::Vanish),
    ("POST", "verify-domain/{domain}", Act::VerifyDomain),
];

/// `path` is what follows `/_simulator/`.
pub(crate) fn answer<P: Product>(
    desk: &Desk<P>,
    method: &Method,
    path: &str,
    query: &Query,
    body: &Bytes,
) -> Response {
    let Some(matched) = find_route(ROUTES, method, path) else {
        return refused(
            StatusCode::NOT_FOUND,
            &format!("there is no {method} {path}: GET /_simulator/ lists what there is"),
        );
    };
    match act(desk, matched.operation, &matched.params, query, body) {
        Ok(answer) => request::json(StatusCode::OK, &answer),
        Err((status, message)) => refused(status, &message),
    }
}

fn act<P: Product>(
    desk: &Desk<P>,
    act: Act,
    params: &super::Params,
    query: &Query,
    body: &Bytes,
) -> Result<Value, (StatusCode, String)> {
    let param = |name| params.get(name).map_or("", String::as_str);
    let bad = |error: serde_json::Error| (StatusCode::BAD_REQUEST, error.to_string());
    let gone = |what: &str, id: &str| (StatusCode::NOT_FOUND, format!("there is no {what} {id}"));
    Ok(match act {
        Act::Help => help::<P>(),
        Act::ReadLedger => json!(match query.get("operation") {
            Some(operation) => desk.ledger.calls_of(operation),
            None => desk.ledger.calls(),
        }),
        Act::ClearLedger => {
            desk.ledger.clear();
            json!({})
        }
        Act::ReadFaults => json!(desk.faults.standing()),
        Act::AddFault => {
            let fault: Fault = serde_json::from_slice(body).map_err(bad)?;
            if let Some(operation) = &fault.operation
                && !names::<P>().contains(&&**operation)
            {
                let known = names::<P>().join(", ");
                let message = format!("there is no operation {operation}; there are {known}");
                return Err((StatusCode::BAD_REQUEST, message));
            }
            json!({"id": desk.faults.add(fault)})
        }
        Act::ClearFaults => {
            desk.faults.clear();
            json!({})
        }
        Act::ClearFault => {
            let id = param("id");
            let known = id.parse().ok().map(FaultId);
            if !known.is_some_and(|id| desk.faults.remove(id)) {
                return Err(gone("fault", id));
            }
            json!({})
        }
        Act::ReadKnobs => json!(desk.product.knobs().get()),
        Act::TurnKnobs => {
            let patch = serde_json::from_slice(body).map_err(bad)?;
            desk.product.knobs().merge(patch).map_err(bad)?
        }
        Act::ReadState => desk.product.state(),
        Act::Vanish => {
            let id = param("id");
            if !desk.product.vanish(id) {
                return Err(gone("deployment", id));
            }
            json!({})
        }
        Act::VerifyDomain => {
            let domain = param("domain");
            if !desk.product.verify_domain(domain) {
                return Err(gone("domain", domain));
            }
            json!({})
        }
    })
}

fn names<P: Product>() -> Vec<&'static str> {
    P::Operation::ALL.iter().map(|one| one.name()).collect()
}

fn help<P: Product>() -> Value {
    let calls: Vec<_> = ROUTES
        .iter()
        .map(|(method, path, _)| format!("{method} /_simulator/{path}"))
        .collect();
    json!({"simulator": P::NAME, "calls": calls, "operations": names::<P>()})
}

fn refused(status: StatusCode, message: &str) -> Response {
    request::json(status, &json!({"error": message}))
}
