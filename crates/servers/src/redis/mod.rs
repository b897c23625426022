//! A private Redis server: its own port and files. It is up in 20 ms, so a test that wants one to itself may have it.

mod cluster;
mod options;
mod resp;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

pub use cluster::RedisCluster;
use options::Ports;
pub use options::{RedisOptions, RedisTls};
pub(crate) use resp::Connection;
pub use resp::Reply;

use crate::{
    ASK_EVERY, Group, START_WITHIN, TRIES, find_redis, folder::Folder, ports::Port,
    rabbitmq::escaped, tail,
};

/// A running (or killed, or stopped) server. Dropping it ends it.
#[derive(Debug)]
pub struct Redis {
    dir: PathBuf,
    program: PathBuf,
    options: RedisOptions,
    port: Port,
    tls_port: Port,
    bus_port: Port,
    server: Option<Child>,
    group: Group,
    folder: Option<Folder>,
}

impl Redis {
    /// Starts a server whose files lie in this folder. Ready when this returns.
    ///
    /// # Errors
    /// Where Redis is not installed, or does not come up; with the last lines of what it wrote.
    pub async fn start(dir: &Path, options: RedisOptions) -> Result<Self> {
        let program = find_redis()?.server;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let dir = dir
            .canonicalize()
            .with_context(|| format!("cannot find {}", dir.display()))?;
        for attempt in 1.. {
            let mut redis = Self {
                dir: dir.clone(),
                program: program.clone(),
                options: options.clone(),
                port: Port::free()?,
                tls_port: Port::free()?,
                bus_port: Port::free()?,
                server: None,
                group: Group::new()?,
                folder: None,
            };
            redis.configure()?;
            match redis.boot().await {
                Ok(()) => return Ok(redis),
                Err(_) if attempt < TRIES && redis.lost_a_port() => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Starts a server in a temporary folder, which goes with it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn temporary(options: RedisOptions) -> Result<Self> {
        let folder = Folder::new()?;
        let mut redis = Self::start(folder.path(), options).await?;
        redis.folder = Some(folder);
        Ok(redis)
    }

    /// Where clients connect, as the default user.
    pub fn url(&self) -> String {
        let credentials = self.options.password.as_deref();
        self.url_with(&credentials.map_or_else(String::new, |word| format!(":{}@", escaped(word))))
    }

    /// Where another user connects.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.url_with(&format!("{}:{}@", escaped(user), escaped(password)))
    }

    /// The port that [`url`](Self::url) names.
    pub fn port(&self) -> u16 {
        if self.options.tls.is_some() {
            self.tls_port.number()
        } else {
            self.port.number()
        }
    }

    /// The id of its process.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pid(&self) -> Result<u32> {
        let server = self.server.as_ref();
        Ok(server.context("this Redis does not run")?.id())
    }

    /// Runs a command on a connection of its own, as the default user, who may do everything.
    ///
    /// # Errors
    /// Where the server does not answer, or answers with an error.
    pub async fn call(&self, words: &[&str]) -> Result<Reply> {
        self.connect().await?.call(words).await
    }

    /// Forgets everything: data and scripts.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn flush_all(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        connection.call(&["FLUSHALL"]).await?;
        connection.call(&["SCRIPT", "FLUSH"]).await?;
        Ok(())
    }

    /// Kills the process with SIGKILL, as a crash does.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL).await
    }

    /// Stops it in an orderly way. [`restart`](Self::restart) starts it again.
    ///
    /// # Errors
    /// Where it does not run, or does not stop.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::TERM).await
    }

    /// Starts it again with the same files on the same port; kills it first where it still runs. Ready when this
    /// returns.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        if self.server.is_some() {
            self.kill().await?;
        }
        self.boot().await
    }

    /// Freezes the process: connections stay open, and nothing answers.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn url_with(&self, credentials: &str) -> String {
        let scheme = if self.options.tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        format!("{scheme}://{credentials}127.0.0.1:{}", self.port())
    }

    async fn connect(&self) -> Result<Connection> {
        let address = format!("127.0.0.1:{}", self.port.number());
        Connection::open(&address, self.options.password.as_slice()).await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.pid()?;
        let process = Pid::from_raw(pid.cast_signed()).context("process 0 is nobody's")?;
        kill_process(process, signal).with_context(|| format!("cannot signal Redis, process {pid}"))
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let server = self.server.as_mut().expect("signal() has seen it");
        let give_up_at = Instant::now() + START_WITHIN;
        while server.try_wait()?.is_none() {
            ensure!(Instant::now() < give_up_at, "Redis does not end");
            sleep(ASK_EVERY / 10).await;
        }
        self.server = None;
        Ok(())
    }

    async fn boot(&mut self) -> Result<()> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("out"))
            .context("cannot write what Redis prints")?;
        let mut command = Command::new(&self.program);
        command
            .arg(self.dir.join("redis.conf"))
            .current_dir(&self.dir)
            .stdout(output.try_clone()?)
            .stderr(output);
        let server = self.group.spawn(&mut command)?;
        self.server = Some(server);
        let give_up_at = Instant::now() + START_WITHIN;
        while !self.is_ready().await {
            let server = self.server.as_mut().expect("it was started above");
            if let Some(status) = server.try_wait()? {
                self.server = None;
                bail!("Redis ended at its start ({status}):\n{}", self.said());
            }
            if Instant::now() > give_up_at {
                bail!(
                    "Redis did not come up within {START_WITHIN:?}:\n{}",
                    self.said()
                );
            }
            sleep(ASK_EVERY / 10).await;
        }
        Ok(())
    }

    /// Whether this very process answers (and not who was quicker to take the port), and has read its files.
    async fn is_ready(&self) -> bool {
        let Ok(pid) = self.pid() else { return false };
        let Ok(answer) = self.call(&["INFO"]).await else {
            return false;
        };
        let answer = answer.text();
        let says = |line: &str| answer.lines().any(|said| said == line);
        says(&format!("process_id:{pid}")) && says("loading:0")
    }

    fn configure(&self) -> Result<()> {
        let ports = Ports {
            plain: self.port.number(),
            tls: self.tls_port.number(),
            bus: self.bus_port.number(),
        };
        self.options.write(&self.dir, ports)
    }

    fn said(&self) -> String {
        tail(&self.dir.join("out"))
    }

    fn lost_a_port(&self) -> bool {
        self.said()
            .to_lowercase()
            .contains("address already in use")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Before the folder under it goes.
        self.group.end();
        self.server.as_mut().map(Child::wait);
        drop(self.folder.take());
    }
}
