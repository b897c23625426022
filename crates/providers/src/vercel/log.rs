//! The end of a build's log.
//!
//! Vercel tells it as events, in two shapes that live together, as an array or as one object a line.

use super::wire::Event;

/// Lines that a failed build shows.
pub(super) const LINES: usize = 50;
/// Characters of a line that are shown.
const LINE: usize = 500;

/// The last lines of what commands printed, oldest first. What can't be read is left out.
pub(super) fn tail(body: &[u8]) -> Vec<String> {
    let mut events = read(body);
    // Asked for backwards, the newest comes first.
    let at = |event: Option<&Event>| event.and_then(|event| event.created);
    if at(events.first()) > at(events.last()) {
        events.reverse();
    }
    let mut lines: Vec<String> = events
        .iter()
        .filter(|event| matches!(&*event.kind, "command" | "stdout" | "stderr" | "fatal"))
        .filter_map(|event| {
            let payload = event
                .payload
                .as_ref()
                .and_then(|payload| payload.text.as_deref());
            payload.or(event.text.as_deref())
        })
        .flat_map(str::lines)
        .map(shown)
        .filter(|line| !line.is_empty())
        .collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}

fn read(body: &[u8]) -> Vec<Event> {
    if let Ok(events) = serde_json::from_slice(body) {
        return events;
    }
    body.split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

/// A line without colours and control characters, of bounded length.
pub(super) fn shown(line: &str) -> String {
    let mut shown = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // ECMA-48: a letter ends what follows an escape.
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else if character == '\t' {
            shown.push(' ');
        } else if !character.is_control() {
            shown.push(character);
        }
    }
    let shown = shown.trim_end();
    match shown.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_shapes_in_both_forms_come_oldest_first() {
        let events = [
            json!({"type": "stderr", "created": 3, "text": "\u{1b}[31mError:\u{1b}[0m no\nat line 1"}),
            json!({"type": "stdout", "created": 2, "payload": {"text": "two"}}),
            json!({"type": "deployment-state", "created": 2, "payload": {"text": "not a line"}}),
            json!({"type": "command", "created": 1, "payload": {"text": "one"}}),
        ];
        let expected = ["one", "two", "Error: no", "at line 1"];
        assert_eq!(tail(json!(events).to_string().as_bytes()), expected);
        let lines = events
            .iter()
            .rev()
            .map(ToString::to_string)
            .collect::<Vec<_>>();
        assert_eq!(tail(lines.join("\n").as_bytes()), expected);
    }

    #[test]
    fn only_the_last_lines_are_shown_and_nonsense_is_none() {
        let text: Vec<_> = (0..80).map(|n| format!("line {n}")).collect();
        let text = text.join("\n");
        let told = tail(
            json!([{"type": "stdout", "text": text}])
                .to_string()
                .as_bytes(),
        );
        assert_eq!(told.len(), LINES);
        assert_eq!(told[0], "line 30");
        assert!(tail(b"<html>502</html>").is_empty());
        let long = json!([{"type": "stdout", "text": "x".repeat(5_000)}]).to_string();
        assert_eq!(tail(long.as_bytes())[0].chars().count(), LINE + 1);
    }
}
