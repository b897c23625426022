//! A directory's files on their way: inside the event where they are few, else as a bundle beside it.

use std::io::ErrorKind;
use std::path::Path;

use foreshow_bundle::{BundleError, Collected, Limits};
use foreshow_contract::{BundleRef, ContextKey, InlineFile, MAX_EVENT_BYTES, Revision};

use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::bytes;
use crate::wiring::Client;

/// Up to this size, encoded, files travel inside the event: one write instead of two.
const INLINE_BYTES: u64 = 256 << 10;

/// Beyond this no event fits into [`MAX_EVENT_BYTES`], whatever else it carries.
const LARGEST_INLINE_BYTES: u64 = MAX_EVENT_BYTES as u64 - (256 << 10);

/// How files are carried.
pub(super) enum Files {
    Inline(Vec<InlineFile>),
    Bundle(BundleRef),
}

/// Finds the files to publish.
pub(super) async fn collect(dir: &Path, limits: &Limits) -> Result<Collected, Failure> {
    let (path, limits) = (dir.to_owned(), limits.clone());
    let collected = tokio::task::spawn_blocking(move || foreshow_bundle::collect(&path, &limits));
    collected
        .await
        .or_fail(Exit::Environment)?
        .map_err(|error| refused(dir, error))
}

/// Puts the files where the event can carry or name them.
pub(super) async fn carry(
    client: &Client,
    key: &ContextKey,
    revision: Revision,
    collected: &Collected,
) -> Result<Files, Failure> {
    let size = collected.encoded_size_bytes();
    if size > INLINE_BYTES {
        if let Some(bundle) = client.keep_bundle(collected, key, revision).await? {
            return Ok(Files::Bundle(bundle));
        }
        if size > LARGEST_INLINE_BYTES {
            let what = format!(
                "these files are too large for an event ({}), and there is no way to a gateway that could keep them",
                bytes(size)
            );
            let help = "say where the gateway is: gateway.url (FORESHOW_GATEWAY__URL), and gateway.token with it";
            return Err(Failure::new(Exit::Usage, what).help(help));
        }
    }
    let files = collected.clone();
    let read = tokio::task::spawn_blocking(move || files.inline())
        .await
        .or_fail(Exit::Environment)?;
    read.map(Files::Inline).or_fail(Exit::Usage)
}

fn refused(dir: &Path, error: BundleError) -> Failure {
    let help = "name the directory that holds the files to publish";
    match &error {
        BundleError::Io { source, path, .. }
            if source.kind() == ErrorKind::NotFound && path == dir =>
        {
            Failure::new(
                Exit::Usage,
                format!("there is no directory {}", dir.display()),
            )
            .help(help)
        }
        BundleError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Failure::of(Exit::Usage, error)
                .help("make it readable for this user, or leave it out with a .foreshowignore")
        }
        BundleError::NoFiles { .. } => Failure::new(
            Exit::Usage,
            format!("{} cannot be published: {error}", dir.display()),
        ),
        _ => Failure::of(Exit::Usage, error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn what_cannot_be_published_is_a_usage_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let [missing, file, empty] =
            ["missing", "file", "empty"].map(|name| folder.path().join(name));
        fs::write(&file, "").unwrap();
        fs::create_dir(&empty).unwrap();
        for (path, says) in [
            (missing, "there is no directory"),
            (file, "is not a directory"),
            (empty, "there are no files to deploy"),
        ] {
            let failure = collect(&path, &Limits::default()).await.unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().contains(says), "{failure}");
        }
    }
}
