//! Custom domains: named, proven, given a certificate, removed.
//!
//! A domain is proven by DNS records that its owner publishes; `verify` looks at them. Here the owner is whoever asks the
//! simulator's control for `verify-domain`: until then `verify` answers that the domain is not validated. Hosts under a domain
//! that is not validated cannot be bound, and those that were bound stop answering when it is removed.

use http::StatusCode;
use serde_json::json;

use super::domain::{Certificate, Domain, Kind, is_domain};
use super::error::ApiError;
use super::organization::Organization;
use super::page::Page;
use super::{Asked, Reply, ids};

fn find<'a>(org: &'a Organization, asked: &Asked<'_>) -> Result<&'a Domain, ApiError> {
    let name = asked.param("domain");
    org.domains
        .iter()
        .find(|domain| domain.id == name || domain.name == name)
        .ok_or_else(|| ApiError::not_found("domain", name))
}

fn find_mut<'a>(org: &'a mut Organization, asked: &Asked<'_>) -> Result<&'a mut Domain, ApiError> {
    let name = asked.param("domain");
    org.domains
        .iter_mut()
        .find(|domain| domain.id == name || domain.name == name)
        .ok_or_else(|| ApiError::not_found("domain", name))
}

pub(crate) fn create(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    let name = body.required_text("domain")?.to_ascii_lowercase();
    if !is_domain(&name) {
        return Err(body.invalid("domain"));
    }
    let kind = body.text("kind")?.map_or(Some(Kind::BaseOnly), Kind::read);
    let kind = kind.ok_or_else(|| body.invalid("kind"))?;
    if org.domains.iter().any(|domain| domain.name == name) {
        let message = format!("The domain '{name}' exists already");
        return Err(ApiError::conflict("DOMAIN_ALREADY_IN_USE", message));
    }
    let limit = asked.knobs.max_custom_domains;
    if org.domains.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "CUSTOM_DOMAIN_LIMIT_EXCEEDED",
            format!("The organization may have {limit} custom domains"),
        ));
    }
    let domain = Domain {
        number: org.next_number(),
        id: ids::uuid(),
        organization: org.id.clone(),
        name,
        kind,
        token: ids::token(),
        is_published: false,
        is_validated: false,
        certificates: Vec::new(),
        created_at: asked.now,
        updated_at: asked.now,
    };
    let told = domain.to_json(asked.now);
    org.domains.push(domain);
    Ok(Reply::Json(StatusCode::OK, told))
}

pub(crate) fn get(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::Json(
        StatusCode::OK,
        find(org, asked)?.to_json(asked.now),
    ))
}

pub(crate) fn list(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let search = asked.query.get("search").unwrap_or_default();
    let found = org
        .domains
        .iter()
        .filter(|domain| domain.name.contains(search))
        .map(|domain| (domain.number, domain));
    Page::of(asked.query, found, |domain| domain.to_json(asked.now)).map(Reply::Page)
}

pub(crate) fn delete(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let id = find(org, asked)?.id.clone();
    org.domains.retain(|domain| domain.id != id);
    Ok(Reply::Empty)
}

/// Looks at the domain's records again.
pub(crate) fn verify(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let domain = find_mut(org, asked)?;
    if domain.is_published && !domain.is_validated {
        domain.is_validated = true;
        domain.updated_at = asked.now;
    }
    get(org, asked)
}

/// The owner publishes the records of a domain; `false` where nobody asked for that domain.
pub(crate) fn publish(org: &mut Organization, name: &str) -> bool {
    match org.domains.iter_mut().find(|domain| domain.name == name) {
        Some(domain) => {
            domain.is_published = true;
            true
        }
        None => false,
    }
}

pub(crate) fn certificates(org: &Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let domain = find(org, asked)?;
    let told = json!({
        "certificates": domain.certificates_json(asked.now),
        "provisioning_status": domain.provisioning(asked.now),
    });
    Ok(Reply::Json(StatusCode::OK, told))
}

/// Orders a certificate; `certificates` tells when it is there.
pub(crate) fn provision(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let from = asked.now.saturating_add(asked.knobs.certificate_ms);
    let domain = find_mut(org, asked)?;
    if !domain.is_validated {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "DOMAIN_NOT_VERIFIED",
            format!("The domain '{}' is not validated", domain.name),
        ));
    }
    domain.certificates.push(Certificate {
        id: ids::uuid(),
        kind: "automatic",
        from,
    });
    Ok(Reply::Json(
        StatusCode::ACCEPTED,
        json!({ "accepted": true }),
    ))
}

/// Takes a certificate and its key in PEM. Neither is kept, nor checked further than its frame.
pub(crate) fn upload(org: &mut Organization, asked: &Asked<'_>) -> Result<Reply, ApiError> {
    let body = asked.fields()?;
    for (name, frame) in [
        ("certificate", "CERTIFICATE-----"),
        ("private_key", "PRIVATE KEY-----"),
    ] {
        let pem = body.required_text(name)?;
        if !pem.contains("-----BEGIN ") || !pem.contains(frame) {
            return Err(body.invalid(name));
        }
    }
    let domain = find_mut(org, asked)?;
    domain.certificates.push(Certificate {
        id: ids::uuid(),
        kind: "manual",
        from: asked.now,
    });
    domain.updated_at = asked.now;
    get(org, asked)
}
