//! Connections, counted where they are made. This tells of calls to any address, also where no listener could hear them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower::{Layer, Service};

use super::*;
use crate::{Addrs, Name, Resolving};

/// Counts the connections that are asked for, and those that are made.
#[derive(Clone, Default)]
struct Count(Arc<(AtomicUsize, AtomicUsize)>);

impl Count {
    fn asked(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn made(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl<S> Layer<S> for Count {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted {
            inner,
            count: self.clone(),
        }
    }
}

#[derive(Clone)]
struct Counted<S> {
    inner: S,
    count: Count,
}

impl<S, R> Service<R> for Counted<S>
where
    S: Service<R, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let count = self.count.clone();
        count.0.0.fetch_add(1, Ordering::SeqCst);
        let connecting = self.inner.call(request);
        Box::pin(async move {
            let connected = connecting.await;
            if connected.is_ok() {
                count.0.1.fetch_add(1, Ordering::SeqCst);
            }
            connected
        })
    }
}

/// Every name leads here.
struct Everywhere(IpAddr);

impl Resolve for Everywhere {
    fn resolve(&self, _: Name) -> Resolving {
        let address = SocketAddr::new(self.0, 0);
        Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
    }
}

/// A server that answers once, at a port of this machine.
async fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
    });
    port
}

fn counted(allow: &[&str], port: u16) -> (Egress, Count) {
    let options = EgressOptions {
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        http: true,
        ports: vec![port],
        ..EgressOptions::default()
    };
    let resolver = Arc::new(Everywhere(Ipv4Addr::LOCALHOST.into()));
    let count = Count::default();
    let layer = count.clone();
    let egress = Egress::assemble(&options, resolver, |builder| builder.connector_layer(layer));
    (egress.unwrap(), count)
}

#[tokio::test]
async fn a_refused_name_ends_before_there_is_a_connection() {
    let port = server().await;
    let (egress, count) = counted(&[], port);
    let target = egress
        .check(&format!("http://inner.example:{port}/"))
        .unwrap();
    let error = egress
        .request(Method::GET, &target)
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        Egress::refusal(&error).unwrap().code(),
        "address_not_allowed"
    );
    // Once: a refusal is not tried again.
    assert_eq!((count.asked(), count.made()), (1, 0));

    // The same where it is allowed, so that the count can fail.
    let (egress, count) = counted(&["127.0.0.1/32"], port);
    let response = egress.request(Method::GET, &target).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!((count.asked(), count.made()), (1, 1));
}

#[tokio::test]
async fn a_refused_address_asks_for_no_connection() {
    let port = server().await;
    let (egress, count) = counted(&[], port);
    for host in ["127.0.0.1", "169.254.169.254", "[fd00:ec2::254]"] {
        egress.check(&format!("http://{host}:{port}/")).unwrap_err();
    }
    assert_eq!((count.asked(), count.made()), (0, 0));
}
