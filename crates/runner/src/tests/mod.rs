//! What a folder of previews promises, as claims.

mod crashes;
mod serving;
mod storage;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foreshow_bundle::{Limits, Tree, tree_from_inline};
use foreshow_contract::{ContextKey, Encoding, HostLabel, InlineFile, Revision, Timestamp};

use crate::{Build, Created, NewDeployment, PreviewHost};

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

/// A folder in a temporary place.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) host: PreviewHost,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = PreviewHost::open(folder.path(), NOW).await.unwrap();
        Self { folder, host }
    }

    /// As after the process died: everything in memory is gone.
    pub(crate) async fn restart(self) -> Self {
        let Self { folder, host } = self;
        host.close().await;
        let host = PreviewHost::open(folder.path(), NOW).await.unwrap();
        Self { folder, host }
    }

    pub(crate) async fn deploy(
        &self,
        context: &str,
        revision: u64,
        files: &[(&str, &str)],
    ) -> Created {
        self.host
            .create(new(context, revision, files), NOW)
            .await
            .unwrap()
    }

    /// The blobs' files.
    pub(crate) fn stored(&self) -> usize {
        files_below(&self.folder.path().join("blobs"))
    }

    /// Files half-written.
    pub(crate) fn half_written(&self) -> usize {
        let below = |entry: std::io::Result<std::fs::DirEntry>| {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path) } else { 0 }
        };
        std::fs::read_dir(self.folder.path().join("scratch"))
            .unwrap()
            .map(below)
            .sum()
    }
}

pub(crate) fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
        .sum()
}

pub(crate) fn key(context: &str) -> ContextKey {
    ContextKey::try_new("acme", context).unwrap()
}

pub(crate) fn label(text: &str) -> HostLabel {
    HostLabel::try_new(text).unwrap()
}

pub(crate) fn tree(files: &[(&str, &str)]) -> Arc<Tree> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, content)| InlineFile {
            path: (*path).to_owned(),
            content: (*content).to_owned(),
            encoding: Encoding::Utf8,
        })
        .collect();
    Arc::new(tree_from_inline(&files, &Limits::default()).unwrap())
}

pub(crate) fn new(context: &str, revision: u64, files: &[(&str, &str)]) -> NewDeployment {
    NewDeployment {
        key: key(context),
        revision: Revision::try_new(revision).unwrap(),
        label: label(&format!("{context}-r{revision}")),
        tree: tree(files),
        spa_fallback: false,
        build: Build::default(),
    }
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
