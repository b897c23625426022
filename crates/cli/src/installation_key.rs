//! The installation's key: configured, or made once and kept in the data folder.
//!
//! Several processes may start at once in a new folder. Each writes a key of its own to a file without a name, and links
//! it to the name: the first succeeds, the others find it there and take it. Nobody ever reads half a key.

use std::fs;
use std::io::{ErrorKind, Write as _};

use anyhow::{Context as _, anyhow};
use foreshow_contract::InstallationKey;

use crate::config::Config;
use crate::data_dir::DataDir;
use crate::failure::{Exit, Failure, OrFail as _};

/// The key of this installation. Blocking, for a moment.
pub(crate) fn load(config: &Config, dir: &DataDir) -> Result<InstallationKey, Failure> {
    match configured(config)? {
        Some(key) => Ok(key),
        None => kept(dir).or_fail(Exit::Environment),
    }
}

/// The key that is configured, if one is.
pub(crate) fn configured(config: &Config) -> Result<Option<InstallationKey>, Failure> {
    // Checked when it was read.
    let key = config.installation_key.as_ref();
    key.map(|hex| InstallationKey::from_hex(hex.expose().trim()))
        .transpose()
        .or_fail(Exit::Usage)
}

fn kept(dir: &DataDir) -> anyhow::Result<InstallationKey> {
    let path = dir.installation_key();
    match fs::read_to_string(&path) {
        Ok(hex) => InstallationKey::from_hex(hex.trim()).with_context(|| {
            format!(
                "{} is damaged: put the key back, or remove the file (previews get new addresses)",
                path.display()
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => make(dir),
        Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
    }
}

fn make(dir: &DataDir) -> anyhow::Result<InstallationKey> {
    let path = dir.installation_key();
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system gave no random bytes: {error}"))?;
    let key = InstallationKey::try_from_slice(&bytes)?;
    let written = || -> std::io::Result<Option<()>> {
        // Made with mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".key-")
            .tempfile_in(dir.path())?;
        writeln!(file, "{}", key.to_hex())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Some(())),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(error.error),
        }
    };
    match written().with_context(|| format!("could not write {}", path.display()))? {
        Some(()) => Ok(key),
        None => kept(dir),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_who_start_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::prepare(folder.path()).unwrap();
        let keys: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| load(&Config::default(), &dir).unwrap().to_hex()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::prepare(folder.path()).unwrap();
        load(&Config::default(), &dir).unwrap();
        assert_eq!(
            fs::metadata(dir.installation_key())
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o600
        );
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::prepare(folder.path()).unwrap();
        fs::write(dir.installation_key(), "half a k").unwrap();
        let told = load(&Config::default(), &dir).unwrap_err().to_string();
        assert!(
            told.contains("installation.key is damaged") && !told.contains("half a k"),
            "{told}"
        );
    }
}
