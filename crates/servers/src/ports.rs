//! Ports that nobody else takes.
//!
//! Chosen below 32,768, where no system gives out ports for outgoing connections. A lock file per port keeps apart all
//! processes that choose in this way, also while a server is down between its crash and its restart. A stranger can still
//! take a port after we looked: then the server does not come up, and is started with others.

use std::{
    fs::File,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
};

use anyhow::{Result, bail};

const FROM: u16 = 16_000;
const BELOW: u16 = 32_000;

/// A port of loopback that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// One that is free now.
    ///
    /// # Errors
    /// Where hardly any is free.
    pub(crate) fn free() -> Result<Self> {
        for _ in 0..500 {
            let number = fastrand::u16(FROM..BELOW);
            if let Some(port) = Self::try_take(number) {
                return Ok(port);
            }
        }
        bail!(
            "no free port found between {FROM} and {BELOW}, or {} cannot be written",
            folder().display()
        )
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    fn try_take(number: u16) -> Option<Self> {
        std::fs::create_dir_all(folder()).ok()?;
        let lock = File::create(folder().join(number.to_string())).ok()?;
        lock.try_lock().ok()?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        Some(Self {
            number,
            _lock: lock,
        })
    }
}

/// One folder per user: another's could not be written.
fn folder() -> PathBuf {
    let user = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("foreshow-ports-{user}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_to_one_at_a_time() {
        let port = Port::free().unwrap();
        assert!(Port::try_take(port.number()).is_none(), "it is taken");
        let number = port.number();
        drop(port);
        assert!(Port::try_take(number).is_some(), "it is free again");
    }

    #[test]
    fn a_port_that_a_stranger_listens_on_is_not_given_out() {
        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(Port::try_take(stranger.local_addr().unwrap().port()).is_none());
    }
}
