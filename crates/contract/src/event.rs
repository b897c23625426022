//! Context events, as the rest of the system sees them: checked, resolved, free of wire details.

use std::collections::BTreeMap;

use crate::{
    App, Content, ContextKey, EventKind, InstallationKey, Ordinal, ResetId, Retention, Revision,
    Routing, Secret, Timestamp, canonical,
};

/// A context event and the envelope it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingEvent {
    /// Who sent it, when, and under which id.
    pub envelope: Envelope,
    /// What it says.
    pub event: ContextEvent,
}

/// The CloudEvents attributes that outlive decoding. `source` and `id` together name the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Unique within the source. Not empty.
    pub id: String,
    /// Who sent it: a URI reference. Not empty.
    pub source: String,
    /// By convention the context's id; nothing relies on it.
    pub subject: Option<String>,
    /// When it happened, by the sender's clock.
    pub time: Option<Timestamp>,
    /// W3C Trace Context, version 00: carried along into results. An invalid one is dropped when decoding.
    pub traceparent: Option<String>,
    /// The vendors' part of the trace context. Dropped when decoding if the `traceparent` was.
    pub tracestate: Option<String>,
}

impl Envelope {
    /// An envelope with nothing but what is required.
    pub fn new(id: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            subject: None,
            time: None,
            traceparent: None,
            tracestate: None,
        }
    }
}

/// What can happen to a context.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "most events are the large one, and an event is moved a few times in its life"
)]
pub enum ContextEvent {
    /// It has new content.
    Updated(ContextUpdated),
    /// It is over.
    Ended(ContextEnded),
    /// It is still wanted.
    Touched(ContextTouched),
    /// Its preview's retention is over. Published by workers alone.
    Expired(ContextExpired),
    /// It is to be forgotten. Published by operators alone.
    Reset(ContextReset),
}

impl ContextEvent {
    /// The context it is about.
    pub fn key(&self) -> &ContextKey {
        match self {
            Self::Updated(updated) => &updated.key,
            Self::Ended(ended) => &ended.key,
            Self::Touched(touched) => &touched.key,
            Self::Expired(expired) => &expired.key,
            Self::Reset(reset) => &reset.key,
        }
    }

    /// Its revision; a touch has none. A reset stands above all.
    pub fn revision(&self) -> Option<Revision> {
        self.ordinal().map(|ordinal| ordinal.revision)
    }

    /// Its kind.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Updated(_) => EventKind::Update,
            Self::Ended(_) => EventKind::End,
            Self::Touched(_) => EventKind::Touch,
            Self::Expired(_) => EventKind::Expire,
            Self::Reset(_) => EventKind::Reset,
        }
    }

    /// Its place in the context's order; a touch has none. An expiry stands where an end of its revision does, and a
    /// reset where an end of the greatest revision does.
    pub fn ordinal(&self) -> Option<Ordinal> {
        match self {
            Self::Updated(updated) => Some(Ordinal::update(updated.revision)),
            Self::Ended(ended) => Some(Ordinal::end(ended.revision)),
            Self::Touched(_) => None,
            Self::Expired(expired) => Some(Ordinal::end(expired.revision)),
            Self::Reset(_) => Some(Ordinal::end(Revision::MAX)),
        }
    }
}

/// A context has new content: deploy it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextUpdated {
    /// Which context.
    pub key: ContextKey,
    /// As given, or from the event's time.
    pub revision: Revision,
    /// The files.
    pub content: Content,
    /// Environment variables of the build and of the running app.
    pub env: BTreeMap<String, Secret>,
    /// How it is built and started.
    pub app: App,
    /// Where it may be deployed.
    pub routing: Routing,
    /// How long it is kept.
    pub retention: Retention,
    /// Domains that shall show the context's live revision, beside its stable address.
    pub domains: Vec<String>,
    /// Which arm of an A/B comparison this is.
    pub variant: Option<String>,
    /// Free-form, for filters and dashboards.
    pub labels: BTreeMap<String, String>,
}

impl ContextUpdated {
    /// An update that asks for nothing special.
    pub fn new(key: ContextKey, revision: Revision, content: Content) -> Self {
        Self {
            key,
            revision,
            content,
            env: BTreeMap::new(),
            app: App::default(),
            routing: Routing::default(),
            retention: Retention::default(),
            domains: Vec::new(),
            variant: None,
            labels: BTreeMap::new(),
        }
    }

    /// A keyed digest of the whole request but its revision: 64 hexadecimal digits.
    ///
    /// Two requests under one revision that differ here are a `revision_conflict`. Neither the order of the files nor
    /// how they are encoded counts, nor a bundle's URL: a signed one differs each time it is made.
    pub fn request_digest(&self, key: &InstallationKey) -> String {
        canonical::request_digest(self, key)
    }

    /// A keyed digest of what, beside the files, changes what is deployed: app, env and variant. 64 hexadecimal digits.
    ///
    /// Equal files under equal settings need no deployment. Routing, retention, domains and labels are not part of it:
    /// they say where and for how long, not what.
    pub fn settings_digest(&self, key: &InstallationKey) -> String {
        canonical::settings_digest(self, key)
    }
}

/// A context is over: remove what was deployed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextEnded {
    /// Which context.
    pub key: ContextKey,
    /// As given, or from the event's time. Everything up to and including this revision goes.
    pub revision: Revision,
    /// Why, in upstream's words.
    pub reason: Option<String>,
}

/// A context is still wanted: its retention starts anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextTouched {
    /// Which context.
    pub key: ContextKey,
}

/// The retention of a context's preview is over: remove it, unless something newer came.
///
/// Foreshow's sweeper publishes this, and nobody else needs to: whoever carries it out looks first whether it is still so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextExpired {
    /// Which context.
    pub key: ContextKey,
    /// The newest revision that was wanted when this was seen. An update above it is newer than this.
    pub revision: Revision,
}

/// A context is to be forgotten: everything that was deployed for it goes, and whatever comes next is the newest.
///
/// The way out for a context that a revision far too great has closed to all that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextReset {
    /// Which context.
    pub key: ContextKey,
    /// Names this reset: a repeat of it does nothing.
    pub reset: ResetId,
}
