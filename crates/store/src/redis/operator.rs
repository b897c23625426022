//! What an operator asks of a store: whether all agree, and whether its settings keep what is stored.

use foreshow_engine::StoreError;
use redis::cmd;

use super::{
    error::{RedisStoreError, on},
    store::RedisStore,
};

impl RedisStore {
    /// The value that the fleet has for `what`: whoever asks first sets it to their own.
    ///
    /// A store that loses its memory forgets it, and the next who asks sets it anew.
    ///
    /// # Errors
    /// Where Redis is away.
    pub async fn agree(&self, what: &str, ours: &str) -> Result<String, StoreError> {
        let mut set = cmd("SET");
        set.arg(self.inner.keys.agreed(what))
            .arg(ours)
            .arg("NX")
            .arg("GET");
        let before: Option<String> = self
            .inner
            .link
            .query("SET", &set)
            .await
            .map_err(on("agree with the fleet"))?;
        Ok(before.unwrap_or_else(|| ours.to_owned()))
    }

    /// The value that the fleet has for `what`; `None` where nobody has said yet. Sets nothing.
    ///
    /// # Errors
    /// Where Redis is away.
    pub async fn agreed(&self, what: &str) -> Result<Option<String>, StoreError> {
        let mut get = cmd("GET");
        get.arg(self.inner.keys.agreed(what));
        let asked = self.inner.link.query("GET", &get).await;
        asked.map_err(on("tell what the fleet agreed on"))
    }

    /// What is doubtful about the server's settings, each with what to do about it.
    ///
    /// # Errors
    /// Where Redis is away, or does not let this user ask (`INFO`).
    pub async fn advice(&self) -> Result<Vec<(String, &'static str)>, StoreError> {
        let asked = async {
            let mut info = String::new();
            for section in ["server", "memory", "persistence"] {
                let mut ask = cmd("INFO");
                ask.arg(section);
                info += &self.inner.link.query::<String>("INFO", &ask).await?;
            }
            Ok::<_, RedisStoreError>(info)
        };
        let info = asked.await.map_err(on("tell its settings"))?;
        Ok(advice(&info))
    }
}

fn advice(info: &str) -> Vec<(String, &'static str)> {
    let field = |name: &str| {
        info.lines()
            .find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    };
    let mut found = Vec::new();
    let version = field("redis_version").unwrap_or("0");
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < 7) {
        found.push((
            format!("it is Redis {version}"),
            "use 7.0 or later: the scripts need it",
        ));
    }
    if field("aof_enabled") == Some("0") {
        found.push((
            "it does not write an append-only file".to_owned(),
            "set appendonly yes: without it a restart forgets leases, ends and quotas; no event is lost, but one may end twice",
        ));
    }
    let is_limited = field("maxmemory").is_some_and(|limit| limit != "0");
    let policy = field("maxmemory_policy").unwrap_or("noeviction");
    if is_limited && policy != "noeviction" {
        found.push((
            format!("when its memory is full it throws keys away ({policy})"),
            "set maxmemory-policy noeviction: a lease or a quota that is thrown away is one that nobody has",
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_memory_is_told() {
        let sound = "redis_version:7.0.15\r\nmaxmemory:100\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n";
        assert_eq!(advice(sound), []);
        let doubtful = "redis_version:6.2.1\r\nmaxmemory:100\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:0\r\n";
        let told: Vec<_> = advice(doubtful).into_iter().map(|(said, _)| said).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("6.2.1") && told[2].contains("allkeys-lru"));
        let unlimited = sound
            .replace("maxmemory:100", "maxmemory:0")
            .replace("noeviction", "allkeys-lru");
        assert_eq!(advice(&unlimited), []);
    }
}
