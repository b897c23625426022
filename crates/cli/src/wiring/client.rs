use std::future::Future;
use std::path::PathBuf;

use foreshow_bundle::{BundleError, Collected};
use foreshow_contract::{
    BundleRef, ContextKey, ContextUpdated, InstallationKey, Ordinal, ResultBody, ResultEvent,
    Revision, Sha256,
};
use foreshow_runner::PreviewOrigin;

use super::Backends;
use super::backends::store_file;
use crate::args::Global;
use crate::config::Loaded;
use crate::data_dir::{DataDir, gateway_addr};
use crate::ending::Heard;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::installation_key;
use crate::interrupt::Interrupts;
use crate::logging::{self, Audience};
use crate::terminal::tell;

/// What a command needs that asks for one thing and goes.
pub(crate) struct Client {
    pub(crate) backends: Backends,
    installation: InstallationKey,
    data_dir: PathBuf,
    port: u16,
    is_quiet: bool,
}

impl Client {
    /// Reads the configuration and starts the log.
    pub(crate) fn load(global: &Global) -> Result<Loaded, Failure> {
        let loaded = global.load()?;
        logging::start(global, &loaded.config.log, Audience::Caller)?;
        Ok(loaded)
    }

    /// Opens broker and store, making the data folder where it is missing.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        Self::with(Self::load(global)?, global).await
    }

    /// The same, unless nothing was ever published here: a listing leaves no folder behind.
    pub(crate) async fn open_existing(global: &Global) -> Result<Option<Self>, Failure> {
        let loaded = Self::load(global)?;
        if store_file(&loaded.config)?.exists() {
            Self::with(loaded, global).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// The same, with a configuration that was read before.
    pub(crate) async fn with(loaded: Loaded, global: &Global) -> Result<Self, Failure> {
        let dir = DataDir::prepare(loaded.data_dir())?;
        let backends = Backends::open(&loaded.config, &dir).await?;
        let installation = installation_key::load(&loaded.config, &dir)?;
        Ok(Self {
            backends,
            installation,
            data_dir: loaded.data_dir().to_owned(),
            port: loaded.config.listen.0.port(),
            is_quiet: global.quiet,
        })
    }

    /// Does the work, unless somebody asks to stop first.
    pub(crate) async fn until_interrupted(
        &self,
        work: impl Future<Output = Result<Exit, Failure>>,
    ) -> Result<Exit, Failure> {
        let mut interrupts = Interrupts::listen()?;
        tokio::select! {
            end = work => end,
            () = interrupts.next() => Ok(Exit::Interrupted),
        }
    }

    /// Where previews of this data folder are reached, whether or not somebody serves them now.
    pub(crate) fn origin(&self) -> PreviewOrigin {
        PreviewOrigin::localhost(gateway_addr(&self.data_dir).map_or(self.port, |addr| addr.port()))
    }

    /// Whether a result tells of this very update, and not of another's that was given the same revision: results name
    /// the revision alone, the store knows the request that it settled.
    pub(crate) async fn is_end_of(
        &self,
        update: &ContextUpdated,
        result: &ResultEvent,
    ) -> Result<bool, Failure> {
        match &result.body {
            ResultBody::Ready(_) | ResultBody::Failed(_) => {}
            // A rejection names its event; what is superseded is so whosever it was.
            ResultBody::Rejected(_)
            | ResultBody::Superseded(_)
            | ResultBody::Removed(_)
            | ResultBody::Building(_) => return Ok(true),
        }
        let ordinal = Ordinal::update(update.revision);
        let settled = self.backends.store.outcome(&update.key, ordinal).await;
        let settled = settled.or_fail(Exit::Environment)?;
        let ours = update.request_digest(&self.installation);
        Ok(settled.is_none_or(|settled| settled.digest == ours))
    }

    /// Says that nobody reads the queue.
    pub(crate) fn tell_unattended(&self, heard: &Heard<'_>) {
        match heard {
            Heard::Unattended if !self.is_quiet => tell(&format!(
                "warning: no worker is running on {}; start one with `foreshow up`. The event waits.",
                self.data_dir.display()
            )),
            Heard::Unattended | Heard::Progress(_) => {}
        }
    }

    /// Stores the files as a bundle that stays until this revision has ended.
    pub(crate) async fn keep_bundle(
        &self,
        collected: &Collected,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<BundleRef, Failure> {
        let sha256 = self.put(collected).await?;
        if !self
            .backends
            .bundles
            .hold(sha256, key, revision)
            .await
            .or_fail(Exit::Environment)?
        {
            // Another event with the same files ended between the two: it took them along. Held, they stay.
            self.put(collected).await?;
        }
        Ok(BundleRef::local(sha256))
    }

    async fn put(&self, collected: &Collected) -> Result<Sha256, Failure> {
        let (files, copy) = (self.backends.bundle_files.clone(), collected.clone());
        let packed = tokio::task::spawn_blocking(move || files.put(&copy))
            .await
            .or_fail(Exit::Environment)?;
        packed
            .map(|packed| packed.sha256)
            .map_err(|error| match &error {
                // Anything but the published files themselves is the data folder.
                BundleError::Io { path, .. }
                    if collected.files().iter().all(|file| file.source != *path) =>
                {
                    let help =
                        format!("free some space on the disk of {}", self.data_dir.display());
                    Failure::of(Exit::Environment, error).help(help)
                }
                _ => Failure::of(Exit::Usage, error),
            })
    }
}
