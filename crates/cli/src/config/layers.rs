//! Putting the layers together, value by value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use foreshow_contract::InstallationKey;
use serde_json::{Map, Value};

use super::backend::{Backend, Role, SUPPORTED};
use super::keys::{Keys, is_secret, is_url, secret_of_file};
use super::listen::LISTEN_GRAMMAR;
use super::preview_url::PREVIEW_URL_GRAMMAR;
use super::worker_name::WORKER_NAME_GRAMMAR;
use super::{Config, LOG_FILTER_GRAMMAR, Problem};

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nowhere.
    Default,
    /// In the configuration file.
    File {
        /// Which.
        path: Arc<Path>,
        /// From 1.
        line: usize,
    },
    /// In the environment.
    Variable {
        /// Its name.
        name: String,
    },
    /// On the command line.
    Flag {
        /// Its name.
        flag: &'static str,
    },
}

impl Origin {
    /// Whether both are in one layer, so that neither is above the other.
    fn is_beside(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable { name } => f.write_str(name),
            Self::Flag { flag } => f.write_str(flag),
        }
    }
}

/// A value and where it was given.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The layers read so far: of each key the value that holds.
pub(super) struct Layers {
    keys: Keys,
    settings: BTreeMap<String, Setting>,
    /// Where each key was given last, whether or not its value could be used.
    given: BTreeMap<String, Origin>,
}

/// Values may be secrets.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}

impl Layers {
    /// Nothing but the defaults.
    pub(super) fn of_defaults() -> Self {
        let keys = Keys::all();
        let default = |value: &Value| Setting {
            value: value.clone(),
            origin: Origin::Default,
        };
        let settings = keys
            .iter()
            .map(|(key, value)| (key.to_owned(), default(value)))
            .collect();
        Self {
            keys,
            settings,
            given: BTreeMap::new(),
        }
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Every key with the value that holds.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.settings
            .iter()
            .map(|(key, setting)| (key.as_str(), setting))
    }

    /// A value as text, from the environment or the command line: read as whatever the key's default is.
    pub(super) fn set_text(
        &mut self,
        name: &str,
        text: &str,
        origin: Origin,
        problems: &mut Vec<Problem>,
    ) {
        let as_text = || Value::String(text.to_owned());
        let number = || text.trim().parse::<i64>().map(Value::from);
        let value = match self.keys.default_of(name) {
            _ if is_secret(name) => as_text(),
            Some(Value::Number(_)) => number().unwrap_or_else(|_| as_text()),
            // No default tells which of the two is meant.
            Some(Value::Null) => match number() {
                Ok(number) if self.check(name, &as_text(), &origin).is_err() => number,
                Ok(_) | Err(_) => as_text(),
            },
            Some(Value::Bool(_)) => text
                .trim()
                .parse::<bool>()
                .map_or_else(|_| as_text(), Value::Bool),
            Some(Value::Array(default)) => {
                let of_numbers = default.first().is_some_and(Value::is_number);
                let items = text.split(',').map(str::trim);
                let item = |item: &str| match item.parse::<i64>() {
                    Ok(number) if of_numbers => Value::from(number),
                    Ok(_) | Err(_) => Value::from(item),
                };
                items.filter(|item| !item.is_empty()).map(item).collect()
            }
            Some(Value::Object(_)) => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
            Some(Value::String(_)) | None => as_text(),
        };
        self.set(name, value, origin, problems);
    }

    /// A value under a name that [`Keys::takes`]. A later call replaces an earlier one's value.
    pub(super) fn set(
        &mut self,
        name: &str,
        value: Value,
        origin: Origin,
        problems: &mut Vec<Problem>,
    ) {
        let key = secret_of_file(name).unwrap_or(name);
        if let Some(before) = self.given.insert(key.to_owned(), origin.clone())
            && before.is_beside(&origin)
        {
            problems.push(
                Problem::new(format!("`{key}` is given by {before} too"))
                    .at(&origin)
                    .help(format!("keep one of {before} and {origin}")),
            );
            return;
        }
        let (key, value) = match (secret_of_file(name), value) {
            (Some(secret), Value::String(path)) => match read_secret(&path) {
                Ok(value) => (secret, value),
                Err(error) => {
                    problems.push(
                        Problem::new(format!("the file {path}, named by {name}, cannot be read"))
                            .at(origin)
                            .because(error)
                            .help(format!(
                                "name a readable file that holds the {secret} alone"
                            )),
                    );
                    return;
                }
            },
            (Some(_), _) => {
                problems.push(
                    Problem::new(format!("`{name}` is the path of a file"))
                        .at(origin)
                        .help("write it as a text"),
                );
                return;
            }
            (None, value) => (name, value),
        };
        if let Err(problem) = self.check(key, &value, &origin) {
            problems.push(problem);
            return;
        }
        self.settings
            .insert(key.to_owned(), Setting { value, origin });
    }

    /// Whether the key can have the value, whatever the others have.
    fn check(&self, key: &str, value: &Value, origin: &Origin) -> Result<(), Problem> {
        let error = match serde_json::from_value::<Config>(nest([(key, value)])) {
            Ok(config) if key == "installation_key" => {
                let hex = config
                    .installation_key
                    .as_ref()
                    .map_or("", |key| key.expose());
                match InstallationKey::from_hex(hex.trim()) {
                    Ok(_) => return Ok(()),
                    Err(error) => error.to_string(),
                }
            }
            Ok(_) => return Ok(()),
            Err(error) => error.to_string(),
        };
        let shown = if is_secret(key) || is_url(key) {
            "what was given".to_owned()
        } else {
            value.to_string()
        };
        Err(Problem::new(format!("`{key}` cannot be {shown}"))
            .at(origin)
            .because(error)
            .help(self.expected(key)))
    }

    fn expected(&self, key: &str) -> String {
        let kind = match self.keys.default_of(key) {
            _ if key == "listen" || key == "admin" => return LISTEN_GRAMMAR.to_owned(),
            _ if key == "worker.name" => return WORKER_NAME_GRAMMAR.to_owned(),
            _ if key == "gateway.public_url" => return PREVIEW_URL_GRAMMAR.to_owned(),
            _ if key == "log.filter" => {
                return format!("{LOG_FILTER_GRAMMAR}, or leave it out");
            }
            Some(Value::Number(_)) => "write a whole number",
            Some(Value::Bool(_)) => "write true or false",
            Some(Value::Array(_)) if key == "egress.allow" => {
                "write a list of ranges of addresses, as [\"10.20.0.0/16\", \"127.0.0.1/32\"]"
            }
            Some(Value::Array(default)) if default.first().is_some_and(Value::is_number) => {
                "write a list of whole numbers"
            }
            Some(Value::Array(_)) => "write a list of texts",
            Some(Value::Null) if key == "gateway.token" => {
                return "write a text that nobody can guess, e.g. of `openssl rand -hex 32`"
                    .to_owned();
            }
            Some(Value::Null) if is_secret(key) => {
                return "make one with `openssl rand -hex 32`, or leave it out".to_owned();
            }
            Some(Value::Null) => {
                return format!("mend it, or leave `{key}` out, as it is by default");
            }
            Some(Value::Object(_)) => {
                "write a section with a line for each name, or JSON in the environment"
            }
            Some(Value::String(_)) | None => "write a text",
        };
        match self.keys.default_of(key) {
            Some(default) => format!("{kind}; the default is {default}"),
            None => kind.to_owned(),
        }
    }

    /// The configuration as a whole, if its parts fit together.
    pub(super) fn resolve(&self, problems: &mut Vec<Problem>) -> Option<Config> {
        let merged = nest(self.settings().map(|(key, setting)| (key, &setting.value)));
        let config: Config = match serde_json::from_value(merged) {
            Ok(config) => config,
            Err(error) => {
                problems
                    .push(Problem::new("the configuration cannot be put together").because(error));
                return None;
            }
        };
        if let Err(error) = config.engine().check() {
            problems.push(self.across(error.key, format!("`{}` {}", error.key, error.problem)));
        }
        if let Err(error) = config.bundles.check(config.worker.engine.hold_seconds) {
            problems.push(self.across(error.key, format!("`{}` {}", error.key, error.problem)));
        }
        if let Err(error) = config.egress.check() {
            problems.push(self.across("egress.ports", error.to_string()));
        }
        for (key, kept) in [
            (
                "sqlite.outcomes_kept_seconds",
                config.sqlite.outcomes_kept_seconds,
            ),
            (
                "redis.outcomes_kept_seconds",
                config.redis.outcomes_kept_seconds,
            ),
        ] {
            if kept > config.retry.max_age_seconds {
                continue;
            }
            let what = format!(
                "`{key}` must be above retry.max_age_seconds, or a late copy of an event could end twice"
            );
            problems.push(self.across(key, what));
        }
        let is_redis = matches!(
            Backend::parse(&config.store, Role::Store, &config.data_dir),
            Ok(Backend::Redis { .. })
        );
        if is_redis && config.redis.response_timeout_ms > config.lease.renew_every_ms {
            let key = "redis.response_timeout_ms";
            let what = format!(
                "`{key}` must not be above lease.renew_every_ms, or a slow answer loses a lease that could be renewed"
            );
            problems.push(self.across(key, what));
        }
        if config.data_dir.as_os_str().is_empty() {
            problems.push(self.across("data_dir", "`data_dir` is empty".to_owned()));
        }
        for (role, url) in [(Role::Broker, &config.broker), (Role::Store, &config.store)] {
            if let Err(error) = Backend::parse(url, role, &config.data_dir) {
                let problem = self.across(
                    role.key(),
                    format!("`{}` cannot be used: {error}", role.key()),
                );
                problems.push(problem.help(SUPPORTED));
            }
        }
        Some(config)
    }

    /// A problem between keys, placed at the one to change.
    fn across(&self, key: &str, what: String) -> Problem {
        let given = self
            .settings
            .get(key)
            .filter(|setting| setting.origin != Origin::Default);
        let problem = match self.keys.default_of(key) {
            Some(default) if !default.is_null() => {
                Problem::new(what).help(format!("the default of `{key}` is {default}"))
            }
            _ => Problem::new(what),
        };
        match given {
            Some(setting) => problem.at(&setting.origin),
            None => problem,
        }
    }
}

/// The most bytes a file with a secret may have: a list of URLs with passwords fits a hundred times.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// What a file with a secret holds. A pipe would be waited for and a device read for ever, so neither is a file here.
fn read_secret(path: &str) -> std::io::Result<Value> {
    use std::io::{Error, Read as _};
    let path = Path::new(path);
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::other("it is not a file"));
    }
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_SECRET_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(Error::other("it is too large to be a secret"));
    }
    Ok(Value::String(text.trim_end().to_owned()))
}

/// Dotted keys as a tree.
fn nest<'a>(settings: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Value {
    let mut root = Map::new();
    for (key, value) in settings {
        insert(&mut root, key, value.clone());
    }
    Value::Object(root)
}

fn insert(section: &mut Map<String, Value>, key: &str, value: Value) {
    match key.split_once('.') {
        None => _ = section.insert(key.to_owned(), value),
        Some((name, rest)) => {
            let inner = section
                .entry(name)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
