//! Where the programs of the two servers lie.
//!
//! The folders of Debian, Homebrew and the generic archives are looked at before `PATH`: Debian's `rabbitmq-server` in
//! `PATH` is a wrapper that changes user and folder, which a private node must not.

use std::{
    env,
    path::{Path, PathBuf},
};

/// A program of a server is not on this machine.
#[derive(Debug, thiserror::Error)]
#[error(
    "{program} is not installed. Debian or Ubuntu: `cargo xtask services install` as root (or `apt-get install \
     --no-install-recommends {debian}`); macOS: `brew install {homebrew}`; elsewhere: {elsewhere}, with its programs in PATH"
)]
pub struct NotFound {
    program: &'static str,
    debian: &'static str,
    homebrew: &'static str,
    elsewhere: &'static str,
}

/// The programs of RabbitMQ.
#[derive(Clone, Debug)]
pub struct RabbitMqPrograms {
    /// `rabbitmq-server`.
    pub server: PathBuf,
    /// `rabbitmqctl`.
    pub ctl: PathBuf,
    /// Erlang's `epmd`, which tells nodes of one machine each other's ports.
    pub epmd: PathBuf,
}

/// The programs of Redis.
#[derive(Clone, Debug)]
pub struct RedisPrograms {
    /// `redis-server`.
    pub server: PathBuf,
    /// `redis-cli`.
    pub cli: PathBuf,
}

/// Finds RabbitMQ, 3.10 or later.
///
/// # Errors
/// [`NotFound`], which tells how to install it.
pub fn find_rabbitmq() -> Result<RabbitMqPrograms, NotFound> {
    let folders = [
        "/usr/lib/rabbitmq/bin",
        "/opt/homebrew/opt/rabbitmq/sbin",
        "/usr/local/opt/rabbitmq/sbin",
        "/home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin",
        "/opt/rabbitmq/sbin",
        "/usr/local/sbin",
    ];
    let erlang = [
        "/usr/lib/erlang/bin",
        "/usr/lib64/erlang/bin",
        "/usr/local/lib/erlang/bin",
        "/opt/homebrew/opt/erlang/lib/erlang/bin",
        "/usr/local/opt/erlang/lib/erlang/bin",
    ];
    let missing = |program| NotFound {
        program,
        debian: "rabbitmq-server",
        homebrew: "rabbitmq",
        elsewhere: "RabbitMQ 3.10 or later from rabbitmq.com",
    };
    let program = |folders: &[&str], name| find(folders, name).ok_or_else(|| missing(name));
    Ok(RabbitMqPrograms {
        server: program(&folders, "rabbitmq-server")?,
        ctl: program(&folders, "rabbitmqctl")?,
        epmd: program(&erlang, "epmd")?,
    })
}

/// Finds Redis, 7.0 or later.
///
/// # Errors
/// [`NotFound`], which tells how to install it.
pub fn find_redis() -> Result<RedisPrograms, NotFound> {
    let folders = [
        "/usr/bin",
        "/opt/homebrew/opt/redis/bin",
        "/usr/local/opt/redis/bin",
        "/usr/local/bin",
    ];
    let program = |name| {
        find(&folders, name).ok_or(NotFound {
            program: name,
            debian: "redis-server",
            homebrew: "redis",
            elsewhere: "Redis 7.0 or later from redis.io",
        })
    };
    Ok(RedisPrograms {
        server: program("redis-server")?,
        cli: program("redis-cli")?,
    })
}

fn find(folders: &[&str], name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = folders.iter().map(PathBuf::from);
    usual
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_folders_come_before_the_path_and_only_programs_count() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let usual = folder.path().to_str().unwrap();
        let file = folder.path().join("sh");
        std::fs::write(&file, "").unwrap();
        assert_ne!(find(&[usual], "sh"), Some(file.clone()), "not a program");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(&[usual], "sh"), Some(file));
        assert_eq!(find(&[usual], "no-such-program-at-all"), None);
    }

    #[test]
    fn what_is_missing_says_how_to_install_it() {
        let error = NotFound {
            program: "redis-server",
            debian: "redis-server",
            homebrew: "redis",
            elsewhere: "Redis from redis.io",
        };
        let text = error.to_string();
        for word in ["cargo xtask services install", "apt-get", "brew install"] {
            assert!(text.contains(word), "{text}");
        }
    }
}
