//! F22: what an API does on a bad day. The simulator applies each fault to the calls of all workers.

use std::time::{Duration, Instant};

use foreshow_simulators::{
    VercelOperation,
    core::{Fault, FaultKind, RateHint},
};
use tokio::time::sleep;

use super::{Strike, Strikes};

/// Between two looks whether a dose is used up.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) async fn bad_day(strike: Strike<'_>) -> Strikes {
    let create = VercelOperation::CreateDeployment;
    let retry_after = RateHint::RetryAfter {
        seconds: Some(1),
        as_date: false,
    };
    let gone = FaultKind::Status {
        status: 404,
        code: None,
        message: None,
        is_done: false,
    };
    let retried = Fault::rate_limit(retry_after);
    // Each with how many calls it is to strike.
    let mut faults = vec![
        ("429 with Retry-After", retried, 6),
        ("429 without", Fault::rate_limit(RateHint::None), 6),
        ("5xx", Fault::status(503), 30),
        ("hang", Fault::new(FaultKind::Hang).on(create), 2),
        (
            "reset after create",
            Fault::new(FaultKind::ResetAfter).on(create),
            4,
        ),
        ("slow", Fault::new(FaultKind::Slow { ms: 1_500 }), 20),
        (
            "wrong JSON",
            Fault::new(FaultKind::MalformedJson).on(create),
            4,
        ),
        (
            "404 on delete",
            Fault::new(gone).on(VercelOperation::DeleteDeployment),
            4,
        ),
    ];
    strike.rng.shuffle(&mut faults);
    let (mut given, mut extra) = (Vec::new(), 0);
    let count = u32::try_from(faults.len()).expect("a few");
    for (place, (name, fault, dose)) in faults.into_iter().enumerate() {
        let share = strike.left() / (count - u32::try_from(place).expect("a few"));
        let over_at = Instant::now() + share;
        let mut applied = 0;
        while applied < dose && Instant::now() < over_at {
            // Of the vendor's failures three calls in ten: a rule lets some through, is used up, and comes again.
            let rule = match name {
                "5xx" => fault.clone().after(strike.rng.u64(1..=4)).times(1),
                _ => fault.clone().times(dose),
            };
            let wanted = rule.times.unwrap_or(1);
            let id = strike.world.cloud.fault(rule);
            applied += loop {
                let standing = strike.world.cloud.faults();
                let so_far = standing.iter().find(|one| one.id == id);
                let so_far = so_far.map_or(0, |one| one.applied);
                if so_far >= wanted || Instant::now() >= over_at {
                    break so_far;
                }
                sleep(LOOK_EVERY).await;
            };
            strike.world.cloud.clear_fault(id);
        }
        // A lost answer to a create may cost a second one.
        if matches!(name, "reset after create" | "wrong JSON" | "hang") {
            extra += applied;
        }
        given.push(format!("{name} {applied}"));
    }
    Strikes {
        dose: format!("calls struck: {}", given.join(", ")),
        extra_creates: extra,
        ..Strikes::default()
    }
}
