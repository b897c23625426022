//! One RabbitMQ and one Redis for a whole test run; in them a vhost and a namespace for each test.
//!
//! `cargo xtask test` starts both and names them in two variables. A test that finds none of them fails and says what to
//! run: it never passes by not looking.

use std::{
    env,
    io::{Read as _, Write as _},
    net::TcpStream,
    ops::Deref,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result};
use reqwest::Url;

use crate::{
    Management, RabbitMq, RabbitMqOptions, Redis, RedisOptions, Vhost, rabbitmq::escaped,
    random_word, redis::Connection,
};

/// Names the run's RabbitMQ: the administrator's AMQP URL, with management's port as its `management_port`.
pub const RABBITMQ: &str = "FORESHOW_TEST_RABBITMQ";

/// Names the run's Redis: its URL.
pub const REDIS: &str = "FORESHOW_TEST_REDIS";

/// Both servers of a run. Dropping it ends them.
#[derive(Debug)]
pub struct Servers {
    /// The broker.
    pub rabbitmq: RabbitMq,
    /// The store. It keeps nothing over its end.
    pub redis: Redis,
}

/// Clients of AMQP 1.0 come in too: before RabbitMQ 4 that is a plugin, and there it does nothing.
fn options() -> RabbitMqOptions {
    RabbitMqOptions {
        plugins: vec!["rabbitmq_amqp1_0".to_owned()],
        ..RabbitMqOptions::default()
    }
}

impl Servers {
    /// Starts both, with files below this folder.
    ///
    /// # Errors
    /// Where one is not installed, or does not come up.
    pub async fn start(dir: &Path) -> Result<Self> {
        let redis = Redis::start(&dir.join("redis"), RedisOptions::default()).await?;
        let rabbitmq = RabbitMq::start_with(&dir.join("rabbitmq"), &options()).await?;
        Ok(Self { rabbitmq, redis })
    }

    /// Starts both in temporary folders, which go with them.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn temporary() -> Result<Self> {
        let redis = Redis::temporary(RedisOptions::default()).await?;
        let rabbitmq = RabbitMq::temporary_with(&options()).await?;
        Ok(Self { rabbitmq, redis })
    }

    /// The variables that name them to the tests.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let management = self.rabbitmq.management();
        let (url, port) = (management.amqp_url("/"), management.port());
        [
            (RABBITMQ, format!("{url}?management_port={port}")),
            (REDIS, self.redis.url()),
        ]
    }
}

/// A vhost of the run's RabbitMQ that nobody else uses, with all permissions.
///
/// # Panics
/// Where the run has no RabbitMQ, with what to run; or where it does not answer.
pub async fn rabbitmq() -> SharedVhost {
    let vhost = rabbitmq_at(&named(RABBITMQ)).await;
    vhost.unwrap_or_else(|error| {
        panic!("{RABBITMQ} names no RabbitMQ that gives a vhost: {error:#}. {HOW_TO_RUN}")
    })
}

/// A vhost of the RabbitMQ that a variable's value names.
///
/// # Errors
/// Where it names none, or that does not answer.
pub async fn rabbitmq_at(variable: &str) -> Result<SharedVhost> {
    let management = management(variable)?;
    let vhost = management
        .create_vhost(&format!("test-{}", random_word()))
        .await?;
    Ok(SharedVhost { vhost, open: true })
}

/// A namespace of the run's Redis that nobody else uses.
///
/// # Panics
/// Where the run has no Redis, with what to run.
pub fn redis() -> SharedRedis {
    redis_at(&named(REDIS))
}

/// A namespace of the Redis at a URL.
pub fn redis_at(url: &str) -> SharedRedis {
    SharedRedis {
        url: url.to_owned(),
        namespace: format!("test-{}", random_word()),
    }
}

/// A test's own vhost. Say [`close`](Self::close) at the test's end; dropping it removes the vhost too, as far as that
/// goes without waiting.
#[derive(Debug)]
pub struct SharedVhost {
    vhost: Vhost,
    open: bool,
}

impl SharedVhost {
    /// Removes the vhost with everything in it.
    ///
    /// # Panics
    /// Where the broker does not do it.
    pub async fn close(mut self) {
        self.open = false;
        let removed = self.management().delete_vhost(self.name()).await;
        removed.expect("the run's RabbitMQ removes a vhost");
    }
}

impl Deref for SharedVhost {
    type Target = Vhost;

    fn deref(&self) -> &Vhost {
        &self.vhost
    }
}

impl Drop for SharedVhost {
    fn drop(&mut self) {
        if self.open {
            // The test has failed, or forgot. The node goes at the end of the run, and this with it.
            remove_now(self.management(), self.name()).ok();
        }
    }
}

/// A test's own namespace: begin every key with it.
#[derive(Clone, Debug)]
pub struct SharedRedis {
    /// Where to connect.
    pub url: String,
    /// The prefix of every key. Letters, digits and `-`.
    pub namespace: String,
}

impl SharedRedis {
    /// Removes every key that begins with the namespace.
    ///
    /// # Panics
    /// Where the server does not do it.
    pub async fn close(self) {
        self.remove().await.expect("the run's Redis removes keys");
    }

    async fn remove(&self) -> Result<()> {
        let (address, credentials) = address(&self.url)?;
        let mut redis = Connection::open(&address, &credentials).await?;
        let pattern = format!("{}*", self.namespace);
        let mut cursor = "0".to_owned();
        loop {
            let scan = ["SCAN", &cursor, "MATCH", &pattern, "COUNT", "1000"];
            let crate::redis::Reply::List(answer) = redis.call(&scan).await? else {
                anyhow::bail!("SCAN answered no list");
            };
            let [next, crate::redis::Reply::List(keys)] = answer.as_slice() else {
                anyhow::bail!("SCAN answered no keys");
            };
            for key in keys {
                redis.call(&["UNLINK", &key.text()]).await?;
            }
            cursor = next.text();
            if cursor == "0" {
                return Ok(());
            }
        }
    }
}

const HOW_TO_RUN: &str = "Run the tests with `cargo xtask test`, which starts the servers that they need; or, to run \
    some of them by hand, start both for this shell with `eval \"$(cargo xtask services start)\"`";

fn named(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set. {HOW_TO_RUN}"))
}

fn management(variable: &str) -> Result<Management> {
    // The URL holds a password: no error may quote it.
    let url = Url::parse(variable).map_err(|_| anyhow::anyhow!("it is no URL"))?;
    let mut pairs = url.query_pairs();
    let port = pairs.find(|(name, _)| name == "management_port");
    let (_, port) = port.context("management_port is missing")?;
    let amqp_port = url.port().context("the port is missing")?;
    let (user, password) = (
        unescaped(url.username()),
        unescaped(url.password().unwrap_or_default()),
    );
    Ok(Management::new(amqp_port, port.parse()?, &user, &password))
}

/// Host and port, and what AUTH wants.
fn address(url: &str) -> Result<(String, Vec<String>)> {
    let url = Url::parse(url).map_err(|_| anyhow::anyhow!("{REDIS} is no URL"))?;
    let host = url.host_str().context("the host is missing")?;
    let port = url.port().unwrap_or(6379);
    let user = Some(unescaped(url.username())).filter(|user| !user.is_empty());
    let password = url.password().map(unescaped);
    let credentials = password.map(|password| user.into_iter().chain([password]).collect());
    Ok((format!("{host}:{port}"), credentials.unwrap_or_default()))
}

/// The text that was escaped as a part of a URL.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let byte = byte.filter(|_| first == b'%');
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Removes a vhost without a runtime, which may be going down: a destructor can't await.
fn remove_now(management: &Management, vhost: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", management.port()))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "DELETE /api/vhosts/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {}\r\nConnection: close\r\n\r\n",
        escaped(vhost),
        management.basic_credentials(),
    )?;
    let mut answer = [0; 64];
    stream.read(&mut answer).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_broker_and_management() {
        let management = management("amqp://us%40er:p%2Bw+x@127.0.0.1:20/%2F?management_port=30");
        let management = management.unwrap();
        assert_eq!(management.url(), "http://127.0.0.1:30");
        assert_eq!(
            management.amqp_url("v"),
            "amqp://us%40er:p%2Bw%2Bx@127.0.0.1:20/v"
        );
    }

    #[test]
    fn a_wrong_variable_is_told_without_its_password() {
        for wrong in [
            "secret",
            "amqp://u:secret@127.0.0.1:20/%2F",
            "amqp://u:secret@h",
        ] {
            let error = management(wrong).unwrap_err();
            assert!(!format!("{error:#}").contains("secret"), "{error:#}");
        }
    }

    #[test]
    fn the_address_of_redis_is_read_from_its_url() {
        let plain = address("redis://127.0.0.1:7000").unwrap();
        assert_eq!(plain, ("127.0.0.1:7000".to_owned(), vec![]));
        let (_, credentials) = address("redis://:p%40w@h").unwrap();
        assert_eq!(credentials, ["p@w"]);
        let (_, credentials) = address("redis://u:pw@h:1").unwrap();
        assert_eq!(credentials, ["u", "pw"]);
    }
}
