//! Whose a deployment is: what is written into its `meta`, and read back.
//!
//! The list's filter by `meta` is not in the API's document. It narrows what is listed; whether a deployment is ours is told
//! only by what its `meta` says. The names begin with our own: Vercel's git integrations use others.

use std::collections::BTreeMap;

use foreshow_contract::{ContextKey, InstallationKey, Revision};
use serde_json::Value;

const INSTALLATION: &str = "foreshowInstallation";
const TENANT: &str = "foreshowTenant";
const CONTEXT: &str = "foreshowContext";
const REVISION: &str = "foreshowRevision";
/// All of whose it is in one value, for a filter that finds one context's deployments alone.
const KEY: &str = "foreshowKey";

const DOMAIN: &str = "foreshow.vercel.tags.v1";
/// Enough to tell installations, and contexts, apart.
const SHOWN: usize = 32;

/// The tags of one installation.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    key: InstallationKey,
    fingerprint: String,
}

impl Tags {
    pub(super) fn new(key: &InstallationKey) -> Self {
        Self {
            fingerprint: short(key, "installation"),
            key: key.clone(),
        }
    }

    /// What a deployment of this revision carries.
    pub(super) fn of(
        &self,
        key: &ContextKey,
        revision: Revision,
    ) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (INSTALLATION, self.fingerprint.clone()),
            (TENANT, key.tenant.to_string()),
            (CONTEXT, key.context.to_string()),
            (REVISION, revision.to_string()),
            (KEY, self.digest(key)),
        ])
    }

    /// The filter that finds the deployments of a context.
    pub(super) fn filter(&self, key: &ContextKey) -> (String, String) {
        (format!("meta-{KEY}"), self.digest(key))
    }

    /// The filter that finds the installation's deployments.
    pub(super) fn filter_all(&self) -> (String, String) {
        (format!("meta-{INSTALLATION}"), self.fingerprint.clone())
    }

    /// Whose a deployment is; `None` where it is not this installation's.
    pub(super) fn read(&self, meta: &BTreeMap<String, Value>) -> Option<(ContextKey, Revision)> {
        let text = |name: &str| meta.get(name)?.as_str();
        if text(INSTALLATION)? != self.fingerprint {
            return None;
        }
        let key = ContextKey::try_new(text(TENANT)?, text(CONTEXT)?).ok()?;
        let revision = text(REVISION)?.parse().ok()?;
        Some((key, Revision::try_new(revision).ok()?))
    }

    fn digest(&self, key: &ContextKey) -> String {
        short(&self.key, &key.to_string())
    }
}

/// A word that only this installation can make of `what`.
pub(super) fn short(key: &InstallationKey, what: &str) -> String {
    let mut digest = key.digest(DOMAIN, what.as_bytes()).to_string();
    digest.truncate(SHOWN);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(byte: u8) -> Tags {
        Tags::new(&InstallationKey::try_from_slice(&[byte; 32]).unwrap())
    }

    #[test]
    fn what_is_written_is_read_back_by_this_installation_alone() {
        let key = ContextKey::try_new("acme/ü", "ctx 42").unwrap();
        let revision = Revision::try_new(7).unwrap();
        let meta: BTreeMap<String, Value> = tags(1)
            .of(&key, revision)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        assert_eq!(tags(1).read(&meta), Some((key.clone(), revision)));
        assert_eq!(tags(2).read(&meta), None);
        for name in meta.keys().filter(|name| *name != KEY) {
            let mut spoilt = meta.clone();
            spoilt.insert(name.clone(), Value::Null);
            assert_eq!(tags(1).read(&spoilt), None, "{name}");
        }
        let (name, value) = tags(1).filter(&key);
        assert_eq!(meta[name.strip_prefix("meta-").unwrap()], value);
    }
}
