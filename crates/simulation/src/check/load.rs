//! What a calm world costs: a storm a handful of deployments, and constant updates never a stale preview.

use std::time::Duration;

use super::{
    Steady,
    rest::{Checked, Context, broken},
};

impl Context<'_> {
    /// I8 and I9: a storm costs a handful of deployments, and a context under constant updates gets fresh previews.
    pub(super) fn was_the_load_borne(&self) -> Checked {
        let Some(Steady { stale, build }) = self.rest.steady else {
            return Ok(());
        };
        let (Some((first, _)), Some((last, _))) =
            (self.seen.creates.first(), self.seen.creates.last())
        else {
            return Ok(());
        };
        // Of each four builds in a row one comes to its end, or the context was stale for too long.
        let span = last.saturating_sub(*first);
        let builds = 2 + span.as_millis() / build.0.as_millis().max(1);
        let bound = 4 * builds;
        if self.seen.creates.len() as u128 > bound {
            return broken(
                "I8 a storm costs a handful",
                format!(
                    "{} deployments of {} in {:?}",
                    self.seen.creates.len(),
                    self.key,
                    span
                ),
            );
        }
        self.is_fresh_in_time(stale + 2 * build.1 + Duration::from_secs(8))
    }

    /// Under updates alone, whatever is newer than what is shown is shown, or passed by what is, within the bound.
    fn is_fresh_in_time(&self, bound: Duration) -> Checked {
        if self.seen.floor().is_some() {
            return Ok(());
        }
        let mut readies = self.seen.readies.iter();
        let mut stale_since = None;
        for published in &self.seen.published_at {
            let since = *stale_since.get_or_insert(*published);
            let shown_at = readies.clone().find(|at| **at > since).copied();
            if shown_at.is_none_or(|at| at > since + bound) {
                return broken(
                    "I9 a fresh preview in time",
                    format!("{} had none from {since:?} to {shown_at:?}", self.key),
                );
            }
            if shown_at.is_some_and(|at| at <= *published) {
                readies.find(|at| **at > since);
                stale_since = None;
            }
        }
        Ok(())
    }
}
