//! A server's options, and the files that tell it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// How a server differs from the plainest one: no password, nothing kept, as much memory as there is.
#[derive(Clone, Debug, Default)]
pub struct RedisOptions {
    /// Keeps the data over [`Redis::kill`](super::Redis::kill) and [`Redis::restart`](super::Redis::restart), in an append-only file synced each second: what a
    /// killed process had written survives, though not what a killed machine had.
    pub appendonly: bool,
    /// The default user's password.
    pub password: Option<String>,
    /// Users beside the default one, each a line of an ACL file: `user worker on >secret ~foreshow* +@all`.
    pub users: Vec<String>,
    /// Encrypted connections. [`Redis::url`](super::Redis::url) then begins with `rediss://`; the plain port stays for [`Redis::call`](super::Redis::call).
    pub tls: Option<RedisTls>,
    /// A node that can join a cluster. [`RedisCluster`](super::RedisCluster) starts three and joins them.
    pub cluster: bool,
    /// How many bytes of data it takes before it refuses writes; it never evicts.
    pub max_memory: Option<u64>,
    /// More settings, as names and values of `redis.conf`.
    pub settings: Vec<(String, String)>,
}

/// Files in PEM. The certificate must be good for the address 127.0.0.1.
#[derive(Clone, Debug)]
pub struct RedisTls {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority's certificate. Clients need none of their own.
    pub authority: PathBuf,
}

/// A server's ports. Of those for TLS and for a cluster's bus it only uses what its options ask for.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) plain: u16,
    pub(super) tls: u16,
    pub(super) bus: u16,
}

impl RedisOptions {
    /// Writes `redis.conf`, and the file of users where there are any, into the server's folder.
    pub(super) fn write(&self, dir: &Path, ports: Ports) -> Result<()> {
        let options = self;
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("port {}", ports.plain),
            format!("dir {}", quoted(dir)),
            "daemonize no".to_owned(),
            "save \"\"".to_owned(),
            format!("appendonly {}", yes_no(options.appendonly)),
            "maxmemory-policy noeviction".to_owned(),
            // DEBUG SLEEP and the like, from this machine.
            "enable-debug-command local".to_owned(),
        ];
        if options.users.is_empty() {
            let password = options.password.as_deref();
            lines.extend(password.map(|word| format!("requirepass {word}")));
        } else {
            // With an ACL file the default user is what the file says, too.
            let word = options.password.as_deref();
            let word = word.map_or_else(|| "nopass".to_owned(), |word| format!(">{word}"));
            let mut users = vec![format!("user default on {word} ~* &* +@all")];
            users.extend(options.users.iter().cloned());
            write(dir, "users.acl", &users)?;
            lines.push(format!("aclfile {}", quoted(&dir.join("users.acl"))));
        }
        if let Some(tls) = &options.tls {
            lines.extend([
                format!("tls-port {}", ports.tls),
                format!("tls-cert-file {}", quoted(&tls.certificate)),
                format!("tls-key-file {}", quoted(&tls.key)),
                format!("tls-ca-cert-file {}", quoted(&tls.authority)),
                "tls-auth-clients no".to_owned(),
            ]);
        }
        if options.cluster {
            lines.extend([
                "cluster-enabled yes".to_owned(),
                format!("cluster-port {}", ports.bus),
                "cluster-announce-ip 127.0.0.1".to_owned(),
            ]);
        }
        lines.extend(options.max_memory.map(|bytes| format!("maxmemory {bytes}")));
        let more = options.settings.iter();
        lines.extend(more.map(|(name, value)| format!("{name} {value}")));
        write(dir, "redis.conf", &lines)
    }
}

fn write(dir: &Path, name: &str, lines: &[String]) -> Result<()> {
    let file = dir.join(name);
    fs::write(&file, lines.join("\n") + "\n")
        .with_context(|| format!("cannot write {}", file.display()))
}

fn yes_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

/// A path as a value in `redis.conf`, where blanks part values.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.display().to_string())
}
