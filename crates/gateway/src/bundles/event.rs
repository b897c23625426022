//! The event that a bundle is held for, as a query names it.

use std::borrow::Cow;

use foreshow_contract::{ContextKey, Revision, Sha256, TenantId};
use http::StatusCode;

use crate::api::ApiError;

/// An event's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) key: ContextKey,
    pub(super) revision: Revision,
}

/// What a query may say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BundleQuery {
    /// Whom it is held for.
    pub(super) event: Option<Event>,
    /// What it must be.
    pub(super) sha256: Option<Sha256>,
}

impl BundleQuery {
    /// Reads a query. Unknown keys and repeated ones are refused: a misspelt `revision` would leave a bundle unheld.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let mut values: [(&str, Option<Cow<'_, str>>); 4] =
            ["tenant", "context", "revision", "sha256"].map(|name| (name, None));
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let Some((_, place)) = values.iter_mut().find(|(known, _)| *known == name) else {
                return Err(invalid(format!(
                    "the query has an unknown key {name:?}: use tenant, context, revision and sha256"
                )));
            };
            if place.replace(value).is_some() {
                return Err(invalid(format!("the query has {name} twice: send it once")));
            }
        }
        let [tenant, context, revision, sha256] = values.map(|(_, value)| value);
        let event = match (tenant, context, revision) {
            (None, None, None) => None,
            (Some(tenant), Some(context), Some(revision)) => Some(Event {
                key: ContextKey::try_new(&tenant, &context)
                    .map_err(|error| invalid(format!("tenant or context is no name: {error}")))?,
                revision: revision
                    .parse()
                    .ok()
                    .and_then(|number| Revision::try_new(number).ok())
                    .ok_or_else(|| {
                        invalid("revision must be a whole number from 0 to 9007199254740991")
                    })?,
            }),
            _ => {
                return Err(invalid(
                    "the query names an event in part: send tenant, context and revision together",
                ));
            }
        };
        let sha256 = sha256
            .map(|hex| hex.parse())
            .transpose()
            .map_err(|error| invalid(format!("sha256 is no digest: {error}")))?;
        Ok(Self { event, sha256 })
    }

    /// For what is about an event and nothing else.
    pub(super) fn parse_event(query: Option<&str>) -> Result<Event, ApiError> {
        match Self::parse(query)? {
            Self {
                event: Some(event),
                sha256: None,
            } => Ok(event),
            Self { .. } => Err(invalid(
                "the query must name the event: send tenant, context and revision, and nothing else",
            )),
        }
    }
}

/// The tenant that a bundle is asked for. A `HEAD` or `GET` needs no more of the event's name.
pub(super) fn parse_tenant(query: Option<&str>) -> Result<TenantId, ApiError> {
    let values = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let values: Vec<_> = values.collect();
    match values.as_slice() {
        [(name, tenant)] if name == "tenant" => TenantId::try_new(tenant.as_ref())
            .map_err(|error| invalid(format!("tenant is no name: {error}"))),
        _ => Err(invalid(
            "the query must say whose event asks: send tenant, and nothing else",
        )),
    }
}

/// The query that names a tenant.
pub(super) fn tenant_query(tenant: &TenantId) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair("tenant", tenant.as_str())
        .finish()
}

impl Event {
    /// The query that names it.
    pub(super) fn query(key: &ContextKey, revision: Revision) -> String {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("tenant", key.tenant.as_str())
            .append_pair("context", key.context.as_str())
            .append_pair("revision", &revision.get().to_string())
            .finish()
    }
}

/// The digest that a bundle is named by in a path: `sha256-<hex>`.
pub(super) fn parse_name(name: &str) -> Result<Sha256, ApiError> {
    name.strip_prefix("sha256-")
        .and_then(|hex| hex.parse().ok())
        .ok_or_else(|| {
            ApiError::new(
                StatusCode::NOT_FOUND,
                "invalid_name",
                "a bundle is named sha256- and 64 hexadecimal digits",
            )
        })
}

fn invalid(message: impl Into<Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_query", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_it_is_written() {
        for (tenant, context) in [("acme", "ctx-42"), ("ä&b=c", "x y/+?#%2F"), ("a", "b")] {
            let key = ContextKey::try_new(tenant, context).unwrap();
            let revision = Revision::MAX;
            let query = Event::query(&key, revision);
            assert_eq!(
                BundleQuery::parse_event(Some(&query)),
                Ok(Event { key, revision }),
                "{query}"
            );
        }
        let tenant = TenantId::try_new("ä&b=c").unwrap();
        assert_eq!(parse_tenant(Some(&tenant_query(&tenant))), Ok(tenant));
        let digest = Sha256::of(b"site");
        let query = format!("sha256={digest}");
        assert_eq!(
            BundleQuery::parse(Some(&query)).unwrap().sha256,
            Some(digest)
        );
        assert_eq!(BundleQuery::parse(None), Ok(BundleQuery::default()));
    }

    #[test]
    fn what_could_be_a_mistake_is_refused() {
        for (query, names) in [
            ("tenant=a&context=b&revison=1", "revison"),
            ("tenant=a&context=b", "together"),
            ("tenant=a&tenant=a&context=b&revision=1", "twice"),
            ("tenant=a&context=b&revision=-1", "whole number"),
            (
                "tenant=a&context=b&revision=9007199254740992",
                "whole number",
            ),
            ("tenant=&context=b&revision=1", "tenant"),
            ("sha256=abc", "64 hexadecimal digits"),
        ] {
            let error = BundleQuery::parse(Some(query)).unwrap_err();
            assert_eq!(error.status, StatusCode::BAD_REQUEST);
            assert!(error.message.contains(names), "{query}: {}", error.message);
        }
        for query in [
            None,
            Some(""),
            Some("tenant="),
            Some("tenant=a&tenant=b"),
            Some("tenant=a&context=b"),
            Some("context=b"),
        ] {
            assert_eq!(parse_tenant(query).unwrap_err().code, "invalid_query");
        }
        for query in [None, Some("sha256=abc")] {
            BundleQuery::parse_event(query).unwrap_err();
        }
        for name in ["sha256-", "sha256-abc", "abc"] {
            assert_eq!(parse_name(name).unwrap_err().code, "invalid_name");
        }
        let digest = Sha256::of(b"site");
        assert_eq!(parse_name(&format!("sha256-{digest}")), Ok(digest));
    }
}
