//! An OpenAPI document, as far as requests need it: 3.0 and 3.1.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::schema;

/// A vendor's document, its schemas made JSON Schemas.
pub(crate) struct Document {
    paths: Value,
    /// As schemas refer to them, `#/components/schemas/…`.
    pub(crate) components: Value,
}

/// An operation that the document has.
#[derive(Clone, Copy)]
pub(crate) struct Documented<'a> {
    pub(crate) path: &'a str,
    /// What all methods of the path share.
    item: &'a Value,
    operation: &'a Value,
}

impl Document {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the OpenAPI document {shown}"))?;
        let json = serde_json::from_str(&text)
            .with_context(|| format!("{shown} is no JSON: give the vendor's OpenAPI document"))?;
        Self::of(json).with_context(|| format!("{shown} can't be used"))
    }

    pub(crate) fn of(mut json: Value) -> Result<Self> {
        let version = json["openapi"].as_str().unwrap_or_default();
        let is_3_0 = version.starts_with("3.0");
        ensure!(
            is_3_0 || version.starts_with("3.1"),
            "OpenAPI {version:?} is neither 3.0 nor 3.1"
        );
        schema::lower(&mut json, is_3_0);
        Ok(Self {
            paths: json["paths"].take(),
            components: json["components"].take(),
        })
    }

    /// The operation for a request. A path without templates comes before those with, as OpenAPI wants it; and what it does not
    /// want and Vercel does: one path may be there twice, for other methods, with its templates named otherwise.
    pub(crate) fn find(&self, method: &str, sent: &str) -> Option<Documented<'_>> {
        let method = method.to_ascii_lowercase();
        let paths = self.paths.as_object()?.iter();
        let fitting = paths.filter(|(path, _)| fits(path, sent));
        let having = fitting.filter_map(|(path, item)| {
            Some(Documented {
                path,
                item,
                operation: item.get(&method)?,
            })
        });
        having.min_by_key(|found| found.path.matches('{').count())
    }

    /// What a schema refers to; itself where it does not.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let place = reference.and_then(|reference| reference.strip_prefix("#/components"));
        place
            .and_then(|place| self.components.pointer(place))
            .unwrap_or(schema)
    }
}

impl<'a> Documented<'a> {
    /// Parameters of one place: `query` or `header`.
    pub(crate) fn parameters(self, place: &'static str) -> impl Iterator<Item = &'a Value> {
        [self.operation, self.item]
            .into_iter()
            .filter_map(|one| one.get("parameters")?.as_array())
            .flatten()
            .filter(move |parameter| parameter["in"] == place)
    }

    pub(crate) fn body(self) -> Option<&'a Value> {
        self.operation.get("requestBody")
    }
}

/// Whether a path is one of a template: a segment in braces stands for any one segment.
pub(crate) fn fits(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(sent)) => {
                let is_any = wanted.starts_with('{') && wanted.ends_with('}');
                if !(wanted == sent || is_any && !sent.is_empty()) {
                    return false;
                }
            }
            (None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_segment_stands_for_one_segment() {
        assert!(fits("/v2/apps/{app}/deploy", "/v2/apps/shop/deploy"));
        for other in [
            "/v2/apps/shop",
            "/v2/apps//deploy",
            "/v2/apps/a/b/deploy",
            "/v3/apps/shop/deploy",
        ] {
            assert!(!fits("/v2/apps/{app}/deploy", other), "{other}");
        }
    }

    #[test]
    fn the_path_without_templates_comes_first_and_methods_are_told_apart() {
        let document = Document::of(json!({
            "openapi": "3.1.0",
            "paths": {
                "/things/{id}": { "get": {} },
                "/things/{idOrName}": { "delete": {} },
                "/things/all": { "get": {}, "post": {} },
            },
        }))
        .unwrap();
        let path = |method, sent| document.find(method, sent).map(|found| found.path);
        assert_eq!(path("GET", "/things/all"), Some("/things/all"));
        assert_eq!(path("GET", "/things/7"), Some("/things/{id}"));
        assert_eq!(path("DELETE", "/things/7"), Some("/things/{idOrName}"));
        assert_eq!(path("POST", "/things/7"), None);
        assert_eq!(path("GET", "/other"), None);
    }

    #[test]
    fn what_is_no_openapi_of_today_is_refused() {
        for json in [
            json!({}),
            json!({ "swagger": "2.0" }),
            json!({ "openapi": "4.0.0" }),
        ] {
            assert!(Document::of(json).is_err());
        }
    }
}
