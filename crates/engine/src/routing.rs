//! Which provider a revision goes to: the order in which those that can host it are tried.
//!
//! Whoever the fleet leaves alone is not tried while another is well. Among the others the strategy decides; whatever cannot be told
//! apart stays in the order of the event, or else of the configuration.
//!
//! A stable address belongs to a provider. So the weighted draw is drawn once per context, not once per revision, and where the fastest
//! is asked for, the provider that is live keeps its place against one that is only a little faster.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroU64},
    time::Duration,
};

use foreshow_contract::{Amount, EstimatedCost, ProviderName, Strategy, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Closed, OptionsError};

/// A month, as storage is billed: 30 days.
const MONTH: Duration = Duration::from_hours(30 * 24);

/// How much faster another has to be than what is live, in percent.
const FASTER_PERCENT: u32 = 25;

/// Choosing among providers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoutingOptions {
    /// How to choose where the event does not say: `preferred`, `cheapest`, `fastest` or `weighted`. Default `preferred`.
    pub strategy: Strategy,
    /// The providers' order where the event names none. Default: `vercel`, `deno`, as far as they have a token; `local` where none has. One
    /// that is not named here is used only by events that name it.
    pub order: Vec<ProviderName>,
    /// The share of contexts that each provider gets where the strategy is `weighted`, as `{ vercel = 3, deno = 1 }`. One that
    /// is not named has the weight 1; with 0 it is used only where no other is left.
    pub weights: BTreeMap<ProviderName, u32>,
    /// What each provider costs, for `cheapest` and for the estimate in results. What is not given is not known, which is not
    /// nothing: those that are known come first.
    pub prices: BTreeMap<ProviderName, Price>,
    /// A limit that is over within this time is waited for, by every job, rather than taken to another provider, in milliseconds. Default
    /// 5,000.
    pub patience_ms: u64,
    /// When the fleet leaves a provider alone.
    pub health: HealthOptions,
}

impl Default for RoutingOptions {
    fn default() -> Self {
        Self {
            strategy: Strategy::Preferred,
            order: Vec::new(),
            weights: BTreeMap::new(),
            prices: BTreeMap::new(),
            patience_ms: 5_000,
            health: HealthOptions::default(),
        }
    }
}

impl RoutingOptions {
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let health = &self.health;
        if health.longest_wait_seconds == 0 {
            return Err(OptionsError::new(
                "routing.health.longest_wait_seconds",
                "must be above 0, or every limit is run into again at once",
            ));
        }
        if health.closed_ms == 0 || health.closed_ms > health.closed_max_ms {
            return Err(OptionsError::new(
                "routing.health.closed_ms",
                "must be above 0 and no more than routing.health.closed_max_ms",
            ));
        }
        Ok(())
    }
}

/// When the fleet leaves a provider's account alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthOptions {
    /// Failures of the provider's own, one after another and counted by the whole fleet, after which it is left alone. Default 3.
    pub failures: NonZeroU32,
    /// For how long at first, in milliseconds. Default 5,000; it doubles each time the one that tries again fails too.
    pub closed_ms: u64,
    /// For how long at most, in milliseconds. Default 300,000.
    pub closed_max_ms: u64,
    /// No rate limit is believed for longer, in seconds. Default 300: then one call tries. Some providers say "in a day" whatever the
    /// limit is.
    pub longest_wait_seconds: u64,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self {
            failures: NonZeroU32::new(3).expect("3 is not 0"),
            closed_ms: 5_000,
            closed_max_ms: 300_000,
            longest_wait_seconds: 300,
        }
    }
}

/// What a provider costs, as its price list says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// An ISO 4217 code.
    pub currency: String,
    /// For each deployment.
    #[serde(default)]
    pub per_deployment: Amount,
    /// For each minute of building.
    #[serde(default)]
    pub per_build_minute: Amount,
    /// For 10^9 bytes kept for 30 days.
    #[serde(default)]
    pub per_gb_month: Amount,
    /// The day on which it was looked up, `YYYY-MM-DD`.
    pub as_of: String,
    /// Where: a page, a contract.
    pub source: String,
}

impl Price {
    /// What a deployment costs whose build takes this long, and whose files, so many bytes, are kept for `kept`.
    pub fn estimate(&self, build: Duration, bytes: u64, kept: Duration) -> EstimatedCost {
        let of =
            |price: Amount, count: u128, per: u128| u128::from(price.as_millionths()) * count / per;
        // Byte-milliseconds: a gigabyte for a month is far below what 128 bits hold.
        let gb_month = 1_000_000_000 * MONTH.as_millis();
        let millionths = u128::from(self.per_deployment.as_millionths())
            + of(self.per_build_minute, build.as_millis(), 60_000)
            + of(
                self.per_gb_month,
                u128::from(bytes) * kept.as_millis(),
                gb_month,
            );
        EstimatedCost {
            currency: self.currency.clone(),
            amount: Amount::from_millionths(u64::try_from(millionths).unwrap_or(u64::MAX)),
        }
    }
}

/// A provider that can host the revision, and what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) provider: ProviderName,
    /// The fleet leaves it alone.
    pub(crate) closed: Option<(Timestamp, Closed)>,
    pub(crate) cost: Option<EstimatedCost>,
    /// From the create to the first answer, as measured.
    pub(crate) takes: Option<Duration>,
    /// It has what is live.
    pub(crate) is_live: bool,
}

/// The order in which candidates are tried. They come in the order of preference; `seed` is the context's own.
pub(crate) fn order(
    mut candidates: Vec<Candidate>,
    strategy: Strategy,
    weights: &BTreeMap<ProviderName, u32>,
    seed: u64,
) -> Vec<Candidate> {
    match strategy {
        Strategy::Preferred => {}
        Strategy::Cheapest => candidates.sort_by(|a, b| by_cost(a.cost.as_ref(), b.cost.as_ref())),
        Strategy::Fastest => candidates.sort_by_key(|one| {
            // Nobody has measured it: it is tried once, for else it would never be.
            let takes = one.takes.unwrap_or_default();
            if one.is_live {
                takes * (100 - FASTER_PERCENT) / 100
            } else {
                takes
            }
        }),
        Strategy::Weighted => {
            let lot = |one: &Candidate| lot(one, weights, seed);
            candidates.sort_by(|a, b| lot(b).total_cmp(&lot(a)));
        }
    }
    // Stable: who is well keeps the order.
    candidates.sort_by_key(|one| one.closed.is_some());
    candidates
}

/// The cheaper first; what is not known, or in another currency than the first that is, comes last.
fn by_cost(a: Option<&EstimatedCost>, b: Option<&EstimatedCost>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => (&a.currency, a.amount).cmp(&(&b.currency, b.amount)),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// A candidate's lot in a draw without replacement: with u uniform in (0, 1) and weight w, the largest u^(1/w) wins with a chance
/// proportional to w (Efraimidis and Spirakis, 2006).
fn lot(candidate: &Candidate, weights: &BTreeMap<ProviderName, u32>, seed: u64) -> f64 {
    let weight = weights.get(&candidate.provider).copied().unwrap_or(1);
    let Some(weight) = NonZeroU64::new(weight.into()) else {
        return -1.0;
    };
    let name = candidate.provider.as_str().bytes();
    let seed = name.fold(seed, |seed, byte| {
        // FNV-1a's step: mixes a few bytes well enough to seed a generator.
        (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    #[expect(clippy::cast_precision_loss, reason = "weights are small")]
    let weight = weight.get() as f64;
    fastrand::Rng::with_seed(seed).f64().powf(weight.recip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str) -> Candidate {
        Candidate {
            provider: ProviderName::from(name),
            closed: None,
            cost: None,
            takes: None,
            is_live: false,
        }
    }

    fn names(candidates: Vec<Candidate>, strategy: Strategy) -> Vec<String> {
        let ordered = order(candidates, strategy, &BTreeMap::new(), 1);
        let names = ordered.iter().map(|one| one.provider.to_string());
        names.collect()
    }

    fn cost(millionths: u64) -> EstimatedCost {
        EstimatedCost {
            currency: "USD".to_owned(),
            amount: Amount::from_millionths(millionths),
        }
    }

    #[test]
    fn who_is_left_alone_comes_last_whatever_the_strategy() {
        let mut first = candidate("a");
        first.closed = Some((Timestamp::from_micros(1), Closed::Down));
        let both = vec![first, candidate("b")];
        for strategy in [
            Strategy::Preferred,
            Strategy::Cheapest,
            Strategy::Fastest,
            Strategy::Weighted,
        ] {
            assert_eq!(names(both.clone(), strategy), ["b", "a"]);
        }
    }

    #[test]
    fn the_cheaper_comes_first_and_what_is_not_known_last() {
        let [unknown, mut dear, mut cheap] = ["unknown", "dear", "cheap"].map(candidate);
        dear.cost = Some(cost(20));
        cheap.cost = Some(cost(10));
        let ordered = names(vec![unknown, dear, cheap], Strategy::Cheapest);
        assert_eq!(ordered, ["cheap", "dear", "unknown"]);
    }

    #[test]
    fn what_is_live_gives_way_only_to_what_is_clearly_faster() {
        let [mut live, mut other] = ["live", "other"].map(candidate);
        live.is_live = true;
        live.takes = Some(Duration::from_secs(10));
        other.takes = Some(Duration::from_secs(8));
        let both = |other: &Candidate| vec![other.clone(), live.clone()];
        assert_eq!(names(both(&other), Strategy::Fastest), ["live", "other"]);
        other.takes = Some(Duration::from_secs(7));
        assert_eq!(names(both(&other), Strategy::Fastest), ["other", "live"]);
        other.takes = None;
        assert_eq!(names(both(&other), Strategy::Fastest), ["other", "live"]);
    }

    #[test]
    fn contexts_are_shared_out_by_weight_and_stay_where_they_are() {
        let weights = BTreeMap::from([(ProviderName::from("a"), 3), (ProviderName::from("c"), 0)]);
        let candidates = || ["a", "b", "c"].map(candidate).to_vec();
        let mut firsts = BTreeMap::<String, u32>::new();
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..4_000 {
            let seed = rng.u64(..);
            let ordered = order(candidates(), Strategy::Weighted, &weights, seed);
            assert_eq!(
                ordered,
                order(candidates(), Strategy::Weighted, &weights, seed)
            );
            assert_eq!(ordered[2].provider.as_str(), "c");
            *firsts.entry(ordered[0].provider.to_string()).or_default() += 1;
        }
        assert!((2_850..3_150).contains(&firsts["a"]), "{firsts:?}");
    }

    #[test]
    fn an_estimate_adds_up_what_is_paid_for() {
        let price = Price {
            currency: "USD".to_owned(),
            per_deployment: Amount::from_millionths(100),
            per_build_minute: Amount::from_millionths(14_000),
            per_gb_month: Amount::from_millionths(100_000),
            as_of: "2026-10-09".to_owned(),
            source: "a price list".to_owned(),
        };
        let cost = price.estimate(Duration::from_secs(90), 500_000_000, MONTH / 2);
        assert_eq!(cost.amount.as_millionths(), 100 + 21_000 + 25_000);
    }
}
