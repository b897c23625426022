//! Every call of the API in the order in which it was read, whatever became of it. Tests count here what a client really did.
//!
//! A call is entered before anything is done about it, so one that hangs or is cut is told too: it has no status. Tokens never
//! get in: the header says `[redacted]`, and whether it was right is told apart.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Clock;

/// How many calls are kept: the oldest are forgotten, so that a simulator which runs for days does not fill the machine.
const KEPT: usize = 100_000;

/// A JSON body larger than this is told by its length and digest only.
const TOLD_WHOLE_BYTES: usize = 4 << 20;

/// A call of the API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    /// Counts from 1 and never again, even when the ledger is cleared.
    pub number: u64,
    /// When its head was read, in milliseconds since the simulator's start.
    pub at_ms: u64,
    /// When its answer began; `None` while it has none.
    pub answered_at_ms: Option<u64>,
    /// What was asked, e.g. `create_deployment`; `unknown` where no such call exists.
    pub operation: &'static str,
    /// The method.
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query, in order.
    pub query: Vec<(String, String)>,
    /// The headers by their lower-case names; several of one name are joined by a comma.
    pub headers: BTreeMap<String, String>,
    /// Whether its token was accepted.
    pub is_authorized: bool,
    /// What it carried.
    pub body: CallBody,
    /// The answer's status; `None` while it hangs, and where the connection was cut.
    pub status: Option<u16>,
    /// The kind of fault that was applied, e.g. `rate_limit`.
    pub fault: Option<&'static str>,
}

impl Call {
    /// The first value of a name in the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        let pair = self.query.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    /// The JSON that it carried; `null` where it carried none.
    pub fn json(&self) -> &Value {
        match &self.body {
            CallBody::Json(value) => value,
            CallBody::None | CallBody::Bytes { .. } => &Value::Null,
        }
    }
}

/// What a call carried.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallBody {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// Something else, or very long JSON.
    Bytes {
        /// How much.
        length: usize,
        /// Its SHA-256, in hexadecimal.
        sha256: String,
    },
}

impl CallBody {
    fn of(body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::None;
        }
        let json = (body.len() <= TOLD_WHOLE_BYTES && matches!(body.first(), Some(b'{' | b'[')))
            .then(|| serde_json::from_slice(body).ok())
            .flatten();
        json.map_or_else(
            || Self::Bytes {
                length: body.len(),
                sha256: HEXLOWER.encode(&Sha256::digest(body)),
            },
            Self::Json,
        )
    }
}

/// What is known of a call before anything is done about it.
pub(crate) struct Entry<'a> {
    pub(crate) at_ms: u64,
    pub(crate) operation: &'static str,
    pub(crate) method: &'a http::Method,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
    pub(crate) is_authorized: bool,
    pub(crate) body: &'a Bytes,
}

/// All calls.
#[derive(Debug)]
pub(crate) struct Ledger {
    clock: Clock,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    last: u64,
    calls: VecDeque<Call>,
}

impl Ledger {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            pages: Mutex::default(),
        }
    }

    /// Enters a call and gives its number.
    pub(crate) fn enter(&self, entry: Entry<'_>) -> u64 {
        let body = CallBody::of(entry.body);
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.last += 1;
        let number = pages.last;
        if pages.calls.len() == KEPT {
            pages.calls.pop_front();
        }
        pages.calls.push_back(Call {
            number,
            at_ms: entry.at_ms,
            answered_at_ms: None,
            operation: entry.operation,
            method: entry.method.to_string(),
            path: entry.path.to_owned(),
            query: entry.query.to_vec(),
            headers: told(entry.headers),
            is_authorized: entry.is_authorized,
            body,
            status: None,
            fault: None,
        });
        number
    }

    /// Notes what is done to a call.
    pub(crate) fn faulted(&self, number: u64, fault: &'static str) {
        self.change(number, |call| call.fault = Some(fault));
    }

    /// Notes the answer.
    pub(crate) fn answered(&self, number: u64, status: StatusCode) {
        let now_ms = self.clock.since_start_ms();
        self.change(number, |call| {
            call.status = Some(status.as_u16());
            call.answered_at_ms = Some(now_ms);
        });
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Call)) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        // Numbers rise, with gaps only where the ledger was cleared.
        if let Ok(place) = pages
            .calls
            .binary_search_by_key(&number, |call| call.number)
        {
            change(&mut pages.calls[place]);
        }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.calls.iter().cloned().collect()
    }

    pub(crate) fn calls_of(&self, operation: &str) -> Vec<Call> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let of = pages
            .calls
            .iter()
            .filter(|call| call.operation == operation);
        of.cloned().collect()
    }

    pub(crate) fn clear(&self) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.calls.clear();
    }
}

fn told(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut told = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = if name == AUTHORIZATION {
            "[redacted]".into()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        told.entry(name.to_string())
            .and_modify(|before| {
                before.push_str(", ");
                before.push_str(&value);
            })
            .or_insert(value);
    }
    told
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn enter(ledger: &Ledger, body: &'static [u8]) -> u64 {
        let headers =
            HeaderMap::from_iter([(AUTHORIZATION, "Bearer very-secret".parse().unwrap())]);
        ledger.enter(Entry {
            at_ms: 0,
            operation: "upload_file",
            method: &Method::POST,
            path: "/v2/files",
            query: &[],
            headers: &headers,
            is_authorized: true,
            body: &Bytes::from_static(body),
        })
    }

    #[test]
    fn tokens_do_not_get_in() {
        let ledger = Ledger::new(Clock::start());
        enter(&ledger, b"{}");
        let told = serde_json::to_string(&ledger.calls()).unwrap();
        assert!(
            !told.contains("very-secret") && told.contains("[redacted]"),
            "{told}"
        );
    }

    #[test]
    fn an_answer_finds_its_call_after_the_ledger_was_cleared_in_between() {
        let ledger = Ledger::new(Clock::start());
        let before = enter(&ledger, b"{}");
        ledger.clear();
        let after = enter(&ledger, b"not json");
        ledger.answered(before, StatusCode::OK);
        ledger.answered(after, StatusCode::BAD_REQUEST);
        let calls = ledger.calls();
        assert_eq!(calls.len(), 1);
        assert_eq!((calls[0].number, calls[0].status), (after, Some(400)));
        assert!(matches!(calls[0].body, CallBody::Bytes { length: 8, .. }));
    }
}
