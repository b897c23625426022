//! F22: what an API does on a bad day. The simulator applies each fault to the calls of all workers.

use std::time::Duration;

use foreshow_simulators::{
    VercelOperation,
    core::{Fault, FaultKind, RateHint},
};
use tokio::time::sleep;

use super::{Strike, Strikes};

/// How a dose is given.
#[derive(Clone, Copy)]
enum Dose {
    /// For as long as its share of the time.
    Standing,
    /// To about three calls of ten.
    Now,
}

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
    let mut faults = vec![
        (
            "429 with Retry-After",
            Fault::rate_limit(retry_after).times(30),
            Dose::Standing,
        ),
        (
            "429 without",
            Fault::rate_limit(RateHint::None).times(30),
            Dose::Standing,
        ),
        ("5xx", Fault::status(503), Dose::Now),
        (
            "hang",
            Fault::new(FaultKind::Hang).on(create).times(2),
            Dose::Standing,
        ),
        (
            "reset after create",
            Fault::new(FaultKind::ResetAfter).on(create).times(4),
            Dose::Standing,
        ),
        (
            "slow",
            Fault::new(FaultKind::Slow { ms: 1_500 }),
            Dose::Standing,
        ),
        (
            "wrong JSON",
            Fault::new(FaultKind::MalformedJson).on(create).times(4),
            Dose::Standing,
        ),
        (
            "404 on delete",
            Fault::new(gone)
                .on(VercelOperation::DeleteDeployment)
                .times(4),
            Dose::Standing,
        ),
    ];
    strike.rng.shuffle(&mut faults);
    let (mut given, mut extra) = (Vec::new(), 0);
    let count = u32::try_from(faults.len()).expect("a few");
    for (place, (name, fault, dose)) in faults.into_iter().enumerate() {
        let places_left = count - u32::try_from(place).expect("a few");
        let share = strike.left() / places_left;
        let applied = match dose {
            Dose::Standing => {
                let id = strike.world.cloud.fault(fault);
                sleep(share).await;
                let standing = strike.world.cloud.faults();
                let applied = standing.iter().find(|one| one.id == id);
                let applied = applied.map_or(0, |one| one.applied);
                strike.world.cloud.clear_fault(id);
                applied
            }
            Dose::Now => {
                // One call in about three: a rule lets some through, is used up, and comes again.
                let mut applied = 0;
                let turns = share.as_millis() / 50;
                for _ in 0..turns.max(1) {
                    let skip = strike.rng.u64(1..=4);
                    let id = strike.world.cloud.fault(fault.clone().after(skip).times(1));
                    sleep(Duration::from_millis(50)).await;
                    let standing = strike.world.cloud.faults();
                    let one = standing.iter().find(|one| one.id == id);
                    applied += one.map_or(0, |one| one.applied);
                    strike.world.cloud.clear_fault(id);
                }
                applied
            }
        };
        // A lost answer to a create may cost a second one.
        if matches!(name, "reset after create" | "wrong JSON" | "hang" | "slow") {
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
