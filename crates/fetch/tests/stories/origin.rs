//! A server that answers as it is told, byte by byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    headers: BTreeMap<String, String>,
    /// How many came before it.
    pub(crate) nth: usize,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// From which byte on it asks.
    pub(crate) fn first_byte(&self) -> Option<usize> {
        let range = self.header("range")?.strip_prefix("bytes=")?;
        Some(range.strip_suffix('-').unwrap().parse().unwrap())
    }
}

/// What is sent for a request; then the connection is closed.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    then: Then,
    gate: Option<Arc<Semaphore>>,
}

/// What comes after the body.
#[derive(Clone, Copy, Debug)]
enum Then {
    Close,
    /// The connection is cut hard.
    Reset,
    /// Nothing any more.
    Silence,
    /// A byte each so often, without end.
    Drip(Duration),
    /// As much as the other side takes, without end.
    Endless,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            then: Then::Close,
            gate: None,
        }
    }

    /// Not even a head.
    pub(crate) fn nothing() -> Self {
        Self::status(0).then_silence()
    }

    /// The whole of it, with its length and without a version.
    pub(crate) fn whole(content: &[u8]) -> Self {
        let mut answer = Self::status(200).header("content-length", content.len());
        answer.body = content.to_vec();
        answer
    }

    /// The same by a server that takes ranges.
    pub(crate) fn versioned(content: &[u8], tag: &str) -> Self {
        Self::whole(content)
            .header("accept-ranges", "bytes")
            .header("etag", tag)
    }

    /// What is missing from `first` on.
    pub(crate) fn part(content: &[u8], first: usize, tag: &str) -> Self {
        let (last, total) = (content.len() - 1, content.len());
        let mut answer = Self::status(206)
            .header("content-length", total - first)
            .header("content-range", format!("bytes {first}-{last}/{total}"))
            .header("etag", tag);
        answer.body = content[first..].to_vec();
        answer
    }

    /// As a good server answers: the part that is asked for, if it still has that version.
    pub(crate) fn good(asked: &Asked, content: &[u8], tag: &str) -> Self {
        match (asked.first_byte(), asked.header("if-range")) {
            (Some(first), Some(version)) if version == tag => Self::part(content, first, tag),
            _ => Self::versioned(content, tag),
        }
    }

    pub(crate) fn redirect(status: u16, location: impl ToString) -> Self {
        Self::status(status)
            .header("location", location)
            .header("content-length", 0)
    }

    pub(crate) fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| header != name);
        self
    }

    /// Sends so much of the body and closes.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }

    pub(crate) fn then_reset(mut self) -> Self {
        self.then = Then::Reset;
        self
    }

    pub(crate) fn then_silence(mut self) -> Self {
        self.then = Then::Silence;
        self
    }

    pub(crate) fn then_drip(mut self, every: Duration) -> Self {
        self.then = Then::Drip(every);
        self
    }

    pub(crate) fn then_endless(mut self) -> Self {
        self.then = Then::Endless;
        self
    }

    /// Sends it once somebody opens the gate.
    pub(crate) fn once_open(mut self, gate: &Arc<Semaphore>) -> Self {
        self.gate = Some(Arc::clone(gate));
        self
    }

    async fn send(self, stream: &mut TcpStream) -> std::io::Result<()> {
        if let Some(gate) = &self.gate {
            drop(gate.acquire().await);
        }
        if self.status == 0 {
            return std::future::pending().await;
        }
        let mut head = format!("HTTP/1.1 {} Told\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&self.body).await?;
        stream.flush().await?;
        match self.then {
            Then::Close => {}
            Then::Reset => stream.set_zero_linger()?,
            Then::Silence => std::future::pending().await,
            Then::Drip(every) => loop {
                tokio::time::sleep(every).await;
                stream.write_all(b"x").await?;
            },
            Then::Endless => loop {
                stream.write_all(&[b'x'; 16 << 10]).await?;
            },
        }
        Ok(())
    }
}

type Told = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The server. It ends with its story.
pub(crate) struct Origin {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    told: Arc<Mutex<Arc<Told>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Origin {
    pub(crate) async fn at(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let told: Arc<Mutex<Arc<Told>>> = Arc::new(Mutex::new(Arc::new(|_| Answer::status(404))));
        let (heard, tells) = (Arc::clone(&asked), Arc::clone(&told));
        let accepting = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (heard, tells) = (Arc::clone(&heard), Arc::clone(&tells));
                tokio::spawn(async move {
                    let Some(mut asked) = read(&mut stream).await else {
                        return;
                    };
                    {
                        let mut heard = heard.lock().unwrap();
                        asked.nth = heard.len();
                        heard.push(asked.clone());
                    }
                    let tell = Arc::clone(&tells.lock().unwrap());
                    // Mostly the other side has had enough.
                    tell(&asked).send(&mut stream).await.ok();
                });
            }
        });
        Self {
            port,
            asked,
            told,
            accepting,
        }
    }

    /// Answers so from now on.
    pub(crate) fn tells(&self, tell: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        *self.told.lock().unwrap() = Arc::new(tell);
    }

    /// All requests that came.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    Some(Asked {
        path,
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect(),
        nth: 0,
    })
}
