//! Whether what a role needs answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::passwords::without_passwords;

/// How long one check may take. What answers later is of no use to whoever waits for it.
const LIMIT: Duration = Duration::from_secs(4);
/// How much longer all of them together may take: a check that keeps its own limit can still name itself.
const SLACK: Duration = Duration::from_millis(500);
/// How long an answer serves everybody.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// What a role needs to do its work.
#[async_trait]
pub trait ReadyCheck: Send + Sync + 'static {
    /// Asks each, at the same time, and answers by name. Put each into [`check_within`]: then one that hangs is named, and
    /// the others still tell how they are.
    async fn check(&self) -> Vec<(&'static str, Result<(), String>)>;
}

/// Asks one, for at most 4 seconds.
pub async fn check_within<E: std::fmt::Display>(
    name: &'static str,
    asking: impl Future<Output = Result<(), E>>,
) -> (&'static str, Result<(), String>) {
    let answer = match timeout(LIMIT, asking).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(no_answer()),
    };
    (name, answer)
}

fn no_answer() -> String {
    format!("no answer within {} s", LIMIT.as_secs())
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    pub(super) ready: bool,
    checks: BTreeMap<&'static str, Checked>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Checked {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Report {
    fn of(found: Vec<(&'static str, Result<(), String>)>) -> Self {
        let checks: BTreeMap<_, _> = found
            .into_iter()
            .map(|(name, answer)| {
                let error = answer.err();
                let error = error.map(|error| without_passwords(&error).into_owned());
                let ok = error.is_none();
                (name, Checked { ok, error })
            })
            .collect();
        Self {
            ready: checks.values().all(|checked| checked.ok),
            checks,
        }
    }
}

/// A report, and since when it holds.
type Answered = (Instant, Arc<Report>);

/// The last answer, and the right to ask for the next.
pub(super) struct Readiness {
    check: Arc<dyn ReadyCheck>,
    last: Arc<Mutex<Option<Answered>>>,
}

impl Readiness {
    pub(super) fn new(check: Arc<dyn ReadyCheck>) -> Self {
        Self {
            check,
            last: Arc::default(),
        }
    }

    /// The last answer while it is fresh, else a new one. Who comes meanwhile waits for the same one. Cancel-safe: once
    /// begun, a check ends and its answer is kept.
    pub(super) async fn report(&self) -> Arc<Report> {
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < FRESH_FOR
        {
            return Arc::clone(report);
        }
        let check = Arc::clone(&self.check);
        let asking = tokio::spawn(async move {
            let found = timeout(LIMIT + SLACK, check.check()).await;
            let found = found.unwrap_or_else(|_| vec![("all", Err(no_answer()))]);
            let report = Arc::new(Report::of(found));
            *last = Some((Instant::now(), Arc::clone(&report)));
            report
        });
        asking.await.unwrap_or_else(|_| {
            let why = "the check itself failed, the log tells why".to_owned();
            Arc::new(Report::of(vec![("all", Err(why))]))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    /// Answers as often as it is let, and counts.
    struct Counted {
        asked: AtomicUsize,
        may_answer: Semaphore,
    }

    impl Counted {
        fn new(answers: usize) -> Arc<Self> {
            Arc::new(Self {
                asked: AtomicUsize::new(0),
                may_answer: Semaphore::new(answers),
            })
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl ReadyCheck for Counted {
        async fn check(&self) -> Vec<(&'static str, Result<(), String>)> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.may_answer.acquire().await.unwrap().forget();
            vec![("broker", Ok(()))]
        }
    }

    struct Panics(AtomicUsize);

    #[async_trait]
    impl ReadyCheck for Panics {
        async fn check(&self) -> Vec<(&'static str, Result<(), String>)> {
            assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 0, "at first");
            Vec::new()
        }
    }

    struct OneHangs;

    #[async_trait]
    impl ReadyCheck for OneHangs {
        async fn check(&self) -> Vec<(&'static str, Result<(), String>)> {
            let hangs = std::future::pending::<Result<(), String>>();
            let (broker, store) = tokio::join!(
                check_within("broker", hangs),
                check_within("store", async { Ok::<_, String>(()) }),
            );
            vec![broker, store]
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_serves_everybody_for_a_second() {
        let check = Counted::new(2);
        let readiness = Readiness::new(check.clone());
        for _ in 0..100 {
            assert!(readiness.report().await.ready);
        }
        assert_eq!(check.asked(), 1);
        tokio::time::advance(FRESH_FOR).await;
        assert!(readiness.report().await.ready);
        assert_eq!(check.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_prober_that_goes_does_not_make_the_next_one_ask_again() {
        let check = Counted::new(0);
        let readiness = Readiness::new(check.clone());
        for _ in 0..3 {
            let gone = timeout(Duration::from_millis(100), readiness.report()).await;
            assert!(gone.is_err());
        }
        assert_eq!(check.asked(), 1);
        check.may_answer.add_permits(1);
        assert!(readiness.report().await.ready);
        assert_eq!(check.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_not_ready_and_one_with_its_own_limit_is_named() {
        let readiness = Readiness::new(Counted::new(0));
        let report = readiness.report().await;
        assert!(!report.ready);
        assert!(report.checks.contains_key("all"), "{report:?}");
        let report = Readiness::new(Arc::new(OneHangs)).report().await;
        assert!(!report.ready);
        assert!(report.checks["store"].ok);
        let error = report.checks["broker"].error.as_deref();
        assert_eq!(error, Some("no answer within 4 s"));
    }

    #[tokio::test]
    async fn a_check_that_panics_is_not_ready_and_the_next_one_is_asked() {
        let readiness = Readiness::new(Arc::new(Panics(AtomicUsize::new(0))));
        assert!(!readiness.report().await.ready);
        assert!(readiness.report().await.ready);
    }
}
