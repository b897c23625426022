//! W3C Trace Context: carried along, never relied on.
//!
//! What does not parse must be ignored, says its section 3.2; it also must not grow a result's headers beyond what a
//! broker takes. A trace's two parts belong together, so both come from the same place.

use crate::Headers;

/// A valid trace context.
pub(super) struct Trace {
    pub(super) parent: String,
    pub(super) state: Option<String>,
}

impl Trace {
    /// The trace context that two attributes, or two headers, hold; `None` if the first is not valid.
    pub(super) fn new(parent: Option<&str>, state: Option<&str>) -> Option<Self> {
        let own = |text: &str| text.to_owned();
        Some(Self {
            parent: parent.filter(|text| is_traceparent(text)).map(own)?,
            state: state.filter(|text| is_tracestate(text)).map(own),
        })
    }

    /// What instrumented clients add to every message, whatever its mode.
    pub(super) fn of_headers(headers: &Headers) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.as_text());
        Self::new(text("traceparent"), text("tracestate"))
    }
}

/// Version 00, section 3.2.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits
            && part
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id =
        |part: &str, digits: usize| is_hex(part, digits) && part.bytes().any(|byte| byte != b'0');
    matches!(parts.as_slice(), ["00", trace, parent, flags] if is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2))
}

/// As much as section 3.3 makes everyone carry: 512 characters, printable ASCII.
fn is_tracestate(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}
