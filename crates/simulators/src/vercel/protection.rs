//! Who may look: Vercel's login in front of previews, and the two ways past it that the API gives: a project's bypass secret, and
//! a share link of one host.

use data_encoding::HEXLOWER;
use http::{HeaderMap, header::COOKIE};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    deployment::Deployment,
    hosts, ids,
    project::Project,
    refused::Refused,
    scene::{Answer, Scene, text},
};
use crate::core::site::Visit;

/// The header and query with which programs pass.
pub(super) const BYPASS: &str = "x-vercel-protection-bypass";
/// The header and query that ask for a cookie, so that a browser passes from then on.
pub(super) const SET_COOKIE: &str = "x-vercel-set-bypass-cookie";
/// The query of a share link.
pub(super) const SHARE: &str = "_vercel_share";
/// The cookie that lets pass.
pub(super) const COOKIE_NAME: &str = "_vercel_jwt";

/// A share link.
#[derive(Clone, Debug)]
pub(super) struct ShareLink {
    secret: String,
    until_ms: Option<u64>,
}

impl ShareLink {
    fn lets_in(&self, secret: &str, now_ms: u64) -> bool {
        self.secret == secret && self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}

/// Whether a visit passes, and what cookie it gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    OpenWithCookie(String),
    Shut,
}

/// Whether a visit of a deployment passes.
pub(super) fn gate(
    project: &Project,
    deployment: &Deployment,
    links: &[ShareLink],
    visit: &Visit,
    now_ms: u64,
) -> Gate {
    let own_host = visit.host == hosts::own(&deployment.label);
    let is_kept_shut = match project.protection() {
        None => false,
        Some("all") => true,
        Some("all_except_custom_domains") => hosts::is_given(&visit.host),
        Some("prod_deployment_urls_and_all_previews") => !deployment.is_production() || own_host,
        Some(_) => !deployment.is_production(),
    };
    if !is_kept_shut {
        return Gate::Open;
    }
    let cookie = cookie(&visit.headers);
    let header = |name: &str| {
        visit
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let asked = |name: &str| header(name).or_else(|| visit.query.get(name));
    if let Some(secret) = asked(BYPASS)
        && project.bypasses.contains_key(secret)
    {
        return if asked(SET_COOKIE).is_some() {
            Gate::OpenWithCookie(pass(secret))
        } else {
            Gate::Open
        };
    }
    if let Some(secret) = visit.query.get(SHARE)
        && links.iter().any(|link| link.lets_in(secret, now_ms))
    {
        return Gate::OpenWithCookie(pass(secret));
    }
    let secrets = project.bypasses.keys().chain(
        links
            .iter()
            .filter(|link| link.lets_in(&link.secret, now_ms))
            .map(|link| &link.secret),
    );
    if cookie.is_some_and(|cookie| secrets.into_iter().any(|secret| pass(secret) == cookie)) {
        return Gate::Open;
    }
    Gate::Shut
}

/// What the cookie says: it must not give the secret away.
fn pass(secret: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(secret))
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let all = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let pairs = all
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let mut own = pairs.filter(|(name, _)| *name == COOKIE_NAME);
    own.next().map(|(_, value)| value.to_owned())
}

/// `PATCH /v1/projects/{idOrName}/protection-bypass`
pub(super) fn update_bypass(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let now_ms = scene.now_ms;
    let user = scene.world.options.user.id.clone();
    let project = scene.project_mut()?;
    let mut generate = body.get("generate").cloned();
    if let Some(revoke) = body.get("revoke") {
        let secret = revoke
            .get("secret")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if project.bypasses.remove(secret).is_none() {
            return Err(Refused::not_found(
                "The protection bypass could not be found.",
            ));
        }
        if revoke.get("regenerate") == Some(&json!(true)) {
            generate = generate.or_else(|| Some(json!({})));
        }
    } else if generate.is_none() {
        generate = Some(json!({}));
    }
    if let Some(generate) = generate {
        let secret = match generate.get("secret").and_then(Value::as_str) {
            Some(own)
                if own.len() == 32 && own.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                own.to_owned()
            }
            Some(_) => {
                return Err(Refused::bad_request(
                    "`generate.secret` should be 32 letters and digits.",
                ));
            }
            None => ids::new("", 32),
        };
        let told = json!({"createdAt": now_ms, "createdBy": user, "scope": "automation-bypass"});
        project.bypasses.insert(secret, told);
    }
    Ok(json!({"protectionBypass": project.bypasses}))
}

/// The longest life of a share link: two years.
const TTL_MAX: u64 = 63_072_000;

/// `PATCH /aliases/{aliasOrDeploymentId}/protection-bypass`
pub(super) fn update_share(scene: &mut Scene<'_>) -> Answer {
    let body = scene.object()?;
    let asked = scene.call.param("alias");
    let deployment = scene
        .world
        .find(&scene.owner, asked)
        .map(|one| one.id.clone());
    let by_alias_id = || {
        let mut own = scene
            .world
            .aliases
            .values()
            .filter(|one| one.owner == scene.owner);
        own.find(|one| one.id == asked)
            .map(|one| one.deployment.clone())
    };
    let id = deployment
        .or_else(by_alias_id)
        .ok_or_else(|| Refused::not_found("The alias or deployment could not be found."))?;
    let links = scene.world.links.entry(id).or_default();
    let mut regenerate = true;
    if let Some(Value::Object(revoke)) = body.get("revoke") {
        let secret = text(revoke, "secret")?.unwrap_or_default();
        links.retain(|link| link.secret != secret);
        regenerate = revoke.get("regenerate") == Some(&json!(true));
    }
    if regenerate {
        let ttl = body.get("ttl").and_then(Value::as_u64);
        if ttl.is_some_and(|ttl| ttl > TTL_MAX) {
            return Err(Refused::bad_request("`ttl` should be at most 63072000."));
        }
        links.push(ShareLink {
            secret: ids::new("", 32),
            until_ms: ttl.map(|ttl| scene.now_ms + ttl * 1000),
        });
    }
    let told: serde_json::Map<_, _> = links
        .iter()
        .map(|link| (link.secret.clone(), json!({"scope": "shareable-link", "createdAt": scene.now_ms, "expires": link.until_ms})))
        .collect();
    Ok(json!({"protectionBypass": told}))
}
