//! What claims, and an adapter's own tests, are written with.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use foreshow_bundle::{Limits, Tree, tree_from_inline};
use foreshow_contract::{
    App, ContextKey, DeploymentId, HostLabel, InlineFile, InstallationKey, Revision, Secret, Sha256,
};
use foreshow_engine::{
    BuildState, CreateRequest, Created, Deployment, Probe, ProbeQuestion, Provider, ProviderError,
};

use super::{Adapter, Build};

/// How long something that must happen may take, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// What is not a page, and so is not sent inline by those who do that for tiny sites.
pub const STYLE: &str = "h1 { color: teal }\n";

/// The installation that the claims are about.
pub fn installation() -> InstallationKey {
    InstallationKey::try_from_slice(&[7; 32]).unwrap()
}

/// A context of the tenant `acme`.
pub fn key(context: &str) -> ContextKey {
    ContextKey::try_new("acme", context).unwrap()
}

/// The label of a context's stable address.
pub fn alias(key: &ContextKey) -> HostLabel {
    installation().alias_label(key)
}

/// A site with this page, and a style sheet that is always the same.
pub fn site(page: &str) -> Arc<Tree> {
    let files = [
        InlineFile::text("index.html", page),
        InlineFile::text("assets/style.css", STYLE),
        InlineFile::from_bytes("logo.bin", vec![0, 159, 146, 150, 255]),
    ];
    Arc::new(tree_from_inline(&files, &Limits::default()).unwrap())
}

/// The digest of a file of a site.
pub fn digest(site: &Tree, path: &str) -> Sha256 {
    site.get(path).unwrap().sha256
}

/// A question about the first page; `of` is the site that is expected there.
pub fn first_page(expected: Option<&Sha256>) -> ProbeQuestion<'_> {
    ProbeQuestion {
        path: "/",
        expected,
    }
}

/// Creates a deployment.
pub async fn try_create(
    provider: &dyn Provider,
    key: &ContextKey,
    number: u64,
    site: &Arc<Tree>,
    env: &BTreeMap<String, Secret>,
) -> Result<Created, ProviderError> {
    let revision = Revision::try_new(number).unwrap();
    let request = CreateRequest {
        key,
        revision,
        label: &installation().revision_label(key, revision),
        tree: site,
        app: &App::default(),
        env,
    };
    provider.create(request).await
}

/// Creates a deployment that shows this page, and is built like this.
pub async fn create(
    adapter: &(impl Adapter + ?Sized),
    build: Build,
    key: &ContextKey,
    number: u64,
    page: &str,
) -> Deployment {
    adapter.set_build(build);
    let provider = adapter.provider();
    let made = try_create(&*provider, key, number, &site(page), &BTreeMap::new()).await;
    made.unwrap().deployment
}

/// Creates a deployment, and waits until it is ready and its address is known.
pub async fn deploy(
    adapter: &(impl Adapter + ?Sized),
    key: &ContextKey,
    number: u64,
    page: &str,
) -> Deployment {
    let created = create(adapter, Build::Quick, key, number, page).await;
    ready(&*adapter.provider(), created).await
}

/// Waits until it is ready and its address is known.
pub async fn ready(provider: &dyn Provider, mut deployment: Deployment) -> Deployment {
    let id = deployment.id.clone();
    deployment.state = eventually("the build is over", async || {
        let state = provider.status(&id).await.unwrap();
        (state != BuildState::Building).then_some(state)
    })
    .await;
    assert_eq!(deployment.state, BuildState::Ready);
    deployment.address = eventually("its address is known", async || {
        provider.locate(&deployment).await.unwrap()
    })
    .await;
    deployment
}

/// Waits until a probe finds the revision, answering well.
pub async fn reached(
    provider: &dyn Provider,
    deployment: &Deployment,
    question: ProbeQuestion<'_>,
) {
    eventually("the revision answers", async || {
        let probe = provider.probe(deployment, question).await.unwrap();
        is_good(&probe).then_some(())
    })
    .await;
}

/// Whether a probe takes what it saw for the revision, answering well.
pub fn is_good(probe: &Probe) -> bool {
    match probe {
        Probe::Revision { status } => (200..400).contains(status),
        Probe::NotYet { .. } => false,
    }
}

/// Asks until there is an answer: for what must come. A test that waits longer than [`PATIENCE`] has failed.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| panic!("it was waited in vain until {what}"))
}

/// The page that a URL shows, once it shows one.
pub async fn page(adapter: &(impl Adapter + ?Sized), url: &str) -> String {
    let body = eventually("a page is shown", async || {
        let (status, body) = adapter.visit(url).await;
        (status == 200).then_some(body)
    })
    .await;
    String::from_utf8(body).unwrap()
}

/// Every page of the inventory.
pub async fn inventory(provider: &dyn Provider) -> Vec<Deployment> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = provider.inventory(after.as_deref()).await.unwrap();
        all.extend(page.deployments);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// That nothing is left of a context: neither listed, nor in the inventory, nor shown.
pub async fn nothing_is_left(provider: &dyn Provider, key: &ContextKey) {
    assert_eq!(provider.list(key).await.unwrap(), []);
    let all = inventory(provider).await;
    let left: Vec<_> = all.iter().filter(|one| one.key == *key).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(provider.alias(&alias(key)).await.unwrap(), None);
}

/// That this is all that is listed for a context.
pub async fn only_this_is_there(provider: &dyn Provider, key: &ContextKey, id: &DeploymentId) {
    let listed = provider.list(key).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|one| &one.id).collect();
    assert_eq!(listed, [id], "{key}");
}

/// The ids of what is listed for a context.
pub async fn ids(provider: &dyn Provider, key: &ContextKey) -> Vec<DeploymentId> {
    let listed = provider.list(key).await.unwrap();
    let mut ids: Vec<_> = listed.into_iter().map(|one| one.id).collect();
    ids.sort();
    ids
}
