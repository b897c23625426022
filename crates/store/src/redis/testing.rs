//! The rooms below the port, for tests of what no caller of it can bring about: on the run's Redis, with nothing that writes
//! behind by itself.

use std::sync::Arc;

use foreshow_conformance::store::HandClock;
use foreshow_servers::shared::{self, SharedRedis};

use super::{
    clock::StoreClock, connect::Target, index::Index, keys::Keys, link::Link,
    options::RedisOptions, url::RedisUrl,
};

pub(super) struct Parts {
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    pub(super) index: Arc<Index>,
    pub(super) shared: SharedRedis,
}

pub(super) fn parts(clock: &HandClock) -> Parts {
    let shared = shared::redis();
    let url = RedisUrl::parse(&shared.url).unwrap();
    let limit = std::time::Duration::from_secs(20);
    let options = RedisOptions {
        connect_timeout: limit,
        response_timeout: limit,
        ..RedisOptions::default()
    };
    let target = Target::new(&url, &options).unwrap();
    let link = Arc::new(Link::new(target, limit, limit));
    let keys = Keys::new(&shared.namespace);
    let clock = StoreClock::given_by(Arc::new(clock.clone()));
    let index = Arc::new(Index::new(Arc::clone(&link), keys.clone(), clock));
    Parts {
        link,
        keys,
        index,
        shared,
    }
}
