//! What was heard of each event.

use std::collections::{BTreeMap, BTreeSet};

use foreshow_contract::{ContextKey, ResultBody, ResultEvent};

/// What was heard of each event: the ids of its ends.
#[derive(Default)]
pub struct Ends {
    heard: BTreeMap<(ContextKey, u64), BTreeMap<String, String>>,
    /// The alias of each context that was ever ready.
    pub aliases: BTreeMap<ContextKey, String>,
}

impl Ends {
    /// Takes note of an end.
    ///
    /// # Panics
    /// Where it is that of an event without a revision.
    pub fn hear(&mut self, end: &ResultEvent) {
        let key = end.key().expect("a result has a key");
        let revision = end.revision().expect("an end has a revision").get();
        if let ResultBody::Ready(ready) = &end.body {
            self.aliases.insert(key.clone(), ready.alias_url.clone());
        }
        if let ResultBody::Superseded(superseded) = &end.body {
            let by = &superseded.winner;
            assert!(by.revision >= superseded.revision, "{superseded:?}");
        }
        let told = self.heard.entry((key, revision)).or_default();
        told.insert(end.id.clone(), end.outcome().short().to_owned());
    }

    /// Events that have ended.
    pub fn count(&self) -> usize {
        self.heard.len()
    }

    /// How an event ended: in one way, unless the store has lost its memory.
    pub fn of(&self, key: &ContextKey, revision: u64) -> BTreeSet<&str> {
        let told = self.heard.get(&(key.clone(), revision));
        told.into_iter()
            .flat_map(BTreeMap::values)
            .map(String::as_str)
            .collect()
    }

    /// How often each outcome was heard.
    pub fn outcomes(&self) -> BTreeMap<&str, usize> {
        let mut outcomes = BTreeMap::new();
        for told in self.heard.values().flat_map(BTreeMap::values) {
            *outcomes.entry(told.as_str()).or_default() += 1;
        }
        outcomes
    }

    /// Fails where an event ended in more than one way: a repeat has the id and the outcome of the first.
    ///
    /// # Panics
    /// There.
    pub fn assert_each_ended_once(&self) {
        for (event, told) in &self.heard {
            assert_eq!(
                told.len(),
                1,
                "{event:?} ended in more than one way: {told:?}"
            );
        }
    }
}
