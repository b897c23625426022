//! The providers that are configured, and the order in which they are tried.

use std::sync::Arc;

use foreshow_contract::{ContextKey, InstallationKey, ProviderName, Secret};
use foreshow_engine::{Clock, Provider, RoutingOptions};
use foreshow_gateway::{NotSigned, ProviderHook};
use foreshow_providers::{
    DenoProvider, LocalProvider, VercelProvider, deno, local,
    vercel::{self, WebhookError},
};
use http::HeaderMap;

use crate::config::Config;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::wiring::WallClock;

/// Every provider across the network that has credentials.
pub(crate) fn remote(
    config: &Config,
    installation: &InstallationKey,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Arc<dyn Provider>>, Failure> {
    let mut providers: Vec<Arc<dyn Provider>> = Vec::new();
    if is_given(&config.vercel.token) {
        let vercel =
            VercelProvider::try_new(config.vercel.clone(), installation, Arc::clone(clock));
        providers.push(Arc::new(vercel.or_fail(Exit::Usage)?));
    }
    if is_given(&config.deno.token) {
        let deno =
            DenoProvider::try_new(config.deno.clone(), installation.clone(), Arc::clone(clock));
        providers.push(Arc::new(deno.or_fail(Exit::Usage)?));
    }
    Ok(providers)
}

fn is_given(token: &Secret) -> bool {
    !token.expose().is_empty()
}

/// Those of them that may call the gateway.
pub(crate) fn hooks(config: &Config, installation: &InstallationKey) -> Vec<Arc<dyn ProviderHook>> {
    let mut hooks: Vec<Arc<dyn ProviderHook>> = Vec::new();
    if let Some(secret) = config
        .vercel
        .webhook_secret
        .as_ref()
        .filter(|secret| is_given(secret))
    {
        hooks.push(Arc::new(VercelHook {
            secret: secret.clone(),
            installation: installation.clone(),
        }));
    }
    hooks
}

/// Vercel's account webhooks.
struct VercelHook {
    secret: Secret,
    installation: InstallationKey,
}

impl ProviderHook for VercelHook {
    fn provider(&self) -> &'static str {
        vercel::NAME
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Option<ContextKey>, NotSigned> {
        let signature = headers.get(vercel::SIGNATURE_HEADER);
        let signature = signature.and_then(|value| value.to_str().ok());
        let read =
            |signature| vercel::read_webhook(&self.secret, &self.installation, signature, body);
        match signature.map(read) {
            Some(Ok(notice)) => Ok(notice.map(|notice| notice.key)),
            // Theirs, and of a kind that is not known here.
            Some(Err(WebhookError::Body)) => Ok(None),
            Some(Err(WebhookError::Signature)) | None => Err(NotSigned),
        }
    }
}

/// Whether the providers' settings can be worked with, and `routing` names none that is not configured. Nobody is asked.
pub(crate) fn check(config: &Config) -> Result<(), Failure> {
    // Nothing that is looked at depends on it.
    let key = InstallationKey::try_from_slice(&[0; 32]).or_fail(Exit::Usage)?;
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    let remote = remote(config, &key, &clock)?;
    check_names(&config.routing, &names(&remote))
}

fn names(remote: &[Arc<dyn Provider>]) -> Vec<ProviderName> {
    let remote = remote.iter().map(|one| one.name().clone());
    remote.chain([ProviderName::from(local::NAME)]).collect()
}

fn check_names(routing: &RoutingOptions, names: &[ProviderName]) -> Result<(), Failure> {
    let named = routing.order.iter().chain(routing.weights.keys());
    let mut named = named.chain(routing.prices.keys());
    let Some(name) = named.find(|name| !names.contains(name)) else {
        return Ok(());
    };
    let failure = Failure::new(
        Exit::Usage,
        format!("`routing` names the provider {name}, which is not configured"),
    );
    let configured: Vec<_> = names.iter().map(ProviderName::as_str).collect();
    let configured = configured.join(", ");
    Err(match name.as_str() {
        vercel::NAME | deno::NAME => failure.help(format!(
            "give it a token ({name}.token), or take it out of `routing`; configured: {configured}"
        )),
        _ => failure.help(format!(
            "there is no such provider: mend the name; configured: {configured}"
        )),
    })
}

/// Whether an event may name these, as far as this configuration tells; what is doubtful about them, in words.
///
/// # Errors
/// Where there is no provider of a name, whatever is configured anywhere.
pub(crate) fn check_asked(config: &Config, asked: &[ProviderName]) -> Result<Vec<String>, Failure> {
    let given = [
        (local::NAME, true),
        (vercel::NAME, is_given(&config.vercel.token)),
        (deno::NAME, is_given(&config.deno.token)),
    ];
    let mut doubts = Vec::new();
    for name in asked {
        match given.iter().find(|(known, _)| *known == name.as_str()) {
            Some((_, false)) if config.broker.starts_with("sqlite:") => doubts.push(format!(
                "{name} has no token in this configuration ({name}.token); the preview fails unless the worker has one"
            )),
            // Configured here; or the fleet's workers have a configuration of their own.
            Some(_) => {}
            None => {
                let known = given.map(|(known, _)| known).join(", ");
                return Err(Failure::new(Exit::Usage, format!("there is no provider {name}"))
                    .help(format!("name one of {known}")));
            }
        }
    }
    Ok(doubts)
}

/// All of them, and the options with their order: previews of this machine come last, and only events that name them get them where
/// another provider is configured, for nobody elsewhere could open them.
pub(crate) fn all(
    local: LocalProvider,
    mut remote: Vec<Arc<dyn Provider>>,
    routing: &mut RoutingOptions,
) -> Result<Vec<Arc<dyn Provider>>, Failure> {
    check_names(routing, &names(&remote))?;
    if routing.order.is_empty() {
        routing.order = remote.iter().map(|one| one.name().clone()).collect();
        if routing.order.is_empty() {
            routing.order.push(ProviderName::from(local::NAME));
        }
    }
    remote.push(Arc::new(local));
    Ok(remote)
}

#[cfg(test)]
mod tests {
    use foreshow_contract::{ContextKey, Ordinal, Revision};
    use foreshow_engine::{Address, ContextRecord, ContextSummary, Live};
    use foreshow_runner::PreviewOrigin;

    use super::*;
    use crate::events::testing::{live, record};
    use crate::wiring::PreviewUrls;

    fn with_vercel() -> Config {
        let mut config = Config::default();
        config.vercel.token = Secret::new("t");
        config
    }

    #[test]
    fn a_name_that_no_provider_has_is_told_and_one_without_a_token_is_doubted() {
        let asked = |names: &[&str]| {
            names
                .iter()
                .map(|name| ProviderName::from(*name))
                .collect::<Vec<_>>()
        };
        let failure = check_asked(&with_vercel(), &asked(&["vercel", "vercell"])).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        let told = failure.to_string();
        assert!(told.contains("there is no provider vercell"), "{told}");
        assert!(told.contains("local, vercel, deno"), "{told}");
        assert!(
            check_asked(&with_vercel(), &asked(&["local", "vercel"]))
                .unwrap()
                .is_empty()
        );
        let doubts = check_asked(&with_vercel(), &asked(&["deno"])).unwrap();
        assert!(doubts[0].contains("deno.token"), "{doubts:?}");
        let fleet = Config {
            broker: "amqp://rabbit".to_owned(),
            ..with_vercel()
        };
        assert!(
            check_asked(&fleet, &asked(&["deno"])).unwrap().is_empty(),
            "its workers may have one"
        );
    }

    #[test]
    fn what_a_configured_provider_hosts_has_its_url() {
        let key = InstallationKey::try_from_slice(&[7; 32]).unwrap();
        let origin = || PreviewOrigin::localhost(8080);
        let summary = |provider: &str| {
            let revision = Revision::try_new(7).unwrap();
            ContextSummary {
                key: ContextKey::try_new("acme", "ctx").unwrap(),
                record: ContextRecord {
                    live: Some(Live {
                        provider: provider.into(),
                        address: Address::new("host-7.vercel.app"),
                        ..live(revision)
                    }),
                    ..record(Ordinal::update(revision))
                },
                last: None,
            }
        };
        let urls = PreviewUrls::of(&with_vercel(), Some(&key), origin());
        let there = urls.summary(summary("vercel"));
        assert_eq!(there.url.as_deref(), Some("https://host-7.vercel.app"));
        let alias = there.alias_url.unwrap();
        assert!(
            alias.starts_with("https://") && !alias.contains("localhost"),
            "{alias}"
        );
        // Nothing is configured for it: better no URL than a wrong one.
        let unknown = urls.summary(summary("deno"));
        assert_eq!((unknown.url, unknown.alias_url), (None, None));
        let local = PreviewUrls::local(origin()).summary(summary("local"));
        assert!(local.url.unwrap().contains("localhost:8080"));
    }
}
