use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use foreshow_engine::{Broker, Store};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

use crate::ground::{self, Ground, PrivateServers};

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
        let worker = Up::start(self.command(["worker", "--admin", "127.0.0.1:0"]));
        worker.told_where("A worker runs").await
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

/// A running `foreshow up`, `worker` or `gateway`. Killed when dropped.
pub struct Up {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    said: Arc<Mutex<Vec<String>>>,
    /// Where it says it is.
    pub url: String,
}

impl Up {
    /// Starts a command whose output is read line by line.
    ///
    /// # Panics
    /// Where it can't be started.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary can be started");
        let (sender, lines) = mpsc::unbounded_channel();
        let said = Arc::new(Mutex::new(Vec::new()));
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        tokio::spawn(pass_on(
            BufReader::new(stdout),
            sender.clone(),
            Arc::clone(&said),
        ));
        tokio::spawn(pass_on(BufReader::new(stderr), sender, Arc::clone(&said)));
        Self {
            child,
            lines,
            said,
            url: String::new(),
        }
    }

    /// Waits until it greets, and notes where it says it is.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn told_where(mut self, greeting: &str) -> Self {
        let line = self.line_with(greeting).await;
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .expect("it says where");
        url.clone_into(&mut self.url);
        self
    }

    /// The next line with this in it, on either stream.
    ///
    /// # Panics
    /// Where none comes within three minutes, with what came.
    pub async fn line_with(&mut self, text: &str) -> String {
        let found = timeout(Duration::from_mins(3), async {
            while let Some(line) = self.lines.recv().await {
                if line.contains(text) {
                    return Some(line);
                }
            }
            None
        });
        found
            .await
            .ok()
            .flatten()
            .unwrap_or_else(|| panic!("it never said {text:?}, only:\n{}", self.said()))
    }

    /// A page of its admin port.
    ///
    /// # Panics
    /// Where it has none.
    pub fn admin(&self, page: &str) -> String {
        let (scheme_and_host, _) = self
            .url
            .rsplit_once("/healthz")
            .expect("it has an admin port");
        format!("{scheme_and_host}{page}")
    }

    /// Everything it has said.
    ///
    /// # Panics
    /// Never.
    pub fn said(&self) -> String {
        self.said.lock().expect("nobody panics with it").join("\n")
    }

    /// Its process id.
    ///
    /// # Panics
    /// Where it has ended.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// Where the system can't tell.
    pub fn is_running(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child can be asked after")
            .is_none()
    }

    /// Kills it with SIGKILL, as a crash does.
    ///
    /// # Panics
    /// Where it can't be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Sends it a signal by its name, and waits until it has ended: its exit code.
    ///
    /// # Panics
    /// Where it does not end within a minute.
    pub async fn stop(mut self, signal: &str) -> Option<i32> {
        let id = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .await;
        assert!(sent.expect("kill can be started").success());
        let ended = timeout(Duration::from_mins(1), self.child.wait());
        ended
            .await
            .unwrap_or_else(|_| panic!("it did not end:\n{}", self.said()))
            .expect("a child ends")
            .code()
    }
}

async fn pass_on(
    reader: impl tokio::io::AsyncBufRead + Unpin,
    sender: mpsc::UnboundedSender<String>,
    said: Arc<Mutex<Vec<String>>>,
) {
    let mut lines = reader.lines();
    while let Ok(Some(line)) = lines.next_line().await {
        said.lock()
            .expect("nobody panics with it")
            .push(line.clone());
        // Nobody may be listening any more; what was said is kept above.
        sender.send(line).ok();
    }
}
