//! The real adapters, driven through everything that they can be asked for, against simulators of their vendors.

mod deno;
mod vercel;

use std::{collections::BTreeMap, sync::Arc};

use foreshow_bundle::{Limits, Tree, tree_from_inline};
use foreshow_conformance::provider::{eventually, installation, key, ready};
use foreshow_contract::{App, Framework, InlineFile, Revision, Secret, Timestamp};
use foreshow_engine::{BuildState, Clock, CreateRequest, Deployment, DomainState, Provider};

pub(crate) use deno::drive as deno;
pub(crate) use vercel::drive as vercel;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// What is asked to be deployed.
struct Order {
    context: &'static str,
    revision: u64,
    tree: Arc<Tree>,
    app: App,
    env: BTreeMap<String, Secret>,
}

impl Order {
    /// A site of several kinds of files.
    fn new(context: &'static str, revision: u64) -> Self {
        Self {
            context,
            revision,
            tree: foreshow_conformance::provider::site(&format!("<h1>{context} {revision}</h1>")),
            app: App::default(),
            env: BTreeMap::new(),
        }
    }

    fn with_env(mut self, names: &[&str]) -> Self {
        let pairs = names
            .iter()
            .map(|name| ((*name).to_owned(), Secret::new("s3cret")));
        self.env = pairs.collect();
        self
    }

    fn with_files(mut self, paths: &[&str]) -> Self {
        let files: Vec<_> = paths
            .iter()
            .map(|path| InlineFile::text(*path, "{}"))
            .collect();
        self.tree =
            Arc::new(tree_from_inline(&files, &Limits::default()).expect("a tree of good paths"));
        self
    }

    async fn create(&self, provider: &dyn Provider) -> Deployment {
        let key = key(self.context);
        let revision = Revision::try_new(self.revision).expect("revisions begin at 1");
        let request = CreateRequest {
            key: &key,
            revision,
            label: &installation().revision_label(&key, revision),
            tree: &self.tree,
            app: &self.app,
            env: &self.env,
        };
        provider
            .create(request)
            .await
            .expect("the simulator takes it")
            .deployment
    }

    async fn deploy(&self, provider: &dyn Provider) -> Deployment {
        ready(provider, self.create(provider).await).await
    }
}

/// Deploys one of everything that is hosted, as its framework has it and with settings of its own.
async fn every_framework(provider: &dyn Provider) {
    let files = ["index.html", "package.json", "main.ts", "dist/index.html"];
    for (framework, revision) in provider.capabilities().frameworks.iter().zip(1..) {
        let mut order = Order::new("frameworks", 2 * revision).with_files(&files);
        order.app.framework = *framework;
        order.create(provider).await;
        order.revision += 1;
        order.app.build_command = Some("npm run site".to_owned());
        order.app.output_directory = Some("site".to_owned());
        order.app.spa_fallback = true;
        order.app.entrypoint = (*framework == Framework::Deno).then(|| "main.ts".to_owned());
        order.create(provider).await;
    }
}

/// Reads every page of the inventory.
async fn every_page(provider: &dyn Provider) {
    let (mut pages, mut after) = (0, None);
    loop {
        let page = provider
            .inventory(after.as_deref())
            .await
            .expect("an inventory");
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(pages > 1, "one page shows not how the next is asked for");
}

/// Waits until a build has failed, and has a log.
async fn failed(provider: &dyn Provider, deployment: &Deployment) {
    eventually("the build has failed", async || {
        match provider.status(&deployment.id).await.expect("a status") {
            BuildState::Failed { log_tail } => (!log_tail.is_empty()).then_some(()),
            BuildState::Building => None,
            other => panic!("a build that was to fail is {other:?}"),
        }
    })
    .await;
}

/// Moves a domain until it is bound; `prove` is what its owner does.
async fn bound(provider: &dyn Provider, domain: &str, to: &Deployment, prove: impl Fn() -> bool) {
    let first = provider.move_domain(domain, to).await.expect("an answer");
    assert!(matches!(first, DomainState::Unverified { .. }), "{first:?}");
    assert!(prove(), "the domain was asked for");
    eventually("the domain is bound", async || {
        let state = provider.move_domain(domain, to).await.expect("an answer");
        (state == DomainState::Bound).then_some(())
    })
    .await;
}
