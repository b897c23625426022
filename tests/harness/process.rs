//! An installation of a story, and its binary.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use foreshow_engine::{Broker, Store};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{process::Command, time::timeout};

use crate::{
    Up,
    ground::{self, Ground, PrivateServers},
};

/// The binary under test: `cargo xtask test` builds it and says where it is.
///
/// # Panics
/// Where it is not there.
pub fn binary() -> PathBuf {
    let path = std::env::var_os("TESTED_FORESHOW").map_or_else(
        || {
            // A test lies in target/<profile>/deps.
            let here = std::env::current_exe().expect("a test knows where it is");
            here.ancestors()
                .nth(2)
                .expect("tests lie two folders below the binary")
                .join("foreshow")
        },
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "{} is not there: run the tests with `cargo xtask test`",
        path.display()
    );
    path
}

/// An installation of its own: a data folder, broker and store, and settings for every process in it.
pub struct Foreshow {
    folder: TempDir,
    ground: Ground,
    environment: Vec<(String, String)>,
}

impl Foreshow {
    /// A new one, with everything in its data folder.
    pub fn embedded() -> Self {
        Self::on(Ground::Embedded)
    }

    /// A new one on the run's RabbitMQ and Redis.
    pub async fn fleet() -> Self {
        Self::on(ground::shared_ground().await)
    }

    /// A new one on servers that the story may kill.
    pub async fn private() -> Self {
        Self::on(Ground::Private(Box::new(PrivateServers::start().await)))
    }

    /// A new one, with nothing in it.
    ///
    /// # Panics
    /// Where no temporary folder can be had.
    pub fn on(ground: Ground) -> Self {
        let environment = ground.settings();
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be had"),
            ground,
            environment,
        }
    }

    /// Gives back what it stands on.
    pub async fn close(self) {
        if let Ground::Shared(vhost, redis) = self.ground {
            vhost.close().await;
            redis.close().await;
        }
    }

    /// What it stands on.
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// The servers of a story's own.
    ///
    /// # Panics
    /// Where it has none.
    pub fn servers(&mut self) -> &mut PrivateServers {
        match &mut self.ground {
            Ground::Private(servers) => servers,
            Ground::Embedded | Ground::Shared(..) => panic!("it has no servers of its own"),
        }
    }

    /// A broker's handle beside those of its processes.
    pub async fn broker(&self) -> Arc<dyn Broker> {
        self.ground.broker(&self.data_dir()).await
    }

    /// A store's handle beside those of its processes.
    pub async fn store(&self) -> Arc<dyn Store> {
        self.ground.store(&self.data_dir()).await
    }

    /// Sets a setting for every process, by its environment variable.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.environment.push((name.to_owned(), value.to_string()));
        self
    }

    /// The data folder.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for the story's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with these arguments, not yet started.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(binary());
        self.settle(&mut command);
        command.args(arguments);
        command
    }

    /// The binary with these arguments, started by a shell that forbids files beyond this size.
    pub fn limited<A: AsRef<OsStr>>(
        &self,
        file_kib: u32,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new("bash");
        self.settle(&mut command);
        let script = format!("ulimit -f {file_kib}; exec \"$0\" \"$@\"");
        command.args(["-c", &script]).arg(binary()).args(arguments);
        command
    }

    fn settle(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FORESHOW_") {
                command.env_remove(name);
            }
        }
        command
            .env_remove("RUST_LOG")
            .env("FORESHOW_DATA_DIR", self.data_dir())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
    }

    /// Runs the binary to its end, for at most two minutes.
    ///
    /// # Panics
    /// Where it can't be started or does not end.
    pub async fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        let mut command = self.command(arguments);
        let output = timeout(Duration::from_mins(2), command.output());
        output
            .await
            .expect("it ends within two minutes")
            .expect("it can be started")
    }

    /// Publishes a folder and waits: the whole result, as JSON. Panics with what it printed where it is not ready.
    ///
    /// # Panics
    /// Where the preview is not ready.
    pub async fn publish(&self, dir: &Path, context: &str) -> Value {
        let dir = dir.to_str().expect("a readable path");
        let output = self
            .run([
                "publish",
                dir,
                "--context",
                context,
                "--tenant",
                "acme",
                "--json",
            ])
            .await;
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("--json prints JSON")
    }

    /// Starts `foreshow gateway` on a free port, and waits until it is up. Workers of the same data folder find it there.
    pub async fn gateway(&self) -> Up {
        let gateway = Up::start(self.command(["gateway", "--listen", "127.0.0.1:0"]));
        gateway.told_where("A gateway is up at ").await
    }

    /// Starts `foreshow worker` with an admin port, and waits until it runs.
    pub async fn worker(&self) -> Up {
        self.worker_named("worker").await
    }

    /// Like [`worker`](Self::worker), one whose name begins so.
    pub async fn worker_named(&self, name: &str) -> Up {
        let mut command = self.command(["worker", "--admin", "127.0.0.1:0"]);
        command.env("FORESHOW_WORKER__NAME", name);
        Up::start(command).told_where("A worker runs").await
    }

    /// Starts `foreshow up` on a free port, and waits until it is up.
    pub async fn up(&self) -> Up {
        self.up_with(&[]).await
    }

    /// Like [`up`](Self::up), with more arguments.
    ///
    /// # Panics
    /// Where it does not come up.
    pub async fn up_with(&self, arguments: &[&str]) -> Up {
        let up = Up::start(self.command(["up", "--listen", "127.0.0.1:0"].iter().chain(arguments)));
        up.told_where("Foreshow is up at ").await
    }
}
