//! Domains of the tenant's own that an update asks for.

use foreshow_contract::{DomainReport, DomainWord};
use tracing::warn;

use super::deploy::Deploy;
use crate::{Deployment, DomainState, Failure, Provider};

impl Deploy<'_> {
    /// Points each at the deployment. One that does not come along is told of, and fails nothing: the preview has an address.
    pub(super) async fn move_domains(
        &self,
        provider: &dyn Provider,
        deployment: &Deployment,
    ) -> Vec<DomainReport> {
        let mut reports = Vec::new();
        for domain in &self.update.domains {
            let moved = if self.may_use(domain) {
                provider.move_domain(domain, deployment).await
            } else {
                Ok(DomainState::Refused {
                    why: format!(
                        "this installation does not know {domain} as a domain of the tenant {}: whoever runs it adds it to `domains`",
                        self.subject.key.tenant
                    ),
                })
            };
            let (state, records, message) = match moved {
                Ok(DomainState::Bound) => (DomainWord::Bound, Vec::new(), None),
                Ok(DomainState::Unverified { records }) => (DomainWord::Unverified, records, None),
                Ok(DomainState::Refused { why }) => (DomainWord::Refused, Vec::new(), Some(why)),
                Err(error) => {
                    warn!(context.id = %self.subject.key, error = &error as &dyn std::error::Error,
                        "a domain of {} was not moved", self.subject.key);
                    let word = match error.failure {
                        Failure::Permanent(_) => DomainWord::Refused,
                        Failure::Retryable { .. }
                        | Failure::RateLimited { .. }
                        | Failure::ProviderDown
                        | Failure::ProviderClosed { .. } => DomainWord::Pending,
                    };
                    (word, Vec::new(), Some(error.to_string()))
                }
            };
            reports.push(DomainReport {
                domain: domain.clone(),
                state,
                records,
                message,
            });
        }
        reports
    }

    /// Whether the domain is the tenant's. A provider cannot tell: to it, all tenants are one account.
    fn may_use(&self, domain: &str) -> bool {
        let domains = &self.job.engine.options().domains;
        let own = domains.get(&self.subject.key.tenant);
        own.into_iter().flatten().any(|own| covers(own, domain))
    }
}

/// Whether a domain is this one, or below `*.` this one. Case does not count in names.
fn covers(own: &str, domain: &str) -> bool {
    let (own, domain) = (own.to_ascii_lowercase(), domain.to_ascii_lowercase());
    match own.strip_prefix("*.") {
        Some(zone) => domain
            .strip_suffix(zone)
            .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        None => own == domain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_covered_by_itself_and_by_what_it_lies_below() {
        for (own, domain, is_covered) in [
            ("demo.acme.dev", "Demo.acme.dev", true),
            ("demo.acme.dev", "x.demo.acme.dev", false),
            ("*.acme.dev", "demo.acme.dev", true),
            ("*.acme.dev", "a.b.acme.dev", true),
            ("*.acme.dev", "acme.dev", false),
            ("*.acme.dev", ".acme.dev", false),
            ("*.acme.dev", "evilacme.dev", false),
        ] {
            assert_eq!(covers(own, domain), is_covered, "{own} {domain}");
        }
    }
}
