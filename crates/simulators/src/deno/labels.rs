//! Labels of apps and revisions: strings, or lists of strings, by key.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::Fields;

/// How many labels an app may have. The limit of a revision's labels is not known; none is kept here.
pub(crate) const MAX_APP_LABELS: usize = 5;

/// One label's value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LabelValue {
    One(String),
    Many(Vec<String>),
}

/// The labels of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(BTreeMap<String, LabelValue>);

impl Labels {
    /// Reads the field `labels`; `None` where it was not sent.
    pub(crate) fn read(body: &Fields<'_>) -> Result<Option<Self>, ApiError> {
        let Some(fields) = body.object("labels")? else {
            return Ok(None);
        };
        let mut labels = BTreeMap::new();
        for (key, value) in fields.values() {
            let value = match value {
                Value::String(text) => LabelValue::One(text.clone()),
                Value::Array(items) => LabelValue::Many(
                    items
                        .iter()
                        .map(|item| item.as_str().map(str::to_owned))
                        .collect::<Option<_>>()
                        .ok_or_else(|| fields.invalid(key))?,
                ),
                _ => return Err(fields.invalid(key)),
            };
            labels.insert(key.to_owned(), value);
        }
        Ok(Some(Self(labels)))
    }

    /// Reads an app's labels, of which there are five at most.
    pub(crate) fn read_of_app(body: &Fields<'_>) -> Result<Option<Self>, ApiError> {
        let labels = Self::read(body)?;
        match &labels {
            Some(Self(map)) if map.len() > MAX_APP_LABELS => Err(ApiError::malformed(format!(
                "Too many labels: an app has at most {MAX_APP_LABELS}"
            ))),
            _ => Ok(labels),
        }
    }

    /// Whether the label has the value, or holds it in its list.
    pub(crate) fn matches(&self, key: &str, wanted: &str) -> bool {
        match self.0.get(key) {
            Some(LabelValue::One(value)) => value == wanted,
            Some(LabelValue::Many(values)) => values.iter().any(|value| value == wanted),
            None => false,
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|(key, value)| {
                let value = match value {
                    LabelValue::One(text) => json!(text),
                    LabelValue::Many(items) => json!(items),
                };
                (key.clone(), value)
            })
            .collect()
    }
}

/// The filter `labels[key]=value` of a query, in any number.
pub(crate) fn filters(query: &[(String, String)]) -> Vec<(&str, &str)> {
    query
        .iter()
        .filter_map(|(name, value)| {
            let key = name.strip_prefix("labels[")?.strip_suffix(']')?;
            Some((key, value.as_str()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(labels: Value) -> Result<Option<Labels>, ApiError> {
        let body = json!({ "labels": labels });
        Labels::read_of_app(&Fields::of_body(&body).unwrap())
    }

    #[test]
    fn a_list_matches_each_of_its_values() {
        let labels = read(json!({ "branch": ["main", "next"], "sha": "abc" }))
            .unwrap()
            .unwrap();
        assert!(labels.matches("branch", "next") && labels.matches("sha", "abc"));
        assert!(!labels.matches("sha", "ab") && !labels.matches("other", ""));
    }

    #[test]
    fn an_app_has_five_labels_at_most() {
        let six: Value = (0..6).map(|n| (format!("k{n}"), json!("v"))).collect();
        assert!(read(six).is_err());
        assert!(read(json!({ "number": 3 })).is_err());
    }

    #[test]
    fn filters_are_taken_from_the_query() {
        let query = [
            ("labels[context]".to_owned(), "a b".to_owned()),
            ("limit".to_owned(), "3".to_owned()),
        ];
        assert_eq!(filters(&query), [("context", "a b")]);
    }
}
