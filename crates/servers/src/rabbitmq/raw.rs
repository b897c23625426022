//! A publisher that sends any bytes: what clients refuse to write, a broker passes on all the same.
//!
//! As much of AMQP 0-9-1 as it takes to publish, and to hear that it was confirmed. One message at a time.

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Url;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::START_WITHIN;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xCE;

/// A connection with one channel, on which publishes are confirmed.
#[derive(Debug)]
pub struct RawPublisher {
    stream: TcpStream,
    frame_max: usize,
}

/// A message, with properties in nobody's encoding.
#[derive(Clone, Debug, Default)]
pub struct RawMessage {
    /// The routing key.
    pub routing_key: Vec<u8>,
    /// The property `content-type`.
    pub content_type: Option<Vec<u8>>,
    /// The property `headers`: entries as they are on the wire, without the table's length. See [`header`].
    pub headers: Option<Vec<u8>>,
    /// The property `type`.
    pub kind: Option<Vec<u8>>,
    /// The body.
    pub body: Vec<u8>,
}

/// A header as it is on the wire, with a long string as its value.
///
/// # Panics
/// Where the name has more than 255 bytes.
pub fn header(name: &[u8], value: &[u8]) -> Vec<u8> {
    [&short(name)[..], b"S", &long(value)].concat()
}

/// A header as it is on the wire: arrays in each other, so many deep.
///
/// # Panics
/// Where it has 4 GiB.
pub fn nested_header(name: &[u8], depth: usize) -> Vec<u8> {
    // From the inside: each array is as long as all that is in it.
    let mut reversed = Vec::with_capacity(5 * depth);
    for _ in 0..depth {
        let length = u32::try_from(reversed.len()).expect("it fits a frame");
        reversed.extend(length.to_le_bytes());
        reversed.push(b'A');
    }
    reversed.reverse();
    [short(name), reversed].concat()
}

impl RawPublisher {
    /// Connects to the vhost of this URL, whose names need no escapes.
    ///
    /// # Errors
    /// Where the broker does not let us in.
    pub async fn connect(url: &str) -> Result<Self> {
        let url: Url = url.parse().context("no URL")?;
        ensure!(!url.as_str().contains('%'), "a name in the URL is escaped");
        let address = (
            url.host_str().context("no host")?,
            url.port().unwrap_or(5672),
        );
        let mut raw = Self {
            stream: TcpStream::connect(address).await?,
            frame_max: 4096,
        };
        raw.stream.write_all(b"AMQP\0\0\x09\x01").await?;
        raw.expect(10, 10).await?;
        let login = format!(
            "\0{}\0{}",
            url.username(),
            url.password().unwrap_or_default()
        );
        let start_ok = [
            &long(b"")[..],
            &short(b"PLAIN"),
            &long(login.as_bytes()),
            &short(b"en_US"),
        ];
        raw.method(0, 10, 11, &start_ok.concat()).await?;
        let tune = raw.expect(10, 30).await?;
        let limits: [u8; 6] = tune
            .get(4..10)
            .and_then(|limits| limits.try_into().ok())
            .context("a short connection.tune")?;
        let [_, _, a, b, c, d] = limits;
        raw.frame_max = u32::from_be_bytes([a, b, c, d]) as usize;
        raw.method(0, 10, 31, &[&limits[..], &[0, 0]].concat())
            .await?;
        let vhost = url.path().strip_prefix('/').unwrap_or_default();
        let open = [&short(vhost.as_bytes())[..], &short(b""), &[0]];
        raw.method(0, 10, 40, &open.concat()).await?;
        raw.expect(10, 41).await?;
        raw.method(1, 20, 10, &short(b"")).await?;
        raw.expect(20, 11).await?;
        raw.method(1, 85, 10, &[0]).await?;
        raw.expect(85, 11).await?;
        Ok(raw)
    }

    /// Publishes, and waits until the broker confirms it.
    ///
    /// # Errors
    /// Where the broker refuses it.
    pub async fn publish(&mut self, exchange: &str, message: &RawMessage) -> Result<()> {
        let publish = [
            &[0, 0][..],
            &short(exchange.as_bytes()),
            &short(&message.routing_key),
            &[0],
        ];
        self.method(1, 60, 40, &publish.concat()).await?;
        let mut flags = 1_u16 << 12;
        let mut list = Vec::new();
        if let Some(content_type) = &message.content_type {
            flags |= 1 << 15;
            list.extend(short(content_type));
        }
        if let Some(headers) = &message.headers {
            flags |= 1 << 13;
            list.extend(long(headers));
        }
        // Kept on disk.
        list.push(2);
        if let Some(kind) = &message.kind {
            flags |= 1 << 5;
            list.extend(short(kind));
        }
        let head = [
            &[0, 60, 0, 0][..],
            &(message.body.len() as u64).to_be_bytes(),
            &flags.to_be_bytes(),
            &list,
        ];
        self.frame(HEADER, 1, &head.concat()).await?;
        for piece in message.body.chunks(self.frame_max.saturating_sub(8).max(1)) {
            self.frame(BODY, 1, piece).await?;
        }
        self.expect(60, 80).await.map(drop)
    }

    async fn method(
        &mut self,
        channel: u16,
        class: u16,
        method: u16,
        arguments: &[u8],
    ) -> Result<()> {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments];
        self.frame(METHOD, channel, &payload.concat()).await
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len())?;
        let frame = [
            &[kind][..],
            &channel.to_be_bytes(),
            &length.to_be_bytes(),
            payload,
            &[FRAME_END],
        ];
        Ok(self.stream.write_all(&frame.concat()).await?)
    }

    /// The next method, which must be this one; its arguments follow four bytes.
    async fn expect(&mut self, class: u16, method: u16) -> Result<Vec<u8>> {
        loop {
            let (kind, payload) = timeout(START_WITHIN, self.read())
                .await
                .with_context(|| format!("no answer {class}.{method}"))??;
            if kind != METHOD {
                continue;
            }
            let expected = [class.to_be_bytes(), method.to_be_bytes()].concat();
            if payload.starts_with(&expected) {
                return Ok(payload);
            }
            bail!(
                "expected {class}.{method}, and the broker says {:?}: {}",
                payload.get(..4),
                String::from_utf8_lossy(&payload)
            );
        }
    }

    async fn read(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut head = [0; 7];
        self.stream.read_exact(&mut head).await?;
        let [kind, _, _, a, b, c, d] = head;
        let mut payload = vec![0; u32::from_be_bytes([a, b, c, d]) as usize + 1];
        self.stream.read_exact(&mut payload).await?;
        ensure!(payload.pop() == Some(FRAME_END), "a frame without its end");
        Ok((kind, payload))
    }
}

fn short(bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short string has at most 255 bytes");
    [&[length], bytes].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a long string has less than 4 GiB");
    [&length.to_be_bytes()[..], bytes].concat()
}
