//! One request against the document: method, path, query, headers, body.

use std::collections::BTreeMap;

use foreshow_simulators::core::{Call, CallBody};
use serde_json::{Value, json};

use crate::{
    document::{Document, Documented, fits},
    exceptions::{Beyond, Exception},
};

/// Characters of a fault that are told.
const LENGTH: usize = 300;

/// Checks requests, and notes which exceptions they need.
pub(crate) struct Checker<'a> {
    document: &'a Document,
    exceptions: Vec<(&'a Exception, bool)>,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(document: &'a Document, exceptions: &'a [Exception]) -> Self {
        let exceptions = exceptions.iter().map(|one| (one, false)).collect();
        Self {
            document,
            exceptions,
        }
    }

    /// Each exception, and whether any request so far needed it.
    pub(crate) fn exceptions(self) -> Vec<(&'a Exception, bool)> {
        self.exceptions
    }

    /// The operation that a request is one of, and what is wrong with the request.
    pub(crate) fn check(&mut self, call: &Call) -> (String, Vec<String>) {
        let method = call.method.as_str();
        let Some(documented) = self.find(call) else {
            let operation = format!("{method} {}", call.path);
            return (
                operation,
                vec!["the document has no such operation".to_owned()],
            );
        };
        let of = (method, documented.path);
        let mut faults = Vec::new();
        if !call.headers.contains_key("authorization") {
            faults.push("it has no token".to_owned());
        }
        self.query(of, documented, call, &mut faults);
        self.headers(documented, call, &mut faults);
        self.body(of, documented, call, &mut faults);
        (format!("{method} {}", documented.path), faults)
    }

    fn find(&mut self, call: &Call) -> Option<Documented<'a>> {
        if let Some(found) = self.document.find(&call.method, &call.path) {
            return Some(found);
        }
        let known = self.needed(|beyond| match beyond {
            Beyond::Path { method, sent, .. } => *method == call.method && fits(sent, &call.path),
            Beyond::Query { .. } | Beyond::Field { .. } => false,
        })?;
        match known.beyond {
            Beyond::Path {
                method, documented, ..
            } => self.document.find(method, documented),
            Beyond::Query { .. } | Beyond::Field { .. } => None,
        }
    }

    /// The exception that allows what the document does not have. It is needed.
    fn needed(&mut self, is_it: impl Fn(Beyond) -> bool) -> Option<&'a Exception> {
        let mut all = self.exceptions.iter_mut();
        let (found, is_needed) = all.find(|(exception, _)| is_it(exception.beyond))?;
        *is_needed = true;
        Some(*found)
    }

    fn query(
        &mut self,
        of: (&str, &str),
        documented: Documented<'_>,
        call: &Call,
        faults: &mut Vec<String>,
    ) {
        let parameters: BTreeMap<&str, &Value> =
            documented.parameters("query").filter_map(named).collect();
        let mut sent: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
        for (name, value) in &call.query {
            // `labels[session]=…` is a field of `labels`.
            let (name, field) = match name.split_once('[') {
                Some((name, field)) => (name, field.trim_end_matches(']')),
                None => (name.as_str(), ""),
            };
            sent.entry(name).or_default().push((field, value));
        }
        for (name, values) in &sent {
            match parameters.get(name) {
                Some(parameter) => {
                    let candidates = candidates(parameter, values);
                    let place = format!("{name} in the query");
                    self.fits_one(&parameter["schema"], &candidates, &place, faults);
                }
                None if self.needed(|beyond| beyond.is_query(of, name)).is_some() => {}
                None => faults.push(format!(
                    "{name} in the query: the document has no such parameter"
                )),
            }
        }
        let missing = parameters
            .iter()
            .filter(|(name, parameter)| is_required(parameter) && !sent.contains_key(*name));
        faults.extend(missing.map(|(name, _)| format!("{name} in the query is missing")));
    }

    fn headers(&self, documented: Documented<'_>, call: &Call, faults: &mut Vec<String>) {
        for (name, parameter) in documented.parameters("header").filter_map(named) {
            match call.headers.get(&name.to_ascii_lowercase()) {
                Some(value) => {
                    let candidates = scalars(value);
                    let place = format!("the header {name}");
                    self.fits_one(&parameter["schema"], &candidates, &place, faults);
                }
                None if is_required(parameter) => {
                    faults.push(format!("the header {name} is missing"));
                }
                None => {}
            }
        }
    }

    fn body(
        &mut self,
        of: (&str, &str),
        documented: Documented<'_>,
        call: &Call,
        faults: &mut Vec<String>,
    ) {
        let Some(body) = documented.body() else {
            if call.body != CallBody::None {
                faults.push("it has a body: the document knows of none".to_owned());
            }
            return;
        };
        if call.body == CallBody::None {
            if is_required(body) {
                faults.push("the body is missing".to_owned());
            }
            return;
        }
        let kind = call.headers.get("content-type").map_or("", String::as_str);
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let Some(content) = body["content"].get(kind) else {
            faults.push(format!(
                "the body is {kind:?}: the document knows no such kind"
            ));
            return;
        };
        if kind != "application/json" {
            return;
        }
        let CallBody::Json(sent) = &call.body else {
            faults.push("the body is no JSON, or too long for the ledger".to_owned());
            return;
        };
        let schema = &content["schema"];
        let mut sent = sent.clone();
        if let Some(fields) = sent.as_object_mut() {
            let named = &self.document.resolve(schema)["properties"];
            let is_known = |name: &str| named.get(name).is_some();
            fields.retain(|name, _| {
                is_known(name) || self.needed(|beyond| beyond.is_field(of, name)).is_none()
            });
        }
        self.fits_one(schema, &[sent], "the body", faults);
    }

    /// Whether one of these ways to read a value fits a schema.
    fn fits_one(
        &self,
        schema: &Value,
        candidates: &[Value],
        place: &str,
        faults: &mut Vec<String>,
    ) {
        let rooted = json!({ "components": self.document.components, "allOf": [schema] });
        let validator = match jsonschema::draft202012::new(&rooted) {
            Ok(validator) => validator,
            Err(error) => {
                faults.push(told(&format!(
                    "{place}: the document's schema is none: {error}"
                )));
                return;
            }
        };
        if candidates
            .iter()
            .any(|candidate| validator.is_valid(candidate))
        {
            return;
        }
        let wrong = candidates
            .iter()
            .next_back()
            .into_iter()
            .flat_map(|one| validator.iter_errors(one));
        faults.extend(wrong.map(|error| {
            let at = error.instance_path().to_string();
            told(&format!(
                "{place}{}{at}: {error}",
                if at.is_empty() { "" } else { " at " }
            ))
        }));
    }
}

fn told(fault: &str) -> String {
    match fault.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &fault[..end]),
        None => fault.to_owned(),
    }
}

fn named(parameter: &Value) -> Option<(&str, &Value)> {
    Some((parameter["name"].as_str()?, parameter))
}

fn is_required(of: &Value) -> bool {
    of["required"] == Value::Bool(true)
}

/// What a parameter's values can stand for: an object of the fields in brackets, a list, or one word.
fn candidates(parameter: &Value, sent: &[(&str, &str)]) -> Vec<Value> {
    if parameter["style"] == "deepObject" {
        let fields = sent
            .iter()
            .map(|(field, value)| ((*field).to_owned(), json!(value)));
        return vec![Value::Object(fields.collect())];
    }
    let [(field, value)] = sent else {
        return vec![sent.iter().map(|(_, value)| json!(value)).collect()];
    };
    let mut candidates = vec![json!([value])];
    if field.is_empty() {
        candidates.extend(scalars(value));
    }
    candidates
}

/// A word is also the number or the truth that it spells.
fn scalars(word: &str) -> Vec<Value> {
    let spelt = serde_json::from_str(word).ok();
    let spelt = spelt.filter(|value: &Value| value.is_number() || value.is_boolean());
    spelt.into_iter().chain([json!(word)]).collect()
}

#[cfg(test)]
mod tests;
