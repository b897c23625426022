//! The files of one deploy.
//!
//! Every deploy brings every byte in one JSON document: text as `utf-8`, the rest as `base64`; there is no reuse of what was
//! sent before. Paths are relative to the app's folder.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::error::ApiError;
use super::fields::Fields;

/// How many links are followed before one counts as a circle.
const MAX_LINKS: usize = 16;

#[derive(Clone, Debug)]
enum Asset {
    File(Bytes),
    Symlink(String),
}

/// Files by path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Assets(BTreeMap<String, Asset>);

impl Assets {
    /// Reads the field `assets`.
    pub(crate) fn read(body: &Fields<'_>) -> Result<Self, ApiError> {
        let fields = body
            .object("assets")?
            .ok_or_else(|| body.invalid("assets"))?;
        let mut assets = BTreeMap::new();
        for (path, asset) in fields.entries() {
            let asset = asset?;
            if !is_inside(path) {
                return Err(fields.invalid(path));
            }
            assets.insert(path.to_owned(), read_asset(&asset)?);
        }
        Ok(Self(assets))
    }

    /// A file's bytes, links followed.
    pub(crate) fn file(&self, path: &str) -> Option<&Bytes> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            match self.0.get(&path)? {
                Asset::File(bytes) => return Some(bytes),
                Asset::Symlink(target) => path = resolved(&path, target)?,
            }
        }
        None
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.0
            .values()
            .map(|asset| match asset {
                Asset::File(bytes) => bytes.len() as u64,
                Asset::Symlink(target) => target.len() as u64,
            })
            .sum()
    }
}

fn read_asset(fields: &Fields<'_>) -> Result<Asset, ApiError> {
    match fields.text("kind")?.unwrap_or("file") {
        "symlink" => Ok(Asset::Symlink(fields.required_text("target")?.to_owned())),
        "file" => {
            let content = fields.required_text("content")?;
            match fields.text("encoding")?.unwrap_or("utf-8") {
                "utf-8" => Ok(Asset::File(Bytes::from(content.to_owned()))),
                "base64" => STANDARD
                    .decode(content)
                    .map(|bytes| Asset::File(Bytes::from(bytes)))
                    .map_err(|_| fields.invalid("content")),
                _ => Err(fields.invalid("encoding")),
            }
        }
        _ => Err(fields.invalid("kind")),
    }
}

/// Whether a path is relative and stays inside.
fn is_inside(path: &str) -> bool {
    !path.contains(['\0', '\\'])
        && path
            .split('/')
            .all(|segment| !matches!(segment, "" | "." | ".."))
}

/// Where a link leads, from the folder that it lies in; `None` where it leaves the app.
fn resolved(link: &str, target: &str) -> Option<String> {
    let mut segments: Vec<&str> = link.split('/').collect();
    segments.pop();
    for segment in target.split('/') {
        match segment {
            "" if segments.is_empty() && target.starts_with('/') => return None,
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name),
        }
    }
    Some(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(assets: Value) -> Result<Assets, ApiError> {
        let body = json!({ "assets": assets });
        Assets::read(&Fields::of_body(&body).unwrap())
    }

    #[test]
    fn text_bytes_and_links_are_read() {
        let assets = read(json!({
            "index.html": { "content": "hi" },
            "img/x.png": { "kind": "file", "encoding": "base64", "content": "AAEC" },
            "img/y.png": { "kind": "symlink", "target": "./x.png" },
            "z.png": { "kind": "symlink", "target": "img/y.png" },
        }))
        .unwrap();
        assert_eq!(assets.file("index.html").unwrap().as_ref(), b"hi");
        assert_eq!(assets.file("z.png").unwrap().as_ref(), [0, 1, 2]);
        assert_eq!((assets.count(), assets.file("nothing")), (4, None));
    }

    #[test]
    fn links_in_circles_and_out_of_the_app_lead_nowhere() {
        let assets = read(json!({
            "a": { "kind": "symlink", "target": "b" },
            "b": { "kind": "symlink", "target": "a" },
            "c": { "kind": "symlink", "target": "../../etc/passwd" },
        }))
        .unwrap();
        assert!(
            ["a", "b", "c"]
                .iter()
                .all(|path| assets.file(path).is_none())
        );
    }

    #[test]
    fn what_is_no_asset_is_refused_by_name() {
        let refused = |assets: Value| read(assets).unwrap_err().to_string();
        assert!(refused(json!({ "../x": { "content": "" } })).ends_with("assets.../x"));
        assert!(refused(json!({ "/x": { "content": "" } })).ends_with("assets./x"));
        assert!(refused(json!({ "x": {} })).ends_with("assets.x.content"));
        let odd = json!({ "x": { "content": "?", "encoding": "base64" } });
        assert!(refused(odd).ends_with("assets.x.content"));
        assert!(refused(Value::Null).ends_with("assets"));
    }
}
