//! A private RabbitMQ node: its own ports, files, cookie, users and `epmd`.
//!
//! The node keeps its ports and files over [`RabbitMq::kill`] and [`RabbitMq::restart`], so that a client finds the same
//! broker again. Management's HTTP API is on, and its collection of figures off: a node that serves hundreds of vhosts
//! would be busy with those. A count that must be exact is asked for by AMQP (`Vhost::depth`, with the feature `amqp`).

mod layout;
mod management;
pub mod raw;
mod vhost;

use std::{
    path::{Path, PathBuf},
    process::{Child, Output},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

pub(crate) use management::escaped;
pub use management::{Management, Permissions};
pub use vhost::Vhost;

use crate::{
    ASK_EVERY, Group, START_WITHIN, TRIES, find_rabbitmq, folder::Folder, rabbitmq::layout::Layout,
    tail,
};

/// How a node differs from the usual one.
#[derive(Clone, Debug, Default)]
pub struct RabbitMqOptions {
    /// After how long without an acknowledgement the broker takes a delivery back; the broker's own default is 30 min.
    /// RabbitMQ 3.10 looks each minute, closes the channel, and takes no value below a minute's fraction seriously.
    pub consumer_timeout: Option<Duration>,
    /// Plugins besides `rabbitmq_management`.
    pub plugins: Vec<String>,
    /// More lines of `rabbitmq.conf`. Of two lines with the same key the later one, which is yours, counts.
    pub config: Vec<String>,
}

/// A running (or killed, or stopped) node. Dropping it ends it, with everything that belongs to it.
#[derive(Debug)]
pub struct RabbitMq {
    layout: Layout,
    management: Management,
    epmd: Child,
    server: Option<Child>,
    group: Group,
    folder: Option<Folder>,
}

impl RabbitMq {
    /// Starts a node whose files lie in this folder, which is empty or not there yet. Ready when this returns.
    ///
    /// # Errors
    /// Where RabbitMQ is not installed, or does not come up; with the last lines of what it wrote.
    pub async fn start(dir: &Path) -> Result<Self> {
        Self::start_with(dir, &RabbitMqOptions::default()).await
    }

    /// Starts a node with these options.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with(dir: &Path, options: &RabbitMqOptions) -> Result<Self> {
        let programs = find_rabbitmq()?;
        for attempt in 1.. {
            let layout = Layout::create(dir, programs.clone(), options)?;
            let group = Group::new()?;
            let epmd = group.spawn(&mut layout.epmd()?)?;
            let mut node = Self {
                management: layout.management(),
                layout,
                epmd,
                server: None,
                group,
                folder: None,
            };
            match node.boot().await {
                Ok(()) => return Ok(node),
                Err(_) if attempt < TRIES && node.layout.lost_a_port() => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Starts a node in a temporary folder, which goes with it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn temporary() -> Result<Self> {
        Self::temporary_with(&RabbitMqOptions::default()).await
    }

    /// Starts a node with these options in a temporary folder, which goes with it.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn temporary_with(options: &RabbitMqOptions) -> Result<Self> {
        let folder = Folder::new()?;
        let mut node = Self::start_with(folder.path(), options).await?;
        node.folder = Some(folder);
        Ok(node)
    }

    /// Where AMQP clients connect, as the administrator, to this vhost (`/` is the default one).
    pub fn amqp_url(&self, vhost: &str) -> String {
        self.management.amqp_url(vhost)
    }

    /// The base of management's HTTP API, without credentials.
    pub fn management_url(&self) -> String {
        self.management.url()
    }

    /// Management's HTTP API, as the administrator.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// A new vhost, in which the administrator may do everything.
    ///
    /// # Errors
    /// Where the node does not make it.
    pub async fn create_vhost(&self, name: &str) -> Result<Vhost> {
        self.management.create_vhost(name).await
    }

    /// Removes a vhost with everything in it; it need not be there.
    ///
    /// # Errors
    /// Where the node does not do it.
    pub async fn delete_vhost(&self, name: &str) -> Result<()> {
        self.management.delete_vhost(name).await
    }

    /// Runs `rabbitmqctl` against this node: about two seconds.
    ///
    /// # Errors
    /// Where it fails, with what it said.
    pub async fn ctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::from(self.command("rabbitmqctl"));
        let command = command.args(arguments).kill_on_drop(true);
        let output: Output = timeout(Duration::from_mins(2), command.output())
            .await
            .context("rabbitmqctl did not answer within two minutes")?
            .context("cannot start rabbitmqctl")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.success(),
            "rabbitmqctl {arguments:?} failed: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    /// A command for which `rabbitmqctl` is in the PATH and means this node.
    pub fn command(&self, program: &str) -> std::process::Command {
        self.layout.command(program)
    }

    /// The id of the broker's process.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pid(&self) -> Result<u32> {
        ensure!(self.server.is_some(), "this RabbitMQ does not run");
        self.layout.pid()
    }

    /// Kills the broker's process with SIGKILL, as a crash or a lack of memory does. Confirmed messages survive in every
    /// queue that was there when this was called: about two seconds before the kill.
    ///
    /// Not so by itself: RabbitMQ 3.10 writes the names of new quorum queues to disk up to seconds later, and a queue
    /// whose name is lost never finds its log again (seen: it stays without a leader for ever; mended upstream in 2024).
    /// Tests ask what becomes of messages, so this has the names written first. [`kill_now`](Self::kill_now) does not.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn kill(&mut self) -> Result<()> {
        self.pid()?;
        self.ctl(&["eval", "[dets:sync(Table) || Table <- dets:all()]."])
            .await?;
        self.kill_now().await
    }

    /// Kills the broker's process at once. What was declared in the last seconds may be broken afterwards.
    ///
    /// # Errors
    /// Where it does not run.
    pub async fn kill_now(&mut self) -> Result<()> {
        self.end(Signal::KILL).await
    }

    /// Stops the broker in an orderly way. [`restart`](Self::restart) starts it again.
    ///
    /// # Errors
    /// Where it does not run, or does not stop.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::TERM).await
    }

    /// Starts the broker again with the same files on the same ports; kills it first where it still runs. Ready when
    /// this returns.
    ///
    /// # Errors
    /// Where it does not come up.
    pub async fn restart(&mut self) -> Result<()> {
        if self.server.is_some() {
            self.kill().await?;
        }
        self.boot().await
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        let pid = self.pid()?;
        let server = self.server.as_mut().expect("pid() has seen it");
        let process = Pid::from_raw(pid.cast_signed()).context("process 0 is nobody's")?;
        kill_process(process, signal)
            .with_context(|| format!("cannot end RabbitMQ, process {pid}"))?;
        let give_up_at = Instant::now() + START_WITHIN;
        while server.try_wait()?.is_none() {
            ensure!(
                Instant::now() < give_up_at,
                "RabbitMQ, process {pid}, does not end"
            );
            sleep(ASK_EVERY).await;
        }
        self.server = None;
        Ok(())
    }

    async fn boot(&mut self) -> Result<()> {
        let mut command = self.layout.server()?;
        let server = self.group.spawn(&mut command)?;
        let server = self.server.insert(server);
        let give_up_at = Instant::now() + START_WITHIN;
        loop {
            if let Some(status) = server.try_wait()? {
                self.server = None;
                bail!("RabbitMQ ended at boot ({status}):\n{}", self.layout.said());
            }
            if Instant::now() > give_up_at {
                bail!(
                    "RabbitMQ did not come up within {START_WITHIN:?}:\n{}",
                    self.layout.said()
                );
            }
            // Its name tells that it is ours, and not who was quicker to take the ports.
            if self.management.node_name().await.ok().as_deref() == Some(self.layout.node_name())
                && speaks_amqp(self.layout.amqp_port()).await
            {
                return Ok(());
            }
            sleep(ASK_EVERY).await;
        }
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        // Before the folder under them goes.
        self.group.end();
        self.epmd.wait().ok();
        self.server.as_mut().map(Child::wait);
        drop(self.folder.take());
    }
}

/// Whether a broker answers AMQP's greeting.
async fn speaks_amqp(port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"AMQP\0\0\x09\x01").await?;
        stream.read_u8().await
    };
    matches!(timeout(Duration::from_secs(5), greeting).await, Ok(Ok(1)))
}

/// What a node has written, for an error message.
fn written(files: &[PathBuf]) -> String {
    let parts: Vec<String> = files.iter().map(|file| tail(file)).collect();
    parts.join("\n")
}
