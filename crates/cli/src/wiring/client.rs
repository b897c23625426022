use std::future::Future;
use std::io::{BufWriter, IntoInnerError};

use anyhow::Context as _;
use foreshow_bundle::{BundleError, Collected, Packed};
use foreshow_contract::{
    BundleRef, ContextKey, ContextUpdated, InstallationKey, Ordinal, ResultBody, ResultEvent,
    Revision,
};
use foreshow_engine::Queue;
use foreshow_runner::PreviewOrigin;
use tempfile::NamedTempFile;

use super::backends::backend;
use super::{Backends, PreviewUrls, fleet};
use crate::args::Global;
use crate::config::{Backend, Loaded, Role, redacted};
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
    /// `None` for a client of a fleet that was not given its key.
    installation: Option<InstallationKey>,
    urls: PreviewUrls,
    /// Where the workers are, in words.
    place: String,
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
        Self::existing(Self::load(global)?, global).await
    }

    /// The same, with a configuration that was read before.
    pub(crate) async fn existing(loaded: Loaded, global: &Global) -> Result<Option<Self>, Failure> {
        match backend(&loaded.config, Role::Store)? {
            Backend::Sqlite { file } if !file.exists() => Ok(None),
            Backend::Sqlite { .. } | Backend::Redis { .. } | Backend::RabbitMq { .. } => {
                Self::with(loaded, global).await.map(Some)
            }
        }
    }

    /// As [`open`](Self::open), with a configuration that was read before.
    pub(crate) async fn with(loaded: Loaded, global: &Global) -> Result<Self, Failure> {
        let config = &loaded.config;
        fleet::check_pair(&loaded)?;
        let is_local = [Role::Broker, Role::Store]
            .map(|role| backend(config, role))
            .into_iter()
            .any(|backend| matches!(backend, Ok(Backend::Sqlite { .. })));
        // A client of a fleet leaves no folder behind; one that is there is the fleet's, on this machine.
        let dir = if is_local || gateway_addr(loaded.data_dir()).is_some() {
            Some(DataDir::prepare(loaded.data_dir())?)
        } else {
            None
        };
        let backends = Backends::open(config, dir.as_ref()).await?;
        let installation = match &dir {
            Some(dir) => Some(installation_key::load(config, dir)?),
            None => installation_key::configured(config)?,
        };
        let client = Self {
            backends,
            urls: PreviewUrls::of(config, installation.as_ref(), origin(&loaded)),
            installation,
            place: match backend(config, Role::Broker)? {
                Backend::Sqlite { .. } => loaded.data_dir().display().to_string(),
                Backend::RabbitMq { .. } | Backend::Redis { .. } => redacted(&config.broker),
            },
            is_quiet: global.quiet,
        };
        let backends = &client.backends;
        if let Some(rabbitmq) = &backends.servers.rabbitmq {
            // Every address has its turn.
            let opened = rabbitmq.opened().await.or_fail(Exit::Environment);
            opened.map_err(|failure| failure.help(fleet::HELP_BROKER))?;
        }
        let answered = backends.broker.ping().await.or_fail(Exit::Environment);
        answered.map_err(|failure| failure.help(fleet::HELP_BROKER))?;
        let answered = backends.store.now().await.or_fail(Exit::Environment);
        answered.map_err(|failure| failure.help(fleet::HELP_STORE))?;
        if let (Some(redis), Some(key)) = (&backends.servers.redis, &client.installation) {
            fleet::ensure_installation(redis, key).await?;
        }
        Ok(client)
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

    /// Where previews are reached, whether or not somebody serves them now.
    pub(crate) fn urls(&self) -> &PreviewUrls {
        &self.urls
    }

    /// Says beside a listing that nobody reads this queue, where that is so: what it tells may be old.
    pub(crate) async fn warn_if_unattended(&self, queue: Queue) {
        let asked = self.backends.broker.has_consumers(queue).await;
        if matches!(asked, Ok(false)) && !self.is_quiet {
            tell(&format!(
                "warning: no worker is running on {}, and what was published since waits; start one with `foreshow up` or \
                 `foreshow worker`",
                self.place
            ));
        }
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
        let Some(installation) = &self.installation else {
            // Only who has the installation's key can tell.
            return Ok(true);
        };
        let ordinal = Ordinal::update(update.revision);
        let settled = self.backends.store.outcome(&update.key, ordinal).await;
        let settled = settled.or_fail(Exit::Environment)?;
        let ours = update.request_digest(installation);
        Ok(settled.is_none_or(|settled| settled.digest == ours))
    }

    /// Says that nobody reads the queue.
    pub(crate) fn tell_unattended(&self, heard: &Heard<'_>) {
        match heard {
            Heard::Unattended if !self.is_quiet => tell(&format!(
                "warning: no worker is running on {}; start one with `foreshow up` or `foreshow worker`. The event waits.",
                self.place
            )),
            Heard::Unattended | Heard::Progress(_) => {}
        }
    }

    /// Stores the files as a bundle that stays until this revision has ended; `None` where this client has no way to one.
    pub(crate) async fn keep_bundle(
        &self,
        collected: &Collected,
        key: &ContextKey,
        revision: Revision,
    ) -> Result<Option<BundleRef>, Failure> {
        let Some(vault) = &self.backends.bundles else {
            return Ok(None);
        };
        let (packed, file) = pack(collected).await?;
        let sha256 = packed.sha256;
        let file = file.path();
        if !vault
            .hold(sha256, key, revision)
            .await
            .or_fail(Exit::Environment)?
        {
            vault.put(sha256, file).await.or_fail(Exit::Environment)?;
            if !vault
                .hold(sha256, key, revision)
                .await
                .or_fail(Exit::Environment)?
            {
                // Another event with the same files ended between the two: it took them along. Held, they stay.
                vault.put(sha256, file).await.or_fail(Exit::Environment)?;
            }
        }
        Ok(Some(BundleRef::local(sha256)))
    }
}

/// Packs the files into one that goes when it is dropped.
async fn pack(collected: &Collected) -> Result<(Packed, NamedTempFile), Failure> {
    let collected = collected.clone();
    let packing = tokio::task::spawn_blocking(move || {
        let file = NamedTempFile::new()
            .context("cannot make a temporary file")
            .or_fail(Exit::Environment)?;
        let mut out = BufWriter::with_capacity(128 << 10, file);
        let packed = collected.pack(&mut out).map_err(|error| match &error {
            // Anything but the published files themselves is the disk.
            BundleError::Io { path, .. }
                if collected.files().iter().all(|file| file.source != *path) =>
            {
                let help = format!("free some space in {}", std::env::temp_dir().display());
                Failure::of(Exit::Environment, error).help(help)
            }
            _ => Failure::of(Exit::Usage, error),
        })?;
        let file = out
            .into_inner()
            .map_err(IntoInnerError::into_error)
            .context("cannot write a temporary file")
            .or_fail(Exit::Environment)?;
        Ok((packed, file))
    });
    packing.await.or_fail(Exit::Environment)?
}

/// Where people reach previews: as configured, else where a gateway of this data folder is, or would be.
pub(super) fn origin(loaded: &Loaded) -> PreviewOrigin {
    let config = &loaded.config;
    config.gateway.public_url.clone().map_or_else(
        || {
            let port =
                gateway_addr(loaded.data_dir()).map_or(config.listen.0.port(), |addr| addr.port());
            PreviewOrigin::localhost(port)
        },
        |url| url.0,
    )
}
