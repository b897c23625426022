//! What an event's attributes must be, wherever they came from.
//!
//! Rules from CloudEvents 1.0.2, section 3.1: `id`, `source`, `type` and `specversion` are required and not empty.

use std::borrow::Cow;

use super::document::{self, Document};
use super::headers::AttributeHeaders;
use super::trace::Trace;
use crate::event_time::EventTime;
use crate::rejection::{Refusal, clip};
use crate::{EventKind, Headers, RejectionCode};

/// Where a message has its attributes.
#[derive(Clone, Copy)]
pub(super) enum Carrier<'a> {
    Document(Document<'a>),
    Headers(&'a AttributeHeaders<'a>),
}

/// An event's attributes.
pub(super) struct Attributes {
    pub(super) id: String,
    pub(super) source: String,
    pub(super) kind: EventKind,
    pub(super) subject: Option<String>,
    pub(super) time: Option<SentAt>,
    pub(super) trace: Option<Trace>,
}

/// An event's time, and the place to name if it can't be used.
pub(super) struct SentAt {
    pub(super) time: EventTime,
    pub(super) place: String,
}

impl<'a> Carrier<'a> {
    /// Reads the attributes. `headers` are all of the message's, for a trace context that is no attribute.
    pub(super) fn attributes(self, headers: &Headers) -> Result<Attributes, Refusal> {
        self.check()?;
        let trace = Trace::new(
            self.text("traceparent")?.as_deref(),
            self.text("tracestate")?.as_deref(),
        );
        Ok(Attributes {
            kind: self.kind()?,
            id: self.name("id")?.into_owned(),
            source: self.name("source")?.into_owned(),
            subject: self
                .text("subject")?
                .filter(|text| !text.is_empty())
                .map(Cow::into_owned),
            time: self.time()?,
            trace: trace.or_else(|| Trace::of_headers(headers)),
        })
    }

    /// An attribute's text.
    pub(super) fn text(self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        match self {
            Self::Document(document) => Ok(document.text(name)?.map(Cow::Borrowed)),
            Self::Headers(headers) => headers.text(name),
        }
    }

    /// An attribute that can be read and is not empty: for an event that as a whole may be no good.
    pub(super) fn glimpse(self, name: &str) -> Option<Cow<'a, str>> {
        match self {
            // Also of what lacks a specversion, and so is no envelope.
            Self::Document(Document(root)) => root.get(name)?.as_str().map(Cow::Borrowed),
            Self::Headers(headers) => headers.text(name).ok().flatten(),
        }
        .filter(|text| !text.is_empty() && !text.contains(char::is_control))
    }

    /// The event's time, if it has one.
    pub(super) fn time(self) -> Result<Option<SentAt>, Refusal> {
        let time = match self {
            Self::Document(document) => document.time()?,
            Self::Headers(headers) => headers.time()?,
        };
        Ok(time.map(|time| SentAt {
            time,
            place: self.place("time"),
        }))
    }

    /// The event's time, which must be there.
    pub(super) fn required_time(self) -> Result<SentAt, Refusal> {
        self.time()?.ok_or_else(|| self.missing("time"))
    }

    /// Refuses what is no event of this version of CloudEvents.
    pub(super) fn check(self) -> Result<(), Refusal> {
        match self {
            Self::Document(document) => document.check()?,
            Self::Headers(headers) => headers.check()?,
        }
        let specversion = match self {
            Self::Document(_) => self.text("specversion")?.unwrap_or_default(),
            Self::Headers(_) => self.required("specversion")?,
        };
        if specversion == "1.0" {
            return Ok(());
        }
        let message = format!(
            "specversion is `{}`, and only 1.0 is read",
            clip(&specversion, 20)
        );
        Err(Refusal::new(RejectionCode::UnsupportedSpecversion, message)
            .at(self.place("specversion")))
    }

    fn kind(self) -> Result<EventKind, Refusal> {
        let event_type = self.required("type")?;
        EventKind::from_event_type(&event_type).ok_or_else(|| {
            let known = EventKind::UPSTREAM.map(EventKind::event_type).join(", ");
            let message = format!(
                "type `{}` is not known: use one of {known}",
                clip(&event_type, 100)
            );
            Refusal::new(RejectionCode::UnknownType, message).at(self.place("type"))
        })
    }

    /// An attribute that must be there, and not empty.
    pub(super) fn required(self, name: &str) -> Result<Cow<'a, str>, Refusal> {
        self.text(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| self.missing(name))
    }

    /// An attribute that names the event. CloudEvents' strings have no control characters (section 3.1): with one in it, two
    /// attributes put side by side could be read as two others.
    fn name(self, name: &str) -> Result<Cow<'a, str>, Refusal> {
        let text = self.required(name)?;
        if !text.contains(char::is_control) {
            return Ok(text);
        }
        let message = format!("attribute {name} must not have control characters in it");
        Err(Refusal::new(RejectionCode::InvalidAttribute, message).at(self.place(name)))
    }

    fn missing(self, name: &str) -> Refusal {
        let message = format!("attribute {name} is required and must not be empty");
        Refusal::new(RejectionCode::InvalidAttribute, message).at(self.place(name))
    }

    fn place(self, name: &str) -> String {
        match self {
            Self::Document(_) => document::place(name),
            Self::Headers(headers) => headers.place(name),
        }
    }
}
