//! Context events out, as an upstream service would send them.

use anyhow::anyhow;
use foreshow_contract::{
    ContextEvent, ContextKey, Envelope, Headers, IncomingEvent, Revision, STRUCTURED_JSON,
    Timestamp, encode, event_routing_key,
};
use foreshow_engine::{Broker, ContextRecord, Message};

use crate::failure::{Exit, Failure, OrFail as _};

/// The `source` of every event that we send.
const SOURCE: &str = "/foreshow/cli";

/// Puts an event into an envelope with an id of its own.
pub(crate) fn enveloped(event: ContextEvent) -> Result<IncomingEvent, Failure> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::of(
            Exit::Environment,
            anyhow!("the system gave no random bytes: {error}"),
        )
    })?;
    let envelope = Envelope {
        subject: Some(event.key().context.to_string()),
        time: Some(Timestamp::now()),
        ..Envelope::new(format!("cli-{:032x}", u128::from_be_bytes(bytes)), SOURCE)
    };
    Ok(IncomingEvent { envelope, event })
}

/// Publishes an event; answers once the broker has it for good.
pub(crate) async fn publish(broker: &dyn Broker, event: &IncomingEvent) -> Result<(), Failure> {
    let message = Message {
        routing_key: event_routing_key(event.event.kind(), &event.event.key().tenant),
        content_type: Some(STRUCTURED_JSON.to_owned()),
        message_type: None,
        headers: Headers::new(),
        body: encode(event).into(),
    };
    broker
        .publish_event(message)
        .await
        .or_fail(Exit::Environment)
}

/// The revision of a new update: the one that was asked for, else the known one plus one, else the time.
pub(crate) fn next_revision(
    asked: Option<Revision>,
    known: Option<&ContextRecord>,
    now: Timestamp,
) -> Result<Revision, Failure> {
    let chosen = match (asked, known) {
        (Some(asked), _) => Some(asked),
        (None, Some(record)) => record.desired.revision.next(),
        (None, None) => Revision::from_timestamp(now).ok(),
    };
    chosen.ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "the context's newest revision is the greatest there is, so nothing newer can come",
        )
        .help("`foreshow reset CONTEXT --tenant TENANT` forgets it; or publish under another context id")
    })
}

/// That nobody knows the context.
pub(crate) fn unknown_context(key: &ContextKey) -> Failure {
    Failure::new(
        Exit::Failed,
        format!(
            "there is no context {} of tenant {}",
            key.context, key.tenant
        ),
    )
    .help("`foreshow previews --all` lists every context; --tenant names another tenant")
}

/// Contexts as a store would tell of them.
#[cfg(test)]
pub(crate) mod testing {
    use foreshow_contract::{InstallationKey, Ordinal};
    use foreshow_engine::{Address, Live};

    use super::*;

    /// A context of which nothing is known but the newest event.
    pub(crate) fn record(desired: Ordinal) -> ContextRecord {
        let key = ContextKey::try_new("acme", "ctx").unwrap();
        ContextRecord {
            alias: InstallationKey::try_from_slice(&[7; 32])
                .unwrap()
                .alias_label(&key),
            desired,
            desired_digest: String::new(),
            desired_at: Timestamp::from_micros(0),
            fence: 0,
            floor: None,
            lease: None,
            building: None,
            live: None,
            condemned: Vec::new(),
            expires_at: None,
            ttl_seconds: None,
            unproven: false,
            stale_since: None,
            cancels: None,
            build_ms: None,
            waits: None,
            adopted: std::collections::BTreeMap::new(),
            expiring: None,
            resetting: None,
            last_reset: None,
        }
    }

    /// A revision that is live.
    pub(crate) fn live(revision: Revision) -> Live {
        Live {
            revision,
            provider: "local".into(),
            deployment: "d1".into(),
            address: Address::new("d1"),
            tree: String::new(),
            settings: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{ContextTouched, Ordinal};

    use super::testing::record;
    use super::*;

    fn revision(number: u64) -> Revision {
        Revision::try_new(number).unwrap()
    }

    #[test]
    fn a_revision_follows_what_is_known() {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let known = record(Ordinal::end(revision(7)));
        for (asked, known, expected) in [
            (Some(3), Some(&known), 3),
            (None, Some(&known), 8),
            (None, None, 1_700_000_000_000_000),
            (Some(0), None, 0),
        ] {
            let chosen = next_revision(asked.map(revision), known, now).unwrap();
            assert_eq!(chosen, revision(expected));
        }
    }

    #[test]
    fn after_the_last_revision_there_is_none() {
        let known = record(Ordinal::update(Revision::MAX));
        let failure = next_revision(None, Some(&known), Timestamp::from_micros(0)).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn every_event_has_an_id_of_its_own() {
        let key = ContextKey::try_new("acme", "ctx").unwrap();
        let touch =
            || enveloped(ContextEvent::Touched(ContextTouched { key: key.clone() })).unwrap();
        let (first, second) = (touch(), touch());
        assert_ne!(first.envelope.id, second.envelope.id);
        assert_eq!(first.envelope.source, SOURCE);
        assert!(
            foreshow_contract::decode(foreshow_contract::RawMessage::structured(
                Some(STRUCTURED_JSON),
                &encode(&first)
            ))
            .is_ok()
        );
    }
}
