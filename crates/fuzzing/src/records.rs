//! What stores and the embedded broker keep as JSON: read by whichever version comes next.

use foreshow_contract::{Headers, ResultEvent};
use foreshow_engine::ContextRecord;
use serde::{Serialize, de::DeserializeOwned};

/// The bytes as what is kept: what was read is written and read again as the same.
pub fn records(bytes: &[u8]) {
    kept::<ContextRecord>(bytes);
    kept::<Headers>(bytes);
    _ = ResultEvent::from_json(bytes);
}

fn kept<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, read);
}
