//! A worker's side of it: bundles, their folder, and what was logged.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use foreshow_contract::{BundleRef, Sha256, TenantId};
use foreshow_egress::{Egress, EgressOptions};
use foreshow_engine::{BundleFile, Bundles as _, BundlesError, Failure};
use foreshow_fetch::{BundlesOptions, UrlBundles};
use tempfile::TempDir;

use crate::origin::Origin;

/// No bundle may have more.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// Stands in the query of every URL. Nobody may ever see it.
const SECRET: &str = "s3cret";

pub(crate) struct World {
    pub(crate) origin: Origin,
    pub(crate) bundles: UrlBundles,
    pub(crate) folder: TempDir,
}

/// Small waits: nothing depends on how long they are.
pub(crate) fn options() -> BundlesOptions {
    BundlesOptions {
        resume_min_ms: 1,
        resume_max_ms: 20,
        ..BundlesOptions::default()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: BundlesOptions) -> Self {
        let origin = Origin::at("127.0.0.1").await;
        let egress = EgressOptions {
            allow: vec!["127.0.0.1/32".parse().unwrap()],
            http: true,
            ports: vec![origin.port],
            ca_file: None,
        };
        Self::guarded_by(egress, options, origin)
    }

    pub(crate) fn guarded_by(
        egress: EgressOptions,
        options: BundlesOptions,
        origin: Origin,
    ) -> Self {
        listen();
        let folder = tempfile::tempdir().unwrap();
        let egress = Egress::try_new(&egress).unwrap();
        let place = folder.path().join("fetched");
        Self {
            bundles: UrlBundles::open(egress, options, place, MAX_BYTES).unwrap(),
            origin,
            folder,
        }
    }

    /// Another process over the same folder.
    pub(crate) fn restarted(&self, options: BundlesOptions) -> UrlBundles {
        let egress = EgressOptions {
            allow: vec!["127.0.0.1/32".parse().unwrap()],
            http: true,
            ports: vec![self.origin.port],
            ca_file: None,
        };
        let egress = Egress::try_new(&egress).unwrap();
        UrlBundles::open(
            egress,
            options,
            self.folder.path().join("fetched"),
            MAX_BYTES,
        )
        .unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!(
            "http://127.0.0.1:{}{path}?sig={SECRET}#{SECRET}",
            self.origin.port
        )
    }

    /// Fetches `/site.tar.gz`, which must have this content.
    pub(crate) async fn fetch(&self, content: &[u8]) -> Result<BundleFile, BundlesError> {
        self.fetch_for("acme", content).await
    }

    pub(crate) async fn fetch_for(
        &self,
        tenant: &str,
        content: &[u8],
    ) -> Result<BundleFile, BundlesError> {
        self.fetch_from(&self.url("/site.tar.gz"), tenant, content)
            .await
    }

    pub(crate) async fn fetch_from(
        &self,
        url: &str,
        tenant: &str,
        content: &[u8],
    ) -> Result<BundleFile, BundlesError> {
        let bundle = BundleRef {
            url: url.to_owned(),
            sha256: Sha256::of(content),
        };
        let tenant = TenantId::try_new(tenant).unwrap();
        self.bundles.fetch(&bundle, &tenant).await
    }

    /// Fetches it and looks at what came.
    pub(crate) async fn arrives(&self, content: &[u8]) {
        let file = self.fetch(content).await.unwrap();
        assert!(
            std::fs::read(&*file).unwrap() == content,
            "it is what was asked for"
        );
    }

    /// It must not arrive, and leave nothing: why not.
    pub(crate) async fn fails(&self, content: &[u8]) -> BundlesError {
        let error = self.fetch(content).await.unwrap_err();
        self.leaves_nothing().await;
        error
    }

    /// Files that are no part of the cache.
    pub(crate) fn scratch_files(&self) -> usize {
        let files = std::fs::read_dir(self.folder.path().join("fetched")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with("fetched-")).count()
    }

    pub(crate) async fn leaves_nothing(&self) {
        eventually("nothing is left of it", || self.scratch_files() == 0).await;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let said = listen().0.lock().unwrap();
            let said = String::from_utf8_lossy(&said);
            assert!(!said.contains(SECRET), "the log has a signature: {said}");
        }
    }
}

/// What a tenant hears and what the log would have: neither may have a signature.
pub(crate) fn told(error: &BundlesError) -> String {
    let mut told = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        write!(told, " {error}").unwrap();
        source = error.source();
    }
    assert!(!told.contains(SECRET), "{told}");
    error.to_string()
}

pub(crate) fn assert_permanent(error: &BundlesError, code: &str) {
    assert!(
        matches!(error.failure, Failure::Permanent(told) if told == code),
        "{code}: {error:?}"
    );
    told(error);
}

pub(crate) fn assert_retryable(error: &BundlesError, after: Option<Duration>) {
    assert_eq!(error.failure, Failure::Retryable { after }, "{error:?}");
    told(error);
}

/// Bytes that differ from place to place, so that a lost or doubled stretch shows.
pub(crate) fn content(bytes: usize) -> Vec<u8> {
    let mut rng = 7_u64;
    std::iter::repeat_with(|| {
        rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        rng.to_be_bytes()[0]
    })
    .take(bytes)
    .collect()
}

/// Waits for a state.
pub(crate) async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let give_up_at = Instant::now() + Duration::from_mins(1);
    while !check() {
        assert!(Instant::now() < give_up_at, "waited a minute for: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Everything that is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn listen() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_env_filter("foreshow=trace,foreshow_fetch=trace,foreshow_egress=trace")
            .with_writer(move || writer.clone())
            .init();
        log
    })
}
