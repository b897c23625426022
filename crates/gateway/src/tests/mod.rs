//! What the gateway promises, asked over real connections.

mod admin;
mod bundles;
mod hooks;
mod own_pages;
mod preview_hosts;
mod stopping;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use foreshow_bundle::{BundleStore, Limits, tree_from_inline};
use foreshow_contract::{
    ContextKey, Encoding, FailureReport, HostLabel, InlineFile, Ordinal, OrdinalKind, ProviderName,
    Revision, Timestamp,
};
use foreshow_engine::testing::MemoryStore;
use foreshow_engine::{
    Address, Claim, Claimed, Clock, Lease, Live, Outcome, Owner, Settlement, Settling, Store as _,
};
use foreshow_runner::{Build, NewDeployment, PreviewDeployment, PreviewHost};
use foreshow_sqlite::Database;
use foreshow_store::embedded::EmbeddedBundles;
use http::header::{ACCEPT, HOST};
use http::{HeaderMap, Method, StatusCode};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{Gateway, GatewayBundleService, GatewayError, GatewayServices};

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// A clock that is moved by hand.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000_000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0
            .fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// What differs between gateways.
pub(crate) struct Setup {
    pub(crate) listen: &'static str,
    pub(crate) token: Option<&'static str>,
    /// The largest bundle; without, it keeps none.
    pub(crate) bundles: Option<u64>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0",
            token: None,
            bundles: Some(1 << 20),
        }
    }
}

/// A gateway that serves.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) clock: HandClock,
    pub(crate) store: MemoryStore,
    pub(crate) previews: PreviewHost,
    pub(crate) bundles: EmbeddedBundles,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<Result<(), GatewayError>>,
}

pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_as(Setup::default()).await
    }

    pub(crate) async fn start_at(listen: &'static str) -> Self {
        let setup = Setup {
            listen,
            ..Setup::default()
        };
        Self::start_as(setup).await
    }

    pub(crate) async fn start_as(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = HandClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let previews = PreviewHost::open(folder.path(), clock.now()).await.unwrap();
        let store = MemoryStore::new(Arc::clone(&shared));
        let bound = Gateway::bind(setup.listen.parse().unwrap()).await.unwrap();
        let address = bound.probe_addr();
        let db = folder.path().join("bundles.db");
        let db = Database::open(&db, foreshow_sqlite::Options::default());
        let files = BundleStore::open(folder.path().join("bundles")).unwrap();
        let bundles = EmbeddedBundles::open(db.await.unwrap(), files, Arc::clone(&shared));
        let bundles = bundles.await.unwrap();
        let services = GatewayServices {
            previews: previews.clone(),
            provider: ProviderName::from("local"),
            store: Arc::new(store.clone()),
            clock: shared,
            bundles: setup.bundles.map(|max_bytes| GatewayBundleService {
                vault: Arc::new(bundles.clone()),
                folder: folder.path().join("uploads"),
                max_bytes,
            }),
            hooks: vec![Arc::new(hooks::FakeHook)],
            token: setup.token.map(Into::into),
        };
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(bound.serve(services, shutdown.clone()));
        Self {
            address,
            clock,
            store,
            previews,
            bundles,
            folder,
            shutdown,
            served,
        }
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Seen {
        let client = foreshow_tls::inward()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut request = client
            .request(method, format!("http://{}{path}", self.address))
            .header(HOST, host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        Seen {
            status: answer.status(),
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        }
    }

    /// The names of what is in a folder of the gateway's, sorted.
    pub(crate) fn files_in(&self, name: &str) -> Vec<String> {
        names_in(self.folder.path().join(name))
    }

    pub(crate) async fn get(&self, host: &str, path: &str) -> Seen {
        self.ask(Method::GET, host, path, &[]).await
    }

    pub(crate) async fn get_json(&self, host: &str) -> Seen {
        self.ask(
            Method::GET,
            host,
            "/",
            &[(ACCEPT.as_str(), "application/json")],
        )
        .await
    }

    /// Puts a deployment into the folder, as the local provider would.
    pub(crate) async fn deploy(
        &self,
        revision: u64,
        page: &str,
        build: Build,
    ) -> PreviewDeployment {
        let file = InlineFile {
            path: "index.html".into(),
            content: page.into(),
            encoding: Encoding::Utf8,
        };
        let new = NewDeployment {
            key: key(),
            revision: Revision::try_new(revision).unwrap(),
            label: label(&format!("ctx-r{revision}")),
            tree: Arc::new(tree_from_inline(&[file], &Limits::default()).unwrap()),
            spa_fallback: false,
            build,
        };
        self.previews
            .create(new, self.clock.now())
            .await
            .unwrap()
            .deployment
    }

    /// An event is accepted, and its context claimed.
    pub(crate) async fn accept(&self, revision: u64, kind: OrdinalKind) -> Lease {
        let claim = Claim {
            key: key(),
            ordinal: Ordinal {
                revision: Revision::try_new(revision).unwrap(),
                kind,
            },
            digest: format!("digest {revision}"),
            alias: alias(),
            owner: Owner::new(format!("owner {revision}")),
            ttl: HOUR,
            purpose: foreshow_engine::Purpose::Event,
            replay: 0,
        };
        match self.store.claim(&claim).await.unwrap() {
            Claimed::Granted { lease, .. } => lease,
            other => panic!("not granted: {other:?}"),
        }
    }

    pub(crate) async fn settle(&self, lease: &Lease, outcome: Outcome) {
        let settlement = Settlement::of(outcome);
        let settled = self.store.settle(lease.id(), &settlement).await.unwrap();
        assert!(matches!(settled, Settling::Settled { .. }), "{settled:?}");
    }

    pub(crate) async fn go_live(&self, lease: &Lease, deployment: &PreviewDeployment) {
        let live = Live {
            revision: deployment.revision,
            provider: ProviderName::from("local"),
            deployment: deployment.id.clone(),
            address: Address::new(deployment.label.as_str()),
            tree: "tree".into(),
            settings: "settings".into(),
        };
        self.store
            .go_live(lease.id(), &live, Timestamp::MAX, HOUR)
            .await
            .unwrap();
    }
}

/// The names of what is in a folder, sorted. There is nothing in a folder that isn't there yet.
pub(crate) fn names_in(folder: PathBuf) -> Vec<String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => panic!("{error}"),
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Waits for a state.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_mins(1), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {what}"));
}

pub(crate) fn key() -> ContextKey {
    ContextKey::try_new("acme", "ctx<42>").unwrap()
}

pub(crate) fn label(text: &str) -> HostLabel {
    HostLabel::try_new(text).unwrap()
}

pub(crate) fn alias() -> HostLabel {
    label("ctx-alias")
}

pub(crate) fn failed(message: &str) -> Outcome {
    let report = FailureReport {
        code: "build_failed".into(),
        message: message.to_owned(),
        provider: None,
        attempts: Vec::new(),
        log_tail: vec!["main.js: <oops>".to_owned()],
    };
    Outcome::Failed {
        report: Box::new(report),
    }
}
