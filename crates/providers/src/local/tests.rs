//! The local provider, against a gateway that really listens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foreshow_bundle::{Limits, Tree, tree_from_inline};
use foreshow_contract::{
    App, ContextKey, DeploymentId, Encoding, HostLabel, InlineFile, InstallationKey, Revision,
    Timestamp,
};
use foreshow_engine::testing::MemoryStore;
use foreshow_engine::{
    BuildState, Clock, CreateRequest, Created, Failure, Inventory, Probe, ProbeQuestion,
    Provider as _, ProviderError,
};
use foreshow_gateway::{Gateway, GatewayServices};
use foreshow_runner::PreviewHost;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{LIST_ALL, LocalProvider, LocalSettings, NAME, PAGE};

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct World {
    provider: LocalProvider,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl World {
    async fn with(settings: LocalSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let previews = PreviewHost::open(folder.path(), clock.now()).await.unwrap();
        let bound = Gateway::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let provider = LocalProvider::try_new(
            previews.clone(),
            bound.origin().clone(),
            &bound.url(),
            Arc::clone(&clock),
            settings,
        )
        .unwrap();
        let services = GatewayServices {
            previews,
            provider: NAME.into(),
            store: Arc::new(MemoryStore::new(Arc::clone(&clock))),
            clock,
            bundles: None,
            hooks: Vec::new(),
            token: None,
        };
        let stop = CancellationToken::new();
        let serving = bound.serve(services, stop.clone());
        let served = tokio::spawn(async move { serving.await.unwrap() });
        Self {
            provider,
            stop,
            served,
            folder,
        }
    }

    async fn create(&self, context: &str, revision: u64, page: &str) -> Created {
        self.try_create(context, revision, page).await.unwrap()
    }

    async fn try_create(
        &self,
        context: &str,
        revision: u64,
        page: &str,
    ) -> Result<Created, ProviderError> {
        let key = key(context);
        let revision = Revision::try_new(revision).unwrap();
        let label = installation().revision_label(&key, revision);
        let request = CreateRequest {
            key: &key,
            revision,
            label: &label,
            tree: &tree(page),
            app: &App::default(),
            env: &BTreeMap::new(),
        };
        self.provider.create(request).await
    }
}

fn asks(path: &str) -> ProbeQuestion<'_> {
    ProbeQuestion {
        path,
        expected: None,
    }
}

fn key(context: &str) -> ContextKey {
    ContextKey::try_new("acme", context).unwrap()
}

fn installation() -> InstallationKey {
    InstallationKey::try_from_slice(&[7; 32]).unwrap()
}

fn tree(page: &str) -> Arc<Tree> {
    let file = InlineFile {
        path: "index.html".into(),
        content: page.into(),
        encoding: Encoding::Utf8,
    };
    Arc::new(tree_from_inline(&[file], &Limits::default()).unwrap())
}

#[tokio::test]
async fn what_was_created_is_listed_reachable_and_answers_for_itself() {
    let world = World::with(LocalSettings::default()).await;
    let created = world.create("ctx", 1, "hello").await;
    assert_eq!((created.bytes_uploaded, created.bytes_reused), (5, 0));
    let deployment = created.deployment;
    assert_eq!(deployment.state, BuildState::Ready);
    assert_eq!(
        world.provider.list(&key("ctx")).await.unwrap(),
        std::slice::from_ref(&deployment)
    );
    assert_eq!(world.provider.list(&key("other")).await.unwrap(), []);
    assert!(
        world
            .provider
            .url(&deployment.address)
            .starts_with("http://ctx-")
    );
    assert_eq!(
        world.provider.probe(&deployment, asks("/")).await.unwrap(),
        Probe::Revision { status: 200 }
    );
    assert_eq!(
        world
            .provider
            .probe(&deployment, asks("missing"))
            .await
            .unwrap(),
        Probe::Revision { status: 404 }
    );
}

#[tokio::test]
async fn a_second_creation_uploads_only_what_is_new() {
    let world = World::with(LocalSettings::default()).await;
    let first = world.create("ctx", 1, "hello").await.deployment;
    let again = world.create("ctx", 1, "hello").await;
    assert_eq!(again.deployment, first, "one deployment for the revision");
    let next = world.create("ctx", 2, "hello").await;
    assert_eq!((next.bytes_uploaded, next.bytes_reused), (0, 5));
    assert_ne!(next.deployment.id, first.id);
}

#[tokio::test]
async fn the_inventory_has_every_deployment_page_after_page() {
    let world = World::with(LocalSettings::default()).await;
    let none = world.provider.inventory(None).await.unwrap();
    assert_eq!(none, Inventory::default());
    // One more than two pages have.
    let count = 2 * usize::try_from(PAGE.get()).unwrap() + 1;
    let contexts: Vec<String> = (0..count).map(|n| format!("ctx-{n}")).collect();
    let created = contexts
        .iter()
        .map(|context| world.create(context, 7, "hello"));
    let mut created: Vec<_> = join_all(created)
        .await
        .into_iter()
        .map(|one| one.deployment)
        .collect();

    let (mut listed, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = world.provider.inventory(after.as_deref()).await.unwrap();
        listed.extend(page.deployments);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    for all in [&mut created, &mut listed] {
        all.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    }
    assert_eq!(listed, created);
    let error = world
        .provider
        .inventory(Some("page two"))
        .await
        .unwrap_err();
    assert_eq!(error.operation, LIST_ALL);
}

#[tokio::test]
async fn the_inventory_tells_how_each_build_stands() {
    let world = World::with(LocalSettings {
        build_ms: 3_600_000,
        ..LocalSettings::default()
    })
    .await;
    let created = world.create("ctx", 1, "hello").await.deployment;
    let page = world.provider.inventory(None).await.unwrap();
    assert_eq!(page.deployments, [created]);
    assert_eq!(page.deployments[0].state, BuildState::Building);
    assert_eq!(page.next, None);
}

#[tokio::test]
async fn a_cancelled_build_leaves_nothing_behind() {
    let world = World::with(LocalSettings {
        build_ms: 3_600_000,
        ..LocalSettings::default()
    })
    .await;
    let id = world.create("ctx", 1, "hello").await.deployment.id;
    for _ in 0..2 {
        world.provider.cancel(&id).await.unwrap();
        assert_eq!(world.provider.status(&id).await.unwrap(), BuildState::Gone);
        assert_eq!(world.provider.list(&key("ctx")).await.unwrap(), []);
        assert_eq!(
            world.provider.inventory(None).await.unwrap(),
            Inventory::default()
        );
    }
    let next = world.create("ctx", 1, "hello").await;
    assert_ne!(next.deployment.id, id, "an id is never given out twice");
    assert_eq!(next.bytes_uploaded, 5, "its files went with it");
}

#[tokio::test]
async fn a_build_takes_its_time_and_is_not_taken_for_the_revision_before() {
    let world = World::with(LocalSettings {
        build_ms: 60_000,
        ..LocalSettings::default()
    })
    .await;
    let deployment = world.create("ctx", 1, "hello").await.deployment;
    assert_eq!(deployment.state, BuildState::Building);
    assert_eq!(
        world.provider.status(&deployment.id).await.unwrap(),
        BuildState::Building
    );
    let probe = world.provider.probe(&deployment, asks("/")).await.unwrap();
    assert!(
        matches!(&probe, Probe::NotYet { seen } if seen.contains("503")),
        "{probe:?}"
    );
    world.provider.cancel(&deployment.id).await.unwrap();
    world.provider.cancel(&deployment.id).await.unwrap();
    assert_eq!(
        world.provider.status(&deployment.id).await.unwrap(),
        BuildState::Gone
    );
}

#[tokio::test]
async fn a_context_that_is_set_to_fail_fails_with_a_log() {
    let world = World::with(LocalSettings {
        fail_contexts: vec!["bad".into()],
        ..LocalSettings::default()
    })
    .await;
    let bad = world.create("bad", 1, "hello").await.deployment;
    let BuildState::Failed { log_tail } = world.provider.status(&bad.id).await.unwrap() else {
        panic!("it did not fail")
    };
    assert!(
        log_tail.iter().any(|line| line.contains("fail_contexts")),
        "{log_tail:?}"
    );
    assert_eq!(
        world.create("good", 1, "hello").await.deployment.state,
        BuildState::Ready
    );
}

#[tokio::test]
async fn an_alias_shows_the_deployment_until_that_is_deleted() {
    let world = World::with(LocalSettings::default()).await;
    let alias = installation().alias_label(&key("ctx"));
    let deployment = world.create("ctx", 1, "hello").await.deployment;
    assert_eq!(world.provider.alias(&alias).await.unwrap(), None);
    assert!(
        world
            .provider
            .move_alias(&alias, &deployment.id)
            .await
            .unwrap()
    );
    assert_eq!(
        world.provider.alias(&alias).await.unwrap(),
        Some(deployment.id.clone())
    );
    assert_eq!(
        world.provider.alias_address(&alias).as_str(),
        alias.as_str()
    );

    // An unchanged revision keeps the deployment: what answers at the alias is told by its id, not by its revision.
    let shown = foreshow_engine::Deployment {
        address: world.provider.alias_address(&alias),
        ..deployment.clone()
    };
    assert_eq!(
        world.provider.probe(&shown, asks("/")).await.unwrap(),
        Probe::Revision { status: 200 }
    );
    let other = world.create("ctx", 2, "two").await.deployment;
    let seen = world
        .provider
        .probe(
            &foreshow_engine::Deployment {
                id: other.id,
                ..shown
            },
            asks("/"),
        )
        .await
        .unwrap();
    assert!(
        matches!(&seen, Probe::NotYet { seen } if seen.contains(deployment.id.as_str())),
        "{seen:?}"
    );

    world.provider.delete(&deployment.id).await.unwrap();
    world.provider.delete(&deployment.id).await.unwrap();
    assert_eq!(world.provider.alias(&alias).await.unwrap(), None);
    assert!(
        !world
            .provider
            .move_alias(&alias, &deployment.id)
            .await
            .unwrap()
    );
    assert!(
        !world
            .provider
            .move_alias(&alias, &DeploymentId::from("dpl_never"))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_gateway_that_is_away_is_asked_again_later() {
    let world = World::with(LocalSettings::default()).await;
    let deployment = world.create("ctx", 1, "hello").await.deployment;
    world.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), world.served)
        .await
        .unwrap()
        .unwrap();
    let error = world
        .provider
        .probe(&deployment, asks("/"))
        .await
        .unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
    let beneath = std::error::Error::source(&error).unwrap().to_string();
    assert!(beneath.contains("127.0.0.1"), "{beneath}");
}

/// A tenant reads the message. The operator's log has the chain, which names the place and the remedy.
#[tokio::test]
async fn a_failure_of_the_folder_tells_its_path_to_the_operator_alone() {
    let world = World::with(LocalSettings::default()).await;
    let folder = world.folder.path().to_str().unwrap();
    std::fs::remove_dir_all(world.folder.path().join("blobs")).unwrap();
    let error = world.try_create("ctx", 1, "hello").await.unwrap_err();
    assert_eq!(error.failure, Failure::Retryable { after: None });
    assert_eq!(
        error.to_string(),
        "local could not create a deployment: the disk that holds previews failed"
    );
    let beneath = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        beneath.contains(folder) && beneath.contains("check the disk"),
        "{beneath}"
    );
}

#[tokio::test]
async fn a_label_of_another_deployment_is_no_use_to_try_again() {
    let world = World::with(LocalSettings::default()).await;
    world.create("ctx", 1, "hello").await;
    let label: HostLabel =
        installation().revision_label(&key("ctx"), Revision::try_new(1).unwrap());
    let request = CreateRequest {
        key: &key("other"),
        revision: Revision::try_new(1).unwrap(),
        label: &label,
        tree: &tree("hello"),
        app: &App::default(),
        env: &BTreeMap::new(),
    };
    let error = world.provider.create(request).await.unwrap_err();
    assert!(matches!(error.failure, Failure::Permanent(_)), "{error}");
}

#[test]
fn settings_refuse_what_they_do_not_know() {
    let settings: LocalSettings = serde_json::from_str(r#"{ "build_ms": 50 }"#).unwrap();
    assert_eq!(
        settings,
        LocalSettings {
            build_ms: 50,
            fail_contexts: Vec::new()
        }
    );
    let error = serde_json::from_str::<LocalSettings>(r#"{ "build_time": 50 }"#).unwrap_err();
    assert!(error.to_string().contains("build_time"), "{error}");
}
