//! Workers as processes of their own on RabbitMQ and Redis: killed, cut off, flooded, and never at a loss.

#[path = "fleet/recovery.rs"]
mod recovery;
#[path = "fleet/roles.rs"]
mod roles;
#[path = "fleet/rubbish.rs"]
mod rubbish;
#[path = "fleet/throng.rs"]
mod throng;

use std::collections::{BTreeMap, BTreeSet};

use foreshow_contract::{ContextKey, ResultBody, ResultEvent};

/// What was heard of each event: the ids of its ends.
#[derive(Default)]
struct Ends {
    heard: BTreeMap<(ContextKey, u64), BTreeMap<String, String>>,
    aliases: BTreeMap<ContextKey, String>,
}

impl Ends {
    /// Takes note of an end.
    fn hear(&mut self, end: &ResultEvent) {
        let key = end.key().expect("a result has a key");
        let revision = end.revision().expect("an end has a revision").get();
        if let ResultBody::Ready(ready) = &end.body {
            self.aliases.insert(key.clone(), ready.alias_url.clone());
        }
        let told = self.heard.entry((key, revision)).or_default();
        told.insert(end.id.clone(), end.outcome().short().to_owned());
    }

    /// Events that have ended.
    fn count(&self) -> usize {
        self.heard.len()
    }

    /// How an event ended: in one way, unless the store has lost its memory.
    fn of(&self, key: &ContextKey, revision: u64) -> BTreeSet<&str> {
        let told = self.heard.get(&(key.clone(), revision));
        told.into_iter()
            .flat_map(BTreeMap::values)
            .map(String::as_str)
            .collect()
    }

    /// Fails where an event ended in more than one way: a repeat has the id and the outcome of the first.
    fn assert_each_ended_once(&self) {
        for (event, told) in &self.heard {
            assert_eq!(
                told.len(),
                1,
                "{event:?} ended in more than one way: {told:?}"
            );
        }
    }
}
