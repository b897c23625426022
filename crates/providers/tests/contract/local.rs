//! The local provider, with a gateway that really listens.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use foreshow_conformance::provider::{Adapter, Build};
use foreshow_contract::{DeploymentId, Timestamp};
use foreshow_engine::{Clock, Provider, testing::MemoryStore};
use foreshow_gateway::{Gateway, GatewayServices};
use foreshow_providers::{LocalProvider, LocalSettings, local::NAME};
use foreshow_runner::{PreviewHost, PreviewOrigin};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{simulated::SystemClock, visitor};

pub(crate) struct LocalWorld {
    previews: PreviewHost,
    origin: PreviewOrigin,
    gateway: String,
    build: Mutex<Build>,
    folder: TempDir,
    _serving: DropGuard,
}

impl LocalWorld {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let previews = PreviewHost::open(folder.path(), clock.now()).await.unwrap();
        let bound = Gateway::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (origin, gateway) = (bound.origin().clone(), bound.url());
        let services = GatewayServices {
            previews: previews.clone(),
            provider: NAME.into(),
            store: Arc::new(MemoryStore::new(Arc::clone(&clock))),
            clock,
            bundles: None,
            hooks: Vec::new(),
            token: None,
        };
        let stop = CancellationToken::new();
        let serving = bound.serve(services, stop.clone());
        tokio::spawn(async move { serving.await.unwrap() });
        Self {
            previews,
            origin,
            gateway,
            build: Mutex::new(Build::Quick),
            folder,
            _serving: stop.drop_guard(),
        }
    }
}

#[async_trait]
impl Adapter for LocalWorld {
    fn provider(&self) -> Arc<dyn Provider> {
        let mut settings = LocalSettings::default();
        match *self.build.lock().unwrap() {
            Build::Quick => {}
            Build::Never => settings.build_ms = 3_600_000,
            Build::Fails => settings.fail_contexts = vec!["ctx".to_owned()],
        }
        let provider = LocalProvider::try_new(
            self.previews.clone(),
            self.origin.clone(),
            &self.gateway,
            Arc::new(SystemClock),
            settings,
        );
        Arc::new(provider.unwrap())
    }

    fn another(&self) -> Arc<dyn Provider> {
        self.provider()
    }

    fn set_build(&self, build: Build) {
        *self.build.lock().unwrap() = build;
    }

    fn failure_word(&self) -> &'static str {
        "the build of this context is set to fail"
    }

    async fn vanish(&self, id: &DeploymentId) {
        assert!(self.previews.remove(id, Timestamp::now()).await.unwrap());
    }

    async fn visit(&self, url: &str) -> (u16, Vec<u8>) {
        visitor::visit(url).await
    }

    fn uploads(&self) -> Option<usize> {
        Some(files_below(&self.folder.path().join("blobs")))
    }

    fn beyond_a_page(&self) -> usize {
        501
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                files_below(&entry.path())
            } else {
                1
            }
        })
        .sum()
}
