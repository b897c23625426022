//! Domains of a tenant's own: added to the project, proved by their owner, then pointed at a deployment.
//!
//! Vercel's *no* about a domain is an answer for whoever asked for it (it belongs to another account, say), not a failure of the job.

use foreshow_engine::DomainState;
use http::StatusCode;

use super::client::Api;
use super::wire::{Domain, DomainConfig, Ranked};
use crate::http::ApiError;

/// Points `domain` at the deployment, as far as that can be done now.
pub(super) async fn point(
    api: &Api,
    project: &str,
    domain: &str,
    id: &str,
) -> Result<DomainState, ApiError> {
    let known = match api.domain(project, domain).await? {
        Some(known) => known,
        None => match api.add_domain(project, domain).await {
            Ok(added) => added,
            Err(error) => return refused(error),
        },
    };
    let known = if known.verified {
        known
    } else {
        match api.verify_domain(project, domain).await {
            Ok(verified) => verified,
            // It says what is missing, which we know.
            Err(error) if error.is_status(400) => known,
            Err(error) => return refused(error),
        }
    };
    if !known.verified {
        return Ok(unverified(&known));
    }
    match api.assign_alias(domain, id).await {
        Ok(()) => {}
        Err(error) if error.is_status(409) => {
            if api.alias(domain).await?.as_deref() != Some(id) {
                return refused(error);
            }
        }
        // No certificate is made before the domain leads to Vercel.
        Err(error) if error.is_code("cert_missing") => {}
        Err(error) => return refused(error),
    }
    let config = api.domain_config(domain).await?;
    if config.misconfigured {
        return Ok(DomainState::Unverified {
            records: recommended(domain, &config),
        });
    }
    Ok(DomainState::Bound)
}

/// A refusal that is about the domain; any other error is one.
fn refused(error: ApiError) -> Result<DomainState, ApiError> {
    let is_about_it = |status: StatusCode| matches!(status.as_u16(), 400 | 403 | 404 | 409 | 422);
    match error.refusal() {
        Some(refusal) if is_about_it(refusal.status) => {
            let code = refusal.code.as_deref().unwrap_or("no reason given");
            Ok(DomainState::Refused {
                why: format!("Vercel refused the domain ({code})"),
            })
        }
        _ => Err(error),
    }
}

fn unverified(domain: &Domain) -> DomainState {
    let record = |challenge: &super::wire::Challenge| {
        format!(
            "{} {} {}",
            challenge.kind, challenge.domain, challenge.value
        )
    };
    DomainState::Unverified {
        records: domain.verification.iter().map(record).collect(),
    }
}

/// A domain below another is led by a name, one that stands alone by addresses.
fn recommended(domain: &str, config: &DomainConfig) -> Vec<String> {
    fn best<T>(ranked: &[Ranked<T>]) -> Option<&T> {
        let best = ranked.iter().min_by(|a, b| a.rank.total_cmp(&b.rank));
        best.map(|ranked| &ranked.value)
    }
    let is_apex = domain.split('.').count() <= 2;
    let addresses = best(&config.recommended_ipv4).into_iter().flatten();
    let mut records: Vec<String> = match best(&config.recommended_cname) {
        Some(name) if !is_apex => vec![format!("CNAME {domain} {name}")],
        _ => addresses
            .map(|address| format!("A {domain} {address}"))
            .collect(),
    };
    if records.is_empty() {
        records.push(format!("CNAME {domain} cname.vercel-dns.com"));
    }
    records
}
