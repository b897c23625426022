//! What can be turned while a simulator runs: how long builds take, how they end, how late sites come.
//!
//! A product's knobs are a struct of its own, usually with [`BuildKnobs`] as its field `builds`. What a build will do is fixed
//! when it is created: a knob that is turned later changes the builds that come later.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// How builds go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuildKnobs {
    /// How long a build waits in the queue before it begins.
    pub queue_ms: u64,
    /// How long it then takes.
    pub build_ms: u64,
    /// How builds end for which `next` says nothing.
    pub outcome: BuildOutcome,
    /// How the next builds end: each takes one.
    pub next: VecDeque<BuildOutcome>,
    /// What a site answers at first, though its build is ready.
    pub site_delay: Option<SiteDelay>,
}

impl Default for BuildKnobs {
    fn default() -> Self {
        Self {
            queue_ms: 0,
            build_ms: 50,
            outcome: BuildOutcome::Ready,
            next: VecDeque::new(),
            site_delay: None,
        }
    }
}

impl BuildKnobs {
    /// How the build that is created now will end; takes it from `next`.
    pub fn take_outcome(&mut self) -> BuildOutcome {
        self.next
            .pop_front()
            .unwrap_or_else(|| self.outcome.clone())
    }
}

/// How a build ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BuildOutcome {
    /// Well.
    Ready,
    /// Not well.
    Failed {
        /// Lines that the build's log ends with.
        #[serde(default)]
        log: Vec<String>,
    },
    /// Never: it builds for ever.
    Never,
    /// In a state of the vendor's that the other outcomes do not lead to (each vendor's page tells which), or in one that
    /// nobody has heard of.
    State {
        /// The vendor's word, e.g. `BLOCKED`.
        state: String,
    },
}

/// What a site answers at first, though its build is ready: the vendor's edge has not heard of it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteDelay {
    /// For how long after it is ready.
    pub ms: u64,
    /// What.
    pub answer: SiteAnswer,
}

/// What a site that is not there yet answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteAnswer {
    /// The vendor's page for what is not found.
    NotFound,
    /// The vendor's page for what does not answer.
    BadGateway,
    /// What the deployment before it in the same project or app serves; not found where there is none.
    Previous,
}

/// Something that is read by one and turned by another.
#[derive(Debug)]
pub struct Dial<T>(Arc<Mutex<T>>);

impl<T> Clone for Dial<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Clone> Dial<T> {
    /// At its first position.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    /// Where it stands.
    pub fn get(&self) -> T {
        self.turn(|value| value.clone())
    }

    /// Turns it.
    pub fn turn<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Clone + Serialize + DeserializeOwned> Dial<T> {
    /// Merges JSON into it (objects are merged, everything else is replaced, `null` included) and gives the whole.
    pub(crate) fn merge(&self, patch: Value) -> Result<Value, serde_json::Error> {
        self.turn(|value| {
            let mut whole = serde_json::to_value(&*value)?;
            merge(&mut whole, patch);
            *value = serde_json::from_value(whole.clone())?;
            Ok(whole)
        })
    }
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        // What is told apart by its kind is replaced whole: fields of another kind must not stay.
        (Value::Object(into), Value::Object(patch)) if !patch.contains_key("kind") => {
            for (name, value) in patch {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let dial = Dial::new(BuildKnobs::default());
        dial.merge(json!({"build_ms": 7})).expect("it is a knob");
        dial.merge(json!({"outcome": {"kind": "failed", "log": ["no"]}}))
            .expect("it is one");
        dial.merge(json!({"outcome": {"kind": "never"}}))
            .expect("nothing stays of the other kind");
        let knobs = dial.get();
        assert_eq!((knobs.build_ms, knobs.outcome), (7, BuildOutcome::Never));
    }

    #[test]
    fn a_patch_that_names_no_knob_is_refused_and_changes_nothing() {
        let dial = Dial::new(BuildKnobs::default());
        assert!(dial.merge(json!({"build_ms": 1, "bild_ms": 7})).is_err());
        assert_eq!(dial.get(), BuildKnobs::default());
    }
}
