//! What the scripts answer, decoded. The top of each script's file has the same list.

use foreshow_contract::{HostLabel, Ordinal, Revision, Timestamp};
use foreshow_engine::{Closed, GateAnswer, Verdict};

use super::{
    error::RedisStoreError,
    outcomes::to_gone,
    text::{to_instant, to_number, to_place, to_revision},
};

/// A script's answer: words, the first of which names what follows.
pub(super) struct Answer {
    script: &'static str,
    words: std::vec::IntoIter<Vec<u8>>,
}

impl Answer {
    pub(super) fn new(script: &'static str, words: Vec<Vec<u8>>) -> Self {
        Self {
            script,
            words: words.into_iter(),
        }
    }

    /// Decodes it.
    pub(super) fn decode<T: Decode>(mut self) -> Result<T, RedisStoreError> {
        let what = self.script;
        let name = self.words.next();
        name.and_then(|name| T::decode(&name, &mut self.words))
            .ok_or(RedisStoreError::Strange { what })
    }
}

type Words = std::vec::IntoIter<Vec<u8>>;

/// What a script answers.
pub(super) trait Decode: Sized {
    /// `None` where no such answer is known.
    fn decode(name: &[u8], words: &mut Words) -> Option<Self>;
}

/// `claim.lua`, `expire.lua` and `reset.lua`
pub(super) enum ClaimAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `over`: this event ended before, as stored.
    Over(Vec<u8>),
    /// `stale`: something newer was accepted.
    Stale(Ordinal),
    /// `conflict`: accepted before with other content.
    Conflict,
    /// `held`: somebody works on it.
    Held(Timestamp),
    /// `moot`: what an expiry was published for is no longer so.
    Moot,
    /// `reset`: this very reset was done then; what it took away.
    Reset(Timestamp, Vec<Revision>),
    /// `granted`: with this fence; names and values of the record.
    Granted(u64, Vec<(Vec<u8>, Vec<u8>)>),
}

impl Decode for ClaimAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"over" => Self::Over(words.next()?),
            b"stale" => Self::Stale(to_place(&words.next()?)?),
            b"conflict" => Self::Conflict,
            b"held" => Self::Held(to_instant(&words.next()?)?),
            b"moot" => Self::Moot,
            b"reset" => {
                let at = to_instant(&words.next()?)?;
                Self::Reset(at, to_gone(&words.next()?)?)
            }
            b"granted" => {
                let fence = to_number(&words.next()?)?;
                let mut fields = Vec::with_capacity(words.len() / 2);
                while let Some(name) = words.next() {
                    fields.push((name, words.next()?));
                }
                Self::Granted(fence, fields)
            }
            _ => return None,
        })
    }
}

/// `renew.lua`
pub(super) enum RenewAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `renewed`: the newest event, and the floor.
    Renewed(Ordinal, Option<Revision>),
    /// `lost`: no such lease.
    Lost,
}

impl Decode for RenewAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"renewed" => {
                let desired = to_place(&words.next()?)?;
                Self::Renewed(desired, maybe(&words.next()?, to_revision)?)
            }
            b"lost" => Self::Lost,
            _ => return None,
        })
    }
}

/// `record.lua` and `go_live.lua`
pub(super) enum RecordAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `recorded`: what goes live comes with the instant and the context's alias.
    Recorded(Option<(Timestamp, HostLabel)>),
    /// `ended`: an end covers the revision, or something newer is live; the newest event.
    Ended(Ordinal),
    /// `condemned`: the deployment is about to be deleted.
    Condemned,
    /// `lost`: no such lease.
    Lost,
}

impl Decode for RecordAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"recorded" => Self::Recorded(match words.next() {
                Some(at) => Some((to_instant(&at)?, to_label(words.next()?)?)),
                None => None,
            }),
            b"ended" => Self::Ended(to_place(&words.next()?)?),
            b"condemned" => Self::Condemned,
            b"lost" => Self::Lost,
            _ => return None,
        })
    }
}

/// `settle.lua`
pub(super) enum SettleAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `settled`
    Settled {
        at: Timestamp,
        alias: HostLabel,
        /// When the lease was granted.
        since: Timestamp,
        /// Of what is live.
        expires_at: Option<Timestamp>,
        /// Announced revisions that are to be told as gone.
        gone: Vec<Revision>,
    },
    /// `lost`: no such lease.
    Lost,
}

impl Decode for SettleAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"settled" => Self::Settled {
                at: to_instant(&words.next()?)?,
                alias: to_label(words.next()?)?,
                since: to_instant(&words.next()?)?,
                expires_at: maybe(&words.next()?, to_instant)?,
                gone: to_gone(&words.next()?)?,
            },
            b"lost" => Self::Lost,
            _ => return None,
        })
    }
}

/// `release.lua`
pub(super) enum ReleaseAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `released`
    Released {
        at: Timestamp,
        alias: HostLabel,
        /// When the lease was granted.
        since: Timestamp,
    },
    /// `lost`: no such lease, which is as good.
    Lost,
}

impl Decode for ReleaseAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"released" => Self::Released {
                at: to_instant(&words.next()?)?,
                alias: to_label(words.next()?)?,
                since: to_instant(&words.next()?)?,
            },
            b"lost" => Self::Lost,
            _ => return None,
        })
    }
}

/// `seed.lua`
pub(super) enum SeedAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `seeded`: at this instant; when what is live expires.
    Seeded(Timestamp, Option<Timestamp>),
}

impl Decode for SeedAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"seeded" => {
                let at = to_instant(&words.next()?)?;
                Self::Seeded(at, maybe(&words.next()?, to_instant)?)
            }
            _ => return None,
        })
    }
}

/// `judge.lua`
pub(super) enum JudgeAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `known`, `adopted` or `condemned`
    Judged(Verdict),
}

impl Decode for JudgeAnswer {
    fn decode(name: &[u8], _: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"known" => Self::Judged(Verdict::Known),
            b"adopted" => Self::Judged(Verdict::Adopted),
            b"condemned" => Self::Judged(Verdict::Condemned),
            _ => return None,
        })
    }
}

/// `forget.lua`
pub(super) enum ForgetAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `done`
    Done,
}

impl Decode for ForgetAnswer {
    fn decode(name: &[u8], _: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"done" => Self::Done,
            _ => return None,
        })
    }
}

/// `mend.lua`
pub(super) enum MendAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `mended`: when, and the context's alias.
    Mended(Timestamp, HostLabel),
    /// `nothing`: another is live, or somebody holds the lease.
    Nothing,
}

impl Decode for MendAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"mended" => Self::Mended(to_instant(&words.next()?)?, to_label(words.next()?)?),
            b"nothing" => Self::Nothing,
            _ => return None,
        })
    }
}

/// `register.lua`: whether the shard remembers.
pub(super) struct Registered {
    pub(super) remembers: bool,
}

impl Decode for Registered {
    fn decode(name: &[u8], _: &mut Words) -> Option<Self> {
        either(name, b"remembers", b"forgetful").map(|remembers| Self { remembers })
    }
}

/// `rebuilt.lua`: whether the nonce was still there.
pub(super) struct Rebuilt(pub(super) bool);

impl Decode for Rebuilt {
    fn decode(name: &[u8], _: &mut Words) -> Option<Self> {
        either(name, b"rebuilt", b"gone").map(Self)
    }
}

/// `lead.lua`: whether it was granted.
pub(super) struct Leads(pub(super) bool);

impl Decode for Leads {
    fn decode(name: &[u8], _: &mut Words) -> Option<Self> {
        either(name, b"leads", b"follows").map(Self)
    }
}

fn either(name: &[u8], yes: &[u8], no: &[u8]) -> Option<bool> {
    (name == yes)
        .then_some(true)
        .or((name == no).then_some(false))
}

/// `touch.lua`
pub(super) enum TouchAnswer {
    /// `unreadable`: the record has another version.
    Unreadable,
    /// `nothing`: there is nothing to prolong.
    Nothing,
    /// `prolonged`
    Prolonged {
        at: Timestamp,
        alias: HostLabel,
        expires_at: Timestamp,
        is_live: bool,
    },
}

impl Decode for TouchAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"unreadable" => Self::Unreadable,
            b"nothing" => Self::Nothing,
            b"prolonged" => Self::Prolonged {
                at: to_instant(&words.next()?)?,
                alias: to_label(words.next()?)?,
                expires_at: to_instant(&words.next()?)?,
                is_live: words.next()? == b"live",
            },
            _ => return None,
        })
    }
}

/// `admit.lua`
pub(super) enum AdmitAnswer {
    /// `admitted`
    Admitted,
    /// `full`
    Full {
        /// Which of the sets that were asked for, from 0.
        set: usize,
        used: u64,
        next_at: Timestamp,
    },
}

impl Decode for AdmitAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"admitted" => Self::Admitted,
            b"full" => Self::Full {
                set: usize::try_from(to_number(&words.next()?)?.checked_sub(1)?).ok()?,
                used: to_number(&words.next()?)?,
                next_at: to_instant(&words.next()?)?,
            },
            _ => return None,
        })
    }
}

/// `used.lua`
pub(super) struct UsedAnswer(pub(super) u64);

impl Decode for UsedAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        match name {
            b"used" => to_number(&words.next()?).map(Self),
            _ => None,
        }
    }
}

/// `enter_gate.lua`: `open`, `trial`, or `closed` with until when and why.
impl Decode for GateAnswer {
    fn decode(name: &[u8], words: &mut Words) -> Option<Self> {
        Some(match name {
            b"open" => Self::Open,
            b"trial" => Self::Trial,
            b"closed" => Self::Closed {
                until: to_instant(&words.next()?)?,
                why: to_why(&words.next()?)?,
            },
            _ => return None,
        })
    }
}

fn to_why(word: &[u8]) -> Option<Closed> {
    Closed::from_word(std::str::from_utf8(word).ok()?)
}

/// `prolong.lua`, `index.lua`, `correct.lua` and `report_gate.lua`
pub(super) struct Done;

impl Decode for Done {
    fn decode(name: &[u8], _: &mut Words) -> Option<Self> {
        (name == b"done").then_some(Self)
    }
}

/// An empty word is none; the outer `None` is a word that can't be read.
#[expect(
    clippy::option_option,
    reason = "missing and unreadable are not the same"
)]
fn maybe<T>(word: &[u8], read: impl FnOnce(&[u8]) -> Option<T>) -> Option<Option<T>> {
    if word.is_empty() {
        Some(None)
    } else {
        read(word).map(Some)
    }
}

fn to_label(word: Vec<u8>) -> Option<HostLabel> {
    HostLabel::try_new(String::from_utf8(word).ok()?).ok()
}
