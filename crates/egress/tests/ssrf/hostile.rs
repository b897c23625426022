//! Servers that mean harm.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use foreshow_egress::Egress;
use reqwest::Method;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::answers::Answers;
use crate::server::{Server, allowing, head};
use crate::trap::soon;

const MIB: usize = 1 << 20;

async fn get(egress: &Egress, url: &str) -> Result<reqwest::Response, reqwest::Error> {
    let target = egress.check(url).unwrap();
    soon(egress.request(Method::GET, &target).send()).await
}

#[tokio::test]
async fn a_megabyte_of_headers_is_not_taken() {
    let line = format!("X-Filler: {}\r\n", "a".repeat(64 * 1024));
    let answer = format!("HTTP/1.1 200 OK\r\n{}\r\n", line.repeat(16));
    assert!(answer.len() > MIB);
    let server = Server::answering(answer).await;
    let error = get(&server.egress(Arc::default()), &server.url("/"))
        .await
        .unwrap_err();
    assert!(Egress::refusal(&error).is_none());
}

#[tokio::test]
async fn a_hundred_and_one_headers_are_not_taken() {
    for (count, taken) in [(99, true), (101, false)] {
        let lines = "X: y\r\n".repeat(count - 1);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{lines}\r\n");
        let server = Server::answering(answer).await;
        let answered = get(&server.egress(Arc::default()), &server.url("/")).await;
        assert_eq!(answered.is_ok(), taken, "{count}");
    }
}

/// What the server gets rid of is what was read, plus what two sockets buffer: a few MiB.
#[tokio::test]
async fn headers_without_an_end_are_not_read_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endless = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        head(&mut stream).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nX-Endless: ")
            .await
            .unwrap();
        let filler = vec![b'a'; 64 * 1024];
        let mut sent = 0;
        while sent < 256 * MIB && stream.write_all(&filler).await.is_ok() {
            sent += filler.len();
        }
        sent
    });
    let options = allowing(port, &["127.0.0.1/32"]);
    let egress = Egress::with_resolver(&options, Arc::<Answers>::default()).unwrap();
    get(&egress, &format!("http://127.0.0.1:{port}/"))
        .await
        .unwrap_err();
    let sent = soon(endless).await.unwrap();
    assert!(sent < 64 * MIB, "{sent} bytes of headers were taken");
}

#[tokio::test]
async fn a_compressed_body_stays_compressed() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut std::io::repeat(0).take(8 << 20), &mut bomb).unwrap();
    bomb.flush().unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 64 * 1024);
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
            bomb.len()
        )
        .into_bytes();
        answer.extend_from_slice(&bomb);
        let server = Server::answering(answer).await;
        let response = get(&server.egress(Arc::default()), &server.url("/"))
            .await
            .unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert_eq!(soon(response.bytes()).await.unwrap(), bomb);
        assert!(server.asked()[0].contains("accept-encoding: identity\r\n"));
    }
}

#[tokio::test]
async fn what_is_meant_for_https_is_not_said_in_plain_text() {
    // A server of plain HTTP where https was meant: it sees the beginning of TLS, and no request.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut first = [0];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first)
            .await
            .unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        first[0]
    });
    let egress = Egress::try_new(&allowing(port, &["127.0.0.1/32"])).unwrap();
    get(&egress, &format!("https://127.0.0.1:{port}/secret"))
        .await
        .unwrap_err();
    // A handshake record.
    assert_eq!(soon(heard).await.unwrap(), 22);
}
