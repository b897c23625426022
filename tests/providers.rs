//! Previews at providers across the network: deployed, reached, passed on, left alone, and no secret told.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use std::time::Duration;

use foreshow_contract::{
    Content, ContextEvent, ContextKey, IncomingEvent, InlineFile, ProviderName, Ready, ResultBody,
    Secret,
};
use foreshow_simulators::{
    DenoOperation, VercelOperation,
    core::{Fault, FaultKind, RateHint, RateLimit, SiteAnswer, SiteDelay},
};
use foreshow_tests::{
    Cloud, DENO_TOKEN, Foreshow, Publisher, Up, Upstream, VERCEL_TOKEN, end, eventually, fetch,
    key, update,
};

foreshow_tests::on_every_ground! {
    a_preview_is_deployed_served_changed_by_one_file_and_removed
    while_the_first_provider_is_down_the_second_takes_the_job_and_then_the_first_again
    a_rate_limit_is_honoured_by_all_workers_at_once
    ready_is_told_once_this_revision_answers
    no_secret_is_told_to_anybody
}

/// An update of these files, for these providers.
fn deployed_to(
    key: &ContextKey,
    revision: u64,
    files: Vec<InlineFile>,
    providers: &[&str],
) -> IncomingEvent {
    let mut incoming = update(key, revision, "");
    if let ContextEvent::Updated(update) = &mut incoming.event {
        update.content = Content::Files(files);
        update.routing.providers = providers
            .iter()
            .map(|&name| ProviderName::from(name))
            .collect();
    }
    incoming
}

fn page(text: &str) -> Vec<InlineFile> {
    vec![InlineFile::text("index.html", text)]
}

async fn ready(upstream: &mut Upstream) -> Ready {
    let end = upstream.next_end().await;
    match end.body {
        ResultBody::Ready(ready) => ready,
        other => panic!("not ready: {other:?}"),
    }
}

async fn a_preview_is_deployed_served_changed_by_one_file_and_removed(foreshow: Foreshow) {
    let cloud = Cloud::start().await;
    let foreshow = foreshow.deploying_to(&cloud);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    for (provider, context) in [("vercel", "one"), ("deno", "two")] {
        let key = key("acme", context);
        let others = ["vercel", "deno"]
            .into_iter()
            .filter(|one| *one != provider);
        let providers: Vec<_> = [provider].into_iter().chain(others).collect();
        let mut files: Vec<_> = (0..2_000)
            .map(|n| InlineFile::text(format!("data/{n}.txt"), format!("{context} {n}")))
            .collect();
        files.extend(page("<h1>one</h1>"));
        upstream
            .publish(&deployed_to(&key, 1, files.clone(), &providers))
            .await;
        let first = ready(&mut upstream).await;
        assert_eq!(first.provider.as_str(), provider);
        assert_eq!(fetch(&first.url).await.text(), "<h1>one</h1>");
        assert_eq!(fetch(&first.alias_url).await.text(), "<h1>one</h1>");
        let some = fetch(&format!("{}/data/77.txt", first.url.trim_end_matches('/'))).await;
        assert_eq!(some.text(), format!("{context} 77"));
        let size = first.size.unwrap();
        assert_eq!((size.files, size.largest.len()), (2_001, 5));

        "<h1>two</h1>".clone_into(&mut files.last_mut().unwrap().content);
        let uploads = || cloud.vercel.calls_of(VercelOperation::UploadFile).len();
        let before = uploads();
        upstream
            .publish(&deployed_to(&key, 2, files, &providers))
            .await;
        let second = ready(&mut upstream).await;
        if provider == "vercel" {
            assert_eq!((before, uploads()), (2_001, 2_002));
            assert_eq!(second.bytes_uploaded, "<h1>two</h1>".len() as u64);
        }
        assert_eq!(fetch(&second.alias_url).await.text(), "<h1>two</h1>");
        assert_eq!(second.alias_url, first.alias_url);
        assert_ne!(fetch(&first.url).await.status, 200, "it made room");

        upstream.publish(&end(&key, 3)).await;
        assert!(matches!(
            upstream.next_end().await.body,
            ResultBody::Removed(_)
        ));
        assert_ne!(fetch(&second.url).await.status, 200);
        assert_ne!(fetch(&second.alias_url).await.status, 200);
    }
}

async fn while_the_first_provider_is_down_the_second_takes_the_job_and_then_the_first_again(
    foreshow: Foreshow,
) {
    let cloud = Cloud::start().await;
    let foreshow = foreshow
        .deploying_to(&cloud)
        .set("FORESHOW_RETRY__ATTEMPTS", 1)
        .set("FORESHOW_ROUTING__HEALTH__CLOSED_MS", 1_000)
        .set("FORESHOW_ROUTING__HEALTH__CLOSED_MAX_MS", 1_000)
        .set("FORESHOW_SWEEP__EVERY_SECONDS", 1);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    // A new store asks every provider what it has, before it can do without one of them.
    let store = foreshow.store().await;
    eventually("the store knows what the providers have", async || {
        store.remembers().await.unwrap_or_default()
    })
    .await;
    let down = cloud.vercel.fault(Fault {
        operation: None,
        skip: 0,
        times: None,
        what: FaultKind::Html {
            status: 502,
            is_done: false,
        },
    });
    let both = ["vercel", "deno"];
    for n in 0..6 {
        let key = key("acme", &format!("c{n}"));
        upstream
            .publish(&deployed_to(&key, 1, page("down"), &both))
            .await;
        let told = ready(&mut upstream).await;
        assert_eq!((told.provider.as_str(), told.attempts), ("deno", 1));
    }
    cloud.vercel.clear_fault(down);
    let key = key("acme", "c0");
    let mut revision = 1;
    eventually("the first provider takes jobs again", async || {
        revision += 1;
        let event = deployed_to(&key, revision, page(&format!("up {revision}")), &both);
        upstream.publish(&event).await;
        ready(&mut upstream).await.provider.as_str() == "vercel"
    })
    .await;
    // What it had at the other one is gone, at the latest after a sweep.
    eventually("nothing of the context is left at the second", async || {
        !cloud.deno.state().to_string().contains("\"c0\"")
    })
    .await;
}

async fn a_rate_limit_is_honoured_by_all_workers_at_once(foreshow: Foreshow) {
    const WINDOW: Duration = Duration::from_secs(4);
    let cloud = Cloud::start().await;
    let foreshow = foreshow.deploying_to(&cloud).set(
        "FORESHOW_ROUTING__HEALTH__LONGEST_WAIT_SECONDS",
        WINDOW.as_secs(),
    );
    let _gateway = foreshow.gateway().await;
    let workers: Vec<Up> = vec![
        foreshow.worker().await,
        foreshow.worker().await,
        foreshow.worker().await,
    ];
    let mut upstream = Upstream::connect(&foreshow).await;
    let limit = cloud.vercel.fault(Fault {
        operation: Some("create_deployment".to_owned()),
        skip: 0,
        times: None,
        what: FaultKind::RateLimit(RateLimit {
            hint: RateHint::Far,
            ..RateLimit::default()
        }),
    });
    let events: Vec<_> = (0..24)
        .map(|n| deployed_to(&key("acme", &format!("c{n}")), 1, page("hi"), &["vercel"]))
        .collect();
    upstream.publisher().publish_all(&events).await;
    let refused = || -> Vec<u64> {
        let calls = cloud.vercel.calls_of(VercelOperation::CreateDeployment);
        calls.iter().map(|call| call.at_ms).collect()
    };
    eventually("three windows have passed", async || {
        let refused = refused();
        refused
            .last()
            .zip(refused.first())
            .is_some_and(|(last, first)| {
                last - first > 3 * u64::try_from(WINDOW.as_millis()).unwrap()
            })
    })
    .await;
    let refused = refused();
    // Those of the first moment did not know of each other.
    let first = refused[0];
    let later: Vec<_> = refused.iter().filter(|at| **at > first + 2_000).collect();
    for two in later.windows(2) {
        assert!(*two[1] - *two[0] >= 3_900, "{refused:?}");
    }
    cloud.vercel.clear_fault(limit);
    for _ in 0..events.len() {
        ready(&mut upstream).await;
    }
    for worker in workers {
        assert_eq!(worker.stop("TERM").await, Some(0));
    }
}

async fn ready_is_told_once_this_revision_answers(foreshow: Foreshow) {
    /// Longer than anything here takes by itself.
    const LATE_MS: u64 = 6_000;
    let cloud = Cloud::start().await;
    let foreshow = foreshow.deploying_to(&cloud);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let at_both = |revision, content: &str| {
        ["vercel", "deno"].map(|provider| {
            let key = key("acme", provider);
            deployed_to(&key, revision, page(content), &[provider])
        })
    };
    let publisher = upstream.publisher();
    publisher.publish_all(&at_both(1, "the first")).await;
    ready(&mut upstream).await;
    ready(&mut upstream).await;
    for (revision, answer) in [
        (2, SiteAnswer::NotFound),
        (3, SiteAnswer::BadGateway),
        (4, SiteAnswer::Previous),
    ] {
        let ms = LATE_MS;
        let delay = Some(SiteDelay { ms, answer });
        cloud.vercel.turn(|knobs| knobs.builds.site_delay = delay);
        cloud.deno.turn(|knobs| knobs.builds.site_delay = delay);
        let content = format!("revision {revision}");
        publisher.publish_all(&at_both(revision, &content)).await;
        for _ in 0..2 {
            let told = ready(&mut upstream).await;
            let provider = told.provider;
            assert_eq!(
                fetch(&told.url).await.text(),
                content,
                "{provider} {answer:?}"
            );
            assert!(told.timings.total_ms >= LATE_MS, "{:?}", told.timings);
        }
    }
}

async fn no_secret_is_told_to_anybody(foreshow: Foreshow) {
    const ENV: &str = "planted-env-value";
    let cloud = Cloud::start().await;
    let foreshow = foreshow
        .deploying_to(&cloud)
        .set("FORESHOW_LOG__FILTER", "trace")
        .set("FORESHOW_VERCEL__WEBHOOK_SECRET", "planted-webhook-secret")
        .set("FORESHOW_RETRY__ATTEMPTS", 1);
    let _gateway = foreshow.gateway().await;
    let worker = foreshow.worker().await;
    let store = foreshow.store().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let publisher: Publisher = upstream.publisher();
    let mut results = String::new();
    // Each provider, well and with faults that make it say all that it knows.
    for (n, provider) in ["vercel", "deno", "vercel", "deno"].into_iter().enumerate() {
        if n == 2 {
            // Each says what it was told.
            let says = |token: &str| FaultKind::Status {
                status: 400,
                code: None,
                message: Some(format!("bad request of {token} with {ENV}")),
                is_done: false,
            };
            let create = Fault::new(says(VERCEL_TOKEN)).on(VercelOperation::CreateDeployment);
            cloud.vercel.fault(create);
            cloud
                .deno
                .fault(Fault::new(says(DENO_TOKEN)).on(DenoOperation::Deploy));
        }
        let key = key("acme", &format!("c{n}"));
        let mut event = deployed_to(&key, 1, page("hi"), &[provider]);
        if let ContextEvent::Updated(update) = &mut event.event {
            update.env.insert("API_KEY".to_owned(), Secret::new(ENV));
        }
        publisher.publish(&event).await;
        let end = upstream.next_end().await;
        results.push_str(&String::from_utf8(end.to_json().clone()).unwrap());
        let why = ["why", key.context.as_str(), "--tenant", "acme", "--json"];
        results.push_str(&String::from_utf8_lossy(&foreshow.run(why).await.stdout));
    }
    let doctor = foreshow.run(["doctor", "--json"]).await;
    let config = foreshow.run(["config", "show"]).await;
    let metrics = fetch(&worker.admin("/metrics")).await;
    let kept = format!(
        "{:?} {:?} {:?}",
        store.contexts(None, 100).await.unwrap(),
        store.history(None, 1_000).await.unwrap(),
        store.gates().await.unwrap()
    );
    let log = worker.said_at_its_end("TERM").await;
    assert!(log.contains("TRACE"), "the log is at its finest");
    for (place, text) in [
        ("a result", results.as_str()),
        ("the log", &log),
        ("the metrics", metrics.text()),
        ("doctor", &String::from_utf8_lossy(&doctor.stdout)),
        ("config show", &String::from_utf8_lossy(&config.stdout)),
        ("the store", &kept),
    ] {
        assert!(!text.is_empty(), "{place} says something");
        for secret in [ENV, VERCEL_TOKEN, DENO_TOKEN, "planted-webhook-secret"] {
            assert!(!text.contains(secret), "{place} tells {secret}");
        }
    }
}
