//! The calls of the API, one method each. What an answer means is decided a floor above; here a 404 is `None`, and a refusal that
//! callers live with is a value.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::de::DeserializeOwned;

use super::{
    DenoError,
    env::{self, Env},
    log,
    operations::{
        ATTACH, BUILD_LOGS, CANCEL, CREATE_APP, CREATE_DOMAIN, DELETE_APP, DELETE_REVISION, DEPLOY,
        DETACH, GET_APP, GET_DOMAIN, GET_REVISION, LIST_APPS, LIST_REVISIONS, PROMOTE, PROVISION,
        UPDATE_APP, VERIFY_DOMAIN,
    },
    page::{Page, page},
    settings::DenoSettings,
    tags::Tags,
    wire::{App, AppChange, Domain, Hosts, NewApp, NewDomain, Revision},
};
use crate::http::{Answer, ApiClient, ApiError, Call};

/// Apps on a page of a list: each costs one more call.
const APPS: &str = "25";
/// Revisions on a page: the most there may be.
const REVISIONS: &str = "100";
/// Pages that are read of one app's revisions. Two thousand: no context has so many that were not removed.
const PAGES: usize = 20;
/// A build's log, as far as it is read.
const LOG_BYTES: usize = 8 << 20;
/// How long a log is waited for: of a build that has ended all of it is there.
const LOG_WITHIN: Duration = Duration::from_secs(10);

/// What came of deleting a revision.
pub(super) enum Deletion {
    Done,
    /// It builds, or a host shows it; or whatever else the API minds.
    Refused(ApiError),
}

/// What came of adding a domain.
pub(super) enum DomainAnswer {
    Taken(Domain),
    Refused { why: String },
}

pub(super) struct Client {
    api: ApiClient,
    creates_within: Duration,
}

impl Client {
    pub(super) fn new(api: ApiClient, settings: &DenoSettings) -> Self {
        Self {
            api,
            creates_within: Duration::from_secs(settings.create_timeout_seconds.get().into()),
        }
    }

    /// A page of this installation's apps.
    pub(super) async fn apps(
        &self,
        tags: &Tags,
        after: Option<&str>,
    ) -> Result<Page<App>, DenoError> {
        let (label, value) = tags.filter();
        let call = self
            .api
            .call(&LIST_APPS, &[])
            .query("limit", APPS)
            .query(&format!("labels[{label}]"), value);
        page(call, after).await
    }

    /// Looks whether the token is taken.
    pub(super) async fn knock(&self) -> Result<(), DenoError> {
        let answer = self
            .api
            .call(&LIST_APPS, &[])
            .query("limit", "1")
            .send()
            .await?;
        let _: Vec<App> = answer.json()?;
        Ok(())
    }

    pub(super) async fn app(&self, app: &str) -> Result<Option<App>, DenoError> {
        there(self.api.call(&GET_APP, &[app]).send().await)?
            .map_or(Ok(None), |answer| json(&answer))
    }

    pub(super) async fn create_app(
        &self,
        slug: &str,
        labels: BTreeMap<&'static str, String>,
        env: &Env,
    ) -> Result<App, DenoError> {
        let app = NewApp {
            slug,
            labels,
            env_vars: env::changes(env, &[]),
        };
        let call = self.api.call(&CREATE_APP, &[]).hiding(env.values());
        json(&call.json(&app).send().await?)
    }

    /// Makes the app's variables these ones.
    pub(super) async fn change_env(&self, app: &App, env: &Env) -> Result<(), DenoError> {
        let env_vars = env::changes(env, &app.env_vars);
        if env_vars.is_empty() {
            return Ok(());
        }
        let call = self
            .api
            .call(&UPDATE_APP, &[&app.slug])
            .hiding(env.values());
        call.json(&AppChange { env_vars }).send().await?;
        Ok(())
    }

    /// Idempotent.
    pub(super) async fn delete_app(&self, app: &str) -> Result<(), DenoError> {
        there(self.api.call(&DELETE_APP, &[app]).send().await)?;
        Ok(())
    }

    /// `env` is the app's, which a refusal may quote.
    pub(super) async fn deploy(
        &self,
        app: &str,
        body: Bytes,
        env: &Env,
    ) -> Result<Revision, DenoError> {
        let call = self.api.call(&DEPLOY, &[app]).hiding(env.values());
        let call = as_json(call.bytes(body)).within(self.creates_within);
        json(&call.send().await?)
    }

    /// Every revision of an app, without timelines; `None` where there is no such app.
    pub(super) async fn revisions(&self, app: &str) -> Result<Option<Vec<Revision>>, DenoError> {
        let mut revisions = Vec::new();
        let mut after = None;
        for _ in 0..PAGES {
            let call = self
                .api
                .call(&LIST_REVISIONS, &[app])
                .query("limit", REVISIONS);
            let page: Page<Revision> = match page(call, after.as_deref()).await {
                Err(DenoError::Api(error)) if error.is_not_there() => return Ok(None),
                page => page?,
            };
            revisions.extend(page.items);
            if page.next.is_none() || page.next == after {
                return Ok(Some(revisions));
            }
            after = page.next;
        }
        tracing::warn!(
            app,
            "an app at Deno Deploy has more revisions than are read; the rest is not seen"
        );
        Ok(Some(revisions))
    }

    pub(super) async fn revision(&self, revision: &str) -> Result<Option<Revision>, DenoError> {
        there(self.api.call(&GET_REVISION, &[revision]).send().await)?
            .map_or(Ok(None), |answer| json(&answer))
    }

    /// Idempotent.
    pub(super) async fn delete_revision(&self, revision: &str) -> Result<Deletion, DenoError> {
        match there(self.api.call(&DELETE_REVISION, &[revision]).send().await) {
            Ok(_) => Ok(Deletion::Done),
            Err(error) if is_said_no(&error) => Ok(Deletion::Refused(error)),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for it. A build that has ended cannot be cancelled, which the API may call an error.
    pub(super) async fn cancel(&self, revision: &str) -> Result<(), DenoError> {
        match there(as_json(self.api.call(&CANCEL, &[revision])).send().await) {
            Err(error) if !is_said_no(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The last lines of a build's log.
    pub(super) async fn build_log(&self, revision: &str) -> Result<Vec<String>, DenoError> {
        let call = self
            .api
            .call(&BUILD_LOGS, &[revision])
            .header(
                ACCEPT,
                HeaderValue::from_static("application/x-ndjson, text/event-stream;q=0.9"),
            )
            .within(LOG_WITHIN)
            .up_to(LOG_BYTES);
        let answer = call.send_and_listen().await?;
        Ok(log::tail(
            &answer.content_type().unwrap_or_default(),
            answer.body(),
        ))
    }

    /// `false` where the revision is gone.
    pub(super) async fn promote(&self, revision: &str) -> Result<bool, DenoError> {
        let answer = there(as_json(self.api.call(&PROMOTE, &[revision])).send().await)?;
        Ok(answer.is_some())
    }

    /// Shows the revision at a domain; why not, where the API refuses it.
    pub(super) async fn bind(
        &self,
        revision: &str,
        host: &str,
    ) -> Result<Option<String>, DenoError> {
        let hosts = Hosts { production: [host] };
        match self
            .api
            .call(&ATTACH, &[revision])
            .json(&hosts)
            .send()
            .await
        {
            Ok(_) => Ok(None),
            Err(error) if is_said_no(&error) => Ok(Some(words(&error))),
            Err(error) => Err(error.into()),
        }
    }

    /// `false` where it was not bound under this name.
    pub(super) async fn detach(&self, revision: &str, name: &str) -> Result<bool, DenoError> {
        match there(self.api.call(&DETACH, &[revision, name]).send().await) {
            Ok(answer) => Ok(answer.is_some()),
            Err(error) if is_said_no(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn domain(&self, domain: &str) -> Result<Option<Domain>, DenoError> {
        there(self.api.call(&GET_DOMAIN, &[domain]).send().await)?
            .map_or(Ok(None), |answer| json(&answer))
    }

    pub(super) async fn create_domain(&self, domain: &str) -> Result<DomainAnswer, DenoError> {
        match self
            .api
            .call(&CREATE_DOMAIN, &[])
            .json(&NewDomain { domain })
            .send()
            .await
        {
            Ok(answer) => Ok(DomainAnswer::Taken(json(&answer)?)),
            Err(error) if error.is_status(409) => match self.domain(domain).await? {
                Some(known) => Ok(DomainAnswer::Taken(known)),
                None => Ok(DomainAnswer::Refused { why: words(&error) }),
            },
            Err(error) if is_said_no(&error) => Ok(DomainAnswer::Refused { why: words(&error) }),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn verify_domain(&self, domain: &str) -> Result<Domain, DenoError> {
        json(
            &as_json(self.api.call(&VERIFY_DOMAIN, &[domain]))
                .send()
                .await?,
        )
    }

    /// Begins to get a certificate. One that is on its way already is as good.
    pub(super) async fn provision(&self, domain: &str) -> Result<(), DenoError> {
        match as_json(self.api.call(&PROVISION, &[domain])).send().await {
            Err(error) if !is_said_no(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The API wants to be told of JSON also where there is no body.
fn as_json(call: Call<'_>) -> Call<'_> {
    call.header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

fn json<T: DeserializeOwned>(answer: &Answer) -> Result<T, DenoError> {
    Ok(answer.json()?)
}

/// `None` for what is not there.
fn there(result: Result<Answer, ApiError>) -> Result<Option<Answer>, ApiError> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_not_there() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the API has understood and will not: neither a limit, nor credentials, nor something that is missing.
fn is_said_no(error: &ApiError) -> bool {
    [400, 409, 412, 422, 423]
        .into_iter()
        .any(|status| error.is_status(status))
}

/// Why, for people.
fn words(error: &ApiError) -> String {
    let refusal = error.refusal();
    let message = refusal.and_then(|refusal| refusal.message.clone());
    match (message, refusal.and_then(|refusal| refusal.code.as_deref())) {
        (Some(message), Some(code)) => format!("{message} ({code})"),
        (Some(message), None) => message,
        (None, Some(code)) => code.to_owned(),
        (None, None) => "Deno Deploy does not say why".to_owned(),
    }
}
