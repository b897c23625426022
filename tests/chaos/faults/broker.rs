//! Faults of RabbitMQ and of the way to it.

use std::time::{Duration, Instant};

use foreshow_tests::{Flow, Weather};
use tokio::time::sleep;

use super::{Strike, Strikes};

/// How long workers may take until they consume again before it counts as never.
const NEVER: Duration = Duration::from_mins(1);

/// F2: SIGKILL in mid-load, again and again; confirmed messages survive, connections don't.
pub(super) async fn killed(strike: Strike<'_>) -> Strikes {
    end_and_begin(strike, true).await
}

/// F3: an orderly stop and start.
pub(super) async fn restarted(strike: Strike<'_>) -> Strikes {
    end_and_begin(strike, false).await
}

async fn end_and_begin(strike: Strike<'_>, is_killed: bool) -> Strikes {
    let mut strikes = Strikes::default();
    let (mut times, mut again) = (0, Vec::new());
    loop {
        let calm = strike.left().min(Duration::from_secs(20));
        sleep(calm.mul_f64(0.2 + 0.3 * strike.rng.f64())).await;
        let rabbitmq = &mut strike.world.foreshow.servers().rabbitmq;
        let ended = if is_killed {
            rabbitmq.kill().await
        } else {
            rabbitmq.stop().await
        };
        ended.expect("the broker can be ended");
        rabbitmq.restart().await.expect("the broker comes again");
        times += 1;
        match strike.world.consumed_again(NEVER).await {
            Ok(took) => again.push(took),
            Err(consumers) => strikes.troubles.push(format!(
                "{consumers} consumers a minute after the broker came again"
            )),
        }
        if !strike.goes_on() {
            break;
        }
    }
    let slowest = again.iter().max().copied().unwrap_or_default();
    let how = if is_killed { "SIGKILL" } else { "restart" };
    strikes.dose = format!(
        "{times} × {how} of the one node; all consume again at most {:.1} s after it is up",
        slowest.as_secs_f64()
    );
    // A create whose event's worker lost its delivery in between goes on; its copy adopts.
    strikes
}

/// F4: resets at random places; then a broker that is half open, then 300 ms of latency everywhere.
pub(super) async fn cut(strike: Strike<'_>) -> Strikes {
    let third = strike.left() / 3;
    let (mut cuts, began) = (0, Instant::now());
    let mut cut_provider = 0;
    while began.elapsed() < third {
        let slot = strike.rng.usize(0..strike.world.slots.len());
        let which = strike.rng.usize(0..3);
        strike.world.slots[slot].proxies()[which].cut();
        cuts += 1;
        cut_provider += u64::from(which == 2);
        sleep(Duration::from_millis(strike.rng.u64(100..400))).await;
    }
    let half = strike.rng.usize(0..strike.world.slots.len());
    let slot = &strike.world.slots[half];
    slot.rabbitmq.set(Weather::both(Flow::Swallow));
    sleep(third).await;
    slot.rabbitmq.heal();
    strike
        .world
        .set_weather(Weather::both(Flow::Delay(Duration::from_millis(150))));
    sleep(strike.left()).await;
    strike.world.set_weather(Weather::default());
    Strikes {
        dose: format!(
            "{cuts} connections reset; one worker's broker half-open for {:.0} s; 300 ms of latency (both ways together) for {:.0} s",
            third.as_secs_f64(),
            third.as_secs_f64()
        ),
        // A create's answer may have been lost with its connection, and each is made again at most once for it; with
        // latency its caller may have lost the lease before it landed.
        extra_creates: cut_provider + 3,
        ..Strikes::default()
    }
}

/// F5: the broker closes connections, and cancels consumers by their queue's end while it is empty.
pub(super) async fn cancelled(strike: Strike<'_>) -> Strikes {
    let mut closed = 0;
    let vhost = strike.world.vhost();
    let management = vhost.management();
    let mut strikes = Strikes::default();
    while strike.goes_on() {
        let listed = management.get("connections").await.ok().flatten();
        let listed = listed.as_ref().and_then(|listed| listed.as_array());
        for connection in listed.into_iter().flatten() {
            // This process's own among them: its log reads on, and what it was publishing is of unknown fate.
            let name = connection["name"].as_str().unwrap_or_default();
            if strike.rng.bool() {
                let name = name.replace(' ', "%20").replace('>', "%3E");
                let path = format!("connections/{name}");
                closed += u32::from(management.delete(&path).await.is_ok());
            }
        }
        sleep(strike.left().min(Duration::from_millis(1_500))).await;
    }
    // An operator's mistake, without load: the queue goes, with every consumer, and is declared again.
    let rests = strike.world.comes_to_rest(Duration::from_mins(2)).await;
    let mut cancelled = 0;
    if rests.is_ok() {
        for queue in ["foreshow.cleanup", "foreshow.deploy"] {
            vhost
                .delete_queue(queue)
                .await
                .expect("the broker removes a queue");
            cancelled += strike.world.slots.len();
        }
        let applied = strike.world.foreshow.run(["topology", "apply"]).await;
        if !applied.status.success() {
            strikes
                .troubles
                .push(format!("topology apply failed: {applied:?}"));
        }
    }
    let mut again = Duration::ZERO;
    match strike.world.consumed_again(NEVER).await {
        Ok(took) => again = took,
        Err(consumers) => strikes.troubles.push(format!(
            "{consumers} consumers a minute after the queues were there again"
        )),
    }
    strikes.dose = format!(
        "{closed} connections closed by the broker; {cancelled} consumers cancelled with their queues, back {:.1} s after these were",
        again.as_secs_f64()
    );
    strikes
}

/// F6: publishers are blocked by the broker's memory alarm.
pub(super) async fn alarmed(strike: Strike<'_>) -> Strikes {
    let (mut times, mut blocked) = (0, Duration::ZERO);
    loop {
        sleep(strike.left() / 4).await;
        let rabbitmq = &strike.world.foreshow.servers().rabbitmq;
        let began = Instant::now();
        rabbitmq
            .ctl(&["set_vm_memory_high_watermark", "0.00001"])
            .await
            .expect("the alarm can be raised");
        sleep(
            (strike.until.saturating_duration_since(Instant::now()) / 3)
                .max(Duration::from_secs(2)),
        )
        .await;
        rabbitmq
            .ctl(&["set_vm_memory_high_watermark", "0.4"])
            .await
            .expect("the alarm can be cleared");
        times += 1;
        blocked += began.elapsed();
        if !strike.goes_on() {
            break;
        }
    }
    Strikes {
        dose: format!("{times} alarms, {:.0} s together", blocked.as_secs_f64()),
        ..Strikes::default()
    }
}

/// F7: the queue of dead letters is missing while something unreadable comes.
pub(super) async fn without_dead_letters(strike: Strike<'_>) -> Strikes {
    const LETTERS: usize = 5;
    let vhost = strike.world.vhost();
    let before = strike.world.log.rejected();
    vhost
        .delete_queue("foreshow.dead-letters")
        .await
        .expect("the broker removes a queue");
    let publisher = strike.world.publisher.clone();
    for n in 0..LETTERS {
        let body = format!("{{ no event: {} {n}", strike.prefix);
        publisher
            .publish_raw("context.updated.tenant-0", body.as_bytes())
            .await;
    }
    sleep(strike.left()).await;
    let mut strikes = Strikes {
        dose: format!(
            "`foreshow.dead-letters` deleted, {LETTERS} unreadable messages, then declared again"
        ),
        ..Strikes::default()
    };
    let applied = strike.world.foreshow.run(["topology", "apply"]).await;
    if !applied.status.success() {
        strikes
            .troubles
            .push(format!("topology apply failed: {applied:?}"));
    }
    let give_up_at = Instant::now() + Duration::from_mins(2);
    loop {
        let kept = vhost.depth("foreshow.dead-letters").await.unwrap_or(0);
        let told = strike.world.log.rejected() - before;
        if kept as usize == LETTERS && told == LETTERS {
            return strikes;
        }
        if Instant::now() > give_up_at {
            strikes.troubles.push(format!(
                "of {LETTERS} unreadable messages {kept} are dead letters, and {told} were told as rejected"
            ));
            return strikes;
        }
        sleep(Duration::from_millis(200)).await;
    }
}
