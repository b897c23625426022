//! Faults of what comes in: repeats, storms, ends between updates, poison.

use std::time::{Duration, Instant};

use foreshow_tests::{key, update};
use tokio::time::sleep;

use super::{Strike, Strikes};
use crate::{
    check::Bounds,
    world::{BUILD, STALE},
};

/// F18: the load itself.
pub(super) async fn repeats(strike: Strike<'_>) -> Strikes {
    sleep(strike.left()).await;
    Strikes {
        dose: "each event five times, in any order".to_owned(),
        ..Strikes::default()
    }
}

/// F20: the load itself.
pub(super) async fn ends(strike: Strike<'_>) -> Strikes {
    sleep(strike.left()).await;
    Strikes {
        dose: "45 % ends, 15 % late".to_owned(),
        ..Strikes::default()
    }
}

/// F19: the load itself, with builds of a second.
pub(super) async fn storms(strike: Strike<'_>) -> Strikes {
    let build_ms = STORM_BUILD.as_millis().try_into().expect("short");
    strike
        .world
        .cloud
        .turn(|knobs| knobs.builds.build_ms = build_ms);
    sleep(strike.left()).await;
    Strikes {
        dose: format!("an update of each context every 40 ms, builds of {STORM_BUILD:?}"),
        ..Strikes::default()
    }
}

const STORM_BUILD: Duration = Duration::from_secs(1);

/// Each further create stands for a build that was cancelled or for one that ended. Cancels of a context come no closer than a
/// second, and neither do ends of builds that take a second each: two a second at most, whatever the storm. A
/// fresh preview comes after what a context may be stale for, the build that goes on then, and the next one; the rest is the
/// machine's.
pub(super) fn storm_bounds(usual: Bounds) -> Bounds {
    let slack = Duration::from_secs(10);
    Bounds {
        storm: Some((2, STORM_BUILD / 2)),
        fresh_every: Some(STALE + 2 * STORM_BUILD + slack + BUILD),
        ..usual
    }
}

/// F21: what cannot be read, and an update at which every worker panics.
pub(super) async fn poison(strike: Strike<'_>) -> Strikes {
    const UNREADABLE: usize = 5;
    const ATTEMPTS: u32 = 3;
    let context = format!("poison-of-{}", strike.prefix);
    let vhost = strike.world.vhost();
    let rejected = strike.world.log.rejected();
    let before = vhost.depth("foreshow.dead-letters").await.unwrap_or(0);
    let settings = [
        (
            "FORESHOW_FAILURE_POINT",
            // Behind the claim: an event at which even giving up panics ends with its worker alone.
            format!("id-recorded:panic:every:{context}"),
        ),
        ("FORESHOW_RETRY__ATTEMPTS", ATTEMPTS.to_string()),
    ];
    let world = strike.world;
    for slot in &mut world.slots {
        if let Some(worker) = slot.worker.take() {
            worker.stop("TERM").await;
        }
        slot.start(&world.foreshow, &settings).await;
    }
    let poison = key("tenant-0", &context);
    world
        .publisher
        .publish(&update(&poison, 1, "it panics"))
        .await;
    for n in 0..UNREADABLE {
        let body = format!("{{ no event: {} {n}", strike.prefix);
        world
            .publisher
            .publish_raw("context.updated.tenant-1", body.as_bytes())
            .await;
        sleep(Duration::from_millis(200)).await;
    }
    let mut strikes = Strikes {
        are_armed: true,
        ..Strikes::default()
    };
    let give_up_at = Instant::now() + Duration::from_mins(2);
    let wanted = u32::try_from(UNREADABLE).expect("a few") + 1;
    loop {
        let letters = vhost.depth("foreshow.dead-letters").await.unwrap_or(0);
        let letters = letters.saturating_sub(before);
        let told = world.log.rejected() - rejected;
        let is_over = letters == wanted && told == UNREADABLE;
        if is_over && Instant::now() >= strike.until {
            break;
        }
        if Instant::now() > give_up_at {
            strikes.troubles.push(format!(
                "{letters} dead letters of {wanted}, {told} told as rejected of {UNREADABLE}"
            ));
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let panics: usize = world
        .slots
        .iter()
        .filter_map(|slot| slot.worker.as_ref())
        .map(|worker| worker.said().matches("struck at id-recorded").count())
        .sum();
    if panics != ATTEMPTS as usize {
        strikes.troubles.push(format!(
            "the poison panicked {panics} times, with {ATTEMPTS} attempts"
        ));
    }
    strikes.dose = format!(
        "{UNREADABLE} unreadable, dead-lettered; one that panics, dead-lettered after {panics} panics"
    );
    strikes
}
