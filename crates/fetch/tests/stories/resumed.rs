//! Transfers that break, and go on where they broke.

use std::time::Duration;

use foreshow_fetch::BundlesOptions;

use crate::origin::Answer;
use crate::world::{World, assert_permanent, assert_retryable, content, options};

const TAG: &str = "\"v1\"";

#[tokio::test]
async fn only_what_is_missing_is_asked_for() {
    let site = content(400_000);
    for cut in [1, 7, 16_384, 65_536, 262_144, 300_001, 399_999] {
        let world = World::start().await;
        let sent = site.clone();
        world.origin.tells(move |asked| match asked.nth {
            0 => Answer::good(asked, &sent, TAG).cut_after(cut),
            _ => Answer::good(asked, &sent, TAG),
        });
        world.arrives(&site).await;
        let asked = world.origin.asked();
        assert_eq!(asked.len(), 2, "cut after {cut}");
        assert_eq!(asked[1].first_byte(), Some(cut));
        assert_eq!(asked[1].header("if-range"), Some(TAG));
        assert_eq!(asked[1].header("accept-encoding"), Some("identity"));
        world.leaves_nothing().await;
    }
}

#[tokio::test]
async fn a_transfer_goes_on_as_often_as_it_may_and_no_more() {
    let site = content(100_000);
    let broken = |asked: &crate::origin::Asked, site: &[u8]| {
        Answer::good(asked, site, TAG).cut_after(20_000)
    };
    let world = World::start().await;
    let sent = site.clone();
    world.origin.tells(move |asked| broken(asked, &sent));
    world.arrives(&site).await;
    let first_bytes: Vec<_> = world
        .origin
        .asked()
        .iter()
        .map(crate::origin::Asked::first_byte)
        .collect();
    let expected = [None, Some(20_000), Some(40_000), Some(60_000), Some(80_000)];
    assert_eq!(first_bytes, expected);

    let world = World::with(BundlesOptions {
        resumes: 2,
        ..options()
    })
    .await;
    let sent = site.clone();
    world.origin.tells(move |asked| broken(asked, &sent));
    assert_retryable(&world.fails(&site).await, None);
    assert_eq!(world.origin.asked().len(), 3);
}

#[tokio::test]
async fn a_reset_and_a_silence_are_gone_on_from_too() {
    let site = content(200_000);
    for is_reset in [true, false] {
        let world = World::with(BundlesOptions {
            stall_timeout_ms: 200,
            ..options()
        })
        .await;
        let sent = site.clone();
        world.origin.tells(move |asked| {
            let answer = Answer::good(asked, &sent, TAG);
            match (asked.nth, is_reset) {
                (0, true) => answer.cut_after(150_000).then_reset(),
                (0, false) => answer.cut_after(150_000).then_silence(),
                _ => answer,
            }
        });
        // A reset may take along what was not read yet: then it may be begun anew, a few times.
        let mut attempts = 0;
        while let Err(error) = world.fetch(&site).await {
            assert_retryable(&error, None);
            attempts += 1;
            assert!(attempts < 3, "{error}");
        }
        world.arrives(&site).await;
    }
}

#[tokio::test]
async fn a_date_names_a_version_where_there_is_no_strong_tag() {
    let world = World::start().await;
    let site = content(50_000);
    let sent = site.clone();
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    world.origin.tells(move |asked| match asked.first_byte() {
        None => Answer::versioned(&sent, "W/\"weak\"")
            .header("last-modified", date)
            .cut_after(30_000),
        Some(first) => Answer::part(&sent, first, "W/\"weak\""),
    });
    world.arrives(&site).await;
    assert_eq!(world.origin.asked()[1].header("if-range"), Some(date));
}

#[tokio::test]
async fn what_changed_meanwhile_is_begun_anew() {
    let world = World::start().await;
    let (old, new) = (content(80_000), content(90_000)[5_000..].to_vec());
    let sent = (old.clone(), new.clone());
    world.origin.tells(move |asked| match asked.nth {
        0 => Answer::good(asked, &sent.0, TAG).cut_after(40_000),
        _ => Answer::good(asked, &sent.1, "\"v2\""),
    });
    world.arrives(&new).await;
    assert_eq!(
        world.origin.asked().len(),
        2,
        "the whole came with the second answer"
    );

    // And what was there before is nowhere any more.
    let error = world.fails(&old).await;
    assert_permanent(&error, "bundle_digest_mismatch");
}

#[tokio::test]
async fn a_part_that_continues_wrongly_is_thrown_away() {
    type Wrong = fn(&[u8], usize) -> Answer;
    let wrong: [(&str, Wrong); 5] = [
        ("from the start", |site, _| Answer::part(site, 0, TAG)),
        ("one byte on", |site, first| {
            Answer::part(site, first + 1, TAG)
        }),
        ("another version", |site, first| {
            Answer::part(site, first, "\"v2\"")
        }),
        ("without its place", |site, first| {
            Answer::part(site, first, TAG).without("content-range")
        }),
        ("no such part", |_, _| Answer::status(416)),
    ];
    let site = content(80_000);
    for (how, wrong) in wrong {
        let world = World::start().await;
        let sent = site.clone();
        world
            .origin
            .tells(move |asked| match (asked.nth, asked.first_byte()) {
                (0, _) => Answer::good(asked, &sent, TAG).cut_after(40_000),
                (_, Some(first)) => wrong(&sent, first),
                (_, None) => Answer::good(asked, &sent, TAG),
            });
        world.arrives(&site).await;
        let asked = world.origin.asked();
        assert_eq!(asked.len(), 3, "{how}");
        assert_eq!(asked[2].header("range"), None, "{how}");
    }
}

#[tokio::test]
async fn parts_of_two_versions_under_one_name_are_noticed() {
    let world = World::start().await;
    let site = content(80_000);
    let mut other = site.clone();
    other[70_000] ^= 1;
    let sent = (site.clone(), other);
    world.origin.tells(move |asked| match asked.nth {
        0 => Answer::good(asked, &sent.0, TAG).cut_after(40_000),
        1 => Answer::good(asked, &sent.1, TAG),
        _ => Answer::good(asked, &sent.0, TAG),
    });
    world.arrives(&site).await;
    let asked = world.origin.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2].header("range"), None, "from the start");
}

#[tokio::test]
async fn a_server_that_is_busy_meanwhile_is_asked_again_in_place_unless_it_wants_longer() {
    let site = content(80_000);
    let world = World::start().await;
    let sent = site.clone();
    world.origin.tells(move |asked| match asked.nth {
        0 => Answer::good(asked, &sent, TAG).cut_after(40_000),
        1 => Answer::status(503),
        _ => Answer::good(asked, &sent, TAG),
    });
    world.arrives(&site).await;
    let asked = world.origin.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[2].first_byte(), Some(40_000), "nothing was lost");

    let world = World::start().await;
    let sent = site.clone();
    world.origin.tells(move |asked| match asked.nth {
        0 => Answer::good(asked, &sent, TAG).cut_after(40_000),
        _ => Answer::status(503).header("retry-after", 60),
    });
    let error = world.fails(&site).await;
    assert_retryable(&error, Some(Duration::from_mins(1)));
    assert_eq!(world.origin.asked().len(), 2);
}

#[tokio::test]
async fn what_is_gone_meanwhile_is_final() {
    let world = World::start().await;
    let site = content(80_000);
    let sent = site.clone();
    world.origin.tells(move |asked| match asked.nth {
        0 => Answer::good(asked, &sent, TAG).cut_after(40_000),
        _ => Answer::status(403),
    });
    assert_permanent(&world.fails(&site).await, "bundle_forbidden");
    assert_eq!(world.origin.asked().len(), 2);
}

#[tokio::test]
async fn redirects_are_followed_anew_when_it_goes_on() {
    let world = World::start().await;
    let site = content(80_000);
    let sent = site.clone();
    world.origin.tells(move |asked| match asked.path.as_str() {
        "/signed-for-a-minute" => {
            let answer = Answer::good(asked, &sent, TAG);
            if asked.first_byte().is_some() {
                answer
            } else {
                answer.cut_after(40_000)
            }
        }
        _ => Answer::redirect(302, "/signed-for-a-minute"),
    });
    world.arrives(&site).await;
    let paths: Vec<_> = world
        .origin
        .asked()
        .into_iter()
        .map(|one| one.path)
        .collect();
    let first = "/site.tar.gz?sig=s3cret";
    let second = "/signed-for-a-minute";
    assert_eq!(paths, [first, second, first, second]);
}
