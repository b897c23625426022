//! Servers on this machine that a guard is told to let through.

use std::sync::{Arc, Mutex};

use foreshow_egress::{Egress, EgressOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::answers::Answers;
use crate::case::options;

/// Answers whatever is asked of it at 127.0.0.1 with the same bytes.
pub(crate) struct Server {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, Arc::clone(&answer), Arc::clone(&heard)));
            }
        });
        Self { port, asked, task }
    }

    /// The requests, headers and all.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A guard that lets this server's address through, and nothing else that is inner.
    pub(crate) fn egress(&self, answers: Arc<Answers>) -> Egress {
        Egress::with_resolver(&allowing(self.port, &["127.0.0.1/32"]), answers).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn allowing(port: u16, allow: &[&str]) -> EgressOptions {
    EgressOptions {
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        ..options(port)
    }
}

/// One connection: requests without bodies, one after another.
async fn converse(mut stream: TcpStream, answer: Arc<Vec<u8>>, asked: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = head(&mut stream).await {
        asked.lock().unwrap().push(request);
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// A request up to its empty line, where there is one more.
pub(crate) async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(request).unwrap())
}
