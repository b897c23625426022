use super::*;

fn build(ending: Ending) -> Build {
    Build {
        queue_ms: 10,
        length_ms: 80,
        commands: Commands {
            install: Some("deno install".to_owned()),
            build: Some("deno task build".to_owned()),
        },
        begins_at: Some(1010),
        ..Build::new(1000, ending)
    }
}

fn words(build: &Build, now: u64) -> String {
    let word = |standing| match standing {
        Standing::Pending => "-",
        Standing::Skipped => "s",
        Standing::Running { .. } => "r",
        Standing::Over { how, .. } => match how {
            How::Succeeded => "ok",
            How::TimedOut => "late",
            How::Cancelled => "cancelled",
            How::Errored => "error",
        },
    };
    std::iter::once(build.queue(now))
        .chain(Stage::ALL.map(|stage| build.stage(stage, now)))
        .map(word)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_build_passes_through_its_stages_and_succeeds() {
    let build = build(Ending::Succeeds);
    assert_eq!(build.status(1009), Status::Queued);
    assert_eq!(words(&build, 1009), "r - - - -");
    assert_eq!(words(&build, 1010), "ok r - - -");
    assert_eq!(words(&build, 1020), "ok ok r - -");
    assert_eq!(words(&build, 1040), "ok ok ok r -");
    assert_eq!(words(&build, 1070), "ok ok ok ok r");
    assert_eq!(build.status(1089), Status::Building);
    assert_eq!(words(&build, 1090), "ok ok ok ok ok");
    assert_eq!(build.status(1090), Status::Succeeded);
    assert_eq!(build.succeeds_at(), Some(1090));
}

#[test]
fn failures_end_in_their_stage() {
    let over = |ending| words(&build(ending), 2000);
    assert_eq!(over(Ending::Fails { log: Vec::new() }), "ok ok ok error s");
    assert_eq!(over(Ending::TimesOut), "ok ok ok late s");
    let boot = Ending::WarmupFails {
        code: "boot_failed",
        message: String::new(),
    };
    assert_eq!(over(boot), "ok ok ok ok error");
    assert_eq!(over(Ending::Skipped), "ok s s s s");
}

#[test]
fn a_build_that_never_ends_runs_in_its_last_command() {
    let build = build(Ending::Never);
    assert_eq!(words(&build, 9_000_000), "ok ok ok r -");
    assert_eq!(build.status(9_000_000), Status::Building);
}

#[test]
fn a_cancel_takes_effect_after_a_while() {
    let mut build = Build {
        cancel_ms: 5,
        ..build(Ending::Never)
    };
    build.cancel(1030);
    assert_eq!(build.status(1034), Status::Building);
    assert_eq!(build.status(1035), Status::Failed(Reason::Cancelled));
    assert_eq!(words(&build, 1035), "ok ok cancelled s s");
    assert_eq!(build.succeeds_at(), None);
}

#[test]
fn a_cancel_in_the_queue_ends_there() {
    let mut build = build(Ending::Succeeds);
    build.cancel(1005);
    assert_eq!(words(&build, 1005), "cancelled s s s s");
    assert_eq!(words(&build, 1500), "cancelled s s s s");
}

#[test]
fn a_cancel_after_the_end_changes_nothing() {
    let mut build = build(Ending::Succeeds);
    build.cancel(1090);
    assert_eq!(build.status(1090), Status::Succeeded);
    assert_eq!(build.cancel_requested_at, None);
}

#[test]
fn stages_without_a_command_are_skipped() {
    let build = Build {
        commands: Commands::default(),
        ..build(Ending::Succeeds)
    };
    assert_eq!(words(&build, 1010), "ok r s s -");
    assert_eq!(words(&build, 1090), "ok ok s s ok");
}
