//! Creating a deployment, in the optimistic way of Vercel's own client.
//!
//! 1. Ask for it, with every file named by its digest.
//! 2. Vercel refuses, and names the files it lacks: exactly those are uploaded, several at a time.
//! 3. Ask again.
//!
//! A refusal says that nothing was made, so asking again is safe. Any other failure of step 1 or 3 may have made a deployment: it
//! is handed up as it is, and whoever tries again looks for the tags first. A site of a few pages goes along in step 1.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use foreshow_bundle::{Tree, TreeFile};
use foreshow_engine::{CreateRequest, Failure, ProviderError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::task::spawn_blocking;

use super::client::Api;
use super::error::error;
use super::frameworks;
use super::project::Projects;
use super::settings::VercelSettings;
use super::tags::Tags;
use super::wire::{BuildEnv, Deployment, File, MissingFiles, NewDeployment};

const CREATE: &str = "create a deployment";
/// How often it is asked for after uploads: what was uploaded may not be seen at once.
const ROUNDS: usize = 3;
/// What goes along inline, by the rule of Vercel's own client (18.x): so many files, all of them pages, and so many bytes.
const INLINE_FILES: usize = 10;
const INLINE_BYTES: u64 = 5 << 20;
const PAGES: [&str; 3] = [".html", ".htm", ".md"];

/// A deployment that was created, and the bytes that were sent for it.
pub(super) struct Made {
    pub(super) deployment: Deployment,
    pub(super) bytes_uploaded: u64,
    pub(super) bytes_reused: u64,
}

/// Everything that a create needs.
pub(super) struct Creation<'a> {
    pub(super) api: &'a Api,
    pub(super) projects: &'a Projects,
    pub(super) settings: &'a VercelSettings,
    pub(super) tags: &'a Tags,
}

impl Creation<'_> {
    pub(super) async fn run(&self, request: CreateRequest<'_>) -> Result<Made, ProviderError> {
        let name = self.projects.name_for(request.key);
        let inline = inline(request.tree).await?;
        match self.attempt(&name, &request, &inline).await {
            // The project went since it was looked up: nothing was made.
            Err(Stop::NoProject(_)) => {
                self.projects.forget(&name);
                self.attempt(&name, &request, &inline).await
            }
            other => other,
        }
        .map_err(|stop| match stop {
            Stop::NoProject(error) | Stop::Failed(error) => error,
        })
    }

    async fn attempt(
        &self,
        name: &str,
        request: &CreateRequest<'_>,
        inline: &Inline,
    ) -> Result<Made, Stop> {
        let project = self.projects.ensure(name).await.map_err(Stop::failed)?;
        let body = self.body(name, &project, request, inline);
        let total = request.tree.total_bytes();
        let mut sent = if inline.is_empty() { 0 } else { total };
        for round in 0.. {
            let refused = match self.api.create(&body, request.env.values()).await {
                Ok(deployment) => {
                    return Ok(Made {
                        deployment,
                        bytes_uploaded: sent,
                        bytes_reused: total.saturating_sub(sent),
                    });
                }
                Err(error) => error,
            };
            if refused.is_status(404) {
                return Err(Stop::NoProject(refused.into()));
            }
            let missing: Option<MissingFiles> = refused
                .refusal()
                .filter(|refusal| refusal.is("missing_files"))
                .and_then(crate::http::Refusal::json);
            match missing {
                Some(missing) if round < ROUNDS => {
                    sent += self.upload(request.tree, missing.error.missing).await?;
                }
                _ => return Err(Stop::Failed(refused.into())),
            }
        }
        unreachable!("the last round returns")
    }

    fn body<'a>(
        &'a self,
        name: &'a str,
        project: &'a str,
        request: &CreateRequest<'a>,
        inline: &Inline,
    ) -> NewDeployment<'a> {
        let env: BTreeMap<_, _> = request
            .env
            .iter()
            .map(|(name, value)| (&**name, value.expose()))
            .collect();
        let digests = request.tree.files().iter().map(|file| {
            let path = file.path.as_str();
            match inline.get(path) {
                Some(data) => File::Inline {
                    file: path,
                    data: data.clone(),
                    encoding: "base64",
                },
                None => File::Digest {
                    file: path,
                    sha: file.sha1.to_string(),
                    size: file.size_bytes,
                },
            }
        });
        let config = frameworks::config(request.app, request.tree).map(|config| File::Inline {
            file: frameworks::CONFIG,
            data: config.into_owned(),
            encoding: "utf-8",
        });
        NewDeployment {
            name,
            project,
            files: digests.chain(config).collect(),
            meta: self.tags.of(request.key, request.revision),
            target: self.settings.target.as_deref(),
            project_settings: frameworks::settings(request.app),
            build: (!env.is_empty()).then(|| BuildEnv { env: env.clone() }),
            env,
        }
    }

    /// Uploads what is missing; answers how many bytes that were.
    async fn upload(&self, tree: &Tree, missing: Vec<String>) -> Result<u64, Stop> {
        let by_digest: BTreeMap<String, &TreeFile> = tree
            .files()
            .iter()
            .map(|file| (file.sha1.to_string(), file))
            .collect();
        let (mut files, mut bytes) = (Vec::new(), 0);
        for sha in missing.into_iter().collect::<BTreeSet<_>>() {
            let Some(file) = by_digest.get(&sha) else {
                let message = "it asks for a file that is not among those of this revision";
                return Err(Stop::Failed(error(CREATE, Failure::ProviderDown, message)));
            };
            bytes += file.size_bytes;
            files.push((sha, file.content.clone()));
        }
        let at_once = usize::try_from(self.settings.uploads_at_once.get()).unwrap_or(1);
        stream::iter(files)
            .map(|(sha, content)| async move { self.api.upload(&sha, content).await })
            .buffer_unordered(at_once)
            .try_collect::<()>()
            .await
            .map_err(Stop::failed)?;
        Ok(bytes)
    }
}

/// Why an attempt ended.
enum Stop {
    /// There is no such project: nothing was made.
    NoProject(ProviderError),
    Failed(ProviderError),
}

impl Stop {
    fn failed(error: crate::http::ApiError) -> Self {
        Self::Failed(error.into())
    }
}

/// Files that go along with the request, as base64, by path.
type Inline = BTreeMap<String, String>;

/// The files of a tiny site; none of any other.
async fn inline(tree: &Tree) -> Result<Inline, ProviderError> {
    if !is_tiny(tree) {
        return Ok(Inline::new());
    }
    let files: Vec<_> = tree
        .files()
        .iter()
        .map(|file| (file.path.as_str().to_owned(), file.content.clone()))
        .collect();
    let unread = |_| {
        error(
            CREATE,
            Failure::Retryable { after: None },
            "a file could not be read by the worker",
        )
    };
    let reading = spawn_blocking(move || {
        let mut inline = Inline::new();
        for (path, content) in files {
            inline.insert(path, BASE64_STANDARD.encode(content.read()?));
        }
        Ok(inline)
    });
    match reading.await {
        Ok(read) => read.map_err(|error: std::io::Error| unread(error.kind())),
        Err(_) => Err(unread(std::io::ErrorKind::Other)),
    }
}

fn is_tiny(tree: &Tree) -> bool {
    tree.files().len() <= INLINE_FILES
        && tree.total_bytes() <= INLINE_BYTES
        && tree.files().iter().all(|file| {
            let path = file.path.as_str().to_ascii_lowercase();
            PAGES.iter().any(|extension| path.ends_with(extension))
        })
}
