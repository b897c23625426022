//! Several providers: who is tried, who is left alone, and what is left behind.

mod world;

use std::num::NonZeroU32;

use foreshow_contract::{DomainWord, ProviderName, ResultBody, Strategy};
use foreshow_engine::{Failure, Price, RateLimit, Store, testing::FakeBuild};
use world::{World, end, secs, update};

fn two() -> World {
    World::with_accounts(&["first", "second"], |_| ())
}

/// Who hosts the context's newest ready revision.
fn host(world: &World, context: &str) -> String {
    let ends = world.ends(context, "ready");
    let Some(ResultBody::Ready(ready)) = ends.last().map(|end| &end.body) else {
        panic!("{context} was never ready")
    };
    ready.provider.to_string()
}

#[tokio::test(start_paused = true)]
async fn who_fails_again_and_again_is_left_alone_and_then_comes_first_again() {
    let world = two();
    let first = &world.providers[0];
    first.set_failing("create", Some(Failure::ProviderDown));
    for n in 1..=20 {
        world.publish(update(&format!("c{n}"), 1)).await;
        world.settle().await;
        assert_eq!(host(&world, &format!("c{n}")), "second");
    }
    // Three failures, and one try each time that it may be well again.
    let tries = first.asked("create").len();
    assert!((3..=5).contains(&tries), "{tries}");

    first.set_failing("create", None);
    tokio::time::sleep(secs(400)).await;
    world.publish(update("c1", 2)).await;
    world.settle().await;
    assert_eq!(host(&world, "c1"), "first");
    // What it had elsewhere is gone.
    assert_eq!(world.providers[1].deployments().len(), 19);
    assert_eq!(first.deployments().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_only_one_is_away_jobs_wait_and_none_fails() {
    let world = World::with_accounts(&["only"], |_| ());
    world
        .provider
        .set_failing("create", Some(Failure::ProviderDown));
    for n in 1..=10 {
        world.publish(update(&format!("c{n}"), 1)).await;
    }
    tokio::time::sleep(secs(600)).await;
    world.provider.set_failing("create", None);
    world.settle().await;
    for n in 1..=10 {
        assert_eq!(world.ends(&format!("c{n}"), "ready").len(), 1, "c{n}");
    }
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_everybodys_and_no_hint_is_believed_for_long() {
    let world = World::with_accounts(&["only"], |options| {
        options.routing.health.longest_wait_seconds = 60;
    });
    let tomorrow = world.in_secs(86_400);
    let limited = Failure::RateLimited { until: tomorrow };
    world.provider.set_failing("create", Some(limited));
    for n in 1..=30 {
        world.publish(update(&format!("c{n}"), 1)).await;
    }
    tokio::time::sleep(secs(50)).await;
    let at_first = world.provider.asked("create").len();
    tokio::time::sleep(secs(250)).await;
    let tries = world.provider.asked("create");
    let later = &tries[at_first..];
    // One each minute, by whoever comes first.
    assert!((3..=5).contains(&later.len()), "{later:?}");
    for two in later.windows(2) {
        assert!(two[1] - two[0] >= secs(60), "{later:?}");
    }
    world.provider.set_failing("create", None);
    world.settle().await;
    for n in 1..=30 {
        assert_eq!(world.ends(&format!("c{n}"), "ready").len(), 1, "c{n}");
    }
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_long_limit_is_taken_elsewhere_and_a_short_one_waited_for() {
    let world = two();
    let long = Failure::RateLimited {
        until: world.in_secs(60),
    };
    world.providers[0].fail_next("create", long);
    world.publish(update("long", 1)).await;
    world.settle().await;
    assert_eq!(host(&world, "long"), "second");

    tokio::time::sleep(secs(70)).await;
    let short = Failure::RateLimited {
        until: world.in_secs(3),
    };
    world.providers[0].fail_next("create", short);
    world.publish(update("short", 1)).await;
    world.settle().await;
    assert_eq!(host(&world, "short"), "first");
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn creates_stay_below_the_accounts_own_limit() {
    let limit = RateLimit {
        count: NonZeroU32::new(5).unwrap(),
        per_seconds: NonZeroU32::new(60).unwrap(),
    };
    let world = World::limited(&["only"], Some(limit), |_| ());
    for n in 1..=20 {
        world.publish(update(&format!("c{n}"), 1)).await;
    }
    world.settle().await;
    let creates = world.provider.asked("create");
    assert_eq!(creates.len(), 20);
    for six in creates.windows(6) {
        assert!(six[5] - six[0] >= secs(60), "{creates:?}");
    }
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_answer_left_at_the_first_is_gone_after_one_sweep() {
    let world = two();
    let first = &world.providers[0];
    first.fail_next("create", Failure::ProviderDown);
    world.publish(update("c", 1)).await;
    world.settle().await;
    assert_eq!(host(&world, "c"), "second");
    // Its create landed all the same.
    first.land_late(&world::key("c"), 1);
    world.sweep().await;
    assert!(first.deployments().is_empty());
    assert_eq!(world.providers[1].deployments().len(), 1);
    world.publish(end("c", 2)).await;
    world.settle().await;
    assert!(world.providers[1].deployments().is_empty());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_build_that_failed_is_the_users_and_is_not_taken_elsewhere() {
    let world = two();
    world.providers[0].set_build(FakeBuild::Failed(secs(1)));
    world.publish(update("c", 1)).await;
    world.settle().await;
    assert_eq!(world.ends("c", "failed").len(), 1);
    assert!(world.providers[1].asked("create").is_empty());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_preview_is_ready_once_its_address_is_known() {
    let world = World::start();
    world.provider.set_address_after(secs(20));
    world.publish(update("c", 1)).await;
    world.settle().await;
    assert!(world.elapsed() >= secs(20));
    assert_eq!(world.ends("c", "ready").len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_cheapest_hosts_it_and_the_estimate_is_told() {
    let world = World::with_accounts(&["dear", "cheap", "unknown"], |options| {
        options.routing.strategy = Strategy::Cheapest;
        for (name, dollars) in [("dear", "0.5"), ("cheap", "0.25")] {
            let price: Price = serde_json::from_str(&format!(
                r#"{{"currency": "USD", "per_deployment": {dollars}, "as_of": "2026-11-22", "source": "a test"}}"#
            ))
            .unwrap();
            let prices = &mut options.routing.prices;
            prices.insert(ProviderName::from(name), price);
        }
    });
    world.publish(update("c", 1)).await;
    world.settle().await;
    assert_eq!(host(&world, "c"), "cheap");
    let ends = world.ends("c", "ready");
    let ResultBody::Ready(ready) = &ends[0].body else {
        panic!("not ready")
    };
    let cost = ready.estimated_cost.as_ref().unwrap();
    assert_eq!(cost.amount.to_string(), "0.25");
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_others_have_is_swept_while_one_is_away() {
    let world = two();
    world.publish(update("c", 1)).await;
    world.settle().await;
    world.providers[1].land_late(&world::key("c"), 1);
    world.providers[0].set_failing("inventory", Some(Failure::Permanent("away")));
    assert!(world.try_sweep().await.is_err());
    assert!(world.providers[1].deployments().is_empty());
    assert_eq!(world.providers[0].deployments().len(), 1);
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_refuses_us_keeps_nobody_from_the_others() {
    let world = two();
    // The store is new: every context is looked up first, everywhere.
    for operation in ["list", "inventory", "create"] {
        world.providers[0]
            .set_failing(operation, Some(Failure::Permanent("provider_unauthorized")));
    }
    world.publish(update("c", 1).provider("second")).await;
    world.settle().await;
    assert_eq!(host(&world, "c"), "second");
    world.publish(end("c", 2)).await;
    world.settle().await;
    assert_eq!(world.ends("c", "removed").len(), 1);
    assert!(world.elapsed() < secs(60), "{:?}", world.elapsed());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_nudge_has_the_build_looked_at_at_once() {
    let world = World::with(|options| {
        options.build.poll_min_ms = 600_000;
        options.build.poll_max_ms = 600_000;
    });
    world.provider.set_build(FakeBuild::Ready(secs(10)));
    world.publish(update("c", 1)).await;
    tokio::time::sleep(secs(11)).await;
    world.store.nudge(&world::key("c")).await.unwrap();
    world.settle().await;
    assert!(world.elapsed() < secs(15), "{:?}", world.elapsed());
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_domain_is_pointed_at_the_preview_only_for_the_tenant_that_has_it() {
    let world = World::with(|options| {
        let own = vec!["*.acme.dev".to_owned()];
        options.domains.insert("acme".parse().unwrap(), own);
    });
    world
        .publish(
            update("c", 1)
                .domain("demo.acme.dev")
                .domain("demo.other.dev"),
        )
        .await;
    world.settle().await;
    let ends = world.ends("c", "ready");
    let ResultBody::Ready(ready) = &ends[0].body else {
        panic!("not ready")
    };
    let told: Vec<_> = ready
        .domains
        .iter()
        .map(|one| (one.domain.as_str(), one.state))
        .collect();
    assert_eq!(
        told,
        [
            ("demo.acme.dev", DomainWord::Bound),
            ("demo.other.dev", DomainWord::Refused)
        ]
    );
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_what_was_begun_keeps_the_job_where_it_is() {
    for operation in ["status", "alias", "move_alias", "locate"] {
        let world = two();
        let first = &world.providers[0];
        first.set_build(FakeBuild::Ready(secs(20)));
        let limited = Failure::RateLimited {
            until: world.in_secs(60),
        };
        first.fail_next(operation, limited);
        world.publish(update("c", 1)).await;
        world.settle().await;
        assert_eq!(host(&world, "c"), "first", "{operation}");
        assert_eq!(first.created().len(), 1, "{operation}");
        assert!(world.providers[1].created().is_empty(), "{operation}");
        world.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_refuses_our_token_passes_the_job_on() {
    let world = two();
    world.publish(update("c", 1)).await;
    world.settle().await;
    let refused = Failure::Permanent("provider_unauthorized");
    for operation in ["list", "create", "status", "delete", "alias", "move_alias"] {
        world.providers[0].set_failing(operation, Some(refused.clone()));
    }
    for context in ["c", "d"] {
        world.publish(update(context, 2)).await;
        world.settle().await;
        assert_eq!(host(&world, context), "second");
    }
    world.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_builds_log_tells_nothing_of_the_environment() {
    let world = World::start();
    world.provider.set_build(FakeBuild::Failed(secs(1)));
    // The fake's build prints this.
    world.publish(update("c", 1).env("WORD", "expected")).await;
    world.settle().await;
    let ends = world.ends("c", "failed");
    let ResultBody::Failed(failed) = &ends[0].body else {
        panic!("not failed")
    };
    assert_eq!(failed.error.log_tail, ["error: [redacted] `;`"]);
    world.finish().await;
}
