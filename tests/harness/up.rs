//! A process of an installation, and what it says.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use foreshow_engine::ContextRecord;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

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

    /// Sends it a signal by its name.
    ///
    /// # Panics
    /// Where it has ended.
    pub async fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .await;
        assert!(sent.expect("kill can be started").success());
    }

    /// Sends it a signal by its name, and waits until it has ended: its exit code.
    ///
    /// # Panics
    /// Where it does not end within a minute.
    pub async fn stop(mut self, signal: &str) -> Option<i32> {
        self.end(signal).await
    }

    /// Like [`stop`](Self::stop), where it must end well: everything that it has said.
    ///
    /// # Panics
    /// Where it does not end within a minute, or not well.
    pub async fn said_at_its_end(mut self, signal: &str) -> String {
        let code = self.end(signal).await;
        // What it said last is still on its way to us.
        while self.lines.recv().await.is_some() {}
        assert_eq!(code, Some(0), "{}", self.said());
        self.said()
    }

    /// Waits until it has ended by itself, or because it was asked to: its exit code.
    ///
    /// # Panics
    /// Where it does not end within a minute.
    pub async fn ended(mut self) -> Option<i32> {
        self.wait().await
    }

    async fn end(&mut self, signal: &str) -> Option<i32> {
        self.signal(signal).await;
        self.wait().await
    }

    async fn wait(&mut self) -> Option<i32> {
        let ended = timeout(Duration::from_mins(1), self.child.wait());
        ended
            .await
            .unwrap_or_else(|_| panic!("it did not end:\n{}", self.said()))
            .expect("a child ends")
            .code()
    }
}

/// The name that the worker was given which holds the context, as its record has it.
pub fn holder(record: &ContextRecord) -> Option<String> {
    let lease = record.lease.as_ref()?;
    // Behind its name stands what tells it from others of that name.
    let name = lease.owner.worker().rsplit_once('-');
    name.map(|(name, _)| name.to_owned())
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
