//! The client and the prober, against servers that really listen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use foreshow_bundle::{Backing, Content};
use foreshow_contract::{Secret, Sha256, Timestamp};
use foreshow_engine::{Clock, Failure, Probe, ProbeQuestion, ProviderError, code};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use sha2::Digest as _;
use tokio::net::TcpListener;

use super::{ApiClient, ApiOptions, ApiUrl, Dialect, Operation, Prober, Sight, Trouble, Words};

static GET: Operation = Operation::harmless("get", "get a thing", Method::GET, "/v1/things/{id}");
static PUT: Operation = Operation::harmless("put", "put a file", Method::PUT, "/v1/files/{id}");
static CREATE: Operation =
    Operation::once("create", "create a thing", Method::POST, "/v1/things").of_tenants_files();

static DIALECT: Dialect = Dialect {
    provider: "example",
    request_id: "x-request",
    words: |body| body.get("error").map(Words::of).unwrap_or_default(),
    wait: |_, body, _| Some(Duration::from_secs(body?.get("wait")?.as_u64()?)),
    failure: |_, refusal| {
        refusal
            .is("not_ready")
            .then_some(Failure::Retryable { after: None })
    },
};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_000_000_000)
    }
}

/// What the server was asked.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Answers request after request as told; the last answer stays.
#[derive(Clone)]
struct Server {
    answers: Arc<dyn Fn(usize) -> Response + Send + Sync>,
    count: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<Asked>>>,
    address: SocketAddr,
}

impl Server {
    async fn answering(answers: impl Fn(usize) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            answers: Arc::new(answers),
            count: Arc::default(),
            asked: Arc::default(),
            address: listener.local_addr().unwrap(),
        };
        let app = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn client(&self) -> ApiClient {
        client_of(&self.url())
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.path_and_query().unwrap().to_string();
    server.asked.lock().unwrap().push(Asked {
        path,
        headers: parts.headers,
        body: body.to_vec(),
    });
    (server.answers)(server.count.fetch_add(1, Ordering::SeqCst))
}

fn client_of(url: &str) -> ApiClient {
    let options = ApiOptions {
        url: &ApiUrl::try_new(url).unwrap(),
        token: &Secret::new("token-1234"),
        ca_file: None,
        dialect: &DIALECT,
        hidden: &[Secret::new("team_secret")],
    };
    ApiClient::try_new(options, Arc::new(Noon)).unwrap()
}

fn refusal(status: u16, body: Value) -> Response {
    (
        StatusCode::from_u16(status).unwrap(),
        [("x-request", "req-9")],
        body.to_string(),
    )
        .into_response()
}

/// The answer to the request of this number, from 0.
type Answers = fn(usize) -> Response;

async fn failure_of(answer: Answers) -> ProviderError {
    let server = Server::answering(answer).await;
    let error = server.client().call(&CREATE, &[]).send().await.unwrap_err();
    assert_eq!(server.asked().len(), 1, "a create is sent once");
    error.into()
}

#[tokio::test]
async fn a_call_takes_the_token_and_its_arguments_along() {
    let server = Server::answering(|_| "{\"name\":\"x\"}".into_response()).await;
    let answer = server
        .client()
        .call(&GET, &["a/b"])
        .query("slug", "c d")
        .send()
        .await
        .unwrap();
    let read: BTreeMap<String, String> = answer.json().unwrap();
    assert_eq!(read["name"], "x");
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/v1/things/a%2Fb?slug=c+d");
    assert_eq!(asked.headers[AUTHORIZATION], "Bearer token-1234");
}

#[tokio::test]
async fn what_is_harmless_is_asked_again_and_a_create_never_is() {
    let answers = |nth| match nth {
        0 => StatusCode::BAD_GATEWAY.into_response(),
        1 => refusal(500, json!({})),
        _ => "{}".into_response(),
    };
    let server = Server::answering(answers).await;
    server.client().call(&GET, &["a"]).send().await.unwrap();
    assert_eq!(server.asked().len(), 3);

    let server = Server::answering(answers).await;
    let error = server.client().call(&CREATE, &[]).send().await.unwrap_err();
    assert_eq!(error.failure(), Failure::ProviderDown);
    assert_eq!(server.asked().len(), 1);

    let server = Server::answering(|_| StatusCode::BAD_GATEWAY.into_response()).await;
    let error = server.client().call(&GET, &["a"]).send().await.unwrap_err();
    assert_eq!(error.failure(), Failure::ProviderDown);
    assert_eq!(server.asked().len(), 3, "it is given up after a few");
}

#[tokio::test]
async fn a_refusal_is_not_argued_with() {
    for status in [400, 401, 404, 409, 429] {
        let server = Server::answering(move |_| refusal(status, json!({}))).await;
        let error = server.client().call(&GET, &["a"]).send().await.unwrap_err();
        assert!(error.is_status(status));
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn each_answer_has_one_meaning() {
    let permanent = |code| Failure::Permanent(code);
    let cases: [(Answers, Failure); 11] = [
        (
            |_| refusal(401, json!({})),
            permanent(code::PROVIDER_UNAUTHORIZED),
        ),
        (
            |_| refusal(403, json!({})),
            permanent(code::PROVIDER_UNAUTHORIZED),
        ),
        (
            |_| refusal(402, json!({})),
            permanent(code::PROVIDER_PAYMENT_REQUIRED),
        ),
        (
            |_| refusal(413, json!({})),
            permanent(code::TOO_LARGE_FOR_PROVIDER),
        ),
        (
            |_| refusal(400, json!({})),
            permanent(code::PROVIDER_REFUSED),
        ),
        (
            |_| refusal(404, json!({"error": {"code": "not_found"}})),
            permanent(code::PROVIDER_REFUSED),
        ),
        (
            // Not in the vendor's words: a proxy's, or another server's.
            |_| refusal(404, json!({})),
            Failure::ProviderDown,
        ),
        (
            |_| refusal(400, json!({"error": {"code": "not_ready"}})),
            Failure::Retryable { after: None },
        ),
        (|_| refusal(503, json!({})), Failure::ProviderDown),
        (
            |_| (StatusCode::FOUND, [(LOCATION, "https://evil.example/")]).into_response(),
            Failure::ProviderDown,
        ),
        (
            |_| (StatusCode::BAD_GATEWAY, "<html>bad gateway</html>").into_response(),
            Failure::ProviderDown,
        ),
    ];
    for (answer, expected) in cases {
        assert_eq!(failure_of(answer).await.failure, expected);
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_as_the_vendor_says() {
    let until = |seconds: i64| Failure::RateLimited {
        until: Timestamp::from_micros((1_000 + seconds) * 1_000_000),
    };
    let cases: [(Answers, i64); 4] = [
        (
            |_| {
                let hint = [(RETRY_AFTER, "7")];
                (StatusCode::TOO_MANY_REQUESTS, hint, "{\"wait\":99}").into_response()
            },
            7,
        ),
        (|_| refusal(429, json!({"wait": 86_400})), 86_400),
        (|_| refusal(429, json!({})), 30),
        (
            |_| (StatusCode::TOO_MANY_REQUESTS, "<html>slow down</html>").into_response(),
            30,
        ),
    ];
    for (answer, seconds) in cases {
        let error = failure_of(answer).await;
        assert_eq!(error.failure, until(seconds));
        assert_eq!(error.message, "it asks to wait");
    }
}

#[tokio::test]
async fn no_secret_is_in_what_is_told_or_logged() {
    let server = Server::answering(|_| {
        let message = "bad env DB=pass-word for team_secret with token-1234, see https://x.example/a?sig=s3cr3t";
        refusal(400, json!({"error": {"code": "bad_request", "message": message}}))
    })
    .await;
    let env = Secret::new("pass-word");
    let client = server.client();
    let call = client
        .call(&CREATE, &[])
        .hiding([&env])
        .json(&json!({"a": 1}));
    let error = call.send().await.unwrap_err();
    let logged = format!("{error} {error:?}");
    let told = ProviderError::from(error);
    assert_eq!(
        told.message,
        "bad env DB=… for … with …, see https://x.example/a?… (bad_request)"
    );
    assert!(logged.contains("POST /v1/things was answered 400 bad_request"));
    assert!(logged.contains("[request req-9]"), "{logged}");
    for secret in ["pass-word", "team_secret", "token-1234", "s3cr3t"] {
        assert!(!logged.contains(secret), "{logged}");
    }
}

#[tokio::test]
async fn a_tenant_reads_the_vendors_words_only_about_the_tenants_files() {
    let server =
        Server::answering(|_| refusal(400, json!({"error": {"code": "x", "message": "of yours"}})))
            .await;
    let error = server.client().call(&GET, &["a"]).send().await.unwrap_err();
    assert_eq!(error.public_message(), "it refused (x)");
    let error = server.client().call(&CREATE, &[]).send().await.unwrap_err();
    assert_eq!(error.public_message(), "of yours (x)");
}

#[tokio::test]
async fn an_answer_beyond_its_bound_is_not_read_on() {
    let server = Server::answering(|_| vec![b' '; 100_000].into_response()).await;
    let client = server.client();
    let error = client
        .call(&GET, &["a"])
        .up_to(1_000)
        .send()
        .await
        .unwrap_err();
    assert!(matches!(
        error.trouble(),
        Trouble::TooLarge { limit_bytes: 1_000 }
    ));
    assert_eq!(error.failure(), Failure::ProviderDown);
    let answer = client
        .call(&GET, &["a"])
        .up_to(1_000)
        .send_and_listen()
        .await
        .unwrap();
    assert_eq!(answer.body().len(), 1_000);
}

#[tokio::test]
async fn a_success_that_is_no_json_is_an_error_that_quotes_nothing() {
    let server = Server::answering(|nth| match nth {
        0 => (
            [(CONTENT_TYPE, "text/html; charset=utf-8")],
            "<html>secret</html>",
        )
            .into_response(),
        _ => "{\"name\": \"secret\"}".into_response(),
    })
    .await;
    let said = async || {
        let answer = server.client().call(&GET, &["a"]).send().await.unwrap();
        let read = answer.json::<BTreeMap<String, u64>>();
        read.unwrap_err().to_string()
    };
    assert_eq!(
        said().await,
        "GET /v1/things/{id} was answered 200 with text/html that is no JSON"
    );
    assert_eq!(
        said().await,
        "GET /v1/things/{id} was answered 200 with JSON that is not what it should be at name"
    );
}

#[tokio::test]
async fn a_vendor_that_is_silent_or_away_is_down() {
    // Accepts connections, and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(&format!("http://{}", listener.local_addr().unwrap()));
    let call = client.call(&CREATE, &[]).within(Duration::from_millis(50));
    let error = call.send().await.unwrap_err();
    assert!(
        matches!(error.trouble(), Trouble::TimedOut { .. }),
        "{error}"
    );
    assert_eq!(error.failure(), Failure::ProviderDown);

    let gone = listener.local_addr().unwrap();
    drop(listener);
    let client = client_of(&format!("http://{gone}"));
    let error = client.call(&CREATE, &[]).send().await.unwrap_err();
    assert!(
        matches!(error.trouble(), Trouble::Unreachable(_)),
        "{error}"
    );
    assert_eq!(error.failure(), Failure::ProviderDown);
    assert_eq!(error.public_message(), "it could not be reached");
}

#[tokio::test]
async fn a_file_is_sent_from_its_place_and_from_its_beginning_when_it_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    std::fs::write(&path, b"before-the file-after").unwrap();
    let content = Content::Slice {
        file: Backing::kept(path),
        offset_bytes: 7,
        len_bytes: 8,
    };
    let server = Server::answering(|nth| match nth {
        0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => "{}".into_response(),
    })
    .await;
    let client = server.client();
    client
        .call(&PUT, &["a"])
        .file(content)
        .send()
        .await
        .unwrap();
    for asked in server.asked() {
        assert_eq!(asked.body, b"the file");
        assert_eq!(asked.headers[CONTENT_LENGTH], "8");
    }
    assert_eq!(server.asked().len(), 2);
}

fn judge(sight: &Sight<'_>) -> Option<String> {
    let is_vendors = sight.headers.contains_key("x-vendor-error");
    is_vendors.then(|| format!("the vendor's own page, {}", sight.beginning.len()))
}

async fn probed(server: &Server, base: &str, expected: Option<&[u8]>) -> Probe {
    let url = ApiUrl::try_new(&server.url()).unwrap();
    let prober = Prober::try_new(&url, None, judge).unwrap();
    let expected = expected.map(|bytes| Sha256::from_bytes(sha2::Sha256::digest(bytes).into()));
    let question = ProbeQuestion {
        path: "/a?b=c",
        expected: expected.as_ref(),
    };
    let mut headers = HeaderMap::new();
    headers.insert("x-bypass", HeaderValue::from_static("open"));
    prober.probe(base, question, headers).await
}

#[tokio::test]
async fn a_preview_below_localhost_is_asked_by_its_name_and_without_the_token() {
    let server = Server::answering(|_| "hello".into_response()).await;
    let base = format!("http://ctx-1.localhost:{}", server.address.port());
    assert_eq!(
        probed(&server, &base, Some(b"hello")).await,
        Probe::Revision { status: 200 }
    );
    let asked = &server.asked()[0];
    assert_eq!(asked.path, "/a?b=c");
    let host = format!("ctx-1.localhost:{}", server.address.port());
    assert_eq!(asked.headers[HOST], host.as_str());
    assert_eq!(asked.headers["x-bypass"], "open");
    assert_eq!(asked.headers.get(AUTHORIZATION), None);
}

#[tokio::test]
async fn only_the_revisions_own_bytes_count_where_they_are_known() {
    let server = Server::answering(|_| "the one before".into_response()).await;
    let seen = probed(&server, &server.url(), Some(b"hello")).await;
    assert!(
        matches!(&seen, Probe::NotYet { seen } if seen.contains("other content")),
        "{seen:?}"
    );
    let seen = probed(&server, &server.url(), None).await;
    assert_eq!(seen, Probe::Revision { status: 200 });
}

#[tokio::test]
async fn the_providers_own_page_a_redirect_and_silence_are_told_apart() {
    let server = Server::answering(|nth| match nth {
        0 => (StatusCode::NOT_FOUND, [("x-vendor-error", "1")], "gone").into_response(),
        _ => (StatusCode::FOUND, [(LOCATION, "https://evil.example")]).into_response(),
    })
    .await;
    let not_yet = |seen: &str| Probe::NotYet {
        seen: seen.to_owned(),
    };
    let seen = probed(&server, &server.url(), None).await;
    assert_eq!(seen, not_yet("the vendor's own page, 4"));
    let seen = probed(&server, &server.url(), None).await;
    assert_eq!(seen, Probe::Revision { status: 302 });

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let seen = probed(&server, &base, None).await;
    assert_eq!(seen, not_yet("no connection could be made"));
    let seen = probed(&server, "not a url", None).await;
    assert_eq!(seen, not_yet("the preview's address is no URL"));
}
