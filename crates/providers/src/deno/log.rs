//! A build's log, out of a stream that comes in whatever shape the service feels like.
//!
//! Asked for one of server-sent events and lines of JSON, the service has been seen to answer with the other (2026-09), and each of
//! the official clients reads but one. So the answer's `Content-Type` decides, and where that says nothing, its first bytes. A
//! stream that was cut ends in half a line, which is dropped: what came before is worth telling.

use super::wire::LogLine;

/// So much of a log is told.
pub(super) const LINES: usize = 50;
/// The longest line, in characters.
const LINE_CHARS: usize = 500;

/// The last lines of the log.
pub(super) fn tail(content_type: &str, body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = Vec::new();
    for message in messages(content_type, text) {
        lines.extend(message.lines().map(clean).filter(|line| !line.is_empty()));
    }
    lines.drain(..lines.len().saturating_sub(LINES));
    lines
}

enum Shape {
    Events,
    Lines,
    Array,
}

fn shape(content_type: &str, text: &str) -> Shape {
    let content_type = content_type.to_ascii_lowercase();
    let begins_with = |first| text.trim_start().starts_with(first);
    if content_type.starts_with("text/event-stream") {
        Shape::Events
    } else if begins_with('[') {
        Shape::Array
    } else if content_type.contains("ndjson") || content_type.contains("jsonl") || begins_with('{')
    {
        Shape::Lines
    } else {
        Shape::Events
    }
}

fn messages(content_type: &str, text: &str) -> Vec<String> {
    let message = |json: &str| {
        let line: Option<LogLine> = serde_json::from_str(json).ok();
        line.map(|line| line.message)
    };
    match shape(content_type, text) {
        Shape::Lines => text.lines().filter_map(message).collect(),
        Shape::Events => events(text).filter_map(|data| message(&data)).collect(),
        Shape::Array => serde_json::from_str::<Vec<LogLine>>(text)
            .unwrap_or_default()
            .into_iter()
            .map(|line| line.message)
            .collect(),
    }
}

/// The data of each event: its `data` lines, joined. An event ends at an empty line; one that was cut has none.
fn events(text: &str) -> impl Iterator<Item = String> {
    let mut data = Vec::new();
    text.lines().filter_map(move |line| {
        if line.is_empty() {
            return Some(std::mem::take(&mut data).join("\n")).filter(|data| !data.is_empty());
        }
        if let Some(part) = line.strip_prefix("data:") {
            data.push(part.strip_prefix(' ').unwrap_or(part).to_owned());
        }
        None
    })
}

/// Without colours and other control sequences of a terminal, and of a length that people read.
pub(super) fn clean(line: &str) -> String {
    let mut clean = String::new();
    let mut characters = line.chars();
    let mut count = 0;
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // `ESC [ … letter` sets colours; other sequences have one character.
            if characters.next() == Some('[') {
                characters.by_ref().find(char::is_ascii_alphabetic);
            }
        } else if character == '\t' || !character.is_control() {
            if count == LINE_CHARS {
                clean.push('…');
                break;
            }
            clean.push(character);
            count += 1;
        }
    }
    clean.truncate(clean.trim_end().len());
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    const NDJSON: &str = "{\"timestamp\":\"t\",\"level\":\"info\",\"message\":\"one\"}\n\
         {\"timestamp\":\"t\",\"level\":\"error\",\"message\":\"two\\nthree\",\"step\":\"building\"}\n";
    const EVENTS: &str = ": hello\n\nevent: message\ndata: {\"timestamp\":\"t\",\"level\":\"info\",\"message\":\"one\"}\n\n\
         event: message\ndata: {\"level\":\"error\",\ndata:  \"message\":\"two\\nthree\"}\n\nevent: done\n\n";

    #[test]
    fn both_shapes_are_read_whatever_the_header_says_of_them() {
        let expected = ["one", "two", "three"];
        for (content_type, body) in [
            ("application/x-ndjson", NDJSON),
            ("application/json", NDJSON),
            ("", NDJSON),
            ("text/event-stream; charset=utf-8", EVENTS),
            ("Text/Event-Stream", EVENTS),
            ("", EVENTS),
            ("application/octet-stream", &EVENTS.replace('\n', "\r\n")),
            (
                "application/json",
                &format!("[{}]", NDJSON.trim_end().replace('\n', ",")),
            ),
        ] {
            assert_eq!(
                tail(content_type, body.as_bytes()),
                expected,
                "{content_type} {body}"
            );
        }
    }

    #[test]
    fn a_stream_that_was_cut_tells_what_came_before() {
        for body in [NDJSON, EVENTS] {
            let end = body.find("three").unwrap();
            assert_eq!(tail("", &body.as_bytes()[..end]), ["one"]);
        }
        assert!(tail("", b"").is_empty());
        assert!(tail("text/html", b"<html>bad gateway</html>").is_empty());
    }

    #[test]
    fn the_last_lines_are_told_without_colours() {
        let line = |n| format!("{{\"message\":\"\\u001b[31mline {n}\\u001b[0m  \\n\"}}\n");
        let body: String = (0..LINES + 7).map(line).collect();
        let tail = tail("application/x-ndjson", body.as_bytes());
        assert_eq!(tail.len(), LINES);
        assert_eq!(
            (tail[0].as_str(), tail[LINES - 1].as_str()),
            ("line 7", "line 56")
        );
    }

    #[test]
    fn a_long_line_is_cut() {
        let line = clean(&"é".repeat(LINE_CHARS + 1));
        assert_eq!(line.chars().count(), LINE_CHARS + 1);
        assert!(line.ends_with('…'));
    }
}
