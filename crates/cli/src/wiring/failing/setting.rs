//! `POINT:ACTION:PASSAGE[:CONTEXT]`, read strictly: a chaos run whose faults are misspelt would prove nothing.

use std::num::NonZeroU64;
use std::time::Duration;

/// The environment variable.
pub(crate) const VARIABLE: &str = "FORESHOW_FAILURE_POINT";

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Claimed,
    CreateSent,
    CreateAnswered,
    IdRecorded,
    ReadySeen,
    Settled,
    ResultSent,
    Acked,
    Renewing,
}

impl Point {
    const ALL: [Self; 9] = [
        Self::Claimed,
        Self::CreateSent,
        Self::CreateAnswered,
        Self::IdRecorded,
        Self::ReadySeen,
        Self::Settled,
        Self::ResultSent,
        Self::Acked,
        Self::Renewing,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::CreateSent => "create-sent",
            Self::CreateAnswered => "create-answered",
            Self::IdRecorded => "id-recorded",
            Self::ReadySeen => "ready-seen",
            Self::Settled => "settled",
            Self::ResultSent => "result-sent",
            Self::Acked => "acked",
            Self::Renewing => "renewing",
        }
    }
}

/// What.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Kill,
    Stop,
    Term,
    Panic,
    Block(Duration),
    Fail,
}

/// When.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Nth(u64),
    Every,
}

/// A failure point that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) point: Point,
    pub(super) action: Action,
    pub(super) passage: Passage,
    pub(super) context: Option<String>,
}

impl Setting {
    /// Reads it; the error says which word is wrong, and what could stand there.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut words = text.splitn(4, ':');
        let mut word = |what: &str| words.next().ok_or_else(|| format!("the {what} is missing"));
        let (point, action, passage) = (word("point")?, word("action")?, word("passage")?);
        let context = words.next().map(str::to_owned);
        let point = Point::ALL.into_iter().find(|one| one.word() == point);
        let point = point.ok_or_else(|| {
            let all: Vec<_> = Point::ALL.into_iter().map(Point::word).collect();
            format!("the point is one of {}", all.join(", "))
        })?;
        let action = match action {
            "kill" => Action::Kill,
            "stop" => Action::Stop,
            "term" => Action::Term,
            "panic" => Action::Panic,
            "fail" if point == Point::Renewing => Action::Fail,
            "fail" => return Err("only `renewing` can fail".to_owned()),
            other => {
                let block = other.strip_prefix("block=").and_then(|ms| ms.parse().ok());
                let block = block.ok_or("the action is kill, stop, term, panic, block=MS or fail");
                Action::Block(Duration::from_millis(block?))
            }
        };
        let passage = match passage {
            "every" => Passage::Every,
            other => {
                let nth = other.parse::<NonZeroU64>();
                Passage::Nth(
                    nth.map_err(|_| "the passage is a number from 1, or `every`")?
                        .get(),
                )
            }
        };
        if context.is_some() && point == Point::Acked {
            return Err("an acknowledgement names no context".to_owned());
        }
        Ok(Self {
            point,
            action,
            passage,
            context,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_read_by_its_word() {
        for point in Point::ALL {
            let setting = Setting::read(&format!("{}:kill:3", point.word())).unwrap();
            assert_eq!((setting.point, setting.passage), (point, Passage::Nth(3)));
        }
        let setting = Setting::read("claimed:block=9000:every:a:b").unwrap();
        assert_eq!(setting.action, Action::Block(Duration::from_secs(9)));
        assert_eq!(setting.context.as_deref(), Some("a:b"));
    }

    #[test]
    fn an_unknown_word_is_refused_and_named() {
        for (text, named) in [
            ("", "the point is one of claimed"),
            ("claimed", "the action is missing"),
            ("claimd:kill:1", "the point is one of claimed"),
            ("claimed:kil:1", "the action is kill"),
            ("claimed:block=x:1", "the action is kill"),
            ("claimed:kill:0", "the passage is a number"),
            ("claimed:kill", "the passage is missing"),
            ("claimed:fail:1", "only `renewing`"),
            ("acked:kill:1:ctx", "names no context"),
        ] {
            let problem = Setting::read(text).unwrap_err();
            let is_named =
                problem.contains(named) || (text.is_empty() && problem.contains("missing"));
            assert!(is_named, "{text:?}: {problem}");
        }
    }
}
