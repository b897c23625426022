//! Kinds of events, and their order within a context.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Revision;

/// What an event says about its context.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum EventKind {
    /// It has new content.
    #[serde(rename = "updated")]
    Update,
    /// It is over; its preview goes.
    #[serde(rename = "ended")]
    End,
    /// It is still wanted; its preview stays longer.
    #[serde(rename = "touched")]
    Touch,
    /// Its preview's retention is over. Foreshow tells itself so; nobody else publishes it.
    #[serde(rename = "expired")]
    Expire,
    /// It is to be forgotten, whatever was accepted. An operator asks for it; nobody else publishes it.
    #[serde(rename = "reset")]
    Reset,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Update,
        Self::End,
        Self::Touch,
        Self::Expire,
        Self::Reset,
    ];

    /// Those that upstream services publish: what the schemas and the AsyncAPI document describe.
    pub const UPSTREAM: [Self; 3] = [Self::Update, Self::End, Self::Touch];

    /// The word in routing keys, types and ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Update => "updated",
            Self::End => "ended",
            Self::Touch => "touched",
            Self::Expire => "expired",
            Self::Reset => "reset",
        }
    }

    /// The CloudEvents `type`.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Update => "dev.foreshow.context.updated.v1",
            Self::End => "dev.foreshow.context.ended.v1",
            Self::Touch => "dev.foreshow.context.touched.v1",
            Self::Expire => "dev.foreshow.context.expired.v1",
            Self::Reset => "dev.foreshow.context.reset.v1",
        }
    }

    /// The kind that a CloudEvents `type` names.
    pub fn from_event_type(event_type: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.event_type() == event_type)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The kinds that take part in a context's order: all but touches. An end is greater than an update.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum OrdinalKind {
    /// An update.
    #[serde(rename = "updated")]
    Update,
    /// An end.
    #[serde(rename = "ended")]
    End,
}

impl OrdinalKind {
    /// The word in routing keys, types and ids.
    pub const fn word(self) -> &'static str {
        EventKind::from_ordinal(self).word()
    }
}

impl EventKind {
    const fn from_ordinal(kind: OrdinalKind) -> Self {
        match kind {
            OrdinalKind::Update => Self::Update,
            OrdinalKind::End => Self::End,
        }
    }

    /// The place of this kind in a context's order; `None` for a touch. What Foreshow tells itself takes an end's place.
    pub const fn ordinal_kind(self) -> Option<OrdinalKind> {
        match self {
            Self::Update => Some(OrdinalKind::Update),
            Self::End | Self::Expire | Self::Reset => Some(OrdinalKind::End),
            Self::Touch => None,
        }
    }
}

impl From<OrdinalKind> for EventKind {
    fn from(kind: OrdinalKind) -> Self {
        Self::from_ordinal(kind)
    }
}

impl fmt::Display for OrdinalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// An event's place in its context's order: by revision, then an end beats an update.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Ordinal {
    /// The revision.
    pub revision: Revision,
    /// Update or end.
    pub kind: OrdinalKind,
}

impl Ordinal {
    /// The place of an update.
    pub const fn update(revision: Revision) -> Self {
        Self {
            revision,
            kind: OrdinalKind::Update,
        }
    }

    /// The place of an end.
    pub const fn end(revision: Revision) -> Self {
        Self {
            revision,
            kind: OrdinalKind::End,
        }
    }
}

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.revision, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u64) -> Revision {
        Revision::try_new(number).unwrap()
    }

    #[test]
    fn an_end_beats_an_update_of_the_same_revision() {
        assert!(Ordinal::end(revision(7)) > Ordinal::update(revision(7)));
        assert!(Ordinal::update(revision(8)) > Ordinal::end(revision(7)));
    }

    #[test]
    fn words_types_and_serde_agree() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
            assert_eq!(
                kind.event_type(),
                format!("dev.foreshow.context.{}.v1", kind.word())
            );
            assert_eq!(EventKind::from_event_type(kind.event_type()), Some(kind));
        }
        for kind in EventKind::UPSTREAM {
            if let Some(ordinal) = kind.ordinal_kind() {
                assert_eq!(serde_json::to_value(ordinal).unwrap(), kind.word());
                assert_eq!(EventKind::from(ordinal), kind);
            }
        }
    }
}
