//! Reaching previews: past Vercel's login, and not before it serves this revision.

use foreshow_contract::{Secret, Sha256};
use foreshow_engine::{Probe, ProbeQuestion, Provider as _};
use foreshow_simulators::core::{SiteAnswer, SiteDelay};
use foreshow_simulators::vercel::{StrangerAnswer, VercelOperation as Op};
use sha2::Digest as _;

use super::super::{LOGIN, Protection};
use super::world::World;

#[tokio::test]
async fn protection_is_switched_off_and_the_preview_answers_with_its_very_bytes() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "hello").await;
    assert_eq!(world.calls(Op::UpdateProject), 1);
    assert_eq!(world.probe(&ready).await, Probe::Revision { status: 200 });
    let probe = async |content: &str| {
        let expected = Sha256::from_bytes(sha2::Sha256::digest(content).into());
        let question = ProbeQuestion {
            path: "/index.html",
            expected: Some(&expected),
        };
        world.provider.probe(&ready, question).await.unwrap()
    };
    assert_eq!(probe("hello").await, Probe::Revision { status: 200 });
    assert!(matches!(probe("another").await, Probe::NotYet { .. }));
}

#[tokio::test]
async fn with_a_secret_the_probe_passes_and_nobody_else() {
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let world = World::with(|settings| {
        settings.protection = Protection::Bypass;
        settings.protection_secret = Some(secret.clone());
    })
    .await;
    let ready = world.ready("ctx", 1, "hello").await;
    assert_eq!(world.probe(&ready).await, Probe::Revision { status: 200 });
    let stranger = world.another(7, |_| {});
    let question = ProbeQuestion {
        path: "/",
        expected: None,
    };
    let seen = stranger.probe(&ready, question).await.unwrap();
    assert_eq!(
        seen,
        Probe::NotYet {
            seen: LOGIN.to_owned()
        }
    );
    assert!(!world.provider.url(&ready.address).contains(secret.expose()));
    // Another process finds the secret there.
    let again = world.another(7, |settings| {
        settings.protection = Protection::Bypass;
        settings.protection_secret = Some(secret.clone());
    });
    let none = std::collections::BTreeMap::new();
    let app = foreshow_contract::App::default();
    super::world::create_with(&again, "ctx", 2, &super::world::site("a"), &app, &none)
        .await
        .unwrap();
    assert_eq!(world.calls(Op::UpdateProtectionBypass), 1);
}

#[tokio::test]
async fn a_login_that_is_left_counts_as_reachable_and_otherwise_as_not_yet() {
    let world = World::with(|settings| settings.protection = Protection::Leave).await;
    let ready = world.ready("ctx", 1, "hello").await;
    let stranger = world.another(7, |_| {});
    let question = ProbeQuestion {
        path: "/",
        expected: None,
    };
    for answer in [StrangerAnswer::Unauthorized, StrangerAnswer::Redirect] {
        world.turn(|knobs| knobs.stranger = answer);
        assert_eq!(world.probe(&ready).await, Probe::Revision { status: 302 });
        let seen = stranger.probe(&ready, question).await.unwrap();
        assert_eq!(
            seen,
            Probe::NotYet {
                seen: LOGIN.to_owned()
            }
        );
    }
    assert_eq!(world.calls(Op::UpdateProject), 0);
}

#[tokio::test]
async fn vercels_own_pages_are_not_the_revision() {
    let world = World::new().await;
    let ready = world.ready("ctx", 1, "hello").await;
    for (answer, code) in [
        (SiteAnswer::NotFound, "DEPLOYMENT_NOT_FOUND"),
        (SiteAnswer::BadGateway, "BODY_NOT_A_STRING_FROM_FUNCTION"),
    ] {
        world.turn(|knobs| {
            knobs.builds.site_delay = Some(SiteDelay {
                ms: u64::MAX,
                answer,
            });
        });
        let seen = world.probe(&ready).await;
        assert_eq!(
            seen,
            Probe::NotYet {
                seen: format!("Vercel itself answered with {code}")
            }
        );
    }
}

#[tokio::test]
async fn the_revision_before_is_not_this_one() {
    let world = World::new().await;
    world.ready("ctx", 1, "one").await;
    let ready = world.ready("ctx", 2, "two").await;
    let answer = SiteAnswer::Previous;
    world.turn(|knobs| {
        knobs.builds.site_delay = Some(SiteDelay {
            ms: u64::MAX,
            answer,
        });
    });
    let expected = Sha256::from_bytes(sha2::Sha256::digest("two").into());
    let question = ProbeQuestion {
        path: "/",
        expected: Some(&expected),
    };
    let seen = world.provider.probe(&ready, question).await.unwrap();
    assert!(
        matches!(&seen, Probe::NotYet { seen } if seen.contains("other content")),
        "{seen:?}"
    );
    world.turn(|knobs| knobs.builds.site_delay = None);
    let seen = world.provider.probe(&ready, question).await.unwrap();
    assert_eq!(seen, Probe::Revision { status: 200 });
}
