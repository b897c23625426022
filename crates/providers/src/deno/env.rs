//! A context's environment, kept as secrets of its app.
//!
//! A revision can have variables too, but the API tells those in clear to whoever reads the revision, and which of the two wins where
//! both have a key is not settled (the document says the revision's, and warns of an implementation that says the app's). So the
//! app alone has them: masked, for builds and for running code, the same for every revision. What the newest revision no longer
//! has is taken away.
//!
//! Values can't be read back, so they are written anew each time; what is read is never written.

use std::collections::BTreeMap;

use foreshow_contract::Secret;

use super::wire::{EnvChange, EnvVar};

/// Variables by their names.
pub(super) type Env = BTreeMap<String, Secret>;

const KEY_BYTES: usize = 128;
/// What the vendor's reference allows (2026-08); its schema would take 65,536.
const VALUE_BYTES: usize = 16_384;
/// Kept for the platform itself.
const RESERVED: [&str; 3] = ["LD_", "OTEL_", "DENO_"];
/// Those of the reserved that may be set.
const NOT_RESERVED: [&str; 5] = [
    "DENO_AUTH_TOKENS",
    "DENO_COMPAT",
    "DENO_CONDITIONS",
    "DENO_DEPLOY_ENDPOINT",
    "DENO_DEPLOY_TOKEN",
];

/// A variable that the platform does not take; said to the tenant, whose key it is. Never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EnvError {
    #[error(
        "the variable {0:?} is not one Deno Deploy takes: its name needs 1 to {KEY_BYTES} bytes and may not hold = or begin with \
         LD_, OTEL_ or DENO_; rename it"
    )]
    Key(String),
    #[error(
        "the value of {0} is longer than the {VALUE_BYTES} bytes that Deno Deploy takes: shorten it, or read it from a file"
    )]
    Value(String),
}

/// Looks whether the platform would take these.
pub(super) fn check(env: &Env) -> Result<(), EnvError> {
    for (key, value) in env {
        let is_reserved = RESERVED.iter().any(|prefix| key.starts_with(prefix))
            && !NOT_RESERVED.contains(&key.as_str());
        if key.is_empty() || key.len() > KEY_BYTES || key.contains(['=', '\0']) || is_reserved {
            return Err(EnvError::Key(key.chars().take(KEY_BYTES).collect()));
        }
        if value.expose().len() > VALUE_BYTES {
            return Err(EnvError::Value(key.clone()));
        }
    }
    Ok(())
}

/// What makes the variables that are there these ones.
pub(super) fn changes<'a>(env: &'a Env, there: &'a [EnvVar]) -> Vec<EnvChange<'a>> {
    let mut kept = Vec::new();
    let mut changes: Vec<_> = env
        .iter()
        .map(|(key, value)| {
            // One of our own making has one entry for a key; where somebody made more, the others go.
            let id = there.iter().find(|one| one.key == *key).map(|one| &*one.id);
            kept.extend(id);
            EnvChange::Set {
                id,
                key,
                value: value.expose(),
                secret: true,
                contexts: "all",
            }
        })
        .collect();
    let gone = there.iter().filter(|one| !kept.contains(&&*one.id));
    changes.extend(gone.map(|one| EnvChange::Remove {
        id: &one.id,
        delete: true,
    }));
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Secret::new(*value));
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_is_wanted_is_set_and_the_rest_goes() {
        let there: Vec<EnvVar> = serde_json::from_value(json!([
            { "id": "1", "key": "A", "secret": true, "contexts": "all" },
            { "id": "2", "key": "OLD", "value": "seen", "secret": false, "contexts": ["build"] },
            { "id": "3", "key": "A", "secret": true, "contexts": ["build"] },
        ]))
        .unwrap();
        let env = env(&[("A", "new"), ("B", "b")]);
        let changes = changes(&env, &there);
        assert_eq!(
            serde_json::to_value(&changes).unwrap(),
            json!([
                { "id": "1", "key": "A", "value": "new", "secret": true, "contexts": "all" },
                { "key": "B", "value": "b", "secret": true, "contexts": "all" },
                { "id": "2", "delete": true },
                { "id": "3", "delete": true },
            ])
        );
        let shown = format!("{changes:?}");
        assert!(!shown.contains("new"), "{shown}");
    }

    #[test]
    fn what_the_platform_would_refuse_is_named_before_it_is_sent() {
        for good in ["A", "DENO_COMPAT", "DENOX", &"k".repeat(128)] {
            assert_eq!(check(&env(&[(good, "v")])), Ok(()), "{good}");
        }
        for bad in [
            "",
            "DENO_DIR",
            "LD_PRELOAD",
            "OTEL_X",
            "A=B",
            &"k".repeat(129),
        ] {
            assert!(
                matches!(check(&env(&[(bad, "v")])), Err(EnvError::Key(_))),
                "{bad}"
            );
        }
        assert_eq!(check(&env(&[("A", &"v".repeat(16_384))])), Ok(()));
        let error = check(&env(&[("A", &"secret-".repeat(2_341))])).unwrap_err();
        assert_eq!(error, EnvError::Value("A".into()));
        assert!(!error.to_string().contains("secret-"));
    }
}
