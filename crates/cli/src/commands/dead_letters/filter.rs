//! Which dead letters are meant.

use std::time::Duration;

use clap::{Args, ValueEnum};
use foreshow_contract::{ContextId, EventKind, TenantId, Timestamp};
use foreshow_engine::{LetterId, Queue};

use super::seen::Seen;
use crate::failure::{Exit, Failure};

/// Letters that all of it holds for.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Filter {
    /// Only of this tenant
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,

    /// Only of this context
    #[arg(long, value_name = "CONTEXT")]
    context: Option<ContextId>,

    /// Only with this code, such as `build_failed`; may be given several times
    #[arg(long, value_name = "CODE")]
    code: Vec<String>,

    /// Only from this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Option<From>,

    /// Only events of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Only what died longer ago than this, such as `90s`, `15m`, `2h` or `7d`
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,

    /// Only what died within this time
    #[arg(long, value_name = "AGE", value_parser = age)]
    newer_than: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    Deploy,
    Cleanup,
    /// No binding took it
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Updated,
    Ended,
    Touched,
    Expired,
    Reset,
    /// Its type can't be read
    Unknown,
}

impl Filter {
    fn is_empty(&self) -> bool {
        let Self {
            tenant,
            context,
            code,
            queue,
            kind,
            older_than,
            newer_than,
        } = self;
        tenant.is_none()
            && context.is_none()
            && code.is_empty()
            && queue.is_none()
            && kind.is_none()
            && older_than.is_none()
            && newer_than.is_none()
    }

    pub(super) fn takes(&self, seen: &Seen, now: Timestamp) -> bool {
        let age = now.saturating_since(seen.at());
        let queue = |from| match from {
            From::Deploy => seen.letter.queue == Some(Queue::Deploy),
            From::Cleanup => seen.letter.queue == Some(Queue::Cleanup),
            From::None => seen.letter.queue.is_none(),
        };
        self.tenant
            .as_ref()
            .is_none_or(|it| seen.tenant() == Some(it))
            && self
                .context
                .as_ref()
                .is_none_or(|it| seen.context() == Some(it))
            && (self.code.is_empty() || self.code.iter().any(|it| it == seen.code()))
            && self.queue.is_none_or(queue)
            && self.kind.is_none_or(|it| it.event_kind() == seen.kind())
            && self.older_than.is_none_or(|it| age > it)
            && self.newer_than.is_none_or(|it| age <= it)
    }
}

impl Kind {
    fn event_kind(self) -> Option<EventKind> {
        match self {
            Self::Updated => Some(EventKind::Update),
            Self::Ended => Some(EventKind::End),
            Self::Touched => Some(EventKind::Touch),
            Self::Expired => Some(EventKind::Expire),
            Self::Reset => Some(EventKind::Reset),
            Self::Unknown => None,
        }
    }
}

/// Letters by their ids, or by a filter; all of them only where that is said.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Selection {
    /// Ids, as `foreshow dead-letters list` shows them
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<LetterId>,

    #[command(flatten)]
    pub(super) filter: Filter,

    /// All of them; needed where neither an id nor a filter is given
    #[arg(long)]
    all: bool,
}

impl Selection {
    /// # Errors
    /// With exit code 2 where nothing is selected, or two things at once.
    pub(super) fn check(&self, command: &str) -> Result<(), Failure> {
        let is_filtered = !self.filter.is_empty();
        let what = match (self.ids.is_empty(), is_filtered, self.all) {
            (false, false, false) | (true, true, false) | (true, false, true) => return Ok(()),
            (true, false, false) => "which dead letters?".to_owned(),
            (false, _, _) => "ids do not go together with filters or --all".to_owned(),
            (true, true, true) => "--all does not go together with filters".to_owned(),
        };
        Err(Failure::new(Exit::Usage, what).help(format!(
            "give ids, or filters such as --code build_failed, or --all: foreshow dead-letters {command} --code build_failed"
        )))
    }

    /// Whether it names its letters one by one.
    pub(super) fn is_by_id(&self) -> bool {
        !self.ids.is_empty()
    }
}

/// `90s`, `15m`, `2h`, `7d`.
fn age(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let parsed = units.iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(Duration::from_secs(number.checked_mul(*seconds)?))
    });
    parsed.ok_or_else(|| "expected a number and a unit: 90s, 15m, 2h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        for (text, seconds) in [
            ("0s", 0),
            ("90s", 90),
            ("15m", 900),
            ("2h", 7_200),
            ("7d", 604_800),
        ] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "s",
            "1",
            "-1s",
            "1.5h",
            "1w",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(age(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn all_of_them_must_be_meant() {
        let id = || vec!["7".parse::<LetterId>().unwrap()];
        let filter = || Filter {
            code: vec!["build_failed".to_owned()],
            ..Filter::default()
        };
        let selection = |ids, filter, all| Selection { ids, filter, all };
        let none = Filter::default;
        assert!(selection(id(), none(), false).check("drop").is_ok());
        assert!(selection(Vec::new(), filter(), false).check("drop").is_ok());
        assert!(selection(Vec::new(), none(), true).check("drop").is_ok());
        for bad in [
            selection(Vec::new(), none(), false),
            selection(id(), filter(), false),
            selection(id(), none(), true),
            selection(Vec::new(), filter(), true),
        ] {
            assert_eq!(bad.check("drop").unwrap_err().exit, Exit::Usage);
        }
    }
}
