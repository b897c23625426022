//! Reading request bodies the way the service does.
//!
//! The service names the field that is wrong by its path (`Invalid input at production`), takes `null` for absent where a field may
//! be absent, never coerces a string to a boolean, and ignores fields that it does not know.

use serde_json::{Map, Value};

use super::error::ApiError;

/// An object of a request's body, and where in the body it is.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    /// The body as a whole.
    pub(crate) fn of_body(body: &'a Value) -> Result<Self, ApiError> {
        Self::of(body, String::new())
    }

    fn of(value: &'a Value, path: String) -> Result<Self, ApiError> {
        match value.as_object() {
            Some(map) => Ok(Self { path, map }),
            None if path.is_empty() => {
                Err(ApiError::malformed("Invalid input: expected an object"))
            }
            None => Err(ApiError::invalid_at(&path)),
        }
    }

    /// The field's path in the body.
    pub(crate) fn path(&self, name: &str) -> String {
        join(&self.path, name)
    }

    pub(crate) fn invalid(&self, name: &str) -> ApiError {
        ApiError::invalid_at(&self.path(name))
    }

    /// Whether the field was sent and is not `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, ApiError> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| self.invalid(name)))
            .transpose()
    }

    pub(crate) fn required_text(&self, name: &str) -> Result<&'a str, ApiError> {
        self.text(name)?.ok_or_else(|| self.invalid(name))
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.get(name)
            .map(|value| value.as_bool().ok_or_else(|| self.invalid(name)))
            .transpose()
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let items = value.as_array().ok_or_else(|| self.invalid(name))?;
        items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| ApiError::invalid_at(&join(&self.path(name), &at.to_string())))
            })
            .collect::<Result<_, _>>()
            .map(Some)
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, ApiError> {
        self.get(name)
            .map(|value| Self::of(value, self.path(name)))
            .transpose()
    }

    pub(crate) fn objects(&self, name: &str) -> Result<Option<Vec<Self>>, ApiError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let items = value.as_array().ok_or_else(|| self.invalid(name))?;
        items
            .iter()
            .enumerate()
            .map(|(at, item)| Self::of(item, join(&self.path(name), &at.to_string())))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// The object's own fields, each an object.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Result<Self, ApiError>)> {
        self.map
            .iter()
            .map(|(name, value)| (name.as_str(), Self::of(value, self.path(name))))
    }

    /// The object's own fields.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.map.iter().map(|(name, value)| (name.as_str(), value))
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_boolean_sent_as_a_string_is_named() {
        let body = json!({ "production": "true" });
        let fields = Fields::of_body(&body).unwrap();
        let refused = fields.flag("production").unwrap_err();
        assert!(refused.to_string().ends_with("Invalid input at production"));
    }

    #[test]
    fn a_wrong_item_is_named_by_its_place() {
        let body = json!({ "config": { "runtime": { "args": ["--a", 2] } } });
        let fields = Fields::of_body(&body).unwrap();
        let config = fields.object("config").unwrap().unwrap();
        let runtime = config.object("runtime").unwrap().unwrap();
        let refused = runtime.texts("args").unwrap_err();
        assert!(refused.to_string().ends_with("config.runtime.args.1"));
    }

    #[test]
    fn null_counts_as_absent() {
        let body = json!({ "install": null });
        let fields = Fields::of_body(&body).unwrap();
        assert_eq!(fields.text("install").unwrap(), None);
    }
}
