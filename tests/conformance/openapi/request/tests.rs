//! What the checker refuses, on a document of a few lines.

use super::*;

fn document() -> Document {
    Document::of(json!({
        "openapi": "3.0.3",
        "paths": {
            "/v1/things": {
                "get": { "parameters": [
                    { "in": "query", "name": "limit", "required": true, "schema": { "type": "integer", "maximum": 9 } },
                    { "in": "query", "name": "labels", "style": "deepObject",
                      "schema": { "type": "object", "additionalProperties": { "type": "string" } } },
                    { "in": "query", "name": "ids", "schema": { "type": "array", "items": { "type": "string" } } },
                ] },
                "post": {
                    "parameters": [{ "in": "header", "name": "X-Size", "required": true, "schema": { "type": "number" } }],
                    "requestBody": { "required": true, "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/Thing" }
                    } } },
                },
            },
            "/v1/things/{id}": { "delete": {} },
        },
        "components": { "schemas": { "Thing": {
            "type": "object", "required": ["name"],
            "properties": { "name": { "type": "string" }, "note": { "type": "string", "nullable": true } },
        } } },
    }))
    .unwrap()
}

fn call(method: &str, path: &str) -> Call {
    let headers = [
        ("authorization", "[redacted]"),
        ("content-type", "application/json; charset=utf-8"),
        ("x-size", "3"),
    ];
    Call {
        number: 1,
        at_ms: 0,
        answered_at_ms: None,
        operation: "thing",
        method: method.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        is_authorized: true,
        body: CallBody::None,
        status: None,
        fault: None,
    }
}

fn list(query: &[(&str, &str)]) -> Call {
    let mut list = call("GET", "/v1/things");
    list.query = query
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    list
}

fn create(body: Value) -> Call {
    let mut create = call("POST", "/v1/things");
    create.body = CallBody::Json(body);
    create
}

fn faults(call: &Call) -> Vec<String> {
    Checker::new(&document(), &[]).check(call).1
}

fn good(call: &Call) {
    assert_eq!(faults(call), [""; 0]);
}

fn bad(call: &Call, word: &str) {
    let faults = faults(call);
    assert!(faults.len() == 1 && faults[0].contains(word), "{faults:?}");
}

#[test]
fn an_unknown_operation_is_refused() {
    good(&call("DELETE", "/v1/things/7"));
    bad(&call("DELETE", "/v2/things/7"), "no such operation");
    bad(&call("PATCH", "/v1/things/7"), "no such operation");
}

#[test]
fn a_query_has_known_names_and_values_that_fit() {
    good(&list(&[("limit", "9")]));
    good(&list(&[
        ("limit", "9"),
        ("labels[a]", "7"),
        ("labels[b]", ""),
        ("ids", "x"),
    ]));
    good(&list(&[("limit", "9"), ("ids", "x"), ("ids", "y")]));
    bad(&list(&[]), "limit in the query is missing");
    bad(&list(&[("limit", "10")]), "limit");
    bad(&list(&[("limit", "many")]), "limit");
    bad(&list(&[("limit", "9"), ("page", "2")]), "page in the query");
}

#[test]
fn a_body_fits_its_schema_and_is_there() {
    good(&create(json!({ "name": "x", "note": null })));
    bad(&create(json!({ "note": "x" })), "name");
    bad(&create(json!({ "name": 7 })), "/name");
    bad(&create(json!({ "name": "x", "nmae": "y" })), "nmae");
    bad(&create(json!([])), "the body");
    bad(&call("POST", "/v1/things"), "the body is missing");
    let mut unasked = call("DELETE", "/v1/things/7");
    unasked.body = CallBody::Json(json!({}));
    bad(&unasked, "knows of none");
    let mut text = create(json!({ "name": "x" }));
    text.headers
        .insert("content-type".to_owned(), "text/plain".to_owned());
    bad(&text, "text/plain");
}

#[test]
fn headers_fit_and_the_token_is_there() {
    let thing = json!({ "name": "x" });
    for (name, value, word) in [
        ("x-size", Some("large"), "X-Size"),
        ("x-size", None, "X-Size is missing"),
        ("authorization", None, "token"),
    ] {
        let mut create = create(thing.clone());
        create.headers.remove(name);
        create
            .headers
            .extend(value.map(|value| (name.to_owned(), value.to_owned())));
        bad(&create, word);
    }
}

#[test]
fn an_exception_allows_what_it_names_and_is_noted() {
    let exceptions = [
        Beyond::Path {
            method: "GET",
            sent: "/v2/things",
            documented: "/v1/things",
        },
        Beyond::Query {
            method: "GET",
            path: "/v1/things",
            name: "meta-*",
        },
        Beyond::Field {
            method: "POST",
            path: "/v1/things",
            name: "env",
        },
        Beyond::Field {
            method: "POST",
            path: "/v1/things",
            name: "name",
        },
    ]
    .map(|beyond| Exception { beyond, why: "" });
    let document = document();
    let mut checker = Checker::new(&document, &exceptions);
    let mut newer = list(&[("limit", "9"), ("meta-a", "b")]);
    newer.path = "/v2/things".to_owned();
    let (operation, faults) = checker.check(&newer);
    assert_eq!((operation.as_str(), faults), ("GET /v1/things", Vec::new()));
    assert_eq!(
        checker.check(&create(json!({ "name": "x", "env": {} }))).1,
        [""; 0]
    );
    assert_eq!(
        checker
            .check(&list(&[("limit", "9"), ("metal", "b")]))
            .1
            .len(),
        1
    );
    let needed: Vec<bool> = checker
        .exceptions()
        .iter()
        .map(|(_, is_needed)| *is_needed)
        .collect();
    assert_eq!(
        needed,
        [true, true, true, false],
        "the schema knows `name` by itself"
    );
}
