//! The admin port, asked over real connections.

use async_trait::async_trait;
use std::sync::Mutex;

use super::*;
use crate::{AdminServer, AdminServices, Health, ReadyCheck, check_within};

#[derive(Clone, Default)]
struct Role {
    stuck: Arc<Mutex<Option<String>>>,
    broken: Arc<Mutex<Option<String>>>,
}

#[async_trait]
impl ReadyCheck for Role {
    async fn check(&self) -> Vec<(&'static str, Result<(), String>)> {
        let broker = self.broken.lock().unwrap().clone().map_or(Ok(()), Err);
        let store = check_within("store", async { Ok::<_, String>(()) }).await;
        vec![("broker", broker), store]
    }
}

struct Admin {
    role: Role,
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<Result<(), GatewayError>>,
}

impl Admin {
    async fn start(role: Role) -> Self {
        let bound = AdminServer::bind("127.0.0.1:0".parse().unwrap());
        let bound = bound.await.unwrap();
        let address = bound.local_addr();
        let stuck = Arc::clone(&role.stuck);
        let services = AdminServices {
            health: Arc::new(move || match stuck.lock().unwrap().clone() {
                None => Health::Ok,
                Some(why) => Health::Stuck { why },
            }),
            ready: Arc::new(role.clone()),
            metrics: Arc::new(|| "foreshow_up 1\n".to_owned()),
        };
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(bound.serve(services, shutdown.clone()));
        Self {
            role,
            address,
            shutdown,
            served,
        }
    }

    async fn ask(&self, method: Method, path: &str) -> Seen {
        let client = foreshow_tls::inward().build().unwrap();
        let request = client.request(method, format!("http://{}{path}", self.address));
        let answer = request.send().await.unwrap();
        Seen {
            status: answer.status(),
            headers: answer.headers().clone(),
            body: answer.text().await.unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Seen {
        self.ask(Method::GET, path).await
    }
}

#[tokio::test]
async fn health_tells_whether_it_gets_on() {
    let admin = Admin::start(Role::default()).await;
    let seen = admin.get("/healthz").await;
    assert_eq!((seen.status, seen.body.as_str()), (StatusCode::OK, "ok\n"));
    let why = "nothing done for 90 s on amqp://worker:s3cret@rabbit";
    *admin.role.stuck.lock().unwrap() = Some(why.to_owned());
    let seen = admin.get("/healthz").await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        seen.body,
        "nothing done for 90 s on amqp://[redacted]@rabbit\n"
    );
}

#[tokio::test]
async fn readiness_names_each_check_and_no_password() {
    let admin = Admin::start(Role::default()).await;
    let seen = admin.get("/readyz").await;
    assert_eq!(seen.status, StatusCode::OK);
    let all_well = serde_json::json!({
        "ready": true,
        "checks": { "broker": { "ok": true }, "store": { "ok": true } },
    });
    assert_eq!(seen.json(), all_well);
    assert_eq!(seen.header("content-type"), "application/json");

    let role = Role::default();
    let why = "no connection to amqp://worker:s3cret@rabbit:5672/foreshow: refused";
    *role.broken.lock().unwrap() = Some(why.to_owned());
    let seen = Admin::start(role).await.get("/readyz").await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE);
    let why = "no connection to amqp://[redacted]@rabbit:5672/foreshow: refused";
    let broken = serde_json::json!({
        "ready": false,
        "checks": { "broker": { "ok": false, "error": why }, "store": { "ok": true } },
    });
    assert_eq!(seen.json(), broken);
}

#[tokio::test]
async fn metrics_have_prometheus_type_and_all_else_is_not_there() {
    let admin = Admin::start(Role::default()).await;
    let seen = admin.get("/metrics").await;
    assert_eq!(seen.status, StatusCode::OK);
    assert_eq!(seen.body, "foreshow_up 1\n");
    assert!(
        seen.header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    for path in ["/", "/v1/previews", "/healthz/"] {
        assert_eq!(
            admin.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let seen = admin.ask(Method::POST, "/healthz").await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    admin.shutdown.cancel();
    admin.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_busy_admin_port_is_an_error_that_names_its_own_option() {
    let taken = AdminServer::bind("127.0.0.1:0".parse().unwrap());
    let taken = taken.await.unwrap();
    let error = AdminServer::bind(taken.local_addr()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("--admin") && !text.contains("--listen"),
        "{text}"
    );
}
