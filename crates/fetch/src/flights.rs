//! One transfer of one bundle at a time.
//!
//! Whoever wants a bundle takes its slot. The first makes the transfer and leaves the file there; those who waited find it. A
//! slot lives for as long as somebody holds it, and with the last of them goes what was left in it: so even where nothing is
//! cached, a burst of events with the same files costs one transfer.
//!
//! Whoever fails, or is dropped half-way, leaves an empty slot, and the next one tries for itself: its URL may be another, with
//! a signature that is still good.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use foreshow_contract::{Sha256, TenantId};
use foreshow_engine::BundleFile;

/// Where the file of a finished transfer is left for those who waited.
pub(crate) type Slot = tokio::sync::Mutex<Option<BundleFile>>;

/// The slots that somebody holds.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<(TenantId, Sha256), Weak<Slot>>>);

impl Flights {
    pub(crate) fn slot(&self, tenant: &TenantId, sha256: Sha256) -> Arc<Slot> {
        // Nobody panics with it; and if somebody did, a map is a map.
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| slot.strong_count() > 0);
        let slot = slots.entry((tenant.clone(), sha256)).or_default();
        slot.upgrade().unwrap_or_else(|| {
            let fresh = Arc::default();
            *slot = Arc::downgrade(&fresh);
            fresh
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_shared_while_it_is_held_and_by_nobody_else() {
        let flights = Flights::default();
        let [acme, globex] = ["acme", "globex"].map(|name| TenantId::try_new(name).unwrap());
        let (site, another) = (Sha256::of(b"site"), Sha256::of(b"another"));
        let first = flights.slot(&acme, site);
        assert!(Arc::ptr_eq(&first, &flights.slot(&acme, site)));
        for (tenant, sha256) in [(&globex, site), (&acme, another)] {
            assert!(!Arc::ptr_eq(&first, &flights.slot(tenant, sha256)));
        }
        drop(first);
        flights.slot(&globex, another);
        assert_eq!(flights.0.lock().unwrap().len(), 1, "the others are gone");
    }
}
