//! Where a revision goes: candidates, their order, and when the job is passed on to the next.

use std::{sync::Arc, time::Duration};

use foreshow_bundle::Tree;
use foreshow_contract::{EstimatedCost, Framework, ProviderName, Timestamp};

use super::{
    deploy::Deploy,
    stop::{Stop, Trouble},
};
use crate::{
    Closed, Failure, Provider, code,
    routing::{self, Candidate},
};

impl Deploy<'_> {
    /// The providers that may host this app, in the order in which they are tried.
    pub(super) async fn candidates(&self, tree: &Tree) -> Result<Vec<Arc<dyn Provider>>, Stop> {
        let engine = &self.job.engine;
        let options = &engine.options().routing;
        let wanted = &self.update.routing.providers;
        let preference = if wanted.is_empty() {
            &options.order
        } else {
            wanted
        };
        let rank = |name: &ProviderName| preference.iter().position(|one| one == name);
        let mut able: Vec<_> = engine
            .providers()
            .iter()
            .filter(|provider| preference.is_empty() || rank(provider.name()).is_some())
            .collect();
        able.sort_by_key(|provider| rank(provider.name()));
        let mut unable = Vec::new();
        able.retain(|provider| match self.unfit(&***provider, tree) {
            None => true,
            Some(why) => {
                unable.push(why);
                false
            }
        });
        if able.is_empty() {
            return Err(self.nobody(&unable));
        }
        if able.iter().any(|provider| provider.account().is_some()) {
            engine.gates().refresh().await;
        }
        let live = self.record.live.as_ref().map(|live| &live.provider);
        let candidates = able.iter().map(|provider| Candidate {
            provider: provider.name().clone(),
            closed: engine
                .gates()
                .closed(provider.account())
                .filter(|(until, why)| *why == Closed::Down || !self.is_soon(*until)),
            cost: self.expected_cost(provider.name(), tree),
            takes: engine.pace().ready_after(provider.name()),
            is_live: live == Some(provider.name()),
        });
        let strategy = self.update.routing.strategy.unwrap_or(options.strategy);
        let alias = self.record.alias.as_str().bytes();
        // The alias is drawn by a keyed digest: as good a seed of the context's own as any.
        let seed = alias.fold(0_u64, |seed, byte| {
            seed.rotate_left(5).wrapping_add(byte.into())
        });
        let mut ordered = routing::order(candidates.collect(), strategy, &options.weights, seed);
        // Where an earlier holder worked, that provider is asked first: adopt before create. Also where a limit has to be waited for.
        ordered.sort_by_key(|one| {
            let is_begun = self.was_begun_at(&one.provider);
            let is_away = one
                .closed
                .is_some_and(|(_, why)| why == Closed::Down || !is_begun);
            (is_away, !is_begun)
        });
        let ordered = ordered
            .iter()
            .filter_map(|one| engine.provider(&one.provider));
        Ok(ordered.collect())
    }

    /// Why the provider can't host this app.
    fn unfit(&self, provider: &dyn Provider, tree: &Tree) -> Option<String> {
        let (name, can) = (provider.name(), provider.capabilities());
        let framework = self.update.app.framework;
        if !can.frameworks.contains(&framework) {
            return Some(format!("{name} does not host {} apps", framework.word()));
        }
        if let Some(max) = can.max_bytes.filter(|max| tree.total_bytes() > *max) {
            let bytes = tree.total_bytes();
            return Some(format!("{name} takes {max} bytes at most, not {bytes}"));
        }
        if let Some(max) = can.max_files.filter(|max| tree.files().len() > *max) {
            let files = tree.files().len();
            return Some(format!("{name} takes {max} files at most, not {files}"));
        }
        None
    }

    fn nobody(&self, unable: &[String]) -> Stop {
        let engine = &self.job.engine;
        let names = |names: &mut dyn Iterator<Item = &ProviderName>| {
            names
                .map(ProviderName::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let configured = names(&mut engine.providers().iter().map(|provider| provider.name()));
        let wanted = &self.update.routing.providers;
        let mut message = format!(
            "no provider can host this {} app",
            self.update.app.framework.word()
        );
        if !wanted.is_empty() {
            let wanted = names(&mut wanted.iter());
            message = format!("{message} among those the event allows ({wanted})");
        }
        for why in unable {
            message.push_str("; ");
            message.push_str(why);
        }
        message = format!("{message}; configured: {configured}");
        Stop::failed(Trouble::new(
            Failure::Permanent(code::NO_SUITABLE_PROVIDER),
            message,
        ))
    }

    /// Whether something has to be built: a static site without a command is only uploaded.
    fn is_built(&self) -> bool {
        let app = &self.update.app;
        app.framework != Framework::Static || app.build_command.is_some()
    }

    fn expected_cost(&self, provider: &ProviderName, tree: &Tree) -> Option<EstimatedCost> {
        let measured = || {
            let of_context = self.record.build_ms.map(Duration::from_millis);
            of_context.or_else(|| self.job.engine.pace().of(provider))
        };
        self.cost(provider, tree.total_bytes(), measured)
    }

    /// What a deployment is thought to cost whose build took what `build` tells; `None` where the price, or that, is not known.
    pub(super) fn cost(
        &self,
        provider: &ProviderName,
        bytes: u64,
        build: impl FnOnce() -> Option<Duration>,
    ) -> Option<EstimatedCost> {
        let price = self.job.engine.options().routing.prices.get(provider)?;
        let build = if self.is_built() {
            build()?
        } else {
            Duration::ZERO
        };
        Some(price.estimate(build, bytes, self.ttl()))
    }

    /// Whether another provider takes the job after this trouble.
    pub(super) fn is_passed_on(&self, trouble: &Trouble) -> bool {
        if trouble.is_kept {
            return false;
        }
        match trouble.failure {
            Failure::ProviderDown
            | Failure::ProviderClosed { .. }
            // It is this provider that does not want it; another may.
            | Failure::Permanent(
                code::PROVIDER_UNAUTHORIZED
                | code::PROVIDER_PAYMENT_REQUIRED
                | code::TOO_LARGE_FOR_PROVIDER,
            ) => true,
            Failure::RateLimited { until } => !self.is_soon(until),
            Failure::Permanent(_) | Failure::Retryable { .. } => false,
        }
    }

    /// Whether a limit is over so soon that it is waited for.
    fn is_soon(&self, until: Timestamp) -> bool {
        let engine = &self.job.engine;
        let patience = Duration::from_millis(engine.options().routing.patience_ms);
        until.saturating_since(engine.now()) <= patience
    }

    /// Whether an earlier holder of the context worked at this provider.
    pub(super) fn was_begun_at(&self, provider: &ProviderName) -> bool {
        let building = self.record.building.as_ref();
        building.is_some_and(|building| building.provider == *provider)
    }

    /// What became of a create whose answer did not come may be there, at a provider that was passed over: it is removed now, if that
    /// can be done, else by the sweeper.
    pub(super) async fn leave_passed_over(&self, troubles: &[Trouble]) {
        let names = troubles
            .iter()
            .filter_map(|trouble| trouble.provider.as_ref());
        for provider in names.filter_map(|name| self.job.engine.provider(name)) {
            self.remove_at(&*provider, |deployment| {
                deployment.revision <= self.update.revision
            })
            .await;
        }
    }
}

/// What is told where no provider took the job: the trouble that is over first.
pub(super) fn softest(troubles: Vec<Trouble>) -> Option<Trouble> {
    troubles
        .into_iter()
        .min_by_key(|trouble| match trouble.failure {
            Failure::RateLimited { until } | Failure::ProviderClosed { until } => (0, Some(until)),
            Failure::ProviderDown | Failure::Permanent(_) | Failure::Retryable { .. } => (1, None),
        })
}
