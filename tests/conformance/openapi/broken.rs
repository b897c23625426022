//! Requests that are broken on purpose: a checker that takes one of them is dead.

use foreshow_simulators::core::{Call, CallBody};
use serde_json::json;

use crate::{adapter::Adapter, document::fits};

/// What is done to a request.
type Break = fn(&mut Call);

const BREAKS: [(&str, Break); 8] = [
    ("asks for a path of no version", |call| {
        call.path.insert_str(0, "/v0");
    }),
    ("has another method", |call| {
        "PUT".clone_into(&mut call.method);
    }),
    ("has an unknown name in its query", |call| {
        call.query.push(("frobnicate".to_owned(), "1".to_owned()));
    }),
    ("has an unknown field", |call| {
        change(call, "frobnicate", json!(true));
    }),
    ("has files that are none", |call| {
        change(call, "files", json!("all of them"));
        change(call, "assets", json!("all of them"));
    }),
    ("has half a file", |call| {
        change(call, "files", json!([{ "data": "", "sha": "" }]));
        change(call, "assets", json!({ "index.html": { "kind": "file" } }));
    }),
    ("has no body", |call| call.body = CallBody::None),
    ("has no token", |call| {
        call.headers.remove("authorization");
    }),
];

/// A create that was really asked for, broken in each of these ways.
///
/// # Panics
/// Where none was asked for: then there is nothing to break.
pub(crate) fn requests(adapter: &Adapter, calls: &[Call]) -> Vec<(&'static str, Call)> {
    let (method, path) = adapter.create;
    let create = calls
        .iter()
        .find(|call| call.method == method && fits(path, &call.path));
    let create = create.expect("the adapter was driven through a create");
    BREAKS
        .iter()
        .map(|(what, damage)| {
            let mut call = create.clone();
            damage(&mut call);
            (*what, call)
        })
        .collect()
}

/// Changes a field of the body that is there, or makes one of a name that no body has.
fn change(call: &mut Call, name: &str, value: serde_json::Value) {
    if let CallBody::Json(body) = &mut call.body
        && let Some(fields) = body.as_object_mut()
        && (fields.contains_key(name) || name == "frobnicate")
    {
        fields.insert(name.to_owned(), value);
    }
}
