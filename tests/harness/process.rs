use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
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

/// An installation of its own: a data folder, and settings for every process in it.
pub struct Foreshow {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Default for Foreshow {
    fn default() -> Self {
        Self::new()
    }
}

impl Foreshow {
    /// A new one, with nothing in it.
    ///
    /// # Panics
    /// Where no temporary folder can be had.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder can be had"),
            environment: Vec::new(),
        }
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

    /// Starts `foreshow up` on a free port, and waits until it is up.
    pub async fn up(&self) -> Up {
        self.up_with(&[]).await
    }

    /// Like [`up`](Self::up), with more arguments.
    ///
    /// # Panics
    /// Where it does not come up.
    pub async fn up_with(&self, arguments: &[&str]) -> Up {
        let mut up =
            Up::start(self.command(["up", "--listen", "127.0.0.1:0"].iter().chain(arguments)));
        let line = up.line_with("Foreshow is up at ").await;
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .expect("it says where");
        url.clone_into(&mut up.url);
        up
    }
}

/// A running `foreshow up`. Killed when dropped.
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

    /// The next line with this in it, on either stream.
    ///
    /// # Panics
    /// Where none comes within a minute, with what came.
    pub async fn line_with(&mut self, text: &str) -> String {
        let found = timeout(Duration::from_mins(1), async {
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
