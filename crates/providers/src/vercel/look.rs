//! Whether the credentials are good, and what stands in a preview's way: for people, who can mend it.

use foreshow_engine::{Failure, ProviderCheck, code};

use super::client::Api;
use super::settings::{Protection, VercelSettings};
use super::wire::Project;
use crate::http::ApiError;

/// Looks, and changes nothing.
pub(super) async fn look(
    api: &Api,
    settings: &VercelSettings,
) -> Result<Vec<ProviderCheck>, ApiError> {
    let mut found = Vec::new();
    let mut tell = |what, is_well, said: String| {
        found.push(ProviderCheck {
            what,
            is_well,
            said,
        });
    };
    match api.user().await {
        Ok(user) => tell("token", true, format!("it is {user}'s")),
        Err(error) if is_no_right(&error) => {
            tell(
                "token",
                false,
                "Vercel refuses it: make one at vercel.com/account/tokens and set vercel.token"
                    .to_owned(),
            );
            return Ok(found);
        }
        Err(error) => return Err(error),
    }
    match settings.scope() {
        None => tell(
            "team",
            true,
            "none: the token's personal account".to_owned(),
        ),
        Some((_, team)) => match api.team(team).await {
            Ok(()) => tell("team", true, format!("{team} can be used")),
            Err(error) if is_no_right(&error) || error.is_status(404) => {
                tell(
                    "team",
                    false,
                    format!(
                        "{team} is not one that the token may use: make the token with that team as its scope, \
                         or correct vercel.team_id or vercel.team_slug"
                    ),
                );
                return Ok(found);
            }
            Err(error) => return Err(error),
        },
    }
    if settings.project_per_context {
        tell(
            "project",
            true,
            "one for each context, made when it is needed".to_owned(),
        );
        return Ok(found);
    }
    let name = &settings.project;
    match api.project(name).await {
        Ok(Some(project)) => {
            tell("project", true, format!("{name} is there"));
            let (is_well, said) = protection(settings, &project);
            tell("protection", is_well, said);
        }
        Ok(None) => tell(
            "project",
            true,
            format!("{name} is made with the first deployment"),
        ),
        Err(error) if is_no_right(&error) => tell(
            "project",
            false,
            format!(
                "the token has no right to {name}: give it one, or set vercel.project to another"
            ),
        ),
        Err(error) => return Err(error),
    }
    Ok(found)
}

fn protection(settings: &VercelSettings, project: &Project) -> (bool, String) {
    let is_on = project
        .sso_protection
        .as_ref()
        .is_some_and(|it| !it.is_null());
    let has_bypass = settings
        .protection_secret
        .as_ref()
        .is_some_and(|secret| project.protection_bypass.contains_key(secret.expose()));
    let (is_well, said) = match (settings.protection, is_on) {
        (_, false) => (true, "off: who knows a preview's address sees it"),
        (Protection::Disable, true) => (
            true,
            "on: it is switched off before the next deployment (vercel.protection)",
        ),
        (Protection::Bypass, true) if has_bypass => (true, "on, and passed by with the secret"),
        (Protection::Bypass, true) => (
            true,
            "on: the secret is added before the next deployment (vercel.protection_secret)",
        ),
        (Protection::Leave, true) => (
            false,
            "on: a stranger sees Vercel's login instead of a preview; set vercel.protection to disable or bypass",
        ),
    };
    (is_well, said.to_owned())
}

fn is_no_right(error: &ApiError) -> bool {
    error.failure() == Failure::Permanent(code::PROVIDER_UNAUTHORIZED)
}
