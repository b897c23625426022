//! OpenAPI's schemas as JSON Schemas of 2020-12, and closed.
//!
//! - **3.0** has a dialect of its own: `nullable`, and `exclusiveMinimum` as a flag. 3.1 has JSON Schema's words.
//! - **Closed**: an object that names its fields and says nothing of others takes any other. A name that is misspelt would be
//!   taken for one of those, so here it takes none. Parts of an `allOf` with several parts stay open: they complete each other.

use serde_json::{Map, Value, json};

/// Changes every schema below this value. What is no schema has none of these words, and stays as it is.
pub(crate) fn lower(value: &mut Value, is_3_0: bool) {
    walk(value, is_3_0, true);
}

fn walk(value: &mut Value, is_3_0: bool, may_close: bool) {
    match value {
        Value::Object(object) => {
            let parts = object
                .get("allOf")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            for (name, inner) in object.iter_mut() {
                // Data, and not schemas.
                if matches!(
                    name.as_str(),
                    "example" | "examples" | "default" | "enum" | "const"
                ) {
                    continue;
                }
                let is_part = name == "allOf" && parts > 1;
                match inner {
                    Value::Array(all) if is_part => {
                        for one in all {
                            walk(one, is_3_0, false);
                        }
                    }
                    other => walk(other, is_3_0, true),
                }
            }
            if is_3_0 {
                bounds(object);
                nullable(object);
            }
            if may_close {
                close(object);
            }
        }
        Value::Array(all) => {
            for one in all {
                walk(one, is_3_0, true);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn close(schema: &mut Map<String, Value>) {
    let is_object =
        matches!(schema.get("type"), None | Some(Value::Array(_))) || schema["type"] == "object";
    let names_fields = schema.get("properties").is_some_and(Value::is_object);
    let is_whole = !schema.contains_key("allOf");
    if is_object && names_fields && is_whole && !schema.contains_key("additionalProperties") {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// `nullable` beside a `type` allows `null`, also where an `enum` forgot it.
fn nullable(schema: &mut Map<String, Value>) {
    if schema.get("nullable") != Some(&Value::Bool(true)) {
        return;
    }
    schema.remove("nullable");
    if let Some(Value::String(only)) = schema.get("type").cloned() {
        schema.insert("type".to_owned(), json!([only, "null"]));
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum")
        && !words.contains(&Value::Null)
    {
        words.push(Value::Null);
    }
    for of in ["oneOf", "anyOf"] {
        if let Some(Value::Array(all)) = schema.get_mut(of) {
            all.push(json!({ "type": "null" }));
        }
    }
}

/// A flag beside `minimum` and `maximum`, where JSON Schema has a number.
fn bounds(schema: &mut Map<String, Value>) {
    for (flag, bound) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        match schema.get(flag) {
            Some(Value::Bool(true)) => {
                if let Some(limit) = schema.remove(bound) {
                    schema.insert(flag.to_owned(), limit);
                }
            }
            Some(Value::Bool(false)) => drop(schema.remove(flag)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(schema: &Value, is_3_0: bool, value: &Value) -> bool {
        let mut schema = schema.clone();
        lower(&mut schema, is_3_0);
        jsonschema::draft202012::new(&schema)
            .unwrap()
            .is_valid(value)
    }

    #[test]
    fn null_is_taken_where_3_0_calls_it_nullable() {
        for nullable in [
            json!({ "type": "string", "nullable": true }),
            json!({ "type": "string", "nullable": true, "enum": ["x"] }),
            json!({ "nullable": true, "oneOf": [{ "type": "string" }] }),
        ] {
            assert!(takes(&nullable, true, &Value::Null), "{nullable}");
            assert!(takes(&nullable, true, &json!("x")) && !takes(&nullable, true, &json!(7)));
            assert!(
                !takes(&nullable, false, &Value::Null),
                "3.1 does not know the word"
            );
        }
        assert!(takes(
            &json!({ "type": ["string", "null"] }),
            false,
            &Value::Null
        ));
        let not = json!({ "type": "string", "nullable": false });
        assert!(!takes(&not, true, &Value::Null));
    }

    #[test]
    fn exclusive_bounds_are_flags_in_3_0_and_numbers_in_3_1() {
        let flag = json!({ "type": "number", "minimum": 1, "exclusiveMinimum": true });
        let number = json!({ "type": "number", "exclusiveMinimum": 1 });
        for (schema, is_3_0) in [(&flag, true), (&number, false)] {
            assert!(!takes(schema, is_3_0, &json!(1)) && takes(schema, is_3_0, &json!(2)));
        }
        let without = json!({ "type": "number", "minimum": 1, "exclusiveMinimum": false });
        assert!(takes(&without, true, &json!(1)));
    }

    #[test]
    fn an_object_takes_only_the_fields_that_it_names() {
        let field = json!({ "a": { "type": "string" } });
        let closed = json!({ "type": "object", "properties": field });
        assert!(takes(&closed, false, &json!({ "a": "" })));
        assert!(!takes(&closed, false, &json!({ "b": "" })));
        let open = json!({ "type": "object", "properties": field, "additionalProperties": true });
        let map = json!({ "type": "object" });
        assert!(
            takes(&open, false, &json!({ "b": "" })) && takes(&map, false, &json!({ "b": "" }))
        );
        let both = json!({ "allOf": [{ "properties": field }, { "properties": { "b": {} } }] });
        assert!(takes(&both, false, &json!({ "a": "", "b": "" })));
        let one_of = json!({ "oneOf": [closed, { "type": "object", "properties": { "b": {} } }] });
        assert!(
            takes(&one_of, false, &json!({ "b": 1 }))
                && !takes(&one_of, false, &json!({ "a": "", "b": 1 }))
        );
    }

    #[test]
    fn examples_are_data() {
        let mut schema =
            json!({ "example": { "properties": {}, "nullable": true }, "type": "object" });
        let before = schema.clone();
        lower(&mut schema, true);
        assert_eq!(schema, before);
    }
}
