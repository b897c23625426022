//! What is in effect, and where each value was given.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Loaded;
use super::backend::redacted;
use super::keys::{is_secret, is_url};
use super::layers::Setting;

const REDACTED: &str = "[redacted]";

impl Loaded {
    /// As a file that could be read back, secrets aside, with each value's origin as a comment.
    pub(crate) fn to_toml(&self) -> String {
        let mut out = match &self.file {
            Some(file) => format!("# The effective configuration. Read: {}\n", file.display()),
            None => "# The effective configuration. No file was read.\n".to_owned(),
        };
        // Keys without a section come first, as TOML wants it.
        let (top, sectioned): (Vec<_>, Vec<_>) = self
            .layers
            .settings()
            .partition(|(key, _)| !key.contains('.'));
        let mut current = "";
        for (key, setting) in top.into_iter().chain(sectioned) {
            let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
            if section != current {
                current = section;
                _ = write!(out, "\n[{section}]\n");
            }
            let line = match shown(key, setting) {
                Value::Null => format!("# {name} is not set"),
                value => format!("{name} = {}", toml(&value)),
            };
            _ = writeln!(out, "{line:<36} # {}", setting.origin);
        }
        out
    }

    /// The same for programs.
    pub(crate) fn to_json(&self) -> Value {
        let keys: serde_json::Map<_, _> = self
            .layers
            .settings()
            .map(|(key, setting)| {
                let entry =
                    json!({ "value": shown(key, setting), "origin": setting.origin.to_string() });
                (key.to_owned(), entry)
            })
            .collect();
        json!({ "file": self.file, "keys": keys })
    }
}

/// A value as TOML, in one line. Texts and numbers are written as in JSON; tables are not.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members: Vec<_> = members
                .map(|(name, value)| format!("{} = {}", Value::from(name.as_str()), toml(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(toml).collect();
            format!("[{}]", items.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn shown(key: &str, setting: &Setting) -> Value {
    match &setting.value {
        Value::Null => Value::Null,
        // An empty one is none.
        Value::String(empty) if is_secret(key) && empty.is_empty() => Value::Null,
        _ if is_secret(key) => Value::from(REDACTED),
        Value::String(url) if is_url(key) => Value::from(redacted(url)),
        value => value.clone(),
    }
}
