//! Sending webhooks: signed, over plain HTTP/1.1, a few times where nobody takes them.
//!
//! Nothing is promised about order or about once: neither does Vercel. Deployments advance only when somebody looks, so while
//! there are webhooks somebody looks now and then.

use std::time::Duration;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use http::Uri;
use sha1::Sha1;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{Watched, webhooks::Parcel};

/// How often deployments are looked at for news.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a receiver may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How often a parcel that nobody took is sent, and how long to wait before it is sent again.
const TRIES: u32 = 5;
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Looks for news and sends them, for as long as the simulator runs.
pub(super) async fn watch(watched: Watched) {
    loop {
        let (parcels, ground) = {
            let mut world = watched.world_now();
            (std::mem::take(&mut world.outbox), world.ground.clone())
        };
        let copies = watched.knobs.get().webhook_copies;
        for parcel in parcels {
            for _ in 0..copies {
                ground.spawn(send(parcel.clone()));
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn send(parcel: Parcel) {
    let body = parcel.body.to_string();
    for tried in 1..=TRIES {
        match timeout(
            ANSWER_WITHIN,
            post(&parcel.url, &body, &sign(&parcel.secret, body.as_bytes())),
        )
        .await
        {
            Ok(Ok(status)) if (200..300).contains(&status) => return,
            Ok(Ok(status)) => tracing::debug!(status, tried, "a webhook was not taken"),
            Ok(Err(error)) => tracing::debug!(%error, tried, "a webhook did not arrive"),
            Err(_) => tracing::debug!(tried, "a webhook was not answered"),
        }
        sleep(AGAIN_AFTER * tried).await;
    }
}

/// The value of `x-vercel-signature`: HMAC-SHA1 of the raw body, in hexadecimal.
pub(super) fn sign(secret: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(body);
    HEXLOWER.encode(&mac.finalize().into_bytes())
}

async fn post(url: &Uri, body: &str, signature: &str) -> std::io::Result<u16> {
    let host = url.host().unwrap_or_default();
    let port = url.port_u16().unwrap_or(80);
    let path = url
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    // A name below `localhost` is this machine, whatever its resolver thinks.
    let to = if host.ends_with(".localhost") {
        "127.0.0.1"
    } else {
        host.trim_matches(['[', ']'])
    };
    let mut stream = TcpStream::connect((to, port)).await?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         User-Agent: vercel-simulator\r\nX-Vercel-Signature: {signature}\r\nConnection: close\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 << 10).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| {
        std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is not HTTP")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_hmac_sha1_in_hexadecimal() {
        // RFC 2202, test case 2.
        assert_eq!(
            sign("Jefe", b"what do ya want for nothing?"),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
    }
}
