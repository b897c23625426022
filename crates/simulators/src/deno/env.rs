//! Environment variables of apps and layers.
//!
//! A secret's value is never told again: a client that sends back what it read would lose it, so an entry of an update that names
//! a variable by `id`, or by key and contexts, changes only what it holds.

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::Fields;
use super::ids;

const MAX_KEY_BYTES: usize = 128;
/// The reference page's limit of 2026-08; the published document says 65,536 and an older note 4,096.
const MAX_VALUE_BYTES: usize = 16_384;
const FORBIDDEN_PREFIXES: [&str; 3] = ["LD_", "OTEL_", "DENO_"];
const ALLOWED_DENO_KEYS: [&str; 5] = [
    "DENO_AUTH_TOKENS",
    "DENO_COMPAT",
    "DENO_CONDITIONS",
    "DENO_DEPLOY_ENDPOINT",
    "DENO_DEPLOY_TOKEN",
];

/// Where a variable is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Contexts {
    All,
    Some(Vec<String>),
}

impl Contexts {
    fn read(fields: &Fields<'_>) -> Result<Option<Self>, ApiError> {
        match fields.get("contexts") {
            None => Ok(None),
            Some(Value::String(text)) if text == "all" => Ok(Some(Self::All)),
            Some(Value::Array(_)) => Ok(fields.texts("contexts")?.map(Self::Some)),
            Some(_) => Err(fields.invalid("contexts")),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::All => json!("all"),
            Self::Some(names) => json!(names),
        }
    }
}

#[derive(Clone, Debug)]
struct EnvVar {
    id: String,
    key: String,
    value: String,
    secret: bool,
    contexts: Contexts,
}

/// The variables of one app or layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env(Vec<EnvVar>);

impl Env {
    /// The variables that a create brings.
    pub(crate) fn create(body: &Fields<'_>) -> Result<Self, ApiError> {
        let mut env = Self::default();
        for fields in body.objects("env_vars")?.unwrap_or_default() {
            env.add(&fields)?;
        }
        Ok(env)
    }

    /// Merges an update's entries: matched by `id`, else by key and contexts, else created; `delete: true` removes.
    pub(crate) fn merge(&self, body: &Fields<'_>) -> Result<Self, ApiError> {
        let mut env = self.clone();
        for fields in body.objects("env_vars")?.unwrap_or_default() {
            env.change(&fields)?;
        }
        Ok(env)
    }

    fn change(&mut self, fields: &Fields<'_>) -> Result<(), ApiError> {
        let contexts = Contexts::read(fields)?;
        let found = if let Some(id) = fields.text("id")? {
            let at = self.0.iter().position(|variable| variable.id == id);
            Some(at.ok_or_else(|| ApiError::not_found("environment variable", id))?)
        } else {
            let key = fields.required_text("key")?;
            let wanted = contexts.clone().unwrap_or(Contexts::All);
            self.0
                .iter()
                .position(|variable| variable.key == key && variable.contexts == wanted)
        };
        let delete = fields.flag("delete")?.unwrap_or(false);
        match found {
            Some(at) if delete => {
                self.0.remove(at);
            }
            None if delete => {}
            None => self.add(fields)?,
            Some(at) => {
                let key = fields
                    .text("key")?
                    .map(|key| checked_key(fields, key))
                    .transpose()?;
                let value = fields
                    .text("value")?
                    .map(|value| checked_value(fields, value));
                let value = value.transpose()?;
                let secret = fields.flag("secret")?;
                if let Some(variable) = self.0.get_mut(at) {
                    variable.key = key.unwrap_or_else(|| variable.key.clone());
                    variable.value = value.unwrap_or_else(|| variable.value.clone());
                    variable.secret = secret.unwrap_or(variable.secret);
                    variable.contexts = contexts.unwrap_or_else(|| variable.contexts.clone());
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, fields: &Fields<'_>) -> Result<(), ApiError> {
        self.0.push(EnvVar {
            id: ids::uuid(),
            key: checked_key(fields, fields.required_text("key")?)?,
            value: checked_value(fields, fields.required_text("value")?)?,
            secret: fields.flag("secret")?.unwrap_or(false),
            contexts: Contexts::read(fields)?.unwrap_or(Contexts::All),
        });
        Ok(())
    }

    /// As the API tells it: a secret without its value.
    pub(crate) fn to_json(&self) -> Value {
        self.0
            .iter()
            .map(|variable| {
                let mut told = json!({
                    "id": variable.id,
                    "key": variable.key,
                    "secret": variable.secret,
                    "contexts": variable.contexts.to_json(),
                });
                if !variable.secret {
                    told["value"] = json!(variable.value);
                }
                told
            })
            .collect()
    }

    /// As tests want to see it: what a build in `context` would be given, values included.
    pub(crate) fn revealed(&self) -> Value {
        self.0
            .iter()
            .map(|variable| {
                json!({
                    "key": variable.key,
                    "value": variable.value,
                    "secret": variable.secret,
                    "contexts": variable.contexts.to_json(),
                })
            })
            .collect()
    }
}

/// The variables that a revision freezes: neither secret nor bound to contexts, and told in clear.
pub(crate) fn of_revision(body: &Fields<'_>) -> Result<Vec<(String, String)>, ApiError> {
    body.objects("env_vars")?
        .unwrap_or_default()
        .iter()
        .map(|fields| {
            Ok((
                checked_key(fields, fields.required_text("key")?)?,
                checked_value(fields, fields.required_text("value")?)?,
            ))
        })
        .collect()
}

fn checked_key(fields: &Fields<'_>, key: &str) -> Result<String, ApiError> {
    let reserved = FORBIDDEN_PREFIXES
        .iter()
        .any(|prefix| key.starts_with(prefix))
        && !ALLOWED_DENO_KEYS.contains(&key);
    if key.is_empty() || key.len() > MAX_KEY_BYTES || reserved {
        return Err(fields.invalid("key"));
    }
    Ok(key.to_owned())
}

fn checked_value(fields: &Fields<'_>, value: &str) -> Result<String, ApiError> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(fields.invalid("value"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: Value) -> Env {
        let body = json!({ "env_vars": vars });
        Env::create(&Fields::of_body(&body).unwrap()).unwrap()
    }

    fn merged(env: &Env, vars: Value) -> Result<Env, ApiError> {
        let body = json!({ "env_vars": vars });
        env.merge(&Fields::of_body(&body).unwrap())
    }

    #[test]
    fn a_secret_is_told_without_its_value() {
        let env = env(json!([{ "key": "TOKEN", "value": "s3cret", "secret": true }]));
        let told = env.to_json();
        assert_eq!(told[0].get("value"), None);
        assert!(!told.to_string().contains("s3cret"));
    }

    #[test]
    fn an_update_matches_by_key_and_contexts() {
        let before = env(json!([{ "key": "A", "value": "1", "contexts": ["production"] }]));
        let same = merged(
            &before,
            json!([{ "key": "A", "value": "2", "contexts": ["production"] }]),
        );
        assert_eq!(same.unwrap().to_json()[0]["value"], "2");
        let other = merged(&before, json!([{ "key": "A", "value": "2" }])).unwrap();
        assert_eq!(other.to_json().as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_update_by_id_keeps_what_it_does_not_name() {
        let before = env(json!([{ "key": "A", "value": "1", "secret": true }]));
        let id = before.to_json()[0]["id"].clone();
        let after = merged(&before, json!([{ "id": id, "contexts": ["build"] }])).unwrap();
        assert_eq!(after.revealed()[0]["value"], "1");
        assert_eq!(after.revealed()[0]["contexts"], json!(["build"]));
        let gone = merged(&after, json!([{ "id": id, "delete": true }])).unwrap();
        assert_eq!(gone.to_json(), json!([]));
    }

    #[test]
    fn reserved_keys_are_refused_but_for_five() {
        for key in ["DENO_DIR", "LD_PRELOAD", "OTEL_X", ""] {
            assert!(merged(&Env::default(), json!([{ "key": key, "value": "" }])).is_err());
        }
        assert!(
            merged(
                &Env::default(),
                json!([{ "key": "DENO_COMPAT", "value": "1" }])
            )
            .is_ok()
        );
    }
}
