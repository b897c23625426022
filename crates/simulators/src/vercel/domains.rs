//! Domains of a project's own. One that nobody has proved to own is not verified: `POST /_simulator/verify-domain/{domain}` says
//! that the records are in the DNS, and only then `…/verify` agrees.

use http::StatusCode;
use serde_json::{Value, json};

use super::{
    hosts, ids,
    refused::Refused,
    scene::{Answer, Page, Scene, text},
};

/// A domain of a project's.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    pub(super) name: String,
    pub(super) is_verified: bool,
    /// Whether the records are in the DNS.
    pub(super) has_records: bool,
    challenge: String,
    branch: Option<String>,
    redirect: Option<String>,
    redirect_status: Option<u64>,
    created_ms: u64,
    updated_ms: u64,
}

impl Domain {
    pub(super) fn to_json(&self, project: &str) -> Value {
        let apex = hosts::apex(&self.name);
        let mut told = json!({
            "name": self.name,
            "apexName": apex,
            "projectId": project,
            "gitBranch": self.branch,
            "redirect": self.redirect,
            "redirectStatusCode": self.redirect_status,
            "createdAt": self.created_ms,
            "updatedAt": self.updated_ms,
            "verified": self.is_verified,
        });
        if !self.is_verified {
            told["verification"] = json!([{
                "type": "TXT",
                "domain": format!("_vercel.{apex}"),
                "value": self.challenge,
                "reason": "pending_domain_verification",
            }]);
        }
        told
    }
}

pub(super) fn add(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let asked = text(&body, "name")?.ok_or_else(|| {
        Refused::bad_request("Invalid request: missing required property `name`.")
    })?;
    let name = hosts::key(asked);
    if !name.contains('.') || !hosts::is_valid(&name) {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "invalid_domain",
            format!("The domain `{asked}` is not valid."),
        ));
    }
    let project = scene.project()?;
    if let Some(by) = scene
        .world
        .projects
        .values()
        .find(|one| one.domains.contains_key(&name))
    {
        let whose = if by.id == project.id {
            "this project"
        } else {
            "another project"
        };
        return Err(Refused::conflict(
            "domain_already_in_use",
            format!("Cannot add {name} since it is already in use by {whose}."),
        )
        .with("projectId", json!(by.id)));
    }
    let project = project.id.clone();
    let is_given = hosts::is_given(&name);
    let domain = Domain {
        challenge: format!(
            "vc-domain-verify={name},{}",
            ids::new("", 20).to_lowercase()
        ),
        is_verified: is_given,
        has_records: is_given,
        branch: text(&body, "gitBranch")?.map(str::to_owned),
        redirect: text(&body, "redirect")?.map(str::to_owned),
        redirect_status: body.get("redirectStatusCode").and_then(Value::as_u64),
        created_ms: scene.now_ms,
        updated_ms: scene.now_ms,
        name: name.clone(),
    };
    let told = domain.to_json(&project);
    scene.project_mut()?.domains.insert(name, domain);
    Ok(told)
}

pub(super) fn list(scene: &mut Scene<'_>) -> Answer {
    let project = scene.project()?;
    let mut own: Vec<_> = project
        .domains
        .values()
        .map(|one| (one.created_ms, one.to_json(&project.id)))
        .collect();
    own.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let (domains, pagination) = Page::of(scene).cut(own.into_iter());
    Ok(json!({"domains": domains, "pagination": pagination}))
}

pub(super) fn get(scene: &mut Scene<'_>) -> Answer {
    let (id, domain) = find(scene)?;
    Ok(domain.to_json(&id))
}

pub(super) fn update(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let now_ms = scene.now_ms;
    let (id, domain) = find(scene)?;
    if body.contains_key("gitBranch") {
        domain.branch = text(&body, "gitBranch")?.map(str::to_owned);
    }
    if body.contains_key("redirect") {
        domain.redirect = text(&body, "redirect")?.map(str::to_owned);
        domain.redirect_status = body.get("redirectStatusCode").and_then(Value::as_u64);
    }
    domain.updated_ms = now_ms;
    Ok(domain.to_json(&id))
}

pub(super) fn remove(scene: &mut Scene<'_>) -> Answer {
    let name = find(scene)?.1.name.clone();
    scene.project_mut()?.domains.remove(&name);
    scene.world.aliases.remove(&name);
    Ok(json!({}))
}

pub(super) fn verify(scene: &mut Scene<'_>) -> Answer {
    let now_ms = scene.now_ms;
    let (id, domain) = find(scene)?;
    if !domain.has_records {
        let message = format!(
            "The domain `{}` is missing the required TXT record `{}`.",
            domain.name, domain.challenge
        );
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "missing_txt_record",
            message,
        ));
    }
    if !domain.is_verified {
        domain.is_verified = true;
        domain.updated_ms = now_ms;
    }
    Ok(domain.to_json(&id))
}

pub(super) fn config(scene: &Scene<'_>) -> Value {
    let name = hosts::key(scene.call.param("domain"));
    let own = scene
        .world
        .projects
        .values()
        .filter(|one| one.owner == scene.owner);
    let has_records = own
        .filter_map(|one| one.domains.get(&name))
        .any(|one| one.has_records);
    json!({
        "configuredBy": has_records.then_some("CNAME"),
        "acceptedChallenges": if has_records { json!(["http-01"]) } else { json!([]) },
        "recommendedIPv4": [{"rank": 1, "value": ["127.0.0.1"]}],
        "recommendedCNAME": [{"rank": 1, "value": "cname.localhost"}],
        "misconfigured": !has_records,
    })
}

fn find<'a>(scene: &'a mut Scene<'_>) -> Result<(String, &'a mut Domain), Refused> {
    let name = hosts::key(scene.call.param("domain"));
    let project = scene.project_mut()?;
    let id = project.id.clone();
    match project.domains.get_mut(&name) {
        Some(domain) => Ok((id, domain)),
        None => Err(Refused::not_found(
            "The domain could not be found in this project.",
        )),
    }
}
