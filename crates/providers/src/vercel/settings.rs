//! How previews at Vercel are made.

use std::num::NonZeroU32;
use std::path::PathBuf;

use foreshow_contract::Secret;
use foreshow_engine::{AccountId, RateLimit};
use serde::{Deserialize, Serialize};

use super::NAME;
use super::error::VercelError;

/// A name that Vercel takes for a project has at most 100 characters; where each context has one, a dash and 26 are ours.
const LONGEST_PROJECT: usize = 73;
/// What Vercel takes as a bypass secret.
const BYPASS_CHARS: usize = 32;

/// Settings of the Vercel provider. Only the token is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VercelSettings {
    /// An access token from vercel.com/account/tokens, with the team as its scope where there is one. No default.
    pub token: Secret,
    /// The team's id, `team_…`. Default none: the token's personal account. Give this or `team_slug`.
    pub team_id: Option<String>,
    /// The team's name in URLs, instead of its id.
    pub team_slug: Option<String>,
    /// The project that previews are deployed to, made where it is missing. Default `foreshow-previews`. Not one that serves
    /// anything else: its protection and its build machine are set as it says here.
    pub project: String,
    /// A project for each context, named after `project`. Default false. It keeps contexts' build caches apart, and costs an account
    /// without a plan its 200 projects.
    pub project_per_context: bool,
    /// What to do about Vercel's login in front of previews, which new projects have. Default `disable`.
    pub protection: Protection,
    /// With `protection = "bypass"`: the secret that lets a visitor past the login, 32 letters and digits. It is added to the project,
    /// and Vercel gives it to every build and function there: with tenants that may not see each other's previews, use `disable`.
    pub protection_secret: Option<Secret>,
    /// What follows the label in a context's stable address. Default `vercel.app`; else a domain of the team's own, with a wildcard.
    pub alias_suffix: String,
    /// Where the API is. Default `https://api.vercel.com`; with a simulator on loopback, `http`, and then previews are `http` too.
    pub api_url: String,
    /// Certificates (PEM) to trust beside the public ones, for a proxy that ends TLS. Default none.
    pub ca_file: Option<PathBuf>,
    /// The environment that deployments are made for: `staging` or one of the team's own. Default none: Vercel's preview.
    pub target: Option<String>,
    /// The machine that builds, where Vercel's standard one is too small; it costs more by the minute. Default none.
    pub build_machine: Option<BuildMachine>,
    /// Files uploaded at a time, from 1 to 50. Default 16. Many files are read at once, and with 1 a large site takes minutes.
    pub uploads_at_once: NonZeroU32,
    /// How long it may take until a create is answered, in seconds. Default 90: Vercel reads thousands of digests first. Too short, and a
    /// large one is given up; it is looked for, and adopted if it was made.
    pub create_timeout_seconds: NonZeroU32,
    /// How many deployments the account may create in 24 hours: 100 without a plan. Default none: Vercel's own answers limit it. The
    /// whole fleet counts them together, and waits instead of being refused.
    pub creates_per_day: Option<NonZeroU32>,
    /// The secret of a webhook that Vercel calls, shown once when it is made. Default none: builds are asked after.
    pub webhook_secret: Option<Secret>,
}

/// What to do about Vercel's login in front of previews.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Switch it off for the project: who knows a preview's address sees it.
    #[default]
    Disable,
    /// Leave it on and look past it with a secret. People need the secret, or an account in the team.
    Bypass,
    /// Leave it as it is. A preview counts as reachable where the login answers for it: nobody can look behind it.
    Leave,
}

/// A machine that builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BuildMachine {
    /// 8 processors.
    Enhanced,
    /// 30 processors.
    Turbo,
}

impl BuildMachine {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Enhanced => "enhanced",
            Self::Turbo => "turbo",
        }
    }
}

impl Default for VercelSettings {
    fn default() -> Self {
        Self {
            token: Secret::new(""),
            team_id: None,
            team_slug: None,
            project: "foreshow-previews".to_owned(),
            project_per_context: false,
            protection: Protection::default(),
            protection_secret: None,
            alias_suffix: "vercel.app".to_owned(),
            api_url: "https://api.vercel.com".to_owned(),
            ca_file: None,
            target: None,
            build_machine: None,
            uploads_at_once: NonZeroU32::new(16).expect("16 is not 0"),
            create_timeout_seconds: NonZeroU32::new(90).expect("90 is not 0"),
            creates_per_day: None,
            webhook_secret: None,
        }
    }
}

impl VercelSettings {
    /// Checks what the types do not.
    pub(super) fn check(&self) -> Result<(), VercelError> {
        let wrong = |key, what| Err(VercelError::Settings { key, what });
        if self.token.expose().is_empty() {
            return wrong("token", "is missing: make one at vercel.com/account/tokens");
        }
        if self.team_id.is_some() && self.team_slug.is_some() {
            return wrong(
                "team_slug",
                "and team_id name a team twice: keep one of them",
            );
        }
        let is_name = |name: &str| {
            name.bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
        };
        let project = &self.project;
        if project.is_empty()
            || project.len() > LONGEST_PROJECT
            || !is_name(project)
            || project.contains("---")
        {
            return wrong(
                "project",
                "is no name of a project: give up to 73 characters out of a-z, 0-9, -, _ and ., without ---",
            );
        }
        let suffix = &self.alias_suffix;
        if suffix.is_empty() || suffix.starts_with('.') || suffix.contains(['/', '@']) {
            return wrong(
                "alias_suffix",
                "is no domain: give it as vercel.app or previews.example.com",
            );
        }
        if self.uploads_at_once.get() > 50 {
            return wrong(
                "uploads_at_once",
                "is above 50, the most that Vercel's own client does",
            );
        }
        match (self.protection, &self.protection_secret) {
            (Protection::Bypass, None) => wrong(
                "protection_secret",
                "is missing, and protection = \"bypass\" needs it: give 32 letters and digits",
            ),
            (Protection::Bypass, Some(secret)) if !is_bypass_secret(secret) => {
                wrong("protection_secret", "is not 32 letters and digits")
            }
            (Protection::Disable | Protection::Leave, Some(_)) => wrong(
                "protection_secret",
                "is there without protection = \"bypass\": remove it, or set that",
            ),
            (Protection::Bypass, Some(_)) | (Protection::Disable | Protection::Leave, None) => {
                Ok(())
            }
        }
    }

    /// The query that names the team, where there is one.
    pub(super) fn scope(&self) -> Option<(&'static str, &str)> {
        match (&self.team_id, &self.team_slug) {
            (Some(id), _) => Some(("teamId", id)),
            (None, Some(slug)) => Some(("slug", slug)),
            (None, None) => None,
        }
    }

    /// The account as the fleet's gates know it. `personal` tells tokens apart where there is no team.
    pub(super) fn account(&self, personal: &str) -> AccountId {
        let account = self.scope().map_or(personal, |(_, team)| team);
        AccountId::new(format!("{NAME}/{account}"))
    }

    pub(super) fn create_limit(&self) -> Option<RateLimit> {
        const DAY: NonZeroU32 = NonZeroU32::new(86_400).expect("a day is not 0");
        Some(RateLimit {
            count: self.creates_per_day?,
            per_seconds: DAY,
        })
    }
}

fn is_bypass_secret(secret: &Secret) -> bool {
    let secret = secret.expose();
    secret.len() == BYPASS_CHARS && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_token() -> VercelSettings {
        VercelSettings {
            token: Secret::new("t"),
            ..VercelSettings::default()
        }
    }

    #[test]
    fn a_mistake_is_named_by_its_key() {
        type Spoil = fn(&mut VercelSettings);
        with_token().check().unwrap();
        let cases: [(Spoil, &str); 8] = [
            (|s| s.token = Secret::new(""), "token"),
            (
                |s| {
                    s.team_id = Some("team_1".into());
                    s.team_slug = Some("acme".into());
                },
                "team_slug",
            ),
            (|s| s.project = "My Project".into(), "project"),
            (|s| s.project = "a".repeat(74), "project"),
            (
                |s| s.alias_suffix = "https://vercel.app".into(),
                "alias_suffix",
            ),
            (
                |s| s.uploads_at_once = NonZeroU32::new(51).unwrap(),
                "uploads_at_once",
            ),
            (|s| s.protection = Protection::Bypass, "protection_secret"),
            (
                |s| s.protection_secret = Some(Secret::new("a".repeat(32))),
                "protection_secret",
            ),
        ];
        for (spoil, named) in cases {
            let mut settings = with_token();
            spoil(&mut settings);
            let error = settings.check().unwrap_err();
            assert!(
                matches!(error, VercelError::Settings { key, .. } if key == named),
                "{error}"
            );
        }
    }

    #[test]
    fn an_account_is_a_team_or_told_apart_by_its_token() {
        let mut settings = with_token();
        assert_eq!(settings.account("0f").as_str(), "vercel/0f");
        settings.team_slug = Some("acme".into());
        assert_eq!(settings.account("0f").as_str(), "vercel/acme");
    }
}
