use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

#[tokio::test]
async fn a_busy_port_is_an_error_that_names_it_and_the_way_out() {
    let taken = Gateway::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = Gateway::bind(taken.local_addr()).await.unwrap_err();
    assert!(matches!(error, GatewayError::InUse { .. }));
    let text = error.to_string();
    assert!(
        text.contains(&taken.local_addr().to_string()) && text.contains("--listen"),
        "{text}"
    );
    let error = Gateway::bind("192.0.2.1:0".parse().unwrap())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("192.0.2.1"), "{error}");
}

#[tokio::test]
async fn a_bound_gateway_knows_its_addresses() {
    let bound = Gateway::bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
    let port = bound.local_addr().port();
    assert_ne!(port, 0);
    assert_eq!(bound.probe_addr().to_string(), format!("127.0.0.1:{port}"));
    assert_eq!(
        bound.origin().url("a"),
        format!("http://a.localhost:{port}/")
    );
}

#[tokio::test]
async fn it_stops_when_told_although_a_connection_idles() {
    let world = World::start().await;
    let mut idle = tokio::net::TcpStream::connect(world.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut buffer = [0; 64];
    assert!(idle.read(&mut buffer).await.unwrap() > 0);
    world.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(4), world.served)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_request_that_names_no_host_is_refused() {
    let world = World::start().await;
    let mut connection = tokio::net::TcpStream::connect(world.address).await.unwrap();
    connection
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 400"), "{answer}");
}
