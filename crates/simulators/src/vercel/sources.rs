//! The files of a deployment as they are listed: inline, or by digest, or both in one list.
//!
//! What is missing is told all at once and each content once. Paths are checked before anything is made of them: none leaves its
//! folder, none is a file and a folder.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    deployment::SourceFile,
    files,
    refused::Refused,
    scene::{Scene, text},
};

/// The files: inline ones as they are, the others from what was uploaded before.
pub(super) fn read(
    scene: &mut Scene<'_>,
    body: &Map<String, Value>,
) -> Result<Vec<SourceFile>, Refused> {
    if let Some(id) = text(body, "deploymentId")? {
        let again = scene.world.find(&scene.owner, id);
        let again = again
            .ok_or_else(|| Refused::not_found("The deployment to redeploy could not be found."))?;
        return Ok(again.sources.to_vec());
    }
    if body.contains_key("gitSource") {
        return Err(Refused::bad_request(
            "The simulator has no git provider: send `files`.",
        ));
    }
    let listed = match body.get("files") {
        Some(Value::Array(files)) => files.as_slice(),
        None => &[],
        Some(_) => {
            return Err(Refused::bad_request(
                "Invalid request: `files` should be array.",
            ));
        }
    };
    if listed.len() > scene.knobs.max_files {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "too_many_files",
            format!(
                "A deployment can have at most {} files.",
                scene.knobs.max_files
            ),
        ));
    }
    let stored = &scene.world.shelf(&scene.owner).files;
    let mut sources = Vec::with_capacity(listed.len());
    let mut missing = Vec::new();
    let mut seen = BTreeSet::new();
    for (at, listed) in listed.iter().enumerate() {
        let file = Listed::read(at, listed)?;
        match file.content {
            Content::Inline(content) => sources.push(SourceFile {
                sha: files::digest(&content),
                path: file.path,
                mode: file.mode,
                content,
            }),
            Content::Digest { sha, size } => match stored.get(&sha) {
                Some(content) if size.is_some_and(|size| size != content.len() as u64) => {
                    return Err(Refused::bad_request(format!(
                        "Invalid file size: `{}` has {} bytes.",
                        file.path,
                        content.len(),
                    )));
                }
                Some(content) => sources.push(SourceFile {
                    sha,
                    path: file.path,
                    mode: file.mode,
                    content: content.clone(),
                }),
                None => {
                    if seen.insert(sha.clone()) {
                        missing.push(sha);
                    }
                }
            },
        }
    }
    if !missing.is_empty() {
        return Err(
            Refused::new(StatusCode::BAD_REQUEST, "missing_files", "Missing files")
                .with("missing", json!(missing)),
        );
    }
    if sources.is_empty() {
        return Err(Refused::bad_request(
            "A deployment needs at least one file.",
        ));
    }
    let bytes: u64 = sources.iter().map(|one| one.content.len() as u64).sum();
    if bytes > scene.knobs.max_source_bytes {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "size_limit_exceeded",
            format!(
                "The files have {bytes} bytes in total; {} are allowed.",
                scene.knobs.max_source_bytes
            ),
        ));
    }
    check_paths(&sources)?;
    Ok(sources)
}

/// No path twice, and none that is a folder for another.
fn check_paths(sources: &[SourceFile]) -> Result<(), Refused> {
    let conflict = |path: &str| {
        let message = format!("The path `{path}` is used by more than one file or folder.");
        Refused::new(StatusCode::BAD_REQUEST, "conflicting_file_path", message)
    };
    let mut paths = BTreeSet::new();
    for source in sources {
        if !paths.insert(source.path.as_str()) {
            return Err(conflict(&source.path));
        }
    }
    for path in &paths {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        for folder in folders {
            if paths.contains(folder) {
                return Err(conflict(folder));
            }
        }
    }
    Ok(())
}

struct Listed {
    path: String,
    mode: u32,
    content: Content,
}

enum Content {
    Inline(Bytes),
    Digest { sha: String, size: Option<u64> },
}

impl Listed {
    fn read(at: usize, listed: &Value) -> Result<Self, Refused> {
        let bad =
            |what: &str| Refused::bad_request(format!("Invalid request: `files[{at}]` {what}."));
        let listed = listed.as_object().ok_or_else(|| bad("should be object"))?;
        let path = text(listed, "file")?.ok_or_else(|| bad("misses `file`"))?;
        let is_inside = |part: &str| !part.is_empty() && part != "." && part != "..";
        if !path.split('/').all(is_inside) || path.contains(['\0', '\\']) {
            return Err(bad("has a `file` that is no relative path"));
        }
        if path.starts_with(".vercel/source.tgz.part") {
            return Err(bad(
                "is part of an archive, which the simulator does not unpack",
            ));
        }
        let mode = listed
            .get("mode")
            .and_then(Value::as_u64)
            .and_then(|mode| u32::try_from(mode).ok());
        let content = match (text(listed, "data")?, text(listed, "sha")?) {
            (Some(data), _) => Content::Inline(match text(listed, "encoding")? {
                None | Some("utf-8") => Bytes::from(data.to_owned()),
                Some("base64") => {
                    Bytes::from(STANDARD.decode(data).map_err(|_| bad("is not base64"))?)
                }
                Some(_) => {
                    return Err(bad(
                        "has an `encoding` that is neither `utf-8` nor `base64`",
                    ));
                }
            }),
            (None, Some(sha)) if files::is_digest(sha) => Content::Digest {
                sha: sha.to_owned(),
                size: listed.get("size").and_then(Value::as_u64),
            },
            (None, Some(_)) => return Err(bad("has a `sha` that is no SHA-1")),
            (None, None) => return Err(bad("has neither `data` nor `sha`")),
        };
        Ok(Self {
            path: path.to_owned(),
            mode: mode.unwrap_or(0o100_644),
            content,
        })
    }
}
