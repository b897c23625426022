//! From the files that were sent to the site that is served, and the tree of them that the API tells.
//!
//! Nothing is built. What is served is what a build that changes nothing would leave: the output folder where files lie in it,
//! else Vercel's own folders (`.vercel/output/static` of a prebuilt one, `public`), else everything.

use serde_json::{Map, Value, json};

use super::deployment::SourceFile;
use crate::core::site::Files;

/// The kind of a file, in its mode.
const KIND: u32 = 0o170_000;
const SYMLINK: u32 = 0o120_000;

/// The files that are served.
pub(super) fn site_of(sources: &[SourceFile], settings: &Map<String, Value>) -> Files {
    let files: Files = sources
        .iter()
        .filter_map(|one| {
            let content = if one.mode & KIND == SYMLINK {
                linked(sources, one)?.content.clone()
            } else {
                one.content.clone()
            };
            Some((one.path.clone(), content))
        })
        .collect();
    let folder = |name: &str| {
        let told = settings
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default();
        told.trim_matches(['.', '/']).to_owned()
    };
    let files = below(&files, &folder("rootDirectory")).unwrap_or(files);
    let output = folder("outputDirectory");
    let mut folders = vec![".vercel/output/static", "public"];
    if !output.is_empty() {
        folders.insert(0, &output);
    }
    let site = folders.into_iter().find_map(|folder| below(&files, folder));
    site.unwrap_or(files)
}

/// What lies in a folder, by paths from there; `None` where nothing does.
fn below(files: &Files, folder: &str) -> Option<Files> {
    if folder.is_empty() {
        return None;
    }
    let folder = format!("{folder}/");
    let below: Files = files
        .iter()
        .filter_map(|(path, content)| {
            Some((path.strip_prefix(&folder)?.to_owned(), content.clone()))
        })
        .collect();
    (!below.is_empty()).then_some(below)
}

/// What a link beside it leads to.
fn linked<'a>(sources: &'a [SourceFile], link: &SourceFile) -> Option<&'a SourceFile> {
    let target = std::str::from_utf8(&link.content).ok()?;
    let mut parts: Vec<&str> = link.path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    sources
        .iter()
        .find(|one| one.path == path && one.mode & KIND != SYMLINK)
}

/// `GET /v6/deployments/{id}/files`
pub(super) fn to_json(sources: &[SourceFile]) -> Value {
    let paths: Vec<_> = sources.iter().map(|one| (one.path.as_str(), one)).collect();
    Value::Array(level(&paths))
}

fn level(files: &[(&str, &SourceFile)]) -> Vec<Value> {
    let mut nodes = Vec::new();
    let mut folders = std::collections::BTreeMap::<&str, Vec<(&str, &SourceFile)>>::new();
    for (path, source) in files {
        match path.split_once('/') {
            Some((folder, rest)) => folders.entry(folder).or_default().push((rest, *source)),
            None => nodes.push(json!({
                "name": path,
                "type": if source.mode & KIND == SYMLINK { "symlink" } else { "file" },
                "uid": source.sha,
                "mode": source.mode,
                "contentType": mime_guess::from_path(path).first_or_octet_stream().to_string(),
            })),
        }
    }
    nodes.extend(folders.into_iter().map(|(name, files)| {
        json!({"name": name, "type": "directory", "mode": 0o040_755, "children": level(&files)})
    }));
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn site(files: &[(&str, u32, &'static str)], settings: Value) -> Vec<String> {
        let sources: Vec<_> = files
            .iter()
            .map(|(path, mode, text)| SourceFile {
                path: (*path).to_owned(),
                sha: String::new(),
                mode: *mode,
                content: Bytes::from_static(text.as_bytes()),
            })
            .collect();
        let settings = settings.as_object().cloned().unwrap_or_default();
        site_of(&sources, &settings)
            .into_iter()
            .map(|(path, content)| format!("{path}={}", String::from_utf8_lossy(&content)))
            .collect()
    }

    #[test]
    fn the_output_folder_is_the_site_where_files_lie_in_it() {
        let files = [
            ("index.html", 0, "a"),
            ("dist/index.html", 0, "b"),
            ("package.json", 0, "c"),
        ];
        assert_eq!(
            site(&files, json!({"outputDirectory": "./dist"})),
            ["index.html=b"]
        );
        assert_eq!(site(&files, json!({"outputDirectory": "build"})).len(), 3);
        assert_eq!(
            site(&files, json!({"rootDirectory": "dist"})),
            ["index.html=b"]
        );
    }

    #[test]
    fn links_lead_to_files_and_never_outside() {
        let files = [
            ("a/x.txt", 0, "x"),
            ("a/b/l", 0o120_777, "../x.txt"),
            ("m", 0o120_777, "../../etc/passwd"),
        ];
        assert_eq!(site(&files, json!({})), ["a/b/l=x", "a/x.txt=x"]);
    }
}
