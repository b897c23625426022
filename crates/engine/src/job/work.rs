//! Work under a lease: what the event asks for, then one of the ways in which a lease is given back.

use std::error::Error;

use foreshow_contract::{ContextKey, EventKind, OrdinalKind};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Job, Wish, deploy,
    stop::{Stop, Trouble},
};
use crate::{
    ContextRecord, DeadLetterReason, GiveBack, Outcome, Settlement, Settling,
    lease::{Keeper, LeaseLost},
    locals::Working,
    observe,
    outcome::Subject,
    ports::QuotaMember,
    retry::Next,
    worker::ShuttingDown,
};

/// A lease that was granted, and what the claim told.
pub(super) struct Granted {
    pub(super) keeper: Keeper,
    pub(super) working: Working,
    pub(super) record: ContextRecord,
    pub(super) is_unknown: bool,
    /// When the claim was asked.
    pub(super) asked_at: Instant,
}

/// How work under a lease came out.
pub(super) enum Worked {
    /// The event has ended; it is still to be published.
    Settled(Outcome),
    /// The delivery is out of our hands.
    HandedOn,
    /// Claim again: the lease is gone.
    LeaseLost,
    /// Claim again: something newer was found, and the lease was given back.
    Overtaken,
}

impl Job {
    /// Works under the lease, then settles, hands over, or hands on.
    pub(super) async fn work(
        &self,
        subject: &Subject,
        granted: Granted,
        wish: &Wish<'_>,
    ) -> Result<Worked, ShuttingDown> {
        let store = self.engine.store();
        let Granted {
            keeper,
            working,
            mut record,
            is_unknown,
            asked_at,
        } = granted;
        let work = async {
            if is_unknown && !matches!(wish, Wish::GiveUp(_)) {
                record = self.look_up(subject).await?;
                if record.desired > subject.ordinal {
                    return Err(Stop::Overtaken);
                }
            }
            match wish {
                Wish::Deploy(update) => {
                    deploy::Deploy::new(self, subject, update, &keeper, &record, asked_at)
                        .run()
                        .await
                }
                Wish::CleanUp => {
                    self.clean_up(subject, &record).await?;
                    Ok(Settlement::of(Outcome::removed()))
                }
                Wish::Forget => {
                    self.clean_up(subject, &record).await?;
                    Ok(Settlement::of(Outcome::Reset { gone: Vec::new() }))
                }
                Wish::GiveUp(trouble) => Err(Stop::failed(trouble.clone())),
            }
        };
        let worked = keeper.hold(work).await;
        // Before the lease is given back: whoever is woken by that takes a slot of its own.
        drop(working);
        let settlement = match worked.unwrap_or_else(|lost| Err(lost.into())) {
            Ok(settlement) => settlement,
            Err(Stop::Superseded(by)) => Settlement::of(Outcome::Superseded { by }),
            Err(Stop::SteppedDown { by, why }) => Settlement {
                cancelled: Some(why),
                ..Settlement::of(Outcome::Superseded { by })
            },
            Err(Stop::LeaseLost) => return Ok(Worked::LeaseLost),
            Err(Stop::Overtaken) => {
                let lease = keeper.finish();
                self.engine
                    .insist(&self.shutdown, || {
                        store.release(&lease, &GiveBack::HandedOver)
                    })
                    .await?;
                return Ok(Worked::Overtaken);
            }
            Err(Stop::HandOver) => {
                if !self.shutdown.is_cancelled() {
                    // It comes back as if it had never been let in: a place that it left behind would wait for its deadline.
                    let build = QuotaMember::Build(subject.key.clone(), subject.ordinal.revision);
                    let leave = self.engine.insist(&self.shutdown, || store.leave(&build));
                    if let Ok(left) = keeper.hold(leave).await {
                        left?;
                    }
                }
                let lease = keeper.finish();
                if let Err(error) = store.release(&lease, &GiveBack::HandedOver).await {
                    warn!(context.id = %lease.key, error = &error as &dyn Error,
                        "the lease was not released; it runs out by itself");
                }
                info!(context.id = %lease.key, "{} is handed over, its build still running", subject.ordinal);
                return self.let_go(true).await.map(|()| Worked::HandedOn);
            }
            Err(Stop::Failed(trouble)) => match self.next(&trouble, subject.ordinal.kind) {
                Next::Again { after, attempt } => {
                    observe::tried_again(&trouble.failure);
                    warn!(
                        context.id = %subject.key,
                        after_ms = after.as_millis(),
                        cause = trouble.cause,
                        "revision {} of {} is tried again later: {}",
                        subject.ordinal.revision, subject.key, trouble.message
                    );
                    // While the lease is held: a copy that is granted it next counts for itself.
                    let build = QuotaMember::Build(subject.key.clone(), subject.ordinal.revision);
                    let leave = self.engine.insist(&self.shutdown, || store.leave(&build));
                    if let Ok(left) = keeper.hold(leave).await {
                        left?;
                    }
                    let lease = keeper.finish();
                    let back = GiveBack::Deferred {
                        until: self.engine.now().saturating_add(after),
                        why: trouble.message.clone(),
                    };
                    self.engine
                        .insist(&self.shutdown, || store.release(&lease, &back))
                        .await?;
                    self.delay(after, attempt, Some(&trouble), true).await?;
                    return Ok(Worked::HandedOn);
                }
                Next::GiveUp { .. } if is_our_own(subject.kind) => {
                    return self.give_up_our_own(subject, keeper, &trouble).await;
                }
                Next::GiveUp { code } => {
                    if let Some(cause) = &trouble.cause {
                        warn!(context.id = %subject.key, cause, "given up: {}", trouble.message);
                    }
                    if subject.ordinal.kind == OrdinalKind::Update {
                        match keeper.hold(self.leave_if_not_live(&subject.key)).await {
                            Ok(left) => left?,
                            Err(LeaseLost) => return Ok(Worked::LeaseLost),
                        }
                    }
                    Settlement::of(self.failed(&trouble, code))
                }
            },
        };
        // Not held: the store's fence alone decides here. The renewals, which may hear of the settlement before its answer is
        // here, would take it for a lease that was lost.
        let settling = self
            .engine
            .insist(&self.shutdown, || store.settle(keeper.id(), &settlement));
        match settling.await? {
            Settling::Settled { outcome } => Ok(Worked::Settled(outcome)),
            Settling::Lost => Ok(Worked::LeaseLost),
        }
    }

    /// Gives up on what no upstream service waits for. Nothing is settled: an end of upstream's own, should it come, is still to
    /// be carried out. The sweeper asks for an expiry again, and an operator replays a reset.
    async fn give_up_our_own(
        &self,
        subject: &Subject,
        keeper: Keeper,
        trouble: &Trouble,
    ) -> Result<Worked, ShuttingDown> {
        warn!(context.id = %subject.key, cause = trouble.cause, "given up: {}", trouble.message);
        let lease = keeper.finish();
        let store = self.engine.store();
        self.engine
            .insist(&self.shutdown, || {
                store.release(&lease, &GiveBack::HandedOver)
            })
            .await?;
        if subject.kind == EventKind::Reset {
            let reason = DeadLetterReason {
                code: trouble.failure.code().to_owned(),
                message: trouble.message.clone(),
                attempts: self.delivery.history.clone(),
            };
            self.dead_letter(&reason).await?;
        } else {
            self.ack().await?;
        }
        Ok(Worked::HandedOn)
    }

    /// Gives up the context's place among the live previews where it has none. Under the lease: nobody else is let in
    /// for this context meanwhile, and nothing goes live.
    async fn leave_if_not_live(&self, key: &ContextKey) -> Result<(), ShuttingDown> {
        let store = self.engine.store();
        let record = self
            .engine
            .insist(&self.shutdown, || store.context(key))
            .await?;
        // What an end covers is not live, whoever gets to remove it.
        if record.is_some_and(|record| {
            let live = record.live.as_ref();
            live.is_some_and(|live| !record.is_ended(live.revision))
        }) {
            return Ok(());
        }
        let place = QuotaMember::LivePreview(key.clone());
        self.engine
            .insist(&self.shutdown, || store.leave(&place))
            .await
    }
}

/// Whether only Foreshow itself publishes these.
fn is_our_own(kind: EventKind) -> bool {
    match kind {
        EventKind::Expire | EventKind::Reset => true,
        EventKind::Update | EventKind::End | EventKind::Touch => false,
    }
}
