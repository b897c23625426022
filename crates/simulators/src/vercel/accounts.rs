//! Whose call it is: the token, and the account in whose name it asks.

use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{
    options::{Account, VercelOptions},
    refused::Refused,
    scene::{Answer, Scene},
};
use crate::core::Query;

/// Whether the call carries a token that is accepted.
pub(super) fn is_authorized(options: &VercelOptions, headers: &HeaderMap) -> bool {
    token(headers).is_some_and(|token| options.tokens.iter().any(|one| one == token))
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// Why a call without an accepted token is refused.
pub(super) fn refusal(headers: &HeaderMap) -> Refused {
    if token(headers).is_none() {
        return Refused::forbidden("The request is missing an authentication token")
            .with("missingToken", json!(true));
    }
    Refused::forbidden("Not authorized").with("invalidToken", json!(true))
}

/// The account in whose name a call asks: a team by id or slug, else the user.
pub(super) fn owner(options: &VercelOptions, query: &Query) -> Result<String, Refused> {
    let given = |name| query.get(name).filter(|value: &&str| !value.is_empty());
    let named = match (given("teamId"), given("slug")) {
        (None, None) => return Ok(options.user.id.clone()),
        (Some(id), _) => options
            .teams
            .iter()
            .find(|one| one.id == id || one.slug == id),
        (None, Some(slug)) => options.teams.iter().find(|one| one.slug == slug),
    };
    let unknown = || {
        Refused::new(
            http::StatusCode::FORBIDDEN,
            "team_unauthorized",
            "You do not have access to the specified team.",
        )
    };
    named.map(|one| one.id.clone()).ok_or_else(unknown)
}

pub(super) fn user(scene: &Scene<'_>) -> Value {
    let user = &scene.world.options.user;
    json!({"user": {
        "id": user.id,
        "uid": user.id,
        "username": user.slug,
        "name": user.slug,
        "email": format!("{}@example.com", user.slug),
        "defaultTeamId": scene.world.options.teams.first().map(|team| &team.id),
        "softBlock": null,
        "limited": false,
        "createdAt": scene.world.clock().now_ms() - scene.world.clock().since_start_ms(),
    }})
}

pub(super) fn teams(scene: &Scene<'_>) -> Value {
    let teams: Vec<_> = scene.world.options.teams.iter().map(to_json).collect();
    json!({"pagination": {"count": teams.len(), "next": null, "prev": null}, "teams": teams})
}

pub(super) fn team(scene: &mut Scene<'_>) -> Answer {
    let asked = scene.call.param("team");
    let mut teams = scene.world.options.teams.iter();
    let found = teams.find(|one| one.id == asked || one.slug == asked);
    found
        .map(to_json)
        .ok_or_else(|| Refused::not_found("The team could not be found."))
}

fn to_json(team: &Account) -> Value {
    json!({
        "id": team.id,
        "slug": team.slug,
        "name": team.slug,
        "avatar": null,
        "createdAt": 1_700_000_000_000_u64,
        "membership": {"role": "OWNER", "confirmed": true, "teamId": team.id},
    })
}
