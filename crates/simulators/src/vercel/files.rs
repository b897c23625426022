//! Uploads: content by its SHA-1, kept per account, and never twice.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde_json::json;
use sha1::{Digest, Sha1};

use super::{
    refused::Refused,
    scene::{Answer, Scene},
};

/// The digest by which content is known.
pub(super) fn digest(content: &Bytes) -> String {
    HEXLOWER.encode(&Sha1::digest(content))
}

/// Whether it could be a digest.
pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 40
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `POST /v2/files`. The reference names `x-vercel-digest`; the official client sends `x-now-digest`.
pub(super) fn upload(scene: &mut Scene<'_>) -> Answer {
    let call = scene.call;
    let header = |names: [&str; 2]| names.into_iter().find_map(|name| call.header(name));
    let told = header(["x-vercel-digest", "x-now-digest"])
        .ok_or_else(|| Refused::bad_request("Missing required header `x-vercel-digest`."))?;
    if !is_digest(told) {
        return Err(Refused::bad_request(
            "Digest is not valid: 40 lower-case hexadecimal digits are expected.",
        ));
    }
    if let Some(size) = header(["x-vercel-size", "x-now-size"])
        && size.parse() != Ok(call.body.len())
    {
        return Err(Refused::bad_request("File size is not valid."));
    }
    if digest(&call.body) != told {
        return Err(Refused::bad_request(
            "Digest is not valid: it is not the SHA-1 of the content.",
        ));
    }
    let (now_ms, knobs) = (scene.now_ms, scene.knobs);
    let shelf = scene.world.shelf(&scene.owner);
    shelf
        .uploads
        .count(now_ms, knobs.uploads_per_day, knobs.day_ms)
        .map_err(|(total, reset_ms)| Refused::limited("api-upload-free", total, reset_ms))?;
    shelf
        .files
        .entry(told.to_owned())
        .or_insert_with(|| call.body.clone());
    Ok(json!({"urls": []}))
}
