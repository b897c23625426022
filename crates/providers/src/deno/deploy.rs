//! Creating a deployment: the context's app, its environment, then a revision with every file.
//!
//! **The app.** Made lazily. A slug is unique within the organization, so making it twice cannot make two: where the answer was
//! lost, or somebody else was quicker, it is read again. Its labels are read back before anything is done to it, for the
//! organization may have an app of that name that is not ours.
//!
//! **The revision.** Never asked for twice: a lost answer leaves a revision that carries the tags, and the engine looks for those.
//! It gets a host of its own (`preview`) and not the app's (`production`), which the alias moves.
//!
//! If we die before the revision, an app without revisions is left; the next create uses it, or the inventory removes it.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use foreshow_bundle::Tree;
use foreshow_contract::ContextKey;
use foreshow_engine::{CreateRequest, Created, Deployment};

use super::{
    DenoError, DenoProvider, config,
    env::{self, Env},
    state::{self, Log},
    tags::Place,
    wire::{App, Asset, Config, Deploy},
};

impl DenoProvider {
    pub(super) async fn deploy(&self, request: &CreateRequest<'_>) -> Result<Created, DenoError> {
        let config = config::config(request.app, request.tree)?;
        env::check(request.env)?;
        let app = self.slug_of(request.key);
        self.ensure_app(&app, request.key, request.env).await?;
        let labels = self.tags.of_revision(request.key, request.revision);
        let body = body(Arc::clone(request.tree), config, labels).await?;
        let revision = self.client.deploy(&app, body, request.env).await?;
        let place = Place::new(&app, &revision.id);
        // Asked for and not told: what a deployment that just failed logged is read when its status is asked for.
        let state = self.state(&place, &revision, Log::Untold).await?;
        Ok(Created {
            deployment: Deployment {
                address: state::address(&place, &revision),
                id: place.id(),
                key: request.key.clone(),
                revision: request.revision,
                state,
            },
            bytes_uploaded: request.tree.total_bytes(),
            bytes_reused: 0,
        })
    }

    /// Sees to it that the context has an app, with this environment.
    async fn ensure_app(&self, slug: &str, key: &ContextKey, env: &Env) -> Result<(), DenoError> {
        let app = match self.client.app(slug).await? {
            Some(app) => app,
            None => match self.create_app(slug, key, env).await? {
                Some(app) => app,
                // Made with this environment.
                None => return Ok(()),
            },
        };
        self.require_ours(&app, key)?;
        self.client.change_env(&app, env).await
    }

    /// Makes the app. The one that is there, where it was made meanwhile, perhaps by us with the answer lost.
    async fn create_app(
        &self,
        slug: &str,
        key: &ContextKey,
        env: &Env,
    ) -> Result<Option<App>, DenoError> {
        let labels = self.tags.of_app(key);
        match self.client.create_app(slug, labels, env).await {
            Ok(app) => {
                // A service that bent our labels would never list what is to be made under them.
                self.require_ours(&app, key)?;
                Ok(None)
            }
            Err(refused) if refused.is_conflict() => {
                let app = self.client.app(slug).await?;
                app.map(Some).ok_or(DenoError::SlugKept {
                    slug: slug.to_owned(),
                })
            }
            Err(unknown) if unknown.is_ambiguous() => match self.client.app(slug).await {
                Ok(Some(app)) => Ok(Some(app)),
                Ok(None) | Err(_) => Err(unknown),
            },
            Err(error) => Err(error),
        }
    }

    fn require_ours(&self, app: &App, key: &ContextKey) -> Result<(), DenoError> {
        if self.tags.context(&app.labels).as_ref() == Some(key) {
            Ok(())
        } else {
            Err(DenoError::NotOurs {
                slug: app.slug.clone(),
            })
        }
    }
}

/// The whole request in one document, on a thread that may block: it reads files.
async fn body(
    tree: Arc<Tree>,
    config: Config,
    labels: BTreeMap<&'static str, String>,
) -> Result<Bytes, DenoError> {
    let reading = tokio::task::spawn_blocking(move || {
        if config::configures_itself(&tree) {
            tracing::warn!(
                "the files bring a \"deploy\" section in deno.json, which Deno Deploy lets win over the settings of the event"
            );
        }
        encode(&tree, config, labels)
    });
    reading.await.map_err(|stopped| DenoError::Files {
        source: std::io::Error::other(stopped),
    })?
}

fn encode(
    tree: &Tree,
    config: Config,
    labels: BTreeMap<&'static str, String>,
) -> Result<Bytes, DenoError> {
    let files = |source| DenoError::Files { source };
    let read: Vec<Bytes> = tree
        .files()
        .iter()
        .map(|file| file.content.read())
        .collect::<Result<_, _>>()
        .map_err(files)?;
    let assets = tree.files().iter().zip(&read);
    let deploy = Deploy {
        assets: assets
            .map(|(file, bytes)| (file.path.as_str(), asset(bytes)))
            .collect(),
        config,
        labels,
        production: false,
        preview: true,
    };
    let json = serde_json::to_vec(&deploy).map_err(|error| files(error.into()))?;
    Ok(json.into())
}

fn asset(bytes: &[u8]) -> Asset<'_> {
    let (encoding, content) = match std::str::from_utf8(bytes) {
        Ok(text) => ("utf-8", Cow::Borrowed(text)),
        Err(_) => ("base64", Cow::Owned(STANDARD.encode(bytes))),
    };
    Asset {
        kind: "file",
        encoding,
        content,
    }
}

#[cfg(test)]
mod tests {
    use foreshow_bundle::{Limits, tree_from_inline};
    use foreshow_contract::{App, Encoding, InlineFile};
    use serde_json::{Value, json};

    use super::*;

    fn file(path: &str, content: &str, encoding: Encoding) -> InlineFile {
        InlineFile {
            path: path.into(),
            content: content.into(),
            encoding,
        }
    }

    #[tokio::test]
    async fn text_is_sent_as_it_is_and_the_rest_in_base64() {
        let files = [
            file("index.html", "<h1>é</h1>", Encoding::Utf8),
            file("img/logo.png", "iVBORw3/", Encoding::Base64),
        ];
        let tree = Arc::new(tree_from_inline(&files, &Limits::default()).unwrap());
        let config = config::config(&App::default(), &tree).unwrap();
        let labels = BTreeMap::from([("custom.a", "b".to_owned())]);
        let body: Value =
            serde_json::from_slice(&body(tree, config, labels).await.unwrap()).unwrap();
        assert_eq!(
            body,
            json!({
                "assets": {
                    "index.html": { "kind": "file", "encoding": "utf-8", "content": "<h1>é</h1>" },
                    "img/logo.png": { "kind": "file", "encoding": "base64", "content": "iVBORw3/" },
                },
                "config": { "runtime": { "type": "static", "cwd": ".", "spa": false } },
                "labels": { "custom.a": "b" },
                "production": false,
                "preview": true,
            })
        );
    }
}
