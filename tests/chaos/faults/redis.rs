//! Faults of Redis, and of the way to it.

use std::time::{Duration, Instant};

use foreshow_tests::{Flow, Weather};
use tokio::time::sleep;

use super::{Strike, Strikes};
use crate::world::TTL;

/// F13: everything forgotten in mid-deploy, by FLUSHALL and by SIGKILL of a server that keeps nothing.
pub(super) async fn forgets(strike: Strike<'_>) -> Strikes {
    let (mut flushed, mut killed) = (0, 0);
    loop {
        let pause = strike.left().min(Duration::from_secs(6));
        sleep(pause.mul_f64(0.3 + 0.4 * strike.rng.f64())).await;
        let redis = &mut strike.world.foreshow.servers().redis;
        if (flushed + killed) % 2 == 0 {
            redis.flush_all().await.expect("Redis can be emptied");
            flushed += 1;
        } else {
            redis.kill().await.expect("Redis can be killed");
            redis.restart().await.expect("Redis comes again");
            killed += 1;
        }
        if !strike.goes_on() {
            break;
        }
    }
    Strikes {
        dose: format!(
            "{flushed} × FLUSHALL, {killed} × SIGKILL without persistence; then one update of each context"
        ),
        // A copy of each revision that had ended may be built once more, and one under way be begun by two.
        extra_creates: u64::MAX,
        ..Strikes::default()
    }
}

/// F15: stalls of two seconds, and no way at all for longer than a lease lives, for every other worker.
pub(super) async fn cut_off(strike: Strike<'_>) -> Strikes {
    let (mut stalls, mut cuts) = (0, 0);
    let cut_for = TTL + Duration::from_secs(1);
    loop {
        let place = strike.rng.usize(0..2);
        let half = || strike.world.slots.iter().skip(place).step_by(2);
        if stalls <= cuts {
            for slot in half() {
                slot.redis.set(Weather::both(Flow::Stall));
            }
            sleep(Duration::from_secs(2)).await;
            stalls += 1;
        } else {
            for slot in half() {
                slot.redis.set(Weather::refusing());
                slot.redis.cut();
            }
            sleep(cut_for).await;
            cuts += 1;
        }
        for slot in half() {
            slot.redis.heal();
        }
        sleep(Duration::from_millis(strike.rng.u64(200..800))).await;
        if !strike.goes_on() {
            break;
        }
    }
    Strikes {
        dose: format!(
            "every other worker: {stalls} × stalled for 2 s, {cuts} × cut off for {:.0} s (leases live {:.0} s)",
            cut_for.as_secs_f64(),
            TTL.as_secs_f64()
        ),
        // A holder that stops by its own clock may have sent a create that lands after its successor has looked.
        extra_creates: 2 * (stalls + cuts),
        ..Strikes::default()
    }
}

/// F16: every renewal of one worker fails, and its builds take twice as long as a lease lives.
pub(super) async fn renewals_fail(strike: Strike<'_>) -> Strikes {
    let build = TTL * 2;
    strike
        .world
        .cloud
        .turn(|knobs| knobs.builds.build_ms = build.as_millis().try_into().expect("short"));
    let slot = strike.rng.usize(0..strike.world.slots.len());
    let slot = &mut strike.world.slots[slot];
    if let Some(worker) = slot.worker.take() {
        worker.stop("TERM").await;
    }
    let point = [("FORESHOW_FAILURE_POINT", "renewing:fail:every".to_owned())];
    slot.start(&strike.world.foreshow, &point).await;
    sleep(strike.until.saturating_duration_since(Instant::now())).await;
    let said = slot.worker.as_ref().map(foreshow_tests::Up::said);
    let failed = said.map_or(0, |said| said.matches("struck at renewing").count());
    let mut strikes = Strikes {
        dose: format!(
            "{failed} renewals of one worker failed; builds of {:.0} s, leases of {:.0} s",
            build.as_secs_f64(),
            TTL.as_secs_f64()
        ),
        are_armed: true,
        ..Strikes::default()
    };
    if failed == 0 {
        strikes
            .troubles
            .push("no renewal came by the failure point".to_owned());
    }
    strikes
}
