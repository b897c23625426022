//! One delivery, from its claim to its acknowledgement.
//!
//! A delivery is never "a step to do": it raises what its context should show, and whoever holds the context's lease
//! drives it there. So every path through here ends in one of four ways, and each may be cut off at any await by a
//! crash and started again by the next delivery of the same message:
//!
//! 1. its end is published, then it is acknowledged ([`Job::conclude`]);
//! 2. it is dead-lettered with its reason, then acknowledged;
//! 3. it is handed to a delay, or to the backlog, then acknowledged;
//! 4. it is given back.
//!
//! The order that keeps the promises: *settle* (outcome recorded and lease released in one step) → *publish* → *ack*. A
//! crash after settling finds the outcome at the next claim and publishes it again, under the same id. Nothing that
//! changes the provider comes after the release of the lease.

mod cleanup;
mod conclude;
mod deploy;
mod domains;
mod go_live;
mod look_up;
pub(crate) mod pace;
mod prepare;
mod progress;
mod reach;
mod reject;
mod results;
mod route;
mod stop;
mod watch;
mod work;

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use foreshow_contract::{
    BuildingState, ContextEvent, ContextUpdated, IncomingEvent, OrdinalKind, Rejection,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::{
    progress::Progress,
    stop::Trouble,
    work::{Granted, Worked},
};
use crate::{
    Claim, Claimed, DeadLetterReason, Delivery, Failure, Outcome, StoreError,
    lease::Keeper,
    mutants::mutant,
    observe,
    outcome::Subject,
    ports::Purpose,
    retry::Next,
    turns::{Slot, Told, Turns},
    worker::{Engine, ShuttingDown},
};

/// How long a waiter waits past the end of another's lease: at first, and at most, where it had asked in vain.
const ASK_AGAIN_AT_LEAST: (Duration, Duration) =
    (Duration::from_millis(5), Duration::from_millis(500));

/// One delivery and what it needs.
pub(crate) struct Job {
    pub(crate) engine: Engine,
    pub(crate) delivery: Delivery,
    pub(crate) turns: Turns,
    /// What was kept for it when it was asked for.
    pub(crate) kept: Mutex<Option<Kept>>,
    /// It was moved once, and is not moved again.
    pub(crate) is_from_backlog: bool,
    pub(crate) shutdown: CancellationToken,
    /// When the delivery is let go of, well before the broker would take it away.
    pub(crate) hold_until: Instant,
}

/// What is kept for a delivery that was asked for.
pub(crate) enum Kept {
    /// A slot to run in.
    Slot(Slot),
    /// The right to be the one that waits in line for a slot.
    Ahead(#[expect(dead_code, reason = "its drop lets the next one in")] OwnedSemaphorePermit),
}

/// What a delivery asks for.
enum Wish<'a> {
    Deploy(&'a ContextUpdated),
    CleanUp,
    /// Clean up, and forget that there was anything.
    Forget,
    /// Its code panicked too often: settle as failed, without running it again.
    GiveUp(Trouble),
}

impl Job {
    /// Does the job. On [`ShuttingDown`] the delivery was given back, or will be once its consumer is gone.
    pub(crate) async fn run(&self) -> Result<(), ShuttingDown> {
        let incoming = match self.decode() {
            Ok(incoming) => incoming,
            Err(rejection) => return self.reject(&rejection).await,
        };
        match &incoming.event {
            ContextEvent::Updated(update) => self.drive(&incoming, Wish::Deploy(update)).await,
            ContextEvent::Ended(_) | ContextEvent::Expired(_) => {
                self.drive(&incoming, Wish::CleanUp).await
            }
            ContextEvent::Reset(_) => self.drive(&incoming, Wish::Forget).await,
            ContextEvent::Touched(touch) => {
                self.engine
                    .insist(&self.shutdown, || {
                        self.engine.store().touch(&touch.key, None)
                    })
                    .await?;
                self.ack().await
            }
        }
    }

    /// Reads the message, which must be what its routing key says.
    fn decode(&self) -> Result<IncomingEvent, Box<Rejection>> {
        let message = &self.delivery.message;
        foreshow_contract::decode_routed(&message.routing_key, message.raw())
    }

    /// Ends the delivery after its code panicked: another attempt, or failed.
    pub(crate) async fn run_after_panic(&self, panic: String) -> Result<(), ShuttingDown> {
        let trouble = Trouble::new(
            Failure::Retryable { after: None },
            format!("the worker's own code panicked on this event: {panic}; please report it"),
        );
        let Ok(incoming) = self.decode() else {
            let reason = DeadLetterReason {
                code: crate::code::INTERNAL.to_owned(),
                message: trouble.message.clone(),
                attempts: self.delivery.history.clone(),
            };
            return self.dead_letter(&reason).await;
        };
        match self.next(&trouble, OrdinalKind::Update) {
            Next::Again { after, attempt } => {
                self.delay(after, attempt, Some(&trouble), true).await
            }
            Next::GiveUp { .. } => {
                let trouble =
                    Trouble::new(Failure::Permanent(crate::code::INTERNAL), trouble.message);
                self.drive(&incoming, Wish::GiveUp(trouble)).await
            }
        }
    }

    fn kept(&self) -> Option<Kept> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Claims the context, as often as it takes, and does what the store answers.
    async fn drive(&self, incoming: &IncomingEvent, wish: Wish<'_>) -> Result<(), ShuttingDown> {
        let Some(subject) = &Subject::of(incoming, self.delivery.replay) else {
            return self.ack().await;
        };
        let digest = match &incoming.event {
            ContextEvent::Updated(update) => update.request_digest(self.engine.installation()),
            // An end has nothing but its name: two of one revision are the same event. And an expiry is settled as the end of its
            // revision, so that upstream's own finds it done.
            ContextEvent::Ended(_)
            | ContextEvent::Touched(_)
            | ContextEvent::Expired(_)
            | ContextEvent::Reset(_) => "end".to_owned(),
        };
        let purpose = match &incoming.event {
            ContextEvent::Updated(_) | ContextEvent::Ended(_) | ContextEvent::Touched(_) => {
                Purpose::Event
            }
            ContextEvent::Expired(_) => Purpose::Expiry,
            ContextEvent::Reset(reset) => Purpose::Reset(reset.reset.clone()),
        };
        let event = &incoming.event;
        let options = self.engine.options();
        let give_up_at = Instant::now() + Duration::from_secs(options.wait.bound_seconds);
        let mut claim = Claim {
            key: subject.key.clone(),
            ordinal: subject.ordinal,
            digest,
            alias: self.engine.installation().alias_label(&subject.key),
            owner: self.engine.new_owner(),
            ttl: options.lease.ttl(),
            purpose,
            replay: self.delivery.replay,
        };
        let mut watch = self.engine.store().watch(&subject.key);
        let locals = self.engine.locals();
        let mut begun = locals.watch(&subject.key);
        #[cfg(feature = "mutants")]
        crate::mutants::arrived(&subject.key, subject.ordinal);
        // One of this process's deliveries of this revision asks on behalf of all; held from the first wait on.
        let mut seat = None;
        let mut asked_in_vain = 0;
        let mut queued = None;
        let tenant = &subject.key.tenant;
        // One that has asked has raised what its context should show, and somebody may have stepped down for it: it stays.
        let mut may_leave = !self.is_from_backlog;
        if self.is_from_backlog {
            self.turns.came_back(tenant);
        }
        // Most of a storm is superseded at its first claim, and was never let in anywhere.
        let mut may_be_admitted = self.delivery.redelivered
            || self.delivery.attempt > NonZeroU32::MIN
            || matches!(wish, Wish::GiveUp(_));
        loop {
            // Most likely held then, so to ask costs nothing; and if it is granted after all, one more runs.
            let (kept, ahead) = match self.kept() {
                Some(Kept::Slot(slot)) => (Some(slot), None),
                Some(ahead @ Kept::Ahead(_)) => (None, Some(ahead)),
                None => (None, None),
            };
            let slot = if locals.is_worked_on(&subject.key) {
                None
            } else if let Some(kept) = kept {
                Some(kept.taken_by(tenant))
            } else {
                let mut turn = self.turns.line_up(tenant, may_leave);
                tokio::select! {
                    biased;
                    () = self.must_let_go() => return self.let_go(may_be_admitted).await,
                    told = turn.told() => match told {
                        Told::Go(slot) => Some(slot),
                        Told::Beyond => return self.move_to_backlog(may_be_admitted).await,
                    },
                    () = begun.changed() => continue,
                }
            };
            may_leave = false;
            drop(ahead);
            claim.owner = self.engine.new_owner();
            let ask = || async {
                // Of this very try: however long broker and store were away, the lease counts from here.
                let asked_at = Instant::now();
                let claimed = self.engine.store().claim(&claim).await?;
                Ok::<_, StoreError>((asked_at, claimed))
            };
            let (asked_at, claimed) = self.engine.insist(&self.shutdown, ask).await?;
            observe::claimed(&claimed);
            match claimed {
                Claimed::Finished(settled) => {
                    debug!(context.id = %subject.key, "{} had ended before; saying so again", subject.ordinal);
                    let told = subject.in_life(settled.replay);
                    return self.conclude(&told, event, &settled.outcome, true).await;
                }
                Claimed::Stale { by } => {
                    debug!(context.id = %subject.key, "{} is superseded by {by}", subject.ordinal);
                    return self
                        .conclude(subject, event, &Outcome::Superseded { by }, may_be_admitted)
                        .await;
                }
                Claimed::Conflict => return self.reject_conflict(subject).await,
                Claimed::Moot => {
                    debug!(context.id = %subject.key, "{} has not expired any more", subject.key);
                    return self.ack().await;
                }
                Claimed::Held { until } => {
                    drop(slot);
                    let _elsewhere = self.turns.elsewhere(tenant);
                    #[cfg(feature = "mutants")]
                    if let Some(by) =
                        crate::mutants::superseded_early(&subject.key, subject.ordinal)
                    {
                        let outcome = Outcome::Superseded { by };
                        return self.conclude(subject, event, &outcome, true).await;
                    }
                    if Instant::now() >= give_up_at {
                        let park = Duration::from_millis(options.wait.park_ms);
                        let attempt = self.delivery.attempt;
                        return self.delay(park, attempt, None, may_be_admitted).await;
                    }
                    // A copy of what is being built would only take the word "building" back.
                    let is_copy = self.delivery.redelivered
                        || locals.is_worked_on_for(&subject.key, subject.ordinal);
                    if queued.is_none() && !is_copy && matches!(wish, Wish::Deploy(_)) {
                        let (engine, subject) = (self.engine.clone(), subject.clone());
                        queued = Some(Progress::start(engine, subject, BuildingState::Queued));
                    }
                    seat = seat.or_else(|| locals.try_seat(&subject.key, subject.ordinal));
                    if seat.is_none() {
                        tokio::select! {
                            biased;
                            () = self.must_let_go() => return self.let_go(may_be_admitted).await,
                            () = sleep_until(give_up_at) => continue,
                            taken = locals.seat(&subject.key, subject.ordinal) => seat = Some(taken),
                        }
                        // Whoever had it before may have had the answer.
                        continue;
                    }
                    let left = until
                        .saturating_since(self.engine.now())
                        .min(options.lease.ttl());
                    // The end is by the store's clock. One of ours that is ahead of it sees no time left, and must not ask in a loop.
                    let at_least = ASK_AGAIN_AT_LEAST.0 * 2_u32.pow(asked_in_vain);
                    let at_least = at_least.min(ASK_AGAIN_AT_LEAST.1);
                    asked_in_vain = (asked_in_vain + 1).min(10);
                    tokio::select! {
                        biased;
                        () = self.must_let_go() => return self.let_go(may_be_admitted).await,
                        () = watch.changed(), if !mutant!(WaiterNeverWakes) => asked_in_vain = 0,
                        // A moment after the lease's end, so that the question does not come just before it.
                        () = sleep(left + at_least), if !mutant!(WaiterNeverWakes) => {}
                        () = sleep_until(give_up_at), if !mutant!(WaiterNeverWakes) => {}
                    }
                }
                Claimed::Granted {
                    lease,
                    record,
                    is_unknown,
                } => {
                    may_be_admitted = true;
                    queued = None;
                    let working = locals.work_on(&subject.key, subject.ordinal);
                    let keeper = Keeper::start(
                        self.engine.lease_store(),
                        self.engine.tasks(),
                        lease,
                        asked_at,
                        record.desired,
                        record.floor,
                        &options.lease,
                    );
                    let granted = Granted {
                        keeper,
                        working,
                        record: *record,
                        is_unknown,
                        asked_at,
                    };
                    match self.work(subject, granted, &wish).await? {
                        Worked::Settled(outcome) => {
                            return self.conclude(subject, event, &outcome, true).await;
                        }
                        Worked::HandedOn => return Ok(()),
                        Worked::LeaseLost => {
                            observe::lease_lost();
                            warn!(
                                context.id = %subject.key,
                                "the lease of {} was lost; claiming again", subject.ordinal
                            );
                        }
                        Worked::Overtaken => {}
                    }
                }
            }
        }
    }
}
