//! Hosts, which are read and never computed, with one exception that is read first.
//!
//! The API names a revision's hosts in its timelines, and nowhere says what an organization's domain is. But the first host ever seen
//! shows it: everything after the first label of one of our own apps' hosts. A worker that announces an alias has just seen the alias
//! move, so it knows; `org` in the settings makes it known from the start.
//!
//! Where nothing has been seen, an address is the bare slug, and its URL is made when somebody asks for it, perhaps wiser by then.

use std::sync::{PoisonError, RwLock};

use super::{tags::Place, wire::Revision};

/// What stands for an organization's domain where it is not known: a name that by its definition nobody has (RFC 2606).
const UNKNOWN: &str = "unknown-organization.invalid";

/// What is known of the organization's domain.
#[derive(Debug, Default)]
pub(super) struct Domain {
    org: Option<String>,
    seen: RwLock<Option<String>>,
}

impl Domain {
    pub(super) fn of_org(org: Option<&str>) -> Self {
        Self {
            org: org.map(str::to_owned),
            seen: RwLock::default(),
        }
    }

    /// The domain, as it was seen.
    pub(super) fn seen(&self) -> Option<String> {
        self.seen
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The domain, as it was seen, else as the settings have it.
    pub(super) fn known(&self) -> Option<String> {
        self.seen()
            .or_else(|| self.org.as_ref().map(|org| format!("{org}.deno.net")))
    }

    /// Learns from a host of one of our apps.
    pub(super) fn learn(&self, place: &Place, revision: &Revision) {
        let hosts = revision.timelines.iter().flat_map(|one| &one.hostnames);
        let ours = hosts
            .filter_map(|host| host.split_once('.'))
            .filter(|(_, domain)| is_vendors(domain))
            .find(|(label, _)| {
                *label == place.app
                    || label
                        .strip_prefix(&place.app)
                        .and_then(|rest| rest.strip_prefix('-'))
                        == Some(&place.revision)
            });
        if let Some((_, domain)) = ours {
            let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
            if seen.as_deref() != Some(domain) {
                *seen = Some(domain.to_owned());
            }
        }
    }

    /// The host of an address: itself; the app's production host where it is a bare slug; and where it is the id of a revision whose
    /// host has not been seen, what the vendor's papers say it will be.
    pub(super) fn host(&self, address: &str) -> String {
        if address.contains('.') {
            return address.to_owned();
        }
        let domain = self.known();
        let domain = domain.as_deref().unwrap_or(UNKNOWN);
        format!("{}.{domain}", address.replace(':', "-"))
    }
}

/// The host that shows this revision and never another.
///
/// One that bears the revision's id, else any of its preview timeline, should the vendor ever name them otherwise. Production hosts
/// move from revision to revision.
pub(super) fn own_host(revision: &Revision) -> Option<&str> {
    let previews = || {
        let timelines = revision.timelines.iter();
        timelines
            .filter(|timeline| !timeline.is_production())
            .flat_map(|timeline| &timeline.hostnames)
            .map(String::as_str)
    };
    let bears_id = |host: &&str| {
        host.split('.')
            .next()
            .is_some_and(|label| label.ends_with(&revision.id))
    };
    previews().find(bears_id).or_else(|| previews().next())
}

/// Whether a domain is the vendor's, or a simulator's, rather than one of a tenant's own: below its own a tenant may use any name, also
/// one that looks like an app's.
fn is_vendors(domain: &str) -> bool {
    let name = domain.split(':').next().unwrap_or_default();
    name.ends_with(".deno.net") || name.ends_with(".localhost")
}

/// Whether the app's production host shows this revision. Domains of a tenant's own are bound apart and say nothing of it.
pub(super) fn is_shown(place: &Place, revision: &Revision) -> bool {
    let is_alias = |host: &String| {
        host.split_once('.')
            .is_some_and(|(label, domain)| label == place.app && is_vendors(domain))
    };
    revision
        .timelines
        .iter()
        .filter(|timeline| timeline.is_production())
        .any(|timeline| timeline.hostnames.iter().any(is_alias))
}

/// Every host that shows this revision.
pub(super) fn all(revision: &Revision) -> impl Iterator<Item = &str> {
    revision
        .timelines
        .iter()
        .flat_map(|timeline| timeline.hostnames.iter().map(String::as_str))
}

/// The names under which a host may have been bound: as it is, or as the template that it was made of, which is how the vendor
/// binds what every revision has (vendor's page on timelines, 2026-08).
pub(super) fn bindings(place: &Place, host: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some((label, domain)) = host.split_once('.') {
        let template = label
            .replace(&place.app, "{deno.app.slug}")
            .replace(&place.revision, "{deno.revision.id}");
        if template != label {
            names.push(format!("{template}.{domain}"));
        }
    }
    names.push(host.to_owned());
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn place() -> Place {
        Place::new("fs-abc", "r1")
    }

    fn revision(timelines: serde_json::Value) -> Revision {
        serde_json::from_value(json!({ "id": "r1", "status": "succeeded", "timelines": timelines }))
            .unwrap()
    }

    fn served() -> Revision {
        revision(json!([
            { "name": "Production", "context": "production", "hostnames": ["demo.acme.dev", "fs-abc.acme.deno.net"] },
            { "name": "Preview", "context": "development", "hostnames": ["other.acme.dev", "fs-abc-r1.acme.deno.net"] },
        ]))
    }

    #[test]
    fn a_revision_is_reached_at_the_host_that_bears_its_id() {
        assert_eq!(own_host(&served()), Some("fs-abc-r1.acme.deno.net"));
        let renamed = revision(json!([
            { "name": "Production", "context": "production", "hostnames": ["fs-abc.acme.deno.net"] },
            { "name": "Preview", "context": "development", "hostnames": ["else.acme.deno.net"] },
        ]));
        assert_eq!(own_host(&renamed), Some("else.acme.deno.net"));
        let unrouted = revision(json!([
            { "name": "Production", "context": "production", "hostnames": ["fs-abc.acme.deno.net"] },
            { "name": "Preview", "context": "development", "hostnames": [] },
        ]));
        assert_eq!(own_host(&unrouted), None);
    }

    #[test]
    fn the_alias_is_the_production_host_and_not_a_domain_of_somebodys_own() {
        assert!(is_shown(&place(), &served()));
        let bound = revision(json!([
            { "name": "Production", "context": "production", "hostnames": ["demo.acme.dev"] },
        ]));
        assert!(!is_shown(&place(), &bound));
        let previewed = revision(json!([
            { "name": "Preview", "context": "development", "hostnames": ["fs-abc.acme.deno.net"] },
        ]));
        assert!(!is_shown(&place(), &previewed));
    }

    #[test]
    fn the_domain_is_what_was_seen_else_what_was_set() {
        let domain = Domain::of_org(None);
        assert_eq!(domain.host("fs-abc"), format!("fs-abc.{UNKNOWN}"));
        let strange = revision(
            json!([{ "name": "Preview", "hostnames": ["demo.acme.dev", "fs-abcd.x.net"] }]),
        );
        domain.learn(&place(), &strange);
        assert_eq!(domain.known(), None);
        domain.learn(&place(), &served());
        assert_eq!(domain.host("fs-abc"), "fs-abc.acme.deno.net");
        assert_eq!(domain.host("fs-abc:r1"), "fs-abc-r1.acme.deno.net");
        assert_eq!(domain.host("demo.acme.dev"), "demo.acme.dev");

        let domain = Domain::of_org(Some("acme"));
        assert_eq!(domain.host("fs-abc"), "fs-abc.acme.deno.net");
        let local = json!([{ "name": "Preview", "hostnames": ["fs-abc-r1.acme.localhost:4001"] }]);
        domain.learn(&place(), &revision(local));
        assert_eq!(domain.host("fs-abc"), "fs-abc.acme.localhost:4001");
    }

    #[test]
    fn a_host_is_unbound_as_its_template_and_as_itself() {
        assert_eq!(
            bindings(&place(), "fs-abc-r1.acme.deno.net"),
            [
                "{deno.app.slug}-{deno.revision.id}.acme.deno.net",
                "fs-abc-r1.acme.deno.net"
            ]
        );
        assert_eq!(bindings(&place(), "demo.acme.dev"), ["demo.acme.dev"]);
    }
}
