//! One dead letter in full, but for what nobody needs to see: env values, file contents, a URL's secrets, and the values of
//! headers and the bytes of bodies that can't be read, which may be anything. Whoever needs the very bytes asks for them.

use std::fs::OpenOptions;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use foreshow_contract::{Content, ContextEvent, ContextUpdated, HeaderValue, Sha256};
use foreshow_engine::LetterId;
use serde_json::{Map, Value, json};

use super::TWO_AT_ONCE;
use super::list::event;
use super::pass::{Pass, Wanted, missing};
use super::seen::Seen;
use crate::args::Global;
use crate::failure::{Exit, Failure, OrFail as _};
use crate::terminal::{answer, bytes, count, moment, one_line, reader, tell};
use crate::wiring::Client;

/// Files that are shown to people one by one.
const FILES_SHOWN: usize = 20;

/// Headers whose values are names and times, by what follows the prefix.
const PLAIN_ATTRIBUTES: [&str; 9] = [
    "id",
    "source",
    "specversion",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "traceparent",
];

/// Show all of one, without env values, secrets and file contents.
#[derive(Debug, Args)]
#[command(after_help = TWO_AT_ONCE)]
pub(crate) struct Show {
    /// The dead letter's id, as `foreshow dead-letters list` shows it
    id: LetterId,

    /// Write the body's very bytes, secrets included, to a new file that only you can read, or with `-` to standard output
    #[arg(long, value_name = "FILE")]
    raw: Option<PathBuf>,
}

impl Show {
    pub(crate) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let found = match Client::open_existing(global).await? {
            Some(client) => {
                let wanted = Wanted::These([self.id.clone()].into());
                let mut pass = Pass::begin(&client, wanted).await?;
                let found = pass.next().await?;
                if pass.end().await.is_interrupted {
                    return Ok(Exit::Interrupted);
                }
                found
            }
            None => None,
        };
        let Some(seen) = found else {
            return Err(Failure::new(Exit::Failed, missing(&self.id)));
        };
        if let Some(file) = &self.raw {
            return raw(&seen, file);
        }
        let shown = shown(&seen);
        answer(&if global.json {
            shown.to_string()
        } else {
            words(&seen, &shown)
        })?;
        Ok(Exit::Done)
    }
}

/// Writes the body as it is.
fn raw(seen: &Seen, file: &Path) -> Result<Exit, Failure> {
    let body = &seen.letter.message.body;
    if file == Path::new("-") {
        let mut out = stdout().lock();
        let written = out.write_all(body).and_then(|()| out.flush());
        reader(written)?;
        return Ok(Exit::Done);
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(file)
        .and_then(|mut file| file.write_all(body))
        .with_context(|| format!("cannot write the body to {}", file.display()))
        .or_fail(Exit::Environment)
        .map_err(|failure| failure.help("name a file that is not there yet"))?;
    tell(&format!(
        "{} written to {}; it may hold secrets.",
        bytes(body.len() as u64),
        file.display()
    ));
    Ok(Exit::Done)
}

/// For programs.
pub(super) fn shown(seen: &Seen) -> Value {
    let letter = &seen.letter;
    let mut shown = seen.summary();
    let attempts = letter.reason.as_ref().map(|reason| &reason.attempts);
    let attempts = attempts.filter(|attempts| !attempts.is_empty());
    shown["attempts"] = json!(attempts.unwrap_or(&letter.history));
    shown["contentType"] = json!(letter.message.content_type);
    let (plain, hidden): (Vec<_>, Vec<_>) = letter
        .message
        .headers
        .iter()
        .partition(|(name, _)| is_plain(name));
    let plain = plain
        .into_iter()
        .map(|(name, value)| (name.clone(), header(value)));
    shown["headers"] = Value::Object(plain.collect::<Map<_, _>>());
    shown["hiddenHeaders"] = json!(hidden.into_iter().map(|(name, _)| name).collect::<Vec<_>>());
    shown["bodySha256"] = json!(Sha256::of(&letter.message.body).to_string());
    match &seen.event {
        Ok(incoming) => {
            let envelope = &incoming.envelope;
            shown["event"] = json!({
                "id": envelope.id,
                "source": envelope.source,
                "subject": envelope.subject,
                "time": envelope.time,
                "traceparent": envelope.traceparent,
            });
            shown["data"] = match &incoming.event {
                ContextEvent::Updated(update) => data(update),
                ContextEvent::Ended(ended) => json!({ "reason": ended.reason }),
                ContextEvent::Reset(reset) => json!({ "resetId": reset.reset.as_str() }),
                ContextEvent::Touched(_) | ContextEvent::Expired(_) => json!({}),
            };
        }
        Err(rejection) => {
            shown["event"] = json!({ "id": rejection.event.id, "source": rejection.event.source });
            shown["unreadable"] = json!({
                "code": rejection.code.to_string(),
                "message": rejection.message,
                "path": rejection.path,
            });
        }
    }
    shown
}

/// Whether the header is one of the envelope's, which say who, what and when.
fn is_plain(name: &str) -> bool {
    let prefixes = ["ce-", "cloudEvents_", "cloudEvents:"];
    let attribute = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
    PLAIN_ATTRIBUTES.contains(&attribute.unwrap_or_default()) || name == "traceparent"
}

fn header(value: &HeaderValue) -> Value {
    match value {
        HeaderValue::Text(text) => json!(text),
        HeaderValue::Integer(number) => json!(number),
        HeaderValue::Boolean(boolean) => json!(boolean),
        HeaderValue::Timestamp { timestamp } => json!(timestamp),
        HeaderValue::Other { other } => json!(format!("({other})")),
    }
}

/// What an update asks for. A build command is a shell's line, and may have anything in it.
fn data(update: &ContextUpdated) -> Value {
    let content = match &update.content {
        Content::Files(files) => {
            let files = files.iter().map(|file| {
                let size = file
                    .decoded()
                    .map_or(file.content.len(), |bytes| bytes.len());
                json!({ "path": file.path, "sizeBytes": size })
            });
            json!({ "files": files.collect::<Vec<_>>() })
        }
        Content::Bundle(bundle) => json!({
            "bundle": { "url": bundle.url_without_secrets(), "sha256": bundle.sha256.to_string() }
        }),
    };
    let env = update.env.iter();
    let env = env.map(|(name, value)| (name.clone(), json!(value.to_string())));
    json!({
        "content": content,
        "env": Value::Object(env.collect()),
        "app": {
            "framework": update.app.framework,
            "entrypoint": update.app.entrypoint,
            "hasBuildCommand": update.app.build_command.is_some(),
            "outputDirectory": update.app.output_directory,
        },
        "providers": update.routing.providers,
        "domains": update.domains,
        "variant": update.variant,
        "labels": update.labels,
    })
}

/// The same for people.
pub(super) fn words(seen: &Seen, shown: &Value) -> String {
    let letter = &seen.letter;
    let mut lines = vec![format!("dead letter {}", letter.id)];
    let mut line = |label: &str, words: &str| {
        lines.push(format!("  {label:<9} {}", one_line(words)));
    };
    let about = match (seen.tenant(), seen.context()) {
        (Some(tenant), Some(context)) => format!("{} of {tenant}/{context}", event(seen)),
        (Some(tenant), None) => format!("{} of tenant {tenant}", event(seen)),
        (None, _) => event(seen),
    };
    line("event", &about);
    for (label, field) in [("id", "id"), ("source", "source")] {
        if let Some(text) = shown["event"][field].as_str() {
            line(label, text);
        }
    }
    line("code", seen.code());
    match &letter.reason {
        Some(reason) => line("why", &reason.message),
        None => line("why", "no binding took it"),
    }
    if let Some(died_at) = letter.died_at {
        line("died", &format!("{} (UTC)", moment(died_at)));
    }
    line("accepted", &format!("{} (UTC)", moment(letter.accepted_at)));
    let came_from = letter.queue.map_or("nowhere", foreshow_engine::Queue::name);
    line(
        "from",
        &format!("{came_from}, published as {}", letter.message.routing_key),
    );
    line("replays", &letter.replay.to_string());
    line("attempt", &letter.attempt.to_string());
    for attempt in shown["attempts"].as_array().into_iter().flatten() {
        let text = |field: &str| attempt[field].as_str().unwrap_or_default().to_owned();
        let provider = attempt["provider"].as_str();
        let provider = provider.map_or_else(String::new, |name| format!(" at {name}"));
        line(
            "",
            &format!(
                "{}. {}{provider}: {}",
                attempt["number"],
                text("code"),
                text("message")
            ),
        );
    }
    line(
        "body",
        &format!(
            "{}, sha256 {}",
            bytes(seen.body_bytes()),
            shown["bodySha256"].as_str().unwrap_or_default()
        ),
    );
    if let Err(rejection) = &seen.event {
        line(
            "",
            "not shown, because it can't be read and may hold secrets; --raw FILE writes it",
        );
        line("unread", &rejection.to_string());
    }
    if let Some(why) = seen.not_replayable() {
        line("replay", &format!("it cannot be replayed: {why}"));
    }
    for (name, value) in shown["headers"].as_object().into_iter().flatten() {
        line(
            "header",
            &format!(
                "{name}: {}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            ),
        );
    }
    for name in shown["hiddenHeaders"].as_array().into_iter().flatten() {
        line(
            "header",
            &format!("{}: (not shown)", name.as_str().unwrap_or_default()),
        );
    }
    if let Some(data) = shown["data"].as_object() {
        told_data(data, &mut line);
    }
    lines.join("\n")
}

fn told_data(data: &Map<String, Value>, line: &mut impl FnMut(&str, &str)) {
    let field = |name: &str| data.get(name).unwrap_or(&Value::Null);
    if let Some(reason) = field("reason").as_str() {
        line("reason", reason);
    }
    let env = field("env").as_object().into_iter().flatten();
    for (name, value) in env {
        line(
            "env",
            &format!("{name}={}", value.as_str().unwrap_or_default()),
        );
    }
    if let Some(url) = field("content")["bundle"]["url"].as_str() {
        line("bundle", url);
    }
    let Some(files) = field("content")["files"].as_array() else {
        return;
    };
    line("files", &count(files.len(), "file"));
    for file in files.iter().take(FILES_SHOWN) {
        let size = file["sizeBytes"].as_u64().unwrap_or_default();
        line(
            "",
            &format!(
                "{} ({})",
                file["path"].as_str().unwrap_or_default(),
                bytes(size)
            ),
        );
    }
    if files.len() > FILES_SHOWN {
        line(
            "",
            &format!(
                "… and {} more; --json tells of all",
                files.len() - FILES_SHOWN
            ),
        );
    }
}
