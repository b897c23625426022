//! The configuration file. TOML's spans tell the line of every key.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;
use super::layers::{Layers, Origin};

/// Reads the file into the layers.
pub(super) fn read(path: &Path, layers: &mut Layers, problems: &mut Vec<Problem>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(
                Problem::new("the configuration file cannot be read")
                    .at(path.display())
                    .because(error)
                    .help("make it readable, or name another with --config"),
            );
            return;
        }
    };
    read_text(path, &text, layers, problems);
}

/// Reads what the file says.
pub(super) fn read_text(path: &Path, text: &str, layers: &mut Layers, problems: &mut Vec<Problem>) {
    let file = File {
        path: path.into(),
        text,
    };
    match DeTable::parse(text) {
        Ok(table) => file.table("", table.get_ref(), layers, problems),
        Err(error) => {
            let problem = Problem::new("this is not TOML").because(error.message());
            let offset = error.span().map_or(0, |span| span.start);
            problems.push(
                problem
                    .at(file.line_at(offset))
                    .help("see https://toml.io for its syntax"),
            );
        }
    }
}

struct File<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl File<'_> {
    fn line_at(&self, offset: usize) -> Origin {
        let before = self.text.get(..offset).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        Origin::File {
            path: Arc::clone(&self.path),
            line,
        }
    }

    fn table(
        &self,
        section: &str,
        table: &DeTable<'_>,
        layers: &mut Layers,
        problems: &mut Vec<Problem>,
    ) {
        // In the order of the file, so that problems are told in it.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let key = if section.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{section}.{}", name.get_ref())
            };
            let origin = self.line_at(name.span().start);
            self.entry(&key, value, origin, layers, problems);
        }
    }

    fn entry(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        origin: Origin,
        layers: &mut Layers,
        problems: &mut Vec<Problem>,
    ) {
        let (is_key, is_section) = (layers.keys().takes(key), layers.keys().is_section(key));
        match value.get_ref() {
            DeValue::Table(table) if is_section => self.table(key, table, layers, problems),
            value @ DeValue::Table(_) if layers.keys().is_map(key) => match json(value) {
                Some(value) => layers.set(key, value, origin, problems),
                None => {
                    problems
                        .push(Problem::new(format!("`{key}` cannot have dates in it")).at(origin));
                }
            },
            DeValue::Table(_) if is_key => {
                problems.push(
                    Problem::new(format!("`{key}` is one value, not a section"))
                        .at(origin)
                        .help(format!("write {key} = …")),
                );
            }
            value if is_key => match json(value) {
                Some(value) => layers.set(key, value, origin, problems),
                None => problems
                    .push(Problem::new(format!("`{key}` cannot be a date or a table")).at(origin)),
            },
            _ if is_section => {
                problems.push(
                    Problem::new(format!("`{key}` is a section, not a value"))
                        .at(origin)
                        .help(format!("write [{key}] and its keys below")),
                );
            }
            _ => problems.push(unknown(key, layers).at(origin)),
        }
    }
}

/// That there is no such key, and which was probably meant.
fn unknown(key: &str, layers: &Layers) -> Problem {
    let problem = Problem::new(format!("there is no key `{key}`"));
    match layers.keys().closest(key) {
        Some(closest) => problem.help(format!("did you mean `{closest}`?")),
        None => problem.help("`foreshow config show` lists every key"),
    }
}

/// TOML's values as JSON's; what JSON lacks is in none of our keys.
fn json(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        // Digits may be grouped by underscores, which the parser has removed.
        DeValue::Integer(number) => Some(
            i64::from_str_radix(number.as_str(), number.radix())
                .map_or_else(|_| Value::String(number.to_string()), Value::from),
        ),
        DeValue::Float(number) => Some(
            number
                .as_str()
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or(Value::Null, Value::Number),
        ),
        DeValue::Boolean(value) => Some(Value::Bool(*value)),
        DeValue::Array(items) => items
            .iter()
            .map(|item| json(item.get_ref()))
            .collect::<Option<Vec<_>>>()
            .map(Value::Array),
        DeValue::Table(table) => table
            .iter()
            .map(|(name, value)| Some((name.get_ref().to_string(), json(value.get_ref())?)))
            .collect::<Option<_>>()
            .map(Value::Object),
        DeValue::Datetime(_) => None,
    }
}
