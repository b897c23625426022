//! What an event says of itself, held against the routing key that it came under.
//!
//! A broker lets a tenant's own user publish under keys such as `context.updated.acme` and no others. It cannot look into the
//! message: without this check the data could name another tenant, and the type another kind. So both words of the key must
//! be the event's, and where they are not nobody but the key's tenant hears of it: not whom the data names.
//!
//! Other keys say nothing. A message gets here under one only if it was put into a queue by its name, which needs rights
//! that no upstream service has.

use super::{RawMessage, decode};
use crate::rejection::{Refusal, clip};
use crate::{
    IncomingEvent, RejectedEvent, Rejection, RejectionCode, Sha256, TenantId, event_routing_key,
    unescape,
};

/// Reads a context event as [`decode`] does, and refuses one that came under another kind's or another tenant's routing key.
///
/// Keys that are not of the form `context.<kind>.<tenant>` are not compared.
///
/// # Errors
/// A [`Rejection`]. Whom it concerns is the key's tenant, whatever the event says.
pub fn decode_routed(
    routing_key: &str,
    message: RawMessage<'_>,
) -> Result<IncomingEvent, Box<Rejection>> {
    let Some(word) = tenant_word(routing_key) else {
        return decode(message);
    };
    match decode(message) {
        Ok(incoming) => {
            let event = &incoming.event;
            if event_routing_key(event.kind(), &event.key().tenant) == routing_key {
                return Ok(incoming);
            }
            let refusal = format!(
                "the event is not what its routing key `{}` says: publish it under context.<kind>.<tenant>, with the kind of \
                 its type and the escaped tenantId of its data",
                clip(routing_key, 255)
            );
            let refusal =
                Refusal::new(RejectionCode::RoutingKeyMismatch, refusal).at("routing key");
            Err(refusal.about(RejectedEvent {
                id: Some(incoming.envelope.id.clone()),
                source: Some(incoming.envelope.source.clone()),
                kind: Some(event.kind()),
                tenant: tenant(word),
                body_digest: Sha256::of(message.body).to_hex(),
                ..RejectedEvent::default()
            }))
        }
        Err(mut rejection) => {
            let owner = tenant(word);
            if rejection.event.tenant != owner {
                rejection.event.context = None;
                rejection.event.revision = None;
                rejection.event.tenant = owner;
            }
            Err(rejection)
        }
    }
}

/// The tenant's word in a key of ours.
fn tenant_word(routing_key: &str) -> Option<&str> {
    let (_, word) = routing_key.strip_prefix("context.")?.split_once('.')?;
    (!word.contains('.')).then_some(word)
}

fn tenant(word: &str) -> Option<TenantId> {
    TenantId::try_new(unescape(word).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{ContextEnded, ContextEvent, ContextKey, Envelope, Revision, encode, escape};

    fn end(tenant: &str) -> Vec<u8> {
        encode(&IncomingEvent {
            envelope: Envelope::new("evt-1", "/tests"),
            event: ContextEvent::Ended(ContextEnded {
                key: ContextKey::try_new(tenant, "c").unwrap(),
                revision: Revision::try_new(7).unwrap(),
                reason: None,
            }),
        })
    }

    fn read(routing_key: &str, body: &[u8]) -> Result<IncomingEvent, Box<Rejection>> {
        decode_routed(routing_key, RawMessage::structured(None, body))
    }

    #[test]
    fn an_event_under_another_tenants_or_kinds_key_concerns_the_keys_tenant_alone() {
        let body = end("globex");
        assert!(read("context.ended.globex", &body).is_ok());
        for key in [
            "context.ended.acme",
            "context.updated.globex",
            "context.reset.globex",
            "context.ended.globe~78",
            "context.ended.GLOBEX",
            "context.ended.",
            "context..globex",
        ] {
            let rejection = read(key, &body).unwrap_err();
            assert_eq!(rejection.code, RejectionCode::RoutingKeyMismatch, "{key}");
            assert_eq!(rejection.path.as_deref(), Some("routing key"));
            let told = &rejection.event;
            assert_eq!((&told.context, told.revision), (&None, None));
            let word = key.rsplit('.').next().unwrap();
            let named = told.tenant.as_ref().map(TenantId::escaped);
            assert_eq!(
                named.unwrap_or_default(),
                if word.contains('~') { "" } else { word }
            );
        }
    }

    #[test]
    fn a_key_of_another_form_says_nothing() {
        let body = end("globex");
        for key in [
            "foreshow.cleanup",
            "",
            "context",
            "context.ended",
            "context.ended.a.b",
            "x.ended.acme",
        ] {
            assert!(read(key, &body).is_ok(), "{key}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_to_the_keys_tenant() {
        let rejection = read("context.updated.acme", b"hello?").unwrap_err();
        assert_eq!(rejection.code, RejectionCode::MalformedJson);
        assert_eq!(
            rejection.event.tenant,
            Some(TenantId::try_new("acme").unwrap())
        );
        let text = String::from_utf8(end("globex")).unwrap();
        let broken = text.replace("\"revision\":7", "\"revision\":-7");
        let theirs = read("context.ended.globex", broken.as_bytes()).unwrap_err();
        assert_eq!(theirs.event.context.as_ref().unwrap().as_str(), "c");
        let forged = read("context.ended.acme", broken.as_bytes()).unwrap_err();
        assert_eq!(forged.code, RejectionCode::InvalidRevision);
        assert_eq!(
            forged.event.tenant,
            Some(TenantId::try_new("acme").unwrap())
        );
        assert_eq!(forged.event.context, None);
    }

    proptest! {
        #[test]
        fn only_the_escaped_tenant_opens_the_door(tenant in ".{1,5}", other in ".{1,5}") {
            let body = end(&tenant);
            let own = format!("context.ended.{}", escape(&tenant));
            prop_assert!(read(&own, &body).is_ok());
            let others = read(&format!("context.ended.{}", escape(&other)), &body);
            prop_assert_eq!(others.is_ok(), tenant == other);
        }
    }
}
