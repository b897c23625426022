//! One custom domain: what it covers, and how it is told.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::rfc3339;

/// How long a certificate is valid.
const VALID_MS: u64 = 90 * 24 * 3_600_000;

/// What a domain stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    BaseOnly,
    WildcardOnly,
    BaseAndWildcard,
}

impl Kind {
    pub(super) fn read(word: &str) -> Option<Self> {
        match word {
            "base_only" => Some(Self::BaseOnly),
            "wildcard_only" => Some(Self::WildcardOnly),
            "base_and_wildcard" => Some(Self::BaseAndWildcard),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::BaseOnly => "base_only",
            Self::WildcardOnly => "wildcard_only",
            Self::BaseAndWildcard => "base_and_wildcard",
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) id: String,
    pub(super) kind: &'static str,
    /// It is there from here on.
    pub(super) from: u64,
}

/// One custom domain.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    pub(super) number: u64,
    pub(super) id: String,
    pub(super) organization: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) token: String,
    /// Whether its owner has published the records.
    pub(super) is_published: bool,
    pub(crate) is_validated: bool,
    pub(super) certificates: Vec<Certificate>,
    pub(super) created_at: u64,
    pub(super) updated_at: u64,
}

impl Domain {
    /// Whether a host (as hosts are compared) is the domain or one label under it, as its kind says.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let is_base = host == self.name;
        let is_under = host
            .strip_suffix(&self.name)
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|label| !label.is_empty() && !label.contains('.'));
        match self.kind {
            Kind::BaseOnly => is_base,
            Kind::WildcardOnly => is_under,
            Kind::BaseAndWildcard => is_base || is_under,
        }
    }

    pub(crate) fn to_json(&self, now: u64) -> Value {
        let challenge = json!({
            "name": format!("_acme-challenge.{}", self.name),
            "base": self.name,
            "type": "CNAME",
            "value": format!("{}._acme.deno.net.", self.token),
        });
        let record = |kind: &str, name: &str, value: &str| json!({ "name": name, "base": self.name, "type": kind, "value": value });
        let names: Vec<String> = match self.kind {
            Kind::BaseOnly => vec![self.name.clone()],
            Kind::WildcardOnly => vec![format!("*.{}", self.name)],
            Kind::BaseAndWildcard => vec![self.name.clone(), format!("*.{}", self.name)],
        };
        // Alternatives: one whole set is to be published.
        let set = |kind: &str, value: &str| -> Vec<Value> {
            names
                .iter()
                .map(|name| record(kind, name, value))
                .chain([challenge.clone()])
                .collect()
        };
        json!({
            "id": self.id,
            "organization_id": self.organization,
            "domain": self.name,
            "kind": self.kind.word(),
            "verification_token": self.token,
            "is_validated": self.is_validated,
            "dns_records": [set("CNAME", "alias.deno.net."), set("A", "127.0.0.1")],
            "provisioning_status": self.provisioning(now),
            "certificates": self.certificates_json(now),
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        })
    }

    pub(super) fn provisioning(&self, now: u64) -> Value {
        match self.certificates.last() {
            Some(last) if now >= last.from => json!({ "code": "success" }),
            Some(_) => json!({ "code": "pending" }),
            None if self.is_validated => json!({ "code": "manual" }),
            None => json!({ "code": "pending", "message": "The domain is not validated yet" }),
        }
    }

    pub(super) fn certificates_json(&self, now: u64) -> Value {
        let names: Vec<String> = match self.kind {
            Kind::BaseOnly => vec![self.name.clone()],
            Kind::WildcardOnly => vec![format!("*.{}", self.name)],
            Kind::BaseAndWildcard => vec![self.name.clone(), format!("*.{}", self.name)],
        };
        self.certificates
            .iter()
            .filter(|one| now >= one.from)
            .map(|one| {
                json!({
                    "id": one.id,
                    "kind": one.kind,
                    "subject_alt_names": names,
                    "private_key_algorithm": "ec-p256",
                    "not_valid_before": rfc3339(one.from),
                    "not_valid_after": rfc3339(one.from.saturating_add(VALID_MS)),
                    "created_at": rfc3339(one.from),
                })
            })
            .collect()
    }
}

/// A name of several labels, without a wildcard or a port.
pub(super) fn is_domain(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    name.len() <= 253
        && name.parse::<IpAddr>().is_err()
        && labels.len() >= 2
        && labels.iter().all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
}
