//! Answers that go on: progress, build logs, live logs.
//!
//! A feed is asked again and again what is new, until it says that it is over; the answer ends then. In server-sent events the end
//! is an event `done` without data, since the vendor's JavaScript client parses every `data:` as an object of the stream. A stream
//! that is cut just ends: the connection closes in the middle of the body, without `done` and without the last chunk.

use std::{collections::VecDeque, io, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use serde_json::Value;

use super::knobs::StreamForm;

/// How often a feed is asked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    ServerSentEvents,
    Ndjson,
}

impl Form {
    /// What a request asks for by `Accept`: server-sent events, or else lines of JSON.
    pub(crate) fn asked(accept: &str, knob: StreamForm) -> Self {
        match knob {
            StreamForm::AsAsked if accept.contains("text/event-stream") => Self::ServerSentEvents,
            StreamForm::AsAsked | StreamForm::Ndjson => Self::Ndjson,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::ServerSentEvents => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    fn event(self, value: &Value) -> Bytes {
        Bytes::from(match self {
            Self::ServerSentEvents => format!("event: message\ndata: {value}\n\n"),
            Self::Ndjson => format!("{value}\n"),
        })
    }

    fn end(self) -> Option<Bytes> {
        match self {
            Self::ServerSentEvents => Some(Bytes::from_static(b"event: done\n\n")),
            Self::Ndjson => None,
        }
    }
}

/// What a feed has to say.
pub(crate) struct News {
    pub(crate) events: Vec<Value>,
    pub(crate) is_over: bool,
}

impl News {
    /// There is nothing to tell of any more.
    pub(crate) fn gone() -> Self {
        Self {
            events: Vec::new(),
            is_over: true,
        }
    }
}

struct Flow<F> {
    feed: F,
    form: Form,
    ready: VecDeque<Value>,
    is_over: bool,
    is_ended: bool,
    cut_after: Option<u32>,
}

/// Streams what a feed tells; `cut_after` so many events the connection breaks.
pub(crate) fn answer(
    form: Form,
    cut_after: Option<u32>,
    feed: impl FnMut() -> News + Send + 'static,
) -> Response {
    let flow = Flow {
        feed,
        form,
        ready: VecDeque::new(),
        is_over: false,
        is_ended: false,
        cut_after,
    };
    let mut response = Response::new(Body::from_stream(stream::unfold(flow, next)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

async fn next<F: FnMut() -> News + Send>(
    mut flow: Flow<F>,
) -> Option<(io::Result<Bytes>, Flow<F>)> {
    loop {
        if flow.is_ended {
            return None;
        }
        if flow.cut_after == Some(0) {
            // What was written before is sent first: it is not the part that is lost.
            tokio::time::sleep(LOOK_EVERY).await;
            flow.is_ended = true;
            return Some((Err(io::ErrorKind::ConnectionReset.into()), flow));
        }
        if let Some(value) = flow.ready.pop_front() {
            flow.cut_after = flow.cut_after.map(|left| left.saturating_sub(1));
            return Some((Ok(flow.form.event(&value)), flow));
        }
        if flow.is_over {
            flow.is_ended = true;
            return flow.form.end().map(|end| (Ok(end), flow));
        }
        let news = (flow.feed)();
        flow.is_over = news.is_over;
        flow.ready.extend(news.events);
        if flow.ready.is_empty() && !flow.is_over {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
