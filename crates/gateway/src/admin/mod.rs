//! The admin port: what orchestrators and Prometheus ask a role, whichever it is.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /healthz` | 200 while the process gets on, 503 with the reason where only a restart helps |
//! | `GET /readyz` | 200 where everything that it needs answers, else 503; JSON with each check |
//! | `GET /metrics` | Prometheus' text format |
//!
//! A port of its own, for it wants no token and belongs inside: it tells names and numbers, and no secret. Errors come
//! from clients of brokers and stores, which like to quote the URL that they were given: passwords in URLs are cut out here,
//! whoever wrote the message.
//!
//! Probes can't load what they ask about: one check runs at a time, also where its prober has gone, and its answer serves
//! everybody for a second.

mod passwords;
mod ready;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio_util::sync::CancellationToken;

use self::passwords::without_passwords;
use self::ready::Readiness;
pub use self::ready::{ReadyCheck, check_within};
use crate::GatewayError;
use crate::serving::Listening;

/// The type of Prometheus' text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The admin port. [`bind`](Self::bind) is where it begins.
#[derive(Clone, Copy, Debug)]
pub struct AdminServer;

/// An admin port that listens, and does not answer yet.
#[derive(Debug)]
pub struct BoundAdmin(Listening);

/// Whether a process gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ok,
    /// It doesn't, and only a restart helps.
    Stuck {
        /// What stands still, and since when.
        why: String,
    },
}

/// What the admin port tells.
#[derive(Clone)]
pub struct AdminServices {
    /// Whether the process gets on. Asked often: must not block.
    pub health: Arc<dyn Fn() -> Health + Send + Sync>,
    /// Whether what it needs answers.
    pub ready: Arc<dyn ReadyCheck>,
    /// Its metrics, in Prometheus' text format. Must not block.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

struct Admin {
    services: AdminServices,
    readiness: Readiness,
}

impl AdminServer {
    /// Listens on `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// [`GatewayError::InUse`] and its kin, which say how to choose another address.
    pub async fn bind(address: SocketAddr) -> Result<BoundAdmin, GatewayError> {
        Listening::bind(address, "--admin").await.map(BoundAdmin)
    }
}

impl BoundAdmin {
    /// The address that is listened on, with its real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.address()
    }

    /// Answers requests until `shutdown` is cancelled, and then, for a few seconds, those under way.
    ///
    /// # Errors
    /// [`GatewayError::Serve`] where the listener broke.
    pub async fn serve(
        self,
        services: AdminServices,
        shutdown: CancellationToken,
    ) -> Result<(), GatewayError> {
        let readiness = Readiness::new(Arc::clone(&services.ready));
        let admin = Arc::new(Admin {
            services,
            readiness,
        });
        let router = Router::new()
            .route("/healthz", get(healthz))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .fallback(nothing)
            .method_not_allowed_fallback(nothing)
            .with_state(admin);
        self.0.serve(router, shutdown).await
    }
}

async fn healthz(State(admin): State<Arc<Admin>>) -> Response {
    match (admin.services.health)() {
        Health::Ok => answer(StatusCode::OK, "ok\n"),
        Health::Stuck { why } => answer(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", without_passwords(&why)),
        ),
    }
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let report = admin.readiness.report().await;
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer(status, Json(&*report))
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let text = (admin.services.metrics)();
    answer(StatusCode::OK, ([(CONTENT_TYPE, METRICS_TYPE)], text))
}

async fn nothing() -> Response {
    answer(
        StatusCode::NOT_FOUND,
        "There are GET /healthz, /readyz and /metrics here.\n",
    )
}

/// An answer holds for the moment.
fn answer(status: StatusCode, body: impl axum::response::IntoResponse) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], body).into_response()
}
