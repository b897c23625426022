//! A revision's build, by the time that has passed.
//!
//! Nothing runs. What a build will do is fixed when it is created; whoever looks computes how far it has come. A build is
//! `queued`, then `building` through up to four stages (preparing, installing, building, deploying), then over. A cancel that
//! comes before its end wins, though the build may go on as `building` for a while; one that comes later changes nothing.

mod words;

pub(crate) use words::{Ending, How, Reason, Stage, Standing, Status};

/// What is run in the stages that have a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commands {
    pub(crate) install: Option<String>,
    pub(crate) build: Option<String>,
}

/// One build. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) created_at: u64,
    pub(crate) queue_ms: u64,
    pub(crate) length_ms: u64,
    pub(crate) cancel_ms: u64,
    pub(crate) ending: Ending,
    pub(crate) commands: Commands,
    /// When it begins; `None` while it waits for a builder to be free.
    pub(crate) begins_at: Option<u64>,
    pub(crate) cancel_requested_at: Option<u64>,
}

impl Build {
    pub(crate) fn new(created_at: u64, ending: Ending) -> Self {
        Self {
            created_at,
            queue_ms: 0,
            length_ms: 0,
            cancel_ms: 0,
            ending,
            commands: Commands::default(),
            begins_at: None,
            cancel_requested_at: None,
        }
    }

    /// When it could begin at the earliest.
    pub(crate) fn leaves_queue_at(&self) -> u64 {
        self.created_at.saturating_add(self.queue_ms)
    }

    /// Asks it to stop; a build that is over, or was asked before, stays as it is.
    pub(crate) fn cancel(&mut self, now: u64) {
        if self.cancel_requested_at.is_none() && !self.status(now).is_over() {
            self.cancel_requested_at = Some(now);
        }
    }

    /// When it ends by itself.
    fn natural_end(&self) -> Option<u64> {
        let begins_at = self.begins_at?;
        match &self.ending {
            Ending::Never => None,
            Ending::Skipped => Some(begins_at),
            Ending::Succeeds
            | Ending::Fails { .. }
            | Ending::WarmupFails { .. }
            | Ending::TimesOut
            | Ending::Cancelled
            | Ending::Unheard(_) => Some(begins_at.saturating_add(self.length_ms)),
        }
    }

    /// When it is over; `None` where that is not known, or never.
    pub(crate) fn ends_at(&self) -> Option<u64> {
        match self.cancel_requested_at {
            Some(asked) => Some(asked.saturating_add(self.cancel_ms)),
            None => self.natural_end(),
        }
    }

    pub(crate) fn status(&self, now: u64) -> Status {
        if self.ends_at().is_some_and(|end| now >= end) {
            if self.cancel_requested_at.is_some() {
                return Status::Failed(Reason::Cancelled);
            }
            return match &self.ending {
                Ending::Succeeds => Status::Succeeded,
                Ending::Fails { .. } | Ending::WarmupFails { .. } => Status::Failed(Reason::Error),
                Ending::TimesOut => Status::Failed(Reason::TimedOut),
                Ending::Cancelled => Status::Failed(Reason::Cancelled),
                Ending::Skipped => Status::Skipped,
                Ending::Unheard(word) => Status::Unheard(word.clone()),
                // It has no end of its own.
                Ending::Never => Status::Building,
            };
        }
        match self.begins_at {
            Some(begins_at) if now >= begins_at => Status::Building,
            _ => Status::Queued,
        }
    }

    /// When it succeeds; `None` where it does not.
    pub(crate) fn succeeds_at(&self) -> Option<u64> {
        match self.ending {
            Ending::Succeeds if self.cancel_requested_at.is_none() => self.natural_end(),
            _ => None,
        }
    }

    /// How the wait in the queue stands.
    pub(crate) fn queue(&self, now: u64) -> Standing {
        let start = self.created_at;
        let over = |end, how| Standing::Over { start, end, how };
        let cancelled = self.cancel_requested_at.and_then(|_| self.ends_at());
        match (self.begins_at, cancelled) {
            (Some(begins_at), None) if now >= begins_at => over(begins_at, How::Succeeded),
            (Some(begins_at), Some(end)) if now >= begins_at && begins_at < end => {
                over(begins_at, How::Succeeded)
            }
            (_, Some(end)) if now >= end => over(end, How::Cancelled),
            _ => Standing::Running { start },
        }
    }

    /// How a stage stands.
    pub(crate) fn stage(&self, stage: Stage, now: u64) -> Standing {
        if !self.has(stage) {
            return Standing::Skipped;
        }
        let is_over = self.status(now).is_over();
        let not_begun = if is_over {
            Standing::Skipped
        } else {
            Standing::Pending
        };
        let last = self.last_stage();
        let Some((start, end)) = self.span(stage) else {
            return not_begun;
        };
        let cut = self.cancel_requested_at.and_then(|_| self.ends_at());
        if stage > last
            || now < start
            || cut.is_some_and(|cut| start >= cut)
            || self.ending == Ending::Skipped
        {
            return not_begun;
        }
        match (end, cut) {
            (Some(end), cut) if now >= end && cut.is_none_or(|cut| end <= cut) => Standing::Over {
                start,
                end,
                how: if stage == last && cut.is_none() {
                    self.last_how()
                } else {
                    How::Succeeded
                },
            },
            (_, Some(cut)) if now >= cut => Standing::Over {
                start,
                end: cut,
                how: How::Cancelled,
            },
            _ => Standing::Running { start },
        }
    }

    /// A stage without a command is skipped.
    fn has(&self, stage: Stage) -> bool {
        match stage {
            Stage::Preparing | Stage::Deploying => true,
            Stage::Installing => self.commands.install.is_some(),
            Stage::Building => self.commands.build.is_some(),
        }
    }

    /// The stage that it ends in.
    fn last_stage(&self) -> Stage {
        match self.ending {
            Ending::Succeeds | Ending::WarmupFails { .. } | Ending::Unheard(_) => Stage::Deploying,
            Ending::Fails { .. }
            | Ending::TimesOut
            | Ending::Cancelled
            | Ending::Never
            | Ending::Skipped => {
                if self.commands.build.is_some() {
                    Stage::Building
                } else if self.commands.install.is_some() {
                    Stage::Installing
                } else {
                    Stage::Preparing
                }
            }
        }
    }

    fn last_how(&self) -> How {
        match self.ending {
            Ending::Succeeds | Ending::Unheard(_) | Ending::Never | Ending::Skipped => {
                How::Succeeded
            }
            Ending::Fails { .. } | Ending::WarmupFails { .. } => How::Errored,
            Ending::TimesOut => How::TimedOut,
            Ending::Cancelled => How::Cancelled,
        }
    }

    /// When a stage begins and ends; it has no end where the build never ends.
    fn span(&self, stage: Stage) -> Option<(u64, Option<u64>)> {
        let begins_at = self.begins_at?;
        let last = self.last_stage();
        let share = |wanted: &dyn Fn(Stage) -> bool| -> u64 {
            Stage::ALL
                .into_iter()
                .filter(|one| *one <= last && self.has(*one) && wanted(*one))
                .map(Stage::weight)
                .sum()
        };
        let whole = share(&|_| true).max(1);
        let at = |part: u64| begins_at.saturating_add(self.length_ms.saturating_mul(part) / whole);
        let start = at(share(&|one| one < stage));
        let end = at(share(&|one| one <= stage));
        let is_endless = stage == last && self.ending == Ending::Never;
        Some((start, (!is_endless).then_some(end)))
    }
}

#[cfg(test)]
mod tests;
