//! The keys as data. They are read off the defaults, so that they cannot differ from the types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Config;

/// Keys whose values are never shown. Each may be given as a file instead, under the same name with [`FILE_SUFFIX`].
const SECRETS: [&str; 6] = [
    "installation_key",
    "gateway.token",
    "vercel.token",
    "vercel.protection_secret",
    "vercel.webhook_secret",
    "deno.token",
];
/// Keys whose values may hold a password, which is not shown. They may be given as files too.
const URLS: [&str; 2] = ["broker", "store"];
/// Ends the name of a key that names a file with the secret in it.
const FILE_SUFFIX: &str = "_file";
/// Begins the name of every environment variable.
pub(super) const ENV_PREFIX: &str = "FORESHOW_";

/// Every key, dotted, and its default; `null` where there is none.
pub(super) struct Keys(BTreeMap<String, Value>);

impl Keys {
    /// The keys of [`Config`].
    pub(super) fn all() -> Self {
        let defaults = serde_json::to_value(Config::default())
            .expect("numbers, texts and maps with text keys are JSON");
        let mut keys = BTreeMap::new();
        flatten("", defaults, &mut keys);
        Self(keys)
    }

    /// Keys and their defaults.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, default)| (key.as_str(), default))
    }

    /// The key's default; `None` where there is no such key.
    pub(super) fn default_of(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Whether a value may be given under this name: a key, or a secret's file.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.0.contains_key(name) || secret_of_file(name).is_some()
    }

    /// Whether the key's value is a map, whose names are the user's.
    pub(super) fn is_map(&self, key: &str) -> bool {
        self.default_of(key).is_some_and(Value::is_object)
    }

    /// Whether keys begin with this name and a dot.
    pub(super) fn is_section(&self, name: &str) -> bool {
        self.0.keys().any(|key| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// The key or section that was probably meant.
    pub(super) fn closest(&self, name: &str) -> Option<&str> {
        // A key that was only put into the wrong section, or into none, is as close as can be.
        let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
        let mut namesakes = self.0.keys().filter(|key| last(key) == last(name));
        if let (Some(only), None) = (namesakes.next(), namesakes.next()) {
            return Some(only);
        }
        let sections = self
            .0
            .keys()
            .filter_map(|key| key.rsplit_once('.'))
            .map(|(section, _)| section);
        let likeness = |candidate: &str| strsim::normalized_damerau_levenshtein(name, candidate);
        let candidates = self.0.keys().map(String::as_str).chain(sections);
        let (likeness, best) = candidates
            .map(|candidate| (likeness(candidate), candidate))
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(best).filter(|_| likeness >= 0.6)
    }
}

fn flatten(prefix: &str, value: Value, keys: &mut BTreeMap<String, Value>) {
    match value {
        // Without members it is a map, whose names are the user's: one value.
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let key = if prefix.is_empty() {
                    name
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&key, member, keys);
            }
        }
        leaf => {
            keys.insert(prefix.to_owned(), leaf);
        }
    }
}

/// Whether the key's value must not be shown.
pub(super) fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

/// Whether the key's value is a URL that may hold a password.
pub(super) fn is_url(key: &str) -> bool {
    URLS.contains(&key)
}

/// The secret, or the URL, that is in the file named under this name.
pub(super) fn secret_of_file(name: &str) -> Option<&'static str> {
    let secret = name.strip_suffix(FILE_SUFFIX)?;
    SECRETS.into_iter().chain(URLS).find(|key| *key == secret)
}

/// The environment variable of a key: `lease.ttl_ms` is `FORESHOW_LEASE__TTL_MS`.
pub(super) fn variable(key: &str) -> String {
    format!(
        "{ENV_PREFIX}{}",
        key.replace('.', "__").to_ascii_uppercase()
    )
}

/// The key of an environment variable, should there be such a key.
pub(super) fn key_of_variable(variable: &str) -> Option<String> {
    variable
        .strip_prefix(ENV_PREFIX)
        .map(|name| name.replace("__", ".").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_variable_and_back() {
        for (key, _) in Keys::all().iter() {
            assert_eq!(key_of_variable(&variable(key)).as_deref(), Some(key));
        }
    }

    #[test]
    fn the_key_that_was_meant_is_found() {
        let keys = Keys::all();
        for (typo, meant) in [
            ("lease.tll_ms", Some("lease.ttl_ms")),
            ("leases.ttl_ms", Some("lease.ttl_ms")),
            ("ttl_ms", Some("lease.ttl_ms")),
            ("brokr", Some("broker")),
            ("datadir", Some("data_dir")),
            ("data-dir", Some("data_dir")),
            ("worker.concurency", Some("worker.concurrency")),
            ("something_else_entirely", None),
        ] {
            assert_eq!(keys.closest(typo), meant, "{typo}");
        }
    }

    #[test]
    fn a_secret_may_come_as_a_file() {
        assert_eq!(
            secret_of_file("installation_key_file"),
            Some("installation_key")
        );
        assert_eq!(secret_of_file("broker_file"), Some("broker"));
        assert_eq!(secret_of_file("gateway.token_file"), Some("gateway.token"));
        assert_eq!(secret_of_file("listen_file"), None);
    }
}
