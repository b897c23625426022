//! Answering before the request has ended.
//!
//! A server that refuses a large upload at its first byte and closes the connection makes the client's system throw the
//! answer away: what arrives at a closed socket is answered with a reset. So the rest is read for a moment and thrown away,
//! until the client has seen the answer and stops.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use http::HeaderMap;
use http::header::EXPECT;
use http_body::Body as _;

/// How long a client that was refused may go on sending.
const LINGERS: Duration = Duration::from_secs(5);

/// Reads on, beside the answer, what nobody wants.
pub(crate) fn linger(headers: &HeaderMap, mut rest: BodyDataStream) {
    // Who asked whether to send the body at all takes the answer for a no.
    if rest.is_end_stream() || headers.contains_key(EXPECT) {
        return;
    }
    tokio::spawn(async move {
        let drained = async { while let Some(Ok(_)) = rest.next().await {} };
        // Either is as good: it has ended, or it never will.
        drop(tokio::time::timeout(LINGERS, drained).await);
    });
}
