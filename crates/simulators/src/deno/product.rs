//! The simulator as core runs it: who may ask, which handler answers, and what goes around every answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::Response;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{LINK, RETRY_AFTER},
};
use serde_json::Value;

use super::error::{self, ApiError};
use super::organization::Organization;
use super::page::Page;
use super::route::{self, Operation};
use super::streams::{self, Form};
use super::{
    Asked, Deno, DenoKnobs, DenoOptions, Reply, analytics, apps, build_logs, databases, deploy,
    domains, ids, layers, progress, revisions, routing, runtime_logs, site,
};
use crate::core::site::Visit;
use crate::core::{ApiCall, Dial, Ground, Matched, Product, Query, Refusal, json, no_content};

const TRACE_ID: HeaderName = HeaderName::from_static("x-deno-trace-id");

impl Product for Deno {
    const NAME: &'static str = "deno";
    type Options = DenoOptions;
    type Operation = Operation;
    type Knobs = DenoKnobs;

    fn open(options: DenoOptions, ground: Ground) -> Self {
        let zone = ground.host(&options.organization);
        Self {
            ground,
            token: options.token,
            personal_token: options.personal_token,
            organization: options.organization,
            knobs: Dial::new(options.knobs),
            known: Mutex::new(Organization::new(zone)),
        }
    }

    fn knobs(&self) -> &Dial<DenoKnobs> {
        &self.knobs
    }

    fn is_authorized(&self, headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(token) = text("authorization").and_then(|value| value.strip_prefix("Bearer "))
        else {
            return false;
        };
        token == self.token
            || (self.knobs.get().personal_tokens
                && token == self.personal_token
                && text("x-deno-org") == Some(&self.organization))
    }

    fn route(&self, method: &Method, path: &str) -> Option<Matched<Operation>> {
        route::find(method, path)
    }

    async fn answer(self: Arc<Self>, call: ApiCall<Operation>) -> Response {
        let response = match self.act(&call) {
            Ok(response) => response,
            Err(refused) => self.refused(&refused),
        };
        traced(response)
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let shape = self.knobs.get().errors;
        let (status, code, message) = match refusal {
            Refusal::UnknownCall { method, path } => {
                let refused = if route::takes_another_method(&path) {
                    ApiError::method_not_allowed(&method, &path)
                } else {
                    ApiError::not_found("route", &path)
                };
                return traced(self.refused(&refused));
            }
            Refusal::TooLarge { limit_bytes } => {
                let refused = ApiError::too_large(limit_bytes as u64);
                return traced(self.refused(&refused));
            }
            Refusal::Status {
                status,
                code,
                message,
            } => (
                status,
                code.unwrap_or_else(|| code_of(status).to_owned()),
                message.unwrap_or_else(|| "A fault was asked for".to_owned()),
            ),
            Refusal::RateLimited { limit, reset_after } => {
                let refused = ApiError::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "RATE_LIMITED",
                    format!("More than {limit} calls"),
                );
                let mut response = self.refused(&refused);
                // The vendor's own way, as far as it has been seen; often there is no hint at all.
                if let Some(after) = reset_after {
                    let seconds = after.as_millis().div_ceil(1000);
                    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                    response.headers_mut().insert(RETRY_AFTER, seconds.into());
                }
                return traced(response);
            }
        };
        traced(json(status, &error::body(shape, &code, &message)))
    }

    fn serves_host(&self, host: &str) -> bool {
        self.known()
            .domains
            .iter()
            .any(|domain| domain.covers(host))
    }

    fn visit(&self, visit: Visit) -> Response {
        let delay = self.knobs.get().builds.site_delay;
        self.look(|org, now| site::visit(org, &visit, delay, now))
    }

    fn state(&self) -> Value {
        self.look(|org, now| org.to_json(now))
    }

    fn vanish(&self, id: &str) -> bool {
        self.known().vanish(id)
    }

    fn verify_domain(&self, domain: &str) -> bool {
        domains::publish(&mut self.known(), domain)
    }
}

impl Deno {
    fn known(&self) -> MutexGuard<'_, Organization> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        self.ground.clock().now_ms()
    }

    /// Looks at how things stand. The time is read under the lock, so that whoever looks later sees no earlier time.
    fn look<R>(&self, see: impl FnOnce(&mut Organization, u64) -> R) -> R {
        let knobs = self.knobs.get();
        let mut org = self.known();
        let now = self.now();
        org.begin_builds(&knobs, now);
        see(&mut org, now)
    }

    fn refused(&self, refused: &ApiError) -> Response {
        json(refused.status(), &refused.body(self.knobs.get().errors))
    }

    fn act(self: &Arc<Self>, call: &ApiCall<Operation>) -> Result<Response, ApiError> {
        if !call.is_authorized {
            return Err(ApiError::invalid_token());
        }
        let body = if call.body.is_empty() {
            Some(Value::Object(serde_json::Map::new()))
        } else {
            call.json().ok()
        };
        let reply = {
            let mut org = self.known();
            let asked = Asked {
                now: self.now(),
                knobs: self.knobs.get(),
                dial: &self.knobs,
                params: &call.params,
                query: &call.query,
                accept: call.header("accept").unwrap_or_default(),
                body: &call.body,
                json: body.as_ref(),
            };
            org.begin_builds(&asked.knobs, asked.now);
            handle(&mut org, call.operation, &asked)?
        };
        Ok(self.worded(reply, call))
    }

    fn worded(self: &Arc<Self>, reply: Reply, call: &ApiCall<Operation>) -> Response {
        let knobs = self.knobs.get();
        match reply {
            Reply::Json(status, body) => json(status, &body),
            Reply::Empty => no_content(),
            Reply::Stream(mut feed) => {
                let form = Form::asked(call.header("accept").unwrap_or_default(), knobs.streams);
                let cut_after = self.knobs.turn(|knobs| knobs.cut_streams.pop_front());
                let deno = Arc::clone(self);
                streams::answer(form, cut_after, move || {
                    deno.look(|org, now| feed.news(org, now))
                })
            }
            Reply::Page(Page { items, cursor }) => {
                let mut response = json(StatusCode::OK, &Value::Array(items));
                let link =
                    cursor.map(|cursor| self.next_link(&call.path, &call.query, &cursor, &knobs));
                if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
                    response.headers_mut().insert(LINK, link);
                }
                response
            }
        }
    }

    /// The link to the next page: at the console's mount, whichever was asked, as the live service does.
    fn next_link(&self, path: &str, query: &Query, cursor: &str, knobs: &DenoKnobs) -> String {
        let mut next = form_urlencoded::Serializer::new(String::new());
        for (name, value) in query.pairs().iter().filter(|(name, _)| name != "cursor") {
            next.append_pair(name, value);
        }
        next.append_pair("cursor", cursor);
        let path = path.strip_prefix("/api").unwrap_or(path);
        let next = next.finish();
        if knobs.relative_links {
            format!("<{path}?{next}>; rel=\"next\"")
        } else {
            format!("<{}/api{path}?{next}>; rel=\"next\"", self.ground.api_url())
        }
    }
}

fn handle(
    org: &mut Organization,
    operation: Operation,
    asked: &Asked<'_>,
) -> Result<Reply, ApiError> {
    match operation {
        Operation::ListApps => apps::list(org, asked),
        Operation::CreateApp => apps::create(org, asked),
        Operation::GetApp => apps::get(org, asked),
        Operation::UpdateApp => apps::update(org, asked),
        Operation::DeleteApp => apps::delete(org, asked),
        Operation::Deploy => deploy::deploy(org, asked),
        Operation::Analytics => analytics::get(org, asked),
        Operation::ListAppTimelines => routing::app_timelines(org, asked),
        Operation::ListRevisions => revisions::list(org, asked),
        Operation::GetRevision => revisions::get(org, asked),
        Operation::UpdateRevision => revisions::update(org, asked),
        Operation::DeleteRevision => revisions::delete(org, asked),
        Operation::CancelRevision => revisions::cancel(org, asked),
        Operation::Timelines => routing::timelines(org, asked),
        Operation::AttachDomains => routing::attach(org, asked),
        Operation::DetachDomain => routing::detach(org, asked),
        Operation::Promote => routing::promote(org, asked),
        Operation::ListLayers => layers::list(org, asked),
        Operation::CreateLayer => layers::create(org, asked),
        Operation::GetLayer => layers::get(org, asked),
        Operation::UpdateLayer => layers::update(org, asked),
        Operation::DeleteLayer => layers::delete(org, asked),
        Operation::LayerApps => layers::apps(org, asked),
        Operation::ListDomains => domains::list(org, asked),
        Operation::CreateDomain => domains::create(org, asked),
        Operation::GetDomain => domains::get(org, asked),
        Operation::DeleteDomain => domains::delete(org, asked),
        Operation::VerifyDomain => domains::verify(org, asked),
        Operation::ListCertificates => domains::certificates(org, asked),
        Operation::UploadCertificate => domains::upload(org, asked),
        Operation::ProvisionCertificate => domains::provision(org, asked),
        Operation::CreateDatabase => databases::create(asked),
        Operation::Progress => progress::open(org, asked),
        Operation::BuildLogs => build_logs::open(org, asked),
        Operation::Logs => runtime_logs::open(org, asked),
    }
}

/// The code that goes with a status that a fault asks for.
fn code_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "MALFORMED_REQUEST",
        401 => "INVALID_TOKEN",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        409 => "CONFLICT",
        413 => "PAYLOAD_TOO_LARGE",
        429 => "RATE_LIMITED",
        _ => "INTERNAL_ERROR",
    }
}

fn traced(mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::from_str(&ids::uuid()) {
        response.headers_mut().insert(TRACE_ID, id);
    }
    response
}
