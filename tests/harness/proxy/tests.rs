use std::{
    io::ErrorKind,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Flow, Proxy, Weather};
use crate::eventually;

/// A server that sends back what it gets, and keeps it.
async fn echo() -> (Proxy, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let server = listener.local_addr().unwrap();
    let got = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&got);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let keep = Arc::clone(&keep);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    keep.lock().unwrap().extend_from_slice(&buffer[..read]);
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (Proxy::start(server).await, got)
}

async fn says(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// The error with which a connection ends.
async fn broken(stream: &mut TcpStream) -> ErrorKind {
    let ended = tokio::time::timeout(Duration::from_secs(30), stream.read_u8()).await;
    ended.expect("it ends").unwrap_err().kind()
}

#[tokio::test]
async fn in_clear_weather_everything_passes_and_an_end_is_an_end() {
    let (proxy, _) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let long = "x".repeat(1 << 20);
    let (mut from, mut to) = stream.split();
    let mut answer = Vec::new();
    let write = async {
        to.write_all(long.as_bytes()).await.unwrap();
        to.shutdown().await.unwrap();
    };
    tokio::join!(write, async {
        from.read_to_end(&mut answer).await.unwrap();
    });
    assert_eq!(answer, long.as_bytes());
    eventually("the line is gone", async || proxy.open() == 0).await;
}

#[tokio::test]
async fn a_cut_resets_what_is_open_and_nothing_that_comes_later() {
    let (proxy, _) = echo().await;
    let mut before = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut before, "one").await, "one");
    proxy.cut();
    assert_eq!(broken(&mut before).await, ErrorKind::ConnectionReset);
    let mut after = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut after, "two").await, "two");
}

#[tokio::test]
async fn what_refuses_has_no_listener_and_goes_on_with_who_is_there() {
    let (proxy, _) = echo().await;
    let mut before = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut before, "one").await, "one");
    proxy.set(Weather::refusing());
    eventually("it refuses", async || {
        let refused = TcpStream::connect(proxy.address()).await;
        refused.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    })
    .await;
    assert_eq!(says(&mut before, "still").await, "still");
    proxy.heal();
    eventually("it lets in", async || {
        TcpStream::connect(proxy.address()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn what_is_delayed_comes_later_whole_and_in_order() {
    let (proxy, got) = echo().await;
    let late = Duration::from_millis(300);
    proxy.set(Weather {
        up: Flow::Delay(late),
        ..Weather::default()
    });
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let began = Instant::now();
    for word in ["one", "two", "three"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = [0; 11];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(began.elapsed() >= late);
    assert_eq!(got.lock().unwrap().as_slice(), b"onetwothree");
}

#[tokio::test]
async fn what_is_stalled_waits_and_then_comes() {
    let (proxy, got) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut stream, "one").await, "one");
    proxy.set(Weather {
        down: Flow::Stall,
        ..Weather::default()
    });
    stream.write_all(b"two").await.unwrap();
    eventually("the server has it", async || {
        got.lock().unwrap().ends_with(b"two")
    })
    .await;
    let mut answer = [0; 3];
    assert_eq!(
        stream.try_read(&mut answer).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    proxy.heal();
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"two");
}

#[tokio::test]
async fn what_is_swallowed_never_comes_and_its_line_is_reset_afterwards() {
    let (proxy, got) = echo().await;
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut stream, "one").await, "one");
    proxy.set(Weather::both(Flow::Swallow));
    stream.write_all(b"lost").await.unwrap();
    // A line that is opened meanwhile is open, and leads nowhere.
    let mut other = TcpStream::connect(proxy.address()).await.unwrap();
    other.write_all(b"lost too").await.unwrap();
    eventually("both are swallowed", async || {
        proxy.open() == 2 && proxy.swallowed() == 12
    })
    .await;
    proxy.heal();
    assert_eq!(broken(&mut stream).await, ErrorKind::ConnectionReset);
    assert_eq!(broken(&mut other).await, ErrorKind::ConnectionReset);
    let mut after = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(says(&mut after, "two").await, "two");
    assert_eq!(got.lock().unwrap().as_slice(), b"onetwo");
}

#[tokio::test]
async fn what_is_limited_takes_its_time() {
    let (proxy, _) = echo().await;
    proxy.set(Weather {
        down: Flow::Limit(64 << 10),
        ..Weather::default()
    });
    let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
    let began = Instant::now();
    let long = "x".repeat(48 << 10);
    // The last chunk's pause comes after it.
    assert_eq!(says(&mut stream, &long).await, long);
    assert!(
        began.elapsed() >= Duration::from_millis(400),
        "{:?}",
        began.elapsed()
    );
}
