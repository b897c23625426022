//! What a letter is about, as far as it can be read.

use foreshow_contract::{
    ContextId, ContextKey, EventKind, IncomingEvent, Ordinal, Rejection, Revision, TenantId,
    Timestamp, decode_routed,
};
use foreshow_engine::{DeadLetter, Queue};
use serde_json::{Value, json};

/// The code of what the broker put among the dead letters because no binding took it.
pub(super) const UNROUTABLE: &str = "unroutable";

/// A letter that was read.
pub(super) struct Seen {
    pub(super) letter: DeadLetter,
    pub(super) event: Result<IncomingEvent, Box<Rejection>>,
}

impl Seen {
    pub(super) fn read(letter: DeadLetter) -> Self {
        let message = &letter.message;
        let event = decode_routed(&message.routing_key, message.raw());
        Self { letter, event }
    }

    pub(super) fn code(&self) -> &str {
        let reason = self.letter.reason.as_ref();
        reason.map_or(UNROUTABLE, |reason| reason.code.as_str())
    }

    pub(super) fn kind(&self) -> Option<EventKind> {
        match &self.event {
            Ok(incoming) => Some(incoming.event.kind()),
            Err(rejection) => rejection.event.kind,
        }
    }

    pub(super) fn tenant(&self) -> Option<&TenantId> {
        match &self.event {
            Ok(incoming) => Some(&incoming.event.key().tenant),
            Err(rejection) => rejection.event.tenant.as_ref(),
        }
    }

    pub(super) fn context(&self) -> Option<&ContextId> {
        match &self.event {
            Ok(incoming) => Some(&incoming.event.key().context),
            Err(rejection) => rejection.event.context.as_ref(),
        }
    }

    /// The context, where the whole event can be read.
    pub(super) fn key(&self) -> Option<&ContextKey> {
        self.event
            .as_ref()
            .ok()
            .map(|incoming| incoming.event.key())
    }

    /// Its place in the context's order, where it has one.
    pub(super) fn ordinal(&self) -> Option<Ordinal> {
        self.event.as_ref().ok()?.event.ordinal()
    }

    /// What upstream called it; a reset has none.
    pub(super) fn revision(&self) -> Option<Revision> {
        match (self.kind(), &self.event) {
            (Some(EventKind::Reset), _) => None,
            (_, Ok(incoming)) => incoming.event.revision(),
            (_, Err(rejection)) => rejection.event.revision,
        }
    }

    /// When it died, or came where it could not be routed.
    pub(super) fn at(&self) -> Timestamp {
        self.letter.died_at.unwrap_or(self.letter.accepted_at)
    }

    /// Why a replay would leave it where it is.
    pub(super) fn not_replayable(&self) -> Option<String> {
        let refused = self.letter.destination().err()?;
        Some(refused.to_string())
    }

    /// How many bytes the body had.
    pub(super) fn body_bytes(&self) -> u64 {
        let here = self.letter.message.body.len() as u64;
        self.letter.body_left_out_bytes.unwrap_or(here)
    }

    /// For programs: what a list tells of it.
    pub(super) fn summary(&self) -> Value {
        let letter = &self.letter;
        let message = letter.reason.as_ref().map(|reason| &reason.message);
        json!({
            "id": letter.id,
            "code": self.code(),
            "message": message,
            "diedAt": letter.died_at,
            "acceptedAt": letter.accepted_at,
            "queue": letter.queue.map(Queue::name),
            "routingKey": letter.message.routing_key,
            "kind": self.kind(),
            "tenantId": self.tenant(),
            "contextId": self.context(),
            "revision": self.revision(),
            "attempt": letter.attempt,
            "replays": letter.replay,
            "bodyBytes": self.body_bytes(),
            "cannotBeReplayed": self.not_replayable(),
        })
    }
}
