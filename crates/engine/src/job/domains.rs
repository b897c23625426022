//! Domains of the tenant's own that an update asks for.

use foreshow_contract::{DomainReport, DomainWord};
use tracing::warn;

use super::deploy::Deploy;
use crate::{Deployment, DomainState, Provider};

impl Deploy<'_> {
    /// Points each at the deployment. One that does not come along is told of, and fails nothing: the preview has an address.
    pub(super) async fn move_domains(
        &self,
        provider: &dyn Provider,
        deployment: &Deployment,
    ) -> Vec<DomainReport> {
        let mut reports = Vec::new();
        for domain in &self.update.domains {
            let state = provider.move_domain(domain, deployment).await;
            let state = state.unwrap_or_else(|error| {
                warn!(context.id = %self.subject.key, error = &error as &dyn std::error::Error,
                    "a domain of {} was not moved", self.subject.key);
                DomainState::Refused {
                    why: error.to_string(),
                }
            });
            let (state, records, message) = match state {
                DomainState::Bound => (DomainWord::Bound, Vec::new(), None),
                DomainState::Unverified { records } => (DomainWord::Unverified, records, None),
                DomainState::Refused { why } => (DomainWord::Refused, Vec::new(), Some(why)),
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
}
