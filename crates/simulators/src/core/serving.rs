//! A request, from its head to its answer: which face is meant, and, for the API, what the ledger and the faults have to do
//! with it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER},
};

use super::{
    ApiCall, FaultKind, Line, Matched, Operation, Product, Query, RateHint, Refusal, control,
    fault::FAR, faults::Applied, ledger::Entry, request::text, server::Desk, site::Visit,
};

/// The longest body that is read. What a vendor takes is less, and is a knob of its product.
const READ_AT_MOST_BYTES: usize = 512 << 20;

/// Where control lives, on hosts that are no site's.
const CONTROL: &str = "/_simulator/";

pub(crate) async fn serve<P: Product>(
    State(desk): State<Arc<Desk<P>>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let at_ms = desk.ground.clock().since_start_ms();
    let host = host_of(&request);
    let path = request.uri().path().to_owned();
    let query = Query::parse(request.uri().query());
    let (parts, body) = request.into_parts();

    if host.ends_with(".localhost") || desk.product.serves_host(&host) {
        return desk.product.visit(Visit {
            method: parts.method,
            host,
            path,
            query,
            headers: parts.headers,
        });
    }
    let Ok(body) = to_bytes(body, READ_AT_MOST_BYTES).await else {
        return desk.product.refuse(Refusal::TooLarge {
            limit_bytes: READ_AT_MOST_BYTES,
        });
    };
    if let Some(path) = path.strip_prefix(CONTROL) {
        return control::answer(&desk, &parts.method, path, &query, &body);
    }

    let matched = desk.product.route(&parts.method, &path);
    let operation = matched
        .as_ref()
        .map_or("unknown", |matched| matched.operation.name());
    let is_authorized = desk.product.is_authorized(&parts.headers);
    let number = desk.ledger.enter(Entry {
        at_ms,
        operation,
        method: &parts.method,
        path: &path,
        query: query.pairs(),
        headers: &parts.headers,
        is_authorized,
        body: &body,
    });

    let Some(Matched { operation, params }) = matched else {
        let response = desk.product.refuse(Refusal::UnknownCall {
            method: parts.method,
            path,
        });
        desk.ledger.answered(number, response.status());
        return response;
    };
    let call = ApiCall {
        operation,
        params,
        method: parts.method,
        path,
        query,
        headers: parts.headers,
        body,
        is_authorized,
        line: line.clone(),
    };
    let fault = desk
        .faults
        .apply(operation.name(), desk.ground.clock().since_start_ms());
    if let Some(fault) = &fault {
        desk.ledger.faulted(number, fault.what.name());
    }
    match answer(&desk, call, fault).await {
        Answer::Given(response) => {
            desk.ledger.answered(number, response.status());
            response
        }
        Answer::Cut => {
            line.cut();
            // Nobody gets it: the first byte that would be written fails.
            Response::new(Body::empty())
        }
    }
}

enum Answer {
    Given(Response),
    Cut,
}

async fn answer<P: Product>(
    desk: &Desk<P>,
    call: ApiCall<P::Operation>,
    fault: Option<Applied>,
) -> Answer {
    let product = &desk.product;
    let done = || Arc::clone(product).answer(call);
    let Some(Applied { what, room_after }) = fault else {
        return Answer::Given(done().await);
    };
    Answer::Given(match what {
        FaultKind::Status {
            status,
            code,
            message,
            is_done,
        } => {
            if is_done {
                drop(done().await);
            }
            product.refuse(Refusal::Status {
                status: status_of(status),
                code,
                message,
            })
        }
        FaultKind::Html { status, is_done } => {
            if is_done {
                drop(done().await);
            }
            html(status_of(status))
        }
        FaultKind::RateLimit(limit) => {
            let (retry_after, vendor) = match limit.hint {
                RateHint::None => (None, None),
                RateHint::RetryAfter { seconds, as_date } => {
                    let seconds = seconds.unwrap_or_else(|| whole_seconds(room_after));
                    (Some(retry_after(desk, seconds, as_date)), None)
                }
                RateHint::Vendor => (None, Some(room_after)),
                RateHint::Far => (Some(retry_after(desk, FAR.as_secs(), false)), Some(FAR)),
            };
            let mut response = product.refuse(Refusal::RateLimited {
                limit: limit.limit,
                reset_after: vendor,
            });
            if let Some(value) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
            response
        }
        FaultKind::Hang => {
            desk.ground.stopped().await;
            return Answer::Cut;
        }
        FaultKind::Slow { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            done().await
        }
        FaultKind::ResetBefore => return Answer::Cut,
        FaultKind::ResetAfter => {
            drop(done().await);
            return Answer::Cut;
        }
        FaultKind::MalformedJson => {
            let mut response = done().await;
            response.headers_mut().remove(CONTENT_LENGTH);
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *response.body_mut() = Body::from(r#"{"id": "cut-off", "url": "#);
            response
        }
        FaultKind::HugeBody { bytes } => {
            let mut response = done().await;
            response.headers_mut().remove(CONTENT_LENGTH);
            *response.body_mut() = huge(bytes);
            response
        }
    })
}

fn retry_after<P: Product>(desk: &Desk<P>, seconds: u64, as_date: bool) -> HeaderValue {
    if !as_date {
        return HeaderValue::from(seconds);
    }
    let at = Duration::from_millis(desk.ground.clock().now_ms()) + Duration::from_secs(seconds);
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + at);
    HeaderValue::from_str(&date).unwrap_or_else(|_| HeaderValue::from(seconds))
}

fn whole_seconds(duration: Duration) -> u64 {
    duration
        .as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn html(status: StatusCode) -> Response {
    let page = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    text(status, "text/html", page)
}

/// A JSON object that is very long, and is never held whole.
fn huge(bytes: u64) -> Body {
    const CHUNK: Bytes = Bytes::from_static(&[b'x'; 64 << 10]);
    let chunk = CHUNK.len() as u64;
    let whole = std::iter::repeat_n(CHUNK, usize::try_from(bytes / chunk).unwrap_or(usize::MAX));
    let rest = CHUNK.slice(..usize::try_from(bytes % chunk).unwrap_or(0));
    let parts = std::iter::once(Bytes::from_static(b"{\"padding\": \""))
        .chain(whole)
        .chain([rest, Bytes::from_static(b"\"}")]);
    Body::from_stream(stream::iter(parts).map(Ok::<_, Infallible>))
}

/// The host that was asked, in lower case and without its port.
fn host_of(request: &Request) -> String {
    let named = request.uri().host().or_else(|| header(request.headers()));
    let named = named.unwrap_or_default().to_ascii_lowercase();
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => &named,
    };
    name.trim_end_matches('.').to_owned()
}

fn header(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}
