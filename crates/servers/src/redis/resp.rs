//! Just enough of Redis' protocol to ask a private server a question: no client library that could share a fault with
//! what the tests test.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// What Redis answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status or a string, as text.
    Text(String),
    /// A number.
    Number(i64),
    /// Nothing.
    Nil,
    /// A list.
    List(Vec<Reply>),
}

impl Reply {
    /// The text; numbers in decimal, nothing as the empty text, a list one line per element.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Nil => String::new(),
            Self::List(list) => list.iter().map(Self::text).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// One connection, used for a few questions.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) async fn open(address: &str, credentials: &[String]) -> Result<Self> {
        let stream = timeout(Duration::from_secs(10), TcpStream::connect(address)).await;
        let stream = stream
            .ok()
            .and_then(Result::ok)
            .with_context(|| format!("no Redis answers at {address}"))?;
        let mut connection = Self {
            stream: BufReader::new(stream),
        };
        if !credentials.is_empty() {
            let words: Vec<&str> = credentials.iter().map(String::as_str).collect();
            connection
                .call(&[&["AUTH"], words.as_slice()].concat())
                .await?;
        }
        Ok(connection)
    }

    /// Sends a command, and waits at most a minute for its answer.
    pub(crate) async fn call(&mut self, words: &[&str]) -> Result<Reply> {
        let name = words.first().copied().unwrap_or_default();
        let lines = words
            .iter()
            .map(|word| format!("${}\r\n{word}\r\n", word.len()));
        let request = format!("*{}\r\n{}", words.len(), lines.collect::<String>());
        let answered = async {
            self.stream.write_all(request.as_bytes()).await?;
            self.reply().await
        };
        timeout(Duration::from_mins(1), answered)
            .await
            .with_context(|| format!("no answer to {name} within a minute"))?
            .with_context(|| format!("{name} failed"))
    }

    async fn reply(&mut self) -> Result<Reply> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        if read == 0 {
            bail!("Redis closed the connection");
        }
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).context("an empty answer")?;
        match kind {
            "+" => Ok(Reply::Text(rest.to_owned())),
            "-" => bail!("Redis says: {rest}"),
            ":" => Ok(Reply::Number(rest.parse()?)),
            "$" => {
                let Ok(length) = rest.parse::<usize>() else {
                    return Ok(Reply::Nil);
                };
                let mut body = vec![0; length + 2];
                self.stream.read_exact(&mut body).await?;
                body.truncate(length);
                Ok(Reply::Text(String::from_utf8_lossy(&body).into_owned()))
            }
            "*" => {
                let Ok(length) = rest.parse::<usize>() else {
                    return Ok(Reply::Nil);
                };
                let mut list = Vec::with_capacity(length.min(1024));
                for _ in 0..length {
                    list.push(Box::pin(self.reply()).await?);
                }
                Ok(Reply::List(list))
            }
            other => bail!("an answer of the unknown kind {other:?}"),
        }
    }
}
