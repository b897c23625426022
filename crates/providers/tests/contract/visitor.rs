//! Somebody with a browser.

use http::header::HOST;
use reqwest::{Url, redirect::Policy};

/// Asks a URL. Hosts below `localhost` are on this machine, whatever the resolver says.
pub(crate) async fn visit(url: &str) -> (u16, Vec<u8>) {
    let mut url: Url = url.parse().unwrap();
    let host = match (url.host_str().unwrap(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    url.set_host(Some("127.0.0.1")).unwrap();
    let client = foreshow_tls::inward()
        .redirect(Policy::none())
        .build()
        .unwrap();
    let answer = client.get(url).header(HOST, host).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.bytes().await.unwrap().to_vec())
}
