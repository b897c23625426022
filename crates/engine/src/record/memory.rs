//! What a look at the providers tells of a context: seeding a record that may have been forgotten, and noting that what it
//! names is gone. What becomes of deployments that the record does not name is decided [next door](super::Judgement).
//!
//! None of these steps is made under a lease, so each is safe whenever it lands: seeding only raises; a deployment is
//! condemned only where nobody can want it any more, in the step that checks that, and deleted after; what is live is
//! dropped from the record only where no lease is held.

use foreshow_contract::{DeploymentId, HostLabel, Ordinal, ProviderName, Revision, Timestamp};

use super::{ContextRecord, Live};
use crate::{BuildState, Deployment};

/// What the providers' tags tell of a context.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The context's alias.
    pub alias: HostLabel,
    /// The newest revision that any tag names, whatever became of it.
    pub newest: Option<Revision>,
    /// The newest deployment that serves.
    pub live: Option<Live>,
    /// When that expires, where it becomes the record's live one.
    pub expires_at: Timestamp,
}

/// A deployment that its context's record may not name.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// Who hosts it.
    pub provider: ProviderName,
    /// The deployment, as it was listed.
    pub deployment: Deployment,
    /// Whether the deployment that the record has as live was listed too.
    pub live_is_there: bool,
    /// How long one that nobody claims may stay.
    pub stays_until: Timestamp,
}

/// What becomes of a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The record names it, or its lease's holder works on it.
    Known,
    /// Its event may still come: it stays for a while.
    Adopted,
    /// Nobody can want it any more: delete it. The record says so, and refuses it from now on.
    Condemned,
}

impl Seed {
    /// What these deployments of one context, all listed at one provider, tell.
    pub fn of(
        alias: HostLabel,
        listed: &[(ProviderName, Deployment)],
        expires_at: Timestamp,
    ) -> Self {
        let there = || {
            listed
                .iter()
                .filter(|(_, deployment)| deployment.state != BuildState::Gone)
        };
        let live = there()
            .filter(|(_, deployment)| deployment.state == BuildState::Ready)
            .max_by_key(|(_, deployment)| (deployment.revision, deployment.id.clone()));
        Self {
            alias,
            newest: there().map(|(_, deployment)| deployment.revision).max(),
            live: live.map(|(provider, deployment)| Live {
                revision: deployment.revision,
                provider: provider.clone(),
                deployment: deployment.id.clone(),
                address: deployment.address.clone(),
                tree: String::new(),
                settings: String::new(),
            }),
            expires_at,
        }
    }
}

impl ContextRecord {
    /// Merges in what the providers know, creating the record where there is none. It only raises: what the record knows
    /// already, or has ended, stays.
    pub fn seed(record: &mut Option<Self>, seed: &Seed, now: Timestamp) {
        let Some(newest) = seed.newest else {
            if let Some(record) = record {
                record.unproven = false;
            }
            return;
        };
        let tagged = Ordinal::update(newest);
        let record = record.get_or_insert_with(|| Self::new(seed.alias.clone(), tagged, now));
        record.unproven = false;
        if tagged > record.desired {
            record.desired = tagged;
            record.desired_digest.clear();
            record.desired_at = now;
        }
        let Some(live) = &seed.live else { return };
        let is_newer = record
            .live
            .as_ref()
            .is_none_or(|known| known.revision < live.revision);
        if is_newer
            && !record.is_ended(live.revision)
            && !record.condemned.contains(&live.deployment)
        {
            record.live = Some(live.clone());
            record.expire(seed.expires_at, now);
        }
    }

    /// A condemned deployment is gone at its provider: nobody can adopt it any more.
    pub fn forget_condemned(&mut self, id: &DeploymentId) {
        self.condemned.retain(|condemned| condemned != id);
        self.adopted.remove(id);
    }

    /// Notes that the live deployment is gone at its provider; `false` where another is live, or somebody holds the lease
    /// and sees for themselves.
    #[must_use]
    pub fn mend(&mut self, gone: &DeploymentId, now: Timestamp) -> bool {
        let is_live = self
            .live
            .as_ref()
            .is_some_and(|live| live.deployment == *gone);
        if self.is_held(now) || !is_live {
            return false;
        }
        self.live = None;
        self.expires_at = None;
        true
    }
}
