//! Looking whether the account can be used, without changing anything.

use foreshow_engine::{Failure, ProviderCheck, code};

use super::{DenoError, DenoProvider, tags::Place};

impl DenoProvider {
    pub(super) async fn look(&self) -> Vec<ProviderCheck> {
        let kind = kind_of_token(self.settings.token.expose());
        let mut checks = vec![kind];
        let knock = self.client.knock().await;
        checks.push(access(&knock));
        if knock.is_ok() {
            checks.push(self.organization().await);
        }
        checks
    }

    /// The API tells an organization's slug only as a part of hosts: what was deployed before shows it.
    async fn organization(&self) -> ProviderCheck {
        self.learn_domain().await;
        let check = |is_well, said| ProviderCheck {
            what: "organization",
            is_well,
            said,
        };
        let is_https = !self.url.is_loopback_http();
        match (&self.settings.org, self.domain.seen()) {
            (Some(org), Some(seen)) if is_https && seen != format!("{org}.deno.net") => check(
                false,
                format!(
                    "previews are served below {seen}, and the settings say org = \"{org}\": correct it, or leave it out"
                ),
            ),
            (_, Some(seen)) => check(true, format!("previews are served below {seen}")),
            (Some(org), None) => check(
                true,
                format!("the settings say {org}; nothing is deployed yet that would show it"),
            ),
            (None, None) => check(
                true,
                "not known until the first deployment shows it; set org to tell URLs before that"
                    .to_owned(),
            ),
        }
    }

    /// Reads hosts of one of our apps, if there is any. What goes wrong leaves it unknown.
    async fn learn_domain(&self) {
        let Ok(page) = self.client.apps(&self.tags, None).await else {
            return;
        };
        for app in page.items {
            let Ok(revisions) = self.in_full(&app.slug).await else {
                return;
            };
            for revision in revisions {
                self.learn(&Place::new(&app.slug, &revision.id), &revision);
            }
            if self.domain.seen().is_some() {
                return;
            }
        }
    }
}

fn kind_of_token(token: &str) -> ProviderCheck {
    let check = |is_well, said: &str| ProviderCheck {
        what: "token",
        is_well,
        said: said.to_owned(),
    };
    if token.starts_with("ddo_") {
        check(true, "an organization's token")
    } else if token.starts_with("ddp_") {
        check(
            false,
            "a personal token (ddp_), which the API refuses: make an organization's token (ddo_) in the console, under the \
             organization's settings",
        )
    } else {
        check(
            false,
            "not a token of Deno Deploy's: an organization's token begins with ddo_; tokens of Deploy Classic ended with it in 2026",
        )
    }
}

fn access(knock: &Result<(), DenoError>) -> ProviderCheck {
    let said = match knock {
        Ok(()) => "the API takes the token".to_owned(),
        Err(error) => match error.failure() {
            Failure::Permanent(code::PROVIDER_UNAUTHORIZED) => format!(
                "the API refuses the token: make a new one in the console, under the organization's settings ({error})"
            ),
            Failure::RateLimited { .. } => {
                format!("the API asks to wait, so the token is not known to be good ({error})")
            }
            Failure::Permanent(_)
            | Failure::Retryable { .. }
            | Failure::ProviderDown
            | Failure::ProviderClosed { .. } => {
                format!("the API could not be asked: check api_url and the network ({error})")
            }
        },
    };
    ProviderCheck {
        what: "access",
        is_well: knock.is_ok(),
        said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_the_wrong_kind_is_told_with_what_to_do() {
        assert!(kind_of_token("ddo_abc").is_well);
        for (token, word) in [("ddp_secret", "ddp_"), ("0123secret", "ddo_"), ("", "ddo_")] {
            let check = kind_of_token(token);
            assert!(!check.is_well);
            assert!(
                check.said.contains(word) && !check.said.contains("secret"),
                "{check:?}"
            );
        }
    }
}
