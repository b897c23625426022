//! A server of files, as anybody's on the web.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::Foreshow;

/// Serves the files of a folder on loopback, by plain HTTP, until it is dropped.
pub struct FileServer {
    /// Where it listens.
    pub port: u16,
    asked: Asked,
    is_busy: Arc<AtomicBool>,
    accepting: JoinHandle<()>,
}

/// How often each path was asked for.
type Asked = Arc<Mutex<BTreeMap<String, usize>>>;

impl Drop for FileServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FileServer {
    /// Serves what is in `folder` whenever it is asked for.
    ///
    /// # Panics
    /// Where there is no free port.
    pub async fn of(folder: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (asked, is_busy) = (Asked::default(), Arc::new(AtomicBool::new(false)));
        let (heard, folder, busy) = (Arc::clone(&asked), folder.to_owned(), Arc::clone(&is_busy));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (heard, folder) = (Arc::clone(&heard), folder.clone());
                let is_busy = busy.load(Ordering::SeqCst);
                // Whoever goes away in the middle has its reasons.
                tokio::spawn(async move { answer(stream, &folder, is_busy, &heard).await.ok() });
            }
        });
        Self {
            port,
            asked,
            is_busy,
            accepting,
        }
    }

    /// From now on it says that it is too busy, or no more so.
    pub fn is_busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::SeqCst);
    }

    /// Where a file is.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// How often a file was asked for.
    ///
    /// # Panics
    /// Never.
    pub fn asked(&self, name: &str) -> usize {
        let asked = self.asked.lock().expect("nobody panics with it");
        asked.get(name).copied().unwrap_or_default()
    }
}

impl Foreshow {
    /// Its workers may fetch bundles from there, although it is on loopback.
    #[must_use]
    pub fn fetching_from(self, server: &FileServer) -> Self {
        self.set("FORESHOW_EGRESS__ALLOW", "127.0.0.1/32")
            .set("FORESHOW_EGRESS__HTTP", true)
            .set("FORESHOW_EGRESS__PORTS", server.port)
    }
}

async fn answer(
    mut stream: TcpStream,
    folder: &Path,
    is_busy: bool,
    heard: &Asked,
) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let first = lines.next_line().await?.unwrap_or_default();
    while lines
        .next_line()
        .await?
        .is_some_and(|line| !line.is_empty())
    {}
    let name = first.split([' ', '?']).nth(1).unwrap_or_default();
    let name = name.trim_start_matches('/').to_owned();
    *heard
        .lock()
        .expect("nobody panics with it")
        .entry(name.clone())
        .or_default() += 1;
    let refuse = |status: &str| {
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    };
    if is_busy {
        let refusal = refuse("503 Service Unavailable");
        return writer.write_all(refusal.as_bytes()).await;
    }
    let file = tokio::fs::File::open(PathBuf::from(folder).join(&name)).await;
    let Ok(mut file) = file else {
        return writer.write_all(refuse("404 Not Found").as_bytes()).await;
    };
    let bytes = file.metadata().await?.len();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {bytes}\r\n\r\n");
    writer.write_all(head.as_bytes()).await?;
    tokio::io::copy(&mut file, &mut writer).await?;
    writer.flush().await
}
