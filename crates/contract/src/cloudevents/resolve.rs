//! From wire data to events: the rules that a shape alone can't state.

use std::num::NonZeroU64;
use std::time::Duration;

use serde_json::Value;

use super::attributes::{Attributes, SentAt};
use super::fields;
use crate::content::LOCAL_PREFIX;
use crate::rejection::Refusal;
use crate::wire::{
    AppData, BundleData, EndedData, ExpiredData, FileData, ResetData, RoutingData, TouchedData,
    UpdatedData,
};
use crate::{
    App, BundleRef, Content, ContextEnded, ContextEvent, ContextExpired, ContextId, ContextKey,
    ContextReset, ContextTouched, ContextUpdated, Envelope, EventKind, Framework, IncomingEvent,
    InlineFile, NameError, RejectionCode, ResetId, ResetIdError, Retention, Revision,
    RevisionError, Routing, TenantId,
};

/// Puts an event together from its attributes and its data.
pub(super) fn event(attributes: Attributes, data: &Value) -> Result<IncomingEvent, Refusal> {
    let event = match attributes.kind {
        EventKind::Update => {
            ContextEvent::Updated(updated(fields::read(data)?, attributes.time.as_ref())?)
        }
        EventKind::End => {
            ContextEvent::Ended(ended(fields::read(data)?, attributes.time.as_ref())?)
        }
        EventKind::Touch => ContextEvent::Touched(touched(fields::read(data)?)?),
        EventKind::Expire => ContextEvent::Expired(expired(fields::read(data)?)?),
        EventKind::Reset => ContextEvent::Reset(reset(fields::read(data)?)?),
    };
    let Attributes {
        id,
        source,
        kind: _,
        subject,
        time,
        trace,
    } = attributes;
    let time = time.map(|sent| sent.time.at);
    let (traceparent, tracestate) = match trace {
        Some(trace) => (Some(trace.parent), trace.state),
        None => (None, None),
    };
    Ok(IncomingEvent {
        envelope: Envelope {
            id,
            source,
            subject,
            time,
            traceparent,
            tracestate,
        },
        event,
    })
}

/// The revision that an event's time stands for.
pub(super) fn revision_of(sent: &SentAt) -> Result<Revision, Refusal> {
    if sent.time.has_fraction {
        Revision::from_timestamp(sent.time.at)
            .map_err(|error| invalid_revision(error).at(&*sent.place))
    } else {
        let message = "the event has no revision, and its time has no fraction of a second to stand in for it: two \
                       updates within one second would tie. Send data.revision, or a time such as \
                       2026-11-22T06:00:00.000Z";
        Err(Refusal::new(RejectionCode::RevisionMissing, message).at("$.data.revision"))
    }
}

fn updated(data: UpdatedData, time: Option<&SentAt>) -> Result<ContextUpdated, Refusal> {
    let key = key(&data.tenant_id, &data.context_id)?;
    let revision = revision(data.revision.as_ref(), time)?;
    let content = match (data.files, data.bundle) {
        (Some(files), None) => Content::Files(inline_files(files)?),
        (None, Some(bundle)) => Content::Bundle(bundle_ref(bundle)?),
        (Some(_), Some(_)) => {
            let message = "files and bundle are both there: send one of them";
            return Err(Refusal::new(RejectionCode::FilesAndBundle, message).at("$.data"));
        }
        (None, None) => {
            let message = "there are neither files nor a bundle: send one of them";
            return Err(Refusal::new(RejectionCode::FilesOrBundleMissing, message).at("$.data"));
        }
    };
    let retention = data.retention.map(|retention| Retention {
        ttl: retention
            .ttl_seconds
            .map(NonZeroU64::get)
            .map(Duration::from_secs),
        keep_revisions: retention.keep_revisions,
    });
    Ok(ContextUpdated {
        key,
        revision,
        content,
        env: data.env.unwrap_or_default(),
        app: data.app.map(app).transpose()?.unwrap_or_default(),
        routing: data.routing.map(routing).transpose()?.unwrap_or_default(),
        retention: retention.unwrap_or_default(),
        domains: data.domains.unwrap_or_default(),
        variant: data.variant,
        labels: data.labels.unwrap_or_default(),
    })
}

fn ended(data: EndedData, time: Option<&SentAt>) -> Result<ContextEnded, Refusal> {
    let key = key(&data.tenant_id, &data.context_id)?;
    Ok(ContextEnded {
        key,
        revision: revision(data.revision.as_ref(), time)?,
        reason: data.reason,
    })
}

fn touched(data: TouchedData) -> Result<ContextTouched, Refusal> {
    Ok(ContextTouched {
        key: key(&data.tenant_id, &data.context_id)?,
    })
}

/// Foreshow writes these itself, so nothing stands in for the revision.
fn expired(data: ExpiredData) -> Result<ContextExpired, Refusal> {
    Ok(ContextExpired {
        key: key(&data.tenant_id, &data.context_id)?,
        revision: revision(data.revision.as_ref(), None)?,
    })
}

fn reset(data: ResetData) -> Result<ContextReset, Refusal> {
    let refuse = |error: ResetIdError| {
        Refusal::new(RejectionCode::InvalidField, error.to_string()).at("$.data.resetId")
    };
    Ok(ContextReset {
        key: key(&data.tenant_id, &data.context_id)?,
        reset: ResetId::try_new(data.reset_id).map_err(refuse)?,
    })
}

fn key(tenant: &str, context: &str) -> Result<ContextKey, Refusal> {
    let refuse =
        |path| move |error: NameError| Refusal::new(error.code(), error.to_string()).at(path);
    Ok(ContextKey {
        tenant: TenantId::try_new(tenant).map_err(refuse("$.data.tenantId"))?,
        context: ContextId::try_new(context).map_err(refuse("$.data.contextId"))?,
    })
}

fn revision(explicit: Option<&Value>, time: Option<&SentAt>) -> Result<Revision, Refusal> {
    match (explicit, time) {
        (Some(value), _) => serde::Deserialize::deserialize(value)
            .map_err(|_: serde_json::Error| invalid_revision(RevisionError).at("$.data.revision")),
        (None, Some(time)) => revision_of(time),
        (None, None) => {
            let message = "the event has neither a revision nor a time to stand in for it: send data.revision";
            Err(Refusal::new(RejectionCode::RevisionMissing, message).at("$.data.revision"))
        }
    }
}

fn invalid_revision(error: RevisionError) -> Refusal {
    Refusal::new(RejectionCode::InvalidRevision, error.to_string())
}

fn inline_files(files: Vec<FileData>) -> Result<Vec<InlineFile>, Refusal> {
    let check = |(index, file): (usize, FileData)| {
        let file = InlineFile {
            path: file.path,
            content: file.content,
            encoding: file.encoding.unwrap_or_default(),
        };
        match file.decoded() {
            Ok(_) => Ok(file),
            Err(error) => {
                let path = format!("$.data.files[{index}].content");
                Err(Refusal::new(RejectionCode::InvalidBase64, error.to_string()).at(path))
            }
        }
    };
    files.into_iter().enumerate().map(check).collect()
}

fn bundle_ref(bundle: BundleData) -> Result<BundleRef, Refusal> {
    let refuse = |field: &str, message: String| {
        Refusal::new(RejectionCode::InvalidBundle, message).at(format!("$.data.bundle.{field}"))
    };
    let sha256 = bundle
        .sha256
        .parse()
        .map_err(|error| refuse("sha256", format!("the bundle's sha256: {error}")))?;
    let bundle = BundleRef {
        url: bundle.url,
        sha256,
    };
    if bundle.url.is_empty() {
        return Err(refuse("url", "the bundle's url is empty".to_owned()));
    }
    if !has_scheme(&bundle.url) {
        let message =
            "the bundle's url is none: it must begin with a scheme, as https://HOST/site.tar.gz";
        return Err(refuse("url", message.to_owned()));
    }
    if bundle.url.starts_with(LOCAL_PREFIX) && bundle.as_local().is_none() {
        let message =
            format!("the url must be {LOCAL_PREFIX}sha256- and the same digest as in sha256");
        return Err(refuse("url", message));
    }
    Ok(bundle)
}

/// Whether it can be a URL: a scheme (RFC 3986, section 3.1), a colon, and something after it. Whether it is fetched is for
/// whoever fetches it to say.
fn has_scheme(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else {
        return false;
    };
    let is_of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_of_scheme)
        && !rest.is_empty()
}

fn app(app: AppData) -> Result<App, Refusal> {
    let framework = match app.framework {
        None => Framework::default(),
        Some(word) => Framework::from_word(&word).ok_or_else(|| {
            let known = Framework::ALL.map(Framework::word).join(", ");
            let message = format!("the framework is not known: use one of {known}");
            Refusal::new(RejectionCode::UnknownFramework, message).at("$.data.app.framework")
        })?,
    };
    Ok(App {
        framework,
        entrypoint: app.entrypoint,
        build_command: app.build_command,
        output_directory: app.output_directory,
        spa_fallback: app.spa_fallback.unwrap_or_default(),
    })
}

fn routing(routing: RoutingData) -> Result<Routing, Refusal> {
    let providers = routing.providers.unwrap_or_default();
    if let Some(index) = providers.iter().position(String::is_empty) {
        let path = format!("$.data.routing.providers[{index}]");
        return Err(
            Refusal::new(RejectionCode::InvalidField, "a provider's name is empty").at(path),
        );
    }
    Ok(Routing {
        providers: providers.into_iter().map(Into::into).collect(),
        strategy: routing.strategy,
    })
}
