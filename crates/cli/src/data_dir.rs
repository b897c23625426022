//! The data folder: what `up` and its neighbours share on this machine.
//!
//! | name | what |
//! | --- | --- |
//! | `foreshow.db` | broker and store, unless their URLs say otherwise |
//! | `sessions/` | which processes consume |
//! | `bundles/` | files of events too large to carry them |
//! | `fetched/` | bundles that were fetched by their URLs |
//! | `previews/` | what is served |
//! | `installation.key` | keys host labels and digests |
//! | `gateway.addr` | where the newest `up` serves |
//! | `.gitignore` | keeps all of it out of version control |

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::failure::{Exit, Failure};

/// Where a data folder, which need not be there, has what was fetched.
pub(crate) fn fetched_below(path: &Path) -> PathBuf {
    path.join("fetched")
}

/// The folder, known to exist and to be writable.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// Makes the folder where it is missing, and tries to write into it. Blocking, for a moment.
    ///
    /// # Errors
    /// With exit code 3, naming the folder and what to do.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
        let failed = |what: String, error: io::Error| {
            let help = help(path, error.kind());
            Failure::of(Exit::Environment, anyhow::Error::new(error).context(what)).help(help)
        };
        create(path).map_err(|error| {
            failed(
                format!("cannot make the data folder {}", path.display()),
                error,
            )
        })?;
        let dir = Self {
            path: path.to_owned(),
        };
        dir.ensure_ignored().map_err(|error| {
            failed(
                format!("cannot write to the data folder {}", path.display()),
                error,
            )
        })?;
        Ok(dir)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where bundles are kept.
    pub(crate) fn bundles(&self) -> PathBuf {
        self.path.join("bundles")
    }

    /// Where bundles are received and kept that were fetched by their URLs.
    pub(crate) fn fetched(&self) -> PathBuf {
        fetched_below(&self.path)
    }

    /// Where previews are kept.
    pub(crate) fn previews(&self) -> PathBuf {
        self.path.join("previews")
    }

    /// Where the installation's key is kept.
    pub(crate) fn installation_key(&self) -> PathBuf {
        self.path.join("installation.key")
    }

    /// The address that a gateway on this folder has, or had.
    pub(crate) fn gateway_addr(&self) -> Option<SocketAddr> {
        gateway_addr(&self.path)
    }

    /// Tells neighbours where the gateway is.
    pub(crate) fn announce_gateway(&self, addr: SocketAddr) -> anyhow::Result<Announcement> {
        let announcement = Announcement {
            path: self.path.join(GATEWAY_ADDR),
            addr,
            before: self.gateway_addr(),
        };
        announcement.write(addr)?;
        Ok(announcement)
    }

    /// Writes a `.gitignore` each time it is missing, which also tells whether the folder can be written at all.
    fn ensure_ignored(&self) -> io::Result<()> {
        tempfile::Builder::new()
            .prefix(".writable-")
            .tempfile_in(&self.path)?;
        match fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(self.path.join(".gitignore"))
        {
            Ok(mut file) => file.write_all(b"# Foreshow's own data.\n*\n"),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Where a gateway is, for as long as it is there.
#[derive(Debug)]
pub(crate) struct Announcement {
    path: PathBuf,
    addr: SocketAddr,
    before: Option<SocketAddr>,
}

impl Announcement {
    /// Takes it back, unless another gateway has made its own since. One from before may still be there: it is named
    /// again. A stale announcement does no harm: nobody answers there, as nobody would anywhere else.
    pub(crate) fn retract(self) {
        let is_ours = self.path.parent().and_then(gateway_addr) == Some(self.addr);
        let retracted = match self.before {
            Some(before) if is_ours && before != self.addr => self.write(before),
            _ if is_ours => fs::remove_file(&self.path).map_err(anyhow::Error::from),
            _ => Ok(()),
        };
        if let Err(error) = retracted {
            tracing::debug!("{} could not be mended: {error:#}", self.path.display());
        }
    }

    fn write(&self, addr: SocketAddr) -> anyhow::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        replace(folder, &self.path, &format!("{addr}\n"))
            .with_context(|| format!("could not write {}", self.path.display()))
    }
}

const GATEWAY_ADDR: &str = "gateway.addr";

/// The address that a gateway on this folder has, or had; also where the folder was never made.
pub(crate) fn gateway_addr(data_dir: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data_dir.join(GATEWAY_ADDR))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// A folder for its owner alone: events and their files can hold secrets. One that is there already keeps its mode.
/// Blocking, for a moment.
pub(crate) fn ensure_private(path: &Path) -> anyhow::Result<()> {
    create(path).with_context(|| format!("cannot make the folder {}", path.display()))
}

fn create(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn help(path: &Path, kind: ErrorKind) -> String {
    let elsewhere = "or name another with --data-dir (FORESHOW_DATA_DIR)";
    match kind {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            format!("a file is in the way: move it, {elsewhere}")
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!("it is on a read-only mount: remount it writable, {elsewhere}")
        }
        ErrorKind::PermissionDenied => format!(
            "make {} writable for this user, {elsewhere}",
            path.display()
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            format!("free some space on its disk, {elsewhere}")
        }
        _ => format!("check the folder and its disk, {elsewhere}"),
    }
}

/// Writes a file whole or not at all, whoever reads it meanwhile.
fn replace(folder: &Path, path: &Path, content: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(folder)?;
    file.write_all(content.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_way_is_named_with_the_fix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, "").unwrap();
        for path in [path.clone(), path.join("below")] {
            let failure = DataDir::prepare(&path).unwrap_err();
            assert_eq!(failure.exit, Exit::Environment);
            let told = failure.to_string();
            assert!(
                told.contains(&path.display().to_string()) && told.contains("a file is in the way"),
                "{told}"
            );
        }
    }

    #[test]
    fn the_newest_gateway_is_announced_and_the_one_before_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::prepare(&folder.path().join("data")).unwrap();
        let [first, second] = ["127.0.0.1:1", "127.0.0.1:2"].map(|addr| addr.parse().unwrap());
        assert_eq!(dir.gateway_addr(), None);
        let one = dir.announce_gateway(first).unwrap();
        let two = dir.announce_gateway(second).unwrap();
        assert_eq!(dir.gateway_addr(), Some(second));
        two.retract();
        assert_eq!(dir.gateway_addr(), Some(first));
        let two = dir.announce_gateway(second).unwrap();
        one.retract();
        assert_eq!(dir.gateway_addr(), Some(second));
        two.retract();
        assert_eq!(dir.gateway_addr(), Some(first), "stale, and harmless");
        dir.announce_gateway(first).unwrap().retract();
        assert_eq!(dir.gateway_addr(), None);
    }
}
