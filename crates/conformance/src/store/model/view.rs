//! All that can be seen of a store. Of what has no order of its own, the order is left out: condemned deployments, and what
//! happened at one instant.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use foreshow_contract::{ContextKey, Ordinal, Timestamp};
use foreshow_engine::{Clock, Gate, GateId, QuotaSet, Store};

use super::{
    super::{HandClock, alias, expired, revision},
    context,
};

/// Everything that can be asked without changing anything.
pub(super) async fn view(store: &dyn Store, clock: &HandClock) -> String {
    let mut seen = listings(store, clock.now()).await;
    writeln!(seen, "{}", store.remembers().await.unwrap()).unwrap();
    writeln!(seen, "{:#?}", gates(store).await).unwrap();
    for number in 0..4 {
        let key = context(number);
        let mut record = store.context(&key).await.unwrap();
        if let Some(record) = &mut record {
            record.condemned.sort();
        }
        writeln!(seen, "{record:#?}").unwrap();
        let resolved = store.resolve_alias(&alias(&key)).await.unwrap();
        writeln!(seen, "{resolved:?}").unwrap();
        writeln!(seen, "{}", history(store, Some(&key)).await).unwrap();
        for set in [QuotaSet::LivePreviews, QuotaSet::ConcurrentBuilds] {
            let used = store.quota_used(&key.tenant, set).await.unwrap();
            writeln!(seen, "{set:?}: {used}").unwrap();
        }
        for number in 0..6 {
            for ordinal in [
                Ordinal::update(revision(number)),
                Ordinal::end(revision(number)),
            ] {
                let outcome = store.outcome(&key, ordinal).await.unwrap();
                writeln!(seen, "{ordinal}: {outcome:?}").unwrap();
            }
        }
    }
    seen
}

/// Without entries, which may be left out, and without those that are as open as a gate that is missing.
async fn gates(store: &dyn Store) -> Vec<(GateId, Gate)> {
    let gates = store.gates().await.unwrap().into_iter();
    let gates = gates.map(|(id, gate)| {
        let entries = BTreeMap::new();
        (id, Gate { entries, ..gate })
    });
    gates.filter(|(_, gate)| *gate != Gate::default()).collect()
}

async fn listings(store: &dyn Store, now: Timestamp) -> String {
    let mut seen = String::new();
    let tenants = [None, Some(context(0).tenant)];
    for tenant in tenants {
        let mut all = store.contexts(tenant.as_ref(), 99).await.unwrap();
        let at = |listed: &[foreshow_engine::ContextSummary]| -> Vec<Timestamp> {
            listed.iter().map(|one| one.record.desired_at).collect()
        };
        writeln!(seen, "{:?}", at(&all)).unwrap();
        let some = store.contexts(tenant.as_ref(), 2).await.unwrap();
        writeln!(seen, "{:?}", at(&some)).unwrap();
        all.sort_by(|a, b| a.key.cmp(&b.key));
        for one in &mut all {
            one.record.condemned.sort();
        }
        writeln!(seen, "{all:#?}").unwrap();
    }
    let some = expired(store, now, 2).await.len();
    let mut expired = expired(store, now, 99).await;
    expired.sort();
    let since = now.saturating_sub(Duration::from_secs(5));
    let later = store.expired(since, now, 99).await.unwrap();
    writeln!(seen, "{} since", later.len()).unwrap();
    writeln!(seen, "{some} of {expired:?}").unwrap();
    writeln!(seen, "{}", history(store, None).await).unwrap();
    seen
}

async fn history(store: &dyn Store, key: Option<&ContextKey>) -> String {
    let some = match key {
        Some(_) => Vec::new(),
        None => store.history(None, 3).await.unwrap(),
    };
    let some: Vec<_> = some.iter().map(|entry| entry.at).collect();
    let all = store.history(key, 999).await.unwrap();
    let newest_first: Vec<_> = all.iter().map(|entry| entry.at).collect();
    let mut all: Vec<_> = all.iter().map(|entry| format!("{entry:?}")).collect();
    all.sort();
    format!("{some:?} of {newest_first:?}: {all:#?}")
}
