//! One step on one store.

use std::time::Duration;

use foreshow_contract::{Ordinal, Revision};
use foreshow_engine::{
    AdmitRequest, Claim, Claimed, Clock, GateEntry, GiveBack, LeaseId, Outcome, Owner, QuotaMember,
    RateLimit, Settlement, Store, Suspect,
};

use super::{
    super::judging::judge,
    super::{
        HandClock, admission, count, deployment, failed, live, ready, revision, seed, suspect,
    },
    context, gate,
    ops::Op,
};

/// Does one step, and answers all that can be seen of it. Two of these with the same arguments must be equal.
pub(super) async fn step(
    store: &dyn Store,
    op: &Op,
    claim_asked: &Claim,
    leases: &mut Vec<LeaseId>,
    clock: &HandClock,
) -> String {
    let now = clock.now();
    let lease_of = |leases: &[LeaseId], index: usize| {
        let recent = leases.len().saturating_sub(4);
        leases.get(recent + index % 4).or(leases.last()).cloned()
    };
    let name = |deployment: u8| format!("dep-{deployment}");
    let seconds = Duration::from_secs;
    let after = |ms: u64| now.saturating_add(Duration::from_millis(ms));
    match op {
        Op::Claim { .. } | Op::Expire { .. } | Op::Reset { .. } => {
            let mut claimed = store.claim(claim_asked).await.unwrap();
            if let Claimed::Granted { lease, record, .. } = &mut claimed {
                leases.push(lease.id().clone());
                record.condemned.sort();
            }
            format!("{claimed:?}")
        }
        Op::Renew { lease, ttl } => match lease_of(leases, *lease) {
            Some(lease) => format!("{:?}", store.renew(&lease, seconds(*ttl)).await.unwrap()),
            None => String::new(),
        },
        Op::Record {
            lease,
            deployment: id,
        } => match lease_of(leases, *lease) {
            Some(lease) => format!(
                "{:?}",
                store
                    .record_deployment(&lease, &deployment(&name(*id)))
                    .await
                    .unwrap()
            ),
            None => String::new(),
        },
        Op::GoLive {
            lease,
            deployment: id,
            ttl,
            life_ms,
        } => match lease_of(leases, *lease) {
            Some(lease) => {
                let live = live(lease.ordinal.revision.get(), &name(*id));
                format!(
                    "{:?}",
                    store
                        .go_live(&lease, &live, after(*life_ms), seconds(*ttl))
                        .await
                        .unwrap()
                )
            }
            None => String::new(),
        },
        Op::Settle {
            lease,
            end,
            deployment: id,
            life_ms,
            kept,
            built_ms,
            is_cancelled,
        } => match lease_of(leases, *lease) {
            Some(lease) => {
                let expires_at = after(*life_ms);
                let outcome = match end {
                    0 => ready(&name(*id), expires_at),
                    1 => failed(),
                    2 => Outcome::removed(),
                    3 => Outcome::Reset { gone: Vec::new() },
                    _ => Outcome::Superseded {
                        by: Ordinal::end(Revision::MAX),
                    },
                };
                let settlement = Settlement {
                    outcome,
                    expires_at: (*id != 4).then_some(expires_at),
                    kept: kept.iter().map(|id| name(*id).into()).collect(),
                    built_ms: *built_ms,
                    cancelled: is_cancelled.then(|| "something newer came".to_owned()),
                };
                format!("{:?}", store.settle(&lease, &settlement).await.unwrap())
            }
            None => String::new(),
        },
        Op::Release { lease, wait_ms } => {
            let back = match wait_ms {
                Some(wait_ms) => GiveBack::Deferred {
                    until: after(*wait_ms),
                    why: "the provider asks us to wait".to_owned(),
                },
                None => GiveBack::HandedOver,
            };
            if let Some(lease) = lease_of(leases, *lease) {
                store.release(&lease, &back).await.unwrap();
            }
            String::new()
        }
        Op::Seed {
            context: number,
            listed,
            life_ms,
        } => {
            let key = context(*number);
            let listed: Vec<_> = listed
                .iter()
                .map(|(number, id)| (*number, name(*id)))
                .collect();
            let listed: Vec<_> = listed
                .iter()
                .map(|(number, id)| (*number, id.as_str()))
                .collect();
            let seed = seed(&key, &listed, after(*life_ms));
            store.seed(&key, &seed).await.unwrap();
            String::new()
        }
        Op::Judge {
            context: number,
            revision,
            deployment: id,
            live_is_there,
            stay_ms,
        } => {
            let key = context(*number);
            let suspect = Suspect {
                live_is_there: *live_is_there,
                ..suspect(&key, *revision, &name(*id), after(*stay_ms))
            };
            format!("{:?}", judge(store, &suspect).await)
        }
        Op::ForgetCondemned {
            context: number,
            deployment: id,
        } => {
            let (key, id) = (context(*number), name(*id).into());
            store.forget_condemned(&key, &id).await.unwrap();
            String::new()
        }
        Op::Mend {
            context: number,
            deployment: id,
        } => {
            let (key, gone) = (context(*number), name(*id).into());
            store.mend(&key, &gone).await.unwrap().to_string()
        }
        Op::BeginRebuild { nonce } => {
            store.begin_rebuild(&nonce.to_string()).await.unwrap();
            String::new()
        }
        Op::CompleteRebuild { nonce } => {
            let completed = store.complete_rebuild(&nonce.to_string()).await;
            completed.unwrap().to_string()
        }
        Op::LeadSweep { owner, ttl } => {
            let owner = Owner::of_worker("sweeper", u64::from(*owner));
            let leads = store.lead_sweep(&owner, seconds(*ttl)).await;
            leads.unwrap().to_string()
        }
        Op::Touch {
            context: number,
            ttl,
        } => {
            format!(
                "{:?}",
                store
                    .touch(&context(*number), ttl.map(seconds))
                    .await
                    .unwrap()
            )
        }
        Op::Admit {
            context: number,
            revision,
            limits,
            is_live,
        } => {
            let limit = |limit: u32| (limit > 0).then(|| count(limit));
            let request = AdmitRequest {
                live_previews: limit(limits.0),
                concurrent_builds: limit(limits.1),
                is_live: *is_live,
                ..admission(&context(*number), *revision, now)
            };
            format!("{:?}", store.admit(&request).await.unwrap())
        }
        Op::Leave {
            context: number,
            revision: of_build,
        } => {
            let member = match of_build {
                Some(number_of_build) => {
                    QuotaMember::Build(context(*number), revision(*number_of_build))
                }
                None => QuotaMember::LivePreview(context(*number)),
            };
            store.leave(&member).await.unwrap();
            String::new()
        }
        Op::Enter {
            gate: number,
            name: entry,
            trial_ms,
            limit,
        } => {
            let limit = limit.map(|(number, per_seconds)| RateLimit {
                count: count(number),
                per_seconds: count(per_seconds),
            });
            let entry = GateEntry {
                name: name(*entry),
                trial: Duration::from_millis(*trial_ms),
                limit,
            };
            let told = store.enter_gate(&gate(*number), &entry).await;
            format!("{:?}", told.unwrap())
        }
        Op::Report {
            gate: number,
            report,
        } => {
            store.report_gate(&gate(*number), report).await.unwrap();
            String::new()
        }
        Op::Advance { .. } | Op::Wipe => String::new(),
    }
}
