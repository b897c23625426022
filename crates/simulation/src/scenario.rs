//! What a seed's world is made of, and which events come when.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use bytes::Bytes;
use fastrand::Rng;
use foreshow_bundle::tree_from_inline;
use foreshow_contract::{
    Content, ContextEnded, ContextEvent, ContextExpired, ContextKey, ContextReset, ContextTouched,
    ContextUpdated, Envelope, Headers, IncomingEvent, InlineFile, Ordinal, OrdinalKind, ResetId,
    Revision, STRUCTURED_JSON, encode, event_routing_key,
};
use foreshow_engine::{EngineOptions, Message};

use crate::{check::Published, faults::Profile, ports::provider::Builds};

/// A seed's world before anything happens.
pub(crate) struct Scenario {
    pub(crate) profile: Profile,
    pub(crate) workers: usize,
    pub(crate) providers: Vec<Builds>,
    pub(crate) options: EngineOptions,
    pub(crate) contexts: Vec<ContextKey>,
    /// Sorted by time.
    pub(crate) publications: Vec<Publication>,
    /// When the last event is published.
    pub(crate) span: Duration,
}

/// An event, to be published then.
#[derive(Clone)]
pub(crate) struct Publication {
    pub(crate) at: Duration,
    pub(crate) key: ContextKey,
    /// `None` of what has no end: a touch, an expiry, a reset.
    pub(crate) ordinal: Option<Ordinal>,
    pub(crate) event: Published,
    pub(crate) message: Message,
}

/// How a context's events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// A few, of every kind.
    Few,
    /// Many within seconds.
    Storm,
    /// One after another for a minute, each before the last can be built.
    Steady,
    /// An end, and an update within a second, over and over.
    Reopened,
}

impl Scenario {
    /// When each end is published.
    pub(crate) fn ends(&self) -> impl Iterator<Item = Duration> {
        let ends = self.publications.iter().filter(|one| {
            one.ordinal
                .is_some_and(|ordinal| ordinal.kind == OrdinalKind::End)
        });
        ends.map(|one| one.at)
    }

    /// In some worlds previews live for seconds, and in some contexts are reset. Drawn apart from everything else, so that a seed's
    /// other worlds stay as they are.
    pub(crate) fn add_retention(&mut self, dice: &mut Rng) {
        if matches!(self.profile, Profile::Calm | Profile::Outrun) {
            return;
        }
        let is_short = dice.u8(0..3) == 0;
        if is_short {
            self.options.retention.ttl_seconds = dice.u64(4..25);
        }
        let mut maker = Maker {
            dice,
            next: 900,
            made: Vec::new(),
        };
        for key in &self.contexts {
            let own: Vec<_> = self
                .publications
                .iter()
                .filter(|one| one.key == *key)
                .collect();
            maker.told_too_often(key, &own, is_short);
            if maker.dice.u8(0..6) == 0 {
                maker.begun_anew(key, self.span);
            }
        }
        self.publications.extend(maker.made);
        self.in_order();
    }

    /// In some worlds a tenant floods, and workers have few places: some of it goes by way of the backlog. Drawn apart too.
    pub(crate) fn add_flood(&mut self, dice: &mut Rng) {
        if matches!(self.profile, Profile::Calm | Profile::Outrun) || dice.u8(0..6) > 0 {
            return;
        }
        self.options.worker.concurrency = NonZeroUsize::new(dice.usize(1..=2)).expect("some");
        self.options.worker.prefetch = NonZeroU32::new(dice.u32(4..=8)).expect("some");
        let mut maker = Maker {
            dice,
            next: 700,
            made: Vec::new(),
        };
        let began_at = self.span.mul_f64(maker.dice.f64() / 2.0);
        for n in 0..maker.dice.usize(8..=20) {
            let key = ContextKey::try_new("flood", &format!("f{n}")).expect("a short name");
            for revision in 1..=maker.dice.u64(1..=2) {
                let at = began_at + maker.ms(0, 1_500);
                let update = maker.update(&key, revision, 3_000 + revision, 1, at);
                maker.made.push(update);
            }
            self.contexts.push(key);
        }
        self.publications.extend(maker.made);
        self.in_order();
    }

    fn in_order(&mut self) {
        let order = |one: &Publication| (one.at, one.event.id.clone());
        self.publications.sort_by_key(order);
        let last = self.publications.last();
        self.span = last.map(|last| last.at).unwrap_or_default();
    }

    /// How long a preview lives, where that is short.
    pub(crate) fn short_life(&self) -> Option<Duration> {
        Some(self.options.retention.ttl_seconds)
            .filter(|seconds| *seconds < 3_600)
            .map(Duration::from_secs)
    }

    pub(crate) fn draw(dice: &mut Rng) -> Self {
        let profile = Profile::of(dice);
        let count = [1, 1, 1, 2, 2, 3, 4][dice.usize(0..7)];
        let tenants = dice.usize(1..=2);
        let contexts: Vec<_> = (0..count)
            .map(|n| {
                let tenant = ["acme", "globex"][n % tenants];
                ContextKey::try_new(tenant, &format!("c{n}")).expect("a short name")
            })
            .collect();
        let providers = (0..if dice.u8(0..10) < 7 { 1 } else { 2 })
            .map(|_| {
                let (from, to) =
                    [(0, 0), (100, 400), (1_000, 3_000), (2_000, 8_000)][dice.usize(0..4)];
                Builds {
                    takes: (Duration::from_millis(from), Duration::from_millis(to)),
                    fail: 0,
                }
            })
            .collect();
        let mut maker = Maker {
            dice,
            next: 0,
            made: Vec::new(),
        };
        for key in &contexts {
            if profile == Profile::Outrun {
                maker.ended_and_reopened(key);
            } else {
                maker.context(key, profile);
            }
        }
        let Maker { mut made, .. } = maker;
        made.sort_by(|a, b| (a.at, &a.event.id).cmp(&(b.at, &b.event.id)));
        let span = made.last().map(|last| last.at).unwrap_or_default();
        Self {
            profile,
            workers: dice.usize(2..=3),
            providers,
            options: options(profile, dice),
            contexts,
            publications: made,
            span,
        }
    }
}

fn options(profile: Profile, dice: &mut Rng) -> EngineOptions {
    let mut options = EngineOptions::default();
    // A holder that hears of its lost lease only seconds later has time to act on it.
    if dice.u8(0..3) > 0 && profile != Profile::Outrun {
        options.lease.ttl_ms = 3_000;
        options.lease.renew_every_ms = 1_000;
        options.lease.margin_ms = 500;
    }
    options.sweep.every_seconds = [1, 3, 20, 300][dice.usize(0..4)];
    options.wait.bound_seconds = [5, 60][dice.usize(0..2)];
    options.wait.park_ms = [500, 5_000][dice.usize(0..2)];
    options.worker.hold_seconds = [30, 1_200, 1_200][dice.usize(0..3)];
    options.worker.drain_seconds = 5;
    options.retry.min_ms = 200;
    options.retry.max_ms = 5_000;
    options.retry.attempts = NonZeroU32::new([3, 8][dice.usize(0..2)]).expect("some");
    options.build.timeout_seconds = 60;
    options.probe.timeout_seconds = 10;
    if profile != Profile::Calm {
        options.worker.concurrency = NonZeroUsize::new([1, 2, 32][dice.usize(0..3)]).expect("some");
        options.worker.prefetch = NonZeroU32::new([2, 5, 128][dice.usize(0..3)]).expect("some");
        if dice.u8(0..8) == 0 {
            options.limits.live_previews = NonZeroU32::new(1);
        }
        if dice.u8(0..8) == 0 {
            options.limits.concurrent_builds = NonZeroU32::new(1);
        }
    }
    options
}

struct Maker<'a> {
    dice: &'a mut Rng,
    next: u32,
    made: Vec<Publication>,
}

impl Maker<'_> {
    fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.dice.u64(from..to))
    }

    fn context(&mut self, key: &ContextKey, profile: Profile) {
        let style = match self.dice.u8(0..10) {
            0..5 => Style::Few,
            5..7 => Style::Storm,
            7..8 => Style::Steady,
            _ => Style::Reopened,
        };
        let keep = if self.dice.u8(0..4) == 0 { 2 } else { 1 };
        let (count, apart) = match style {
            Style::Few => (self.dice.usize(1..=6), (0, 8_000)),
            Style::Storm => (self.dice.usize(8..=25), (0, 250)),
            Style::Steady => (self.dice.usize(20..=40), (400, 2_500)),
            Style::Reopened => (self.dice.usize(3..=8), (10, 6_000)),
        };
        let mut at = self.ms(0, 3_000);
        let mut revision = self.dice.u64(1..4);
        let mut content = 0;
        let mut own = Vec::new();
        for n in 0..count {
            let ends = match style {
                Style::Few => self.dice.u8(0..5) == 0,
                Style::Storm => self.dice.u8(0..20) == 0,
                Style::Steady => false,
                Style::Reopened => n % 2 == 1,
            };
            if ends {
                // An end may have the number of the update before it.
                if self.dice.bool() && n > 0 {
                    revision -= 1;
                }
                own.push(self.end(key, revision, at));
            } else {
                // A quarter has the files of the one before.
                if self.dice.u8(0..4) > 0 {
                    content += 1;
                }
                own.push(self.update(key, revision, content, keep, at));
                if self.dice.u8(0..12) == 0 && profile != Profile::Calm {
                    // The same revision, with other files.
                    let later = at + self.ms(0, 3_000);
                    let other = 1_000 + content;
                    own.push(self.update(key, revision, other, keep, later));
                }
            }
            if self.dice.u8(0..10) == 0 {
                let later = at + self.ms(0, 5_000);
                own.push(self.touch(key, later));
            }
            revision += self.dice.u64(1..=2);
            at += if ends && style == Style::Reopened {
                self.ms(1, 1_000)
            } else {
                self.ms(apart.0, apart.1)
            };
        }
        if profile != Profile::Calm {
            self.disorder(&mut own);
        }
        self.made.extend(own);
    }

    /// Previews that had time to be built, their end, and a newer update before the end's clean-up can be through.
    fn ended_and_reopened(&mut self, key: &ContextKey) {
        let count = self.dice.u64(2..=4);
        let mut at = self.ms(0, 3_000);
        for revision in 1..=count {
            let own = self.update(key, 10 * revision, revision, 4, at);
            self.made.push(own);
            at += self.ms(2_000, 12_000);
        }
        let end = self.end(key, 90, at);
        at += self.ms(300, 1_000);
        let reopening = self.update(key, 100, 100, 1, at);
        // The faults go on until this one.
        at += self.ms(3_000, 6_000);
        let touch = self.touch(key, at);
        self.made.extend([end, reopening, touch]);
    }

    /// Expiries that nobody asked for, and touches.
    fn told_too_often(&mut self, key: &ContextKey, own: &[&Publication], is_short: bool) {
        for one in own {
            let Some(ordinal) = one.ordinal else { continue };
            if self.dice.u8(0..if is_short { 4 } else { 12 }) == 0 {
                let at = one.at + self.ms(0, 30_000);
                let expired = ContextEvent::Expired(ContextExpired {
                    key: key.clone(),
                    revision: ordinal.revision,
                });
                let expired = self.ours(expired, at);
                self.made.push(expired);
            }
            if is_short && self.dice.u8(0..3) == 0 {
                let at = one.at + self.ms(0, 30_000);
                let touch = self.touch(key, at);
                self.made.push(touch);
            }
        }
    }

    /// A reset, perhaps told twice, and revisions that begin anew.
    fn begun_anew(&mut self, key: &ContextKey, span: Duration) {
        let mut at = span.mul_f64(self.dice.f64()) + self.ms(0, 2_000);
        let reset = ContextEvent::Reset(ContextReset {
            key: key.clone(),
            reset: ResetId::try_new(format!("{:032x}", self.dice.u128(..)))
                .expect("digits are a name"),
        });
        let reset = self.ours(reset, at);
        if self.dice.u8(0..3) == 0 {
            let mut copy = reset.clone();
            copy.at += self.ms(0, 10_000);
            self.made.push(copy);
        }
        self.made.push(reset);
        for revision in 1..=self.dice.u64(1..=3) {
            at += self.ms(0, 12_000);
            let update = self.update(key, revision, 2_000 + revision, 1, at);
            self.made.push(update);
        }
    }

    /// What no upstream service publishes: nobody waits for its end.
    fn ours(&mut self, event: ContextEvent, at: Duration) -> Publication {
        Publication {
            ordinal: None,
            ..self.publication(event, at, None, 1)
        }
    }

    /// Copies, late ones, and another order.
    fn disorder(&mut self, own: &mut Vec<Publication>) {
        if self.dice.u8(0..4) == 0 {
            let mut times: Vec<_> = own.iter().map(|one| one.at).collect();
            self.dice.shuffle(&mut times);
            for (one, at) in own.iter_mut().zip(times) {
                one.at = at;
            }
        }
        for place in 0..own.len() {
            if self.dice.u8(0..6) == 0 {
                let mut copy = own[place].clone();
                copy.at += self.ms(0, 30_000);
                own.push(copy);
            } else if self.dice.u8(0..15) == 0 {
                own[place].at += self.ms(0, 15_000);
            }
        }
    }

    fn id(&mut self) -> String {
        self.next += 1;
        format!("e{:03}", self.next)
    }

    fn update(
        &mut self,
        key: &ContextKey,
        revision: u64,
        content: u64,
        keep: u32,
        at: Duration,
    ) -> Publication {
        let files = vec![InlineFile::text(
            "index.html",
            format!("<h1>{content}</h1>"),
        )];
        let tree =
            tree_from_inline(&files, &foreshow_bundle::Limits::default()).expect("one good file");
        let mut update = ContextUpdated::new(key.clone(), number(revision), Content::Files(files));
        update.retention.keep_revisions = NonZeroU32::new(keep);
        self.publication(
            ContextEvent::Updated(update),
            at,
            Some(tree.digest().to_string()),
            keep,
        )
    }

    fn end(&mut self, key: &ContextKey, revision: u64, at: Duration) -> Publication {
        let end = ContextEnded {
            key: key.clone(),
            revision: number(revision),
            reason: None,
        };
        self.publication(ContextEvent::Ended(end), at, None, 1)
    }

    fn touch(&mut self, key: &ContextKey, at: Duration) -> Publication {
        self.publication(
            ContextEvent::Touched(ContextTouched { key: key.clone() }),
            at,
            None,
            1,
        )
    }

    fn publication(
        &mut self,
        event: ContextEvent,
        at: Duration,
        tree: Option<String>,
        keep_revisions: u32,
    ) -> Publication {
        let id = self.id();
        let incoming = IncomingEvent {
            envelope: Envelope::new(id.clone(), "/simulation"),
            event,
        };
        let key = incoming.event.key().clone();
        let message = Message {
            routing_key: event_routing_key(incoming.event.kind(), &key.tenant),
            content_type: Some(STRUCTURED_JSON.to_owned()),
            message_type: None,
            headers: Headers::new(),
            body: Bytes::from(encode(&incoming)),
        };
        Publication {
            at,
            key,
            ordinal: incoming.event.ordinal(),
            event: Published {
                id,
                tree,
                keep_revisions,
            },
            message,
        }
    }
}

fn number(revision: u64) -> Revision {
    Revision::try_new(revision).expect("a small number")
}
