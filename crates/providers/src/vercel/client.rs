//! Vercel's API, an operation each: what is asked, and which answers are not errors.

use std::time::Duration;

use bytes::Bytes;
use foreshow_bundle::Content;
use foreshow_contract::{Secret, Timestamp};
use foreshow_engine::BuildState;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use super::settings::VercelSettings;
use super::state::build_state;
use super::wire::{
    Alias, Deployment, Deployments, Domain, DomainConfig, NewDeployment, Project, UserAnswer,
};
use crate::http::{ApiClient, ApiError, Call, Operation};

static CREATE: Operation = Operation::once(
    "create_deployment",
    "create a deployment",
    Method::POST,
    "/v13/deployments",
)
.of_tenants_files();
/// Content is named by its digest: the same twice is once.
static UPLOAD: Operation =
    Operation::harmless("upload_file", "upload a file", Method::POST, "/v2/files");
static GET: Operation = Operation::harmless(
    "get_deployment",
    "look up a deployment",
    Method::GET,
    "/v13/deployments/{id}",
);
static LIST: Operation = Operation::harmless(
    "list_deployments",
    "list deployments",
    Method::GET,
    "/v7/deployments",
);
static CANCEL: Operation = Operation::harmless(
    "cancel_deployment",
    "cancel a build",
    Method::PATCH,
    "/v12/deployments/{id}/cancel",
);
static DELETE: Operation = Operation::harmless(
    "delete_deployment",
    "delete a deployment",
    Method::DELETE,
    "/v13/deployments/{id}",
);
static EVENTS: Operation = Operation::harmless(
    "list_events",
    "read a build's log",
    Method::GET,
    "/v3/deployments/{id}/events",
);
static ASSIGN_ALIAS: Operation = Operation::harmless(
    "assign_alias",
    "move an alias",
    Method::POST,
    "/v2/deployments/{id}/aliases",
);
static GET_ALIAS: Operation = Operation::harmless(
    "get_alias",
    "look up an alias",
    Method::GET,
    "/v4/aliases/{alias}",
);
static GET_PROJECT: Operation = Operation::harmless(
    "get_project",
    "look up the project",
    Method::GET,
    "/v9/projects/{project}",
);
/// A second one of the same name is refused.
static CREATE_PROJECT: Operation = Operation::once(
    "create_project",
    "create the project",
    Method::POST,
    "/v11/projects",
);
static UPDATE_PROJECT: Operation = Operation::harmless(
    "update_project",
    "set up the project",
    Method::PATCH,
    "/v9/projects/{project}",
);
static DELETE_PROJECT: Operation = Operation::harmless(
    "delete_project",
    "delete an empty project",
    Method::DELETE,
    "/v9/projects/{project}",
);
static ADD_BYPASS: Operation = Operation::harmless(
    "update_protection_bypass",
    "set up the project's protection",
    Method::PATCH,
    "/v1/projects/{project}/protection-bypass",
);
static GET_DOMAIN: Operation = Operation::harmless(
    "get_domain",
    "look up a domain",
    Method::GET,
    "/v9/projects/{project}/domains/{domain}",
);
static ADD_DOMAIN: Operation = Operation::once(
    "add_domain",
    "add a domain",
    Method::POST,
    "/v10/projects/{project}/domains",
);
static VERIFY_DOMAIN: Operation = Operation::harmless(
    "verify_domain",
    "verify a domain",
    Method::POST,
    "/v9/projects/{project}/domains/{domain}/verify",
);
static DOMAIN_CONFIG: Operation = Operation::harmless(
    "get_domain_config",
    "look at a domain's DNS",
    Method::GET,
    "/v6/domains/{domain}/config",
);
static GET_USER: Operation =
    Operation::harmless("get_user", "check the token", Method::GET, "/v2/user");
static GET_TEAM: Operation = Operation::harmless(
    "get_team",
    "look up the team",
    Method::GET,
    "/v2/teams/{team}",
);

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const DIGEST: HeaderName = HeaderName::from_static("x-vercel-digest");
/// A log is an extra: nobody waits long for it.
const LOG_WITHIN: Duration = Duration::from_secs(8);
/// Events that are looked through for a log's last lines. Some are no lines.
const LOG_EVENTS: &str = "200";
/// The largest page. A list of 100 deployments has about half a megabyte.
pub(super) const PAGE: &str = "100";

/// Calls of the API, in the scope of one team.
#[derive(Clone)]
pub(super) struct Api {
    http: ApiClient,
    scope: Option<(&'static str, String)>,
    creates_within: Duration,
}

impl Api {
    pub(super) fn new(http: ApiClient, settings: &VercelSettings) -> Self {
        Self {
            http,
            scope: settings.scope().map(|(name, team)| (name, team.to_owned())),
            creates_within: Duration::from_secs(settings.create_timeout_seconds.get().into()),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.http.now()
    }

    fn call(&self, operation: &'static Operation, args: &[&str]) -> Call<'_> {
        let call = self.http.call(operation, args);
        match &self.scope {
            Some((name, team)) => call.query(name, team),
            None => call,
        }
    }

    /// Creates a deployment; `secrets` are what its request holds and no message may.
    pub(super) async fn create(
        &self,
        body: &NewDeployment<'_>,
        secrets: impl IntoIterator<Item = &Secret>,
    ) -> Result<Deployment, ApiError> {
        // Without `forceNew` the same files may be answered with another context's deployment; alone, it would build without the cache of
        // earlier builds, so `withCache` goes with it, as in Vercel's own tool (`--force --with-cache`).
        let call = self
            .call(&CREATE, &[])
            .query("forceNew", "1")
            .query("withCache", "1")
            .query("skipAutoDetectionConfirmation", "1");
        let answer = call
            .json(body)
            .within(self.creates_within)
            .hiding(secrets)
            .send()
            .await?;
        let deployment: Deployment = answer.json()?;
        if deployment.id().is_none() {
            return Err(answer.unreadable("a deployment without an id".to_owned()));
        }
        Ok(deployment)
    }

    pub(super) async fn upload(&self, sha1: &str, content: Content) -> Result<(), ApiError> {
        let digest = HeaderValue::from_str(sha1).expect("a digest is hexadecimal");
        self.call(&UPLOAD, &[])
            .file(content)
            .header(CONTENT_TYPE, OCTETS)
            .header(DIGEST, digest)
            .send()
            .await
            .map(drop)
    }

    pub(super) async fn get(&self, id: &str) -> Result<Option<Deployment>, ApiError> {
        match known(self.call(&GET, &[id]).send().await)? {
            Some(answer) => answer.json().map(Some),
            None => Ok(None),
        }
    }

    /// A page of deployments with a tag, newest first; `None` where there is no such project.
    pub(super) async fn list(
        &self,
        project: Option<&str>,
        (filter, value): (&str, &str),
        limit: &str,
        until: Option<&str>,
    ) -> Result<Option<Deployments>, ApiError> {
        let mut call = self
            .call(&LIST, &[])
            .query(filter, value)
            .query("limit", limit);
        if let Some(project) = project {
            call = call.query("projectId", project);
        }
        if let Some(until) = until {
            call = call.query("until", until);
        }
        match known(call.send().await)? {
            Some(answer) => answer.json().map(Some),
            None => Ok(None),
        }
    }

    /// Whether a project has any deployments, whoever made them. Some that were deleted are listed for a while.
    pub(super) async fn has_any(&self, project: &str) -> Result<bool, ApiError> {
        let call = self
            .call(&LIST, &[])
            .query("projectId", project)
            .query("limit", PAGE);
        let Some(answer) = known(call.send().await)? else {
            return Ok(false);
        };
        let page: Deployments = answer.json()?;
        let is_there = |one: &Deployment| build_state(one, self.now()) != BuildState::Gone;
        Ok(page.pagination.next.is_some() || page.deployments.iter().any(is_there))
    }

    /// Asks for a build to be stopped; `false` where Vercel says that there is nothing to stop. That it was heard is no proof that
    /// it stopped.
    pub(super) async fn cancel(&self, id: &str) -> Result<bool, ApiError> {
        match known(self.call(&CANCEL, &[id]).send().await) {
            Ok(_) => Ok(true),
            Err(error) if error.is_status(400) || error.is_status(409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn delete(&self, id: &str) -> Result<(), ApiError> {
        known(self.call(&DELETE, &[id]).send().await).map(drop)
    }

    /// What is there of a build's log, newest first.
    pub(super) async fn events(&self, id: &str) -> Result<Bytes, ApiError> {
        let call = self
            .call(&EVENTS, &[id])
            .query("builds", "1")
            .query("direction", "backward")
            .query("limit", LOG_EVENTS)
            .within(LOG_WITHIN);
        let answer = call.send_and_listen().await?;
        Ok(answer.body().clone())
    }

    pub(super) async fn assign_alias(&self, alias: &str, id: &str) -> Result<(), ApiError> {
        let call = self
            .call(&ASSIGN_ALIAS, &[id])
            .json(&json!({ "alias": alias }));
        call.send().await.map(drop)
    }

    /// The deployment that an alias shows.
    pub(super) async fn alias(&self, alias: &str) -> Result<Option<String>, ApiError> {
        match known(self.call(&GET_ALIAS, &[alias]).send().await)? {
            Some(answer) => Ok(answer.json::<Alias>()?.deployment_id),
            None => Ok(None),
        }
    }

    pub(super) async fn project(&self, project: &str) -> Result<Option<Project>, ApiError> {
        match known(self.call(&GET_PROJECT, &[project]).send().await)? {
            Some(answer) => answer.json().map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn create_project(&self, name: &str) -> Result<Project, ApiError> {
        let body = json!({ "name": name, "framework": null });
        self.call(&CREATE_PROJECT, &[])
            .json(&body)
            .send()
            .await?
            .json()
    }

    pub(super) async fn update_project(&self, id: &str, changes: &Value) -> Result<(), ApiError> {
        let call = self.call(&UPDATE_PROJECT, &[id]).json(changes);
        call.send().await.map(drop)
    }

    pub(super) async fn delete_project(&self, id: &str) -> Result<(), ApiError> {
        known(self.call(&DELETE_PROJECT, &[id]).send().await).map(drop)
    }

    pub(super) async fn add_bypass(&self, id: &str, secret: &Secret) -> Result<(), ApiError> {
        let body = json!({ "generate": { "secret": secret.expose() } });
        let call = self.call(&ADD_BYPASS, &[id]).json(&body).hiding([secret]);
        call.send().await.map(drop)
    }

    pub(super) async fn domain(
        &self,
        project: &str,
        domain: &str,
    ) -> Result<Option<Domain>, ApiError> {
        match known(self.call(&GET_DOMAIN, &[project, domain]).send().await)? {
            Some(answer) => answer.json().map(Some),
            None => Ok(None),
        }
    }

    pub(super) async fn add_domain(&self, project: &str, domain: &str) -> Result<Domain, ApiError> {
        let call = self
            .call(&ADD_DOMAIN, &[project])
            .json(&json!({ "name": domain }));
        call.send().await?.json()
    }

    pub(super) async fn verify_domain(
        &self,
        project: &str,
        domain: &str,
    ) -> Result<Domain, ApiError> {
        let call = self.call(&VERIFY_DOMAIN, &[project, domain]);
        call.send().await?.json()
    }

    pub(super) async fn domain_config(&self, domain: &str) -> Result<DomainConfig, ApiError> {
        self.call(&DOMAIN_CONFIG, &[domain]).send().await?.json()
    }

    /// The name of the user whose token it is.
    pub(super) async fn user(&self) -> Result<String, ApiError> {
        let answer = self.http.call(&GET_USER, &[]).send().await?;
        Ok(answer.json::<UserAnswer>()?.user.username)
    }

    pub(super) async fn team(&self, team: &str) -> Result<(), ApiError> {
        self.call(&GET_TEAM, &[team]).send().await.map(drop)
    }
}

/// `None` where what was asked for is not there, or not any more.
fn known<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_there() => Ok(None),
        Err(error) => Err(error),
    }
}
