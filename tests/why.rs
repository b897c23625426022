//! What `why` and `watch` tell of a context, while its build runs, waits, is cancelled, and has ended.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use std::path::Path;

use foreshow_tests::{Foreshow, Up, eventually, write};
use serde_json::Value;

foreshow_tests::on_every_ground! {
    who_builds_is_named_and_what_happened_is_remembered
    a_context_over_a_limit_says_which_and_until_when
    a_context_that_nobody_knows_says_what_to_check
    watch_tells_each_step_of_a_build
    what_waits_for_a_worker_is_said_where_it_would_be_missed
}

/// Longer than any test: only something newer ends such a build.
const FOR_EVER_MS: u64 = 3_600_000;

/// What `why` tells programs of a context.
async fn account(foreshow: &Foreshow, context: &str) -> Value {
    let told = foreshow
        .run(["why", context, "--tenant", "acme", "--json"])
        .await;
    assert!(told.status.success(), "{told:?}");
    serde_json::from_slice(&told.stdout).unwrap()
}

/// Publishes a page, and does not wait for it.
async fn publish(foreshow: &Foreshow, context: &str, page: &str) {
    let dir = foreshow.folder().join("site");
    write(&dir, "index.html", page);
    let dir = dir.to_str().unwrap();
    let arguments = ["publish", dir, "--tenant", "acme", "--context", context];
    let published = foreshow.run(arguments.iter().chain(&["--no-wait"])).await;
    assert!(published.status.success(), "{published:?}");
}

/// Waits until the context is in this state, and its account is as it is told.
async fn state(
    foreshow: &Foreshow,
    context: &str,
    state: &str,
    holds: fn(&Value) -> bool,
) -> Value {
    let mut last = Value::Null;
    // The worker takes its time to claim it, and before that nobody may know it.
    eventually(&format!("{context} is {state}"), async || {
        let told = foreshow
            .run(["why", context, "--tenant", "acme", "--json"])
            .await;
        last = serde_json::from_slice(&told.stdout).unwrap_or_default();
        last["state"] == state && holds(&last)
    })
    .await;
    last
}

/// The process's threads, by their names.
fn threads(process: u32) -> Vec<String> {
    let tasks = Path::new("/proc").join(process.to_string()).join("task");
    let names = tasks.read_dir().unwrap().flatten();
    let names = names.map(|task| std::fs::read_to_string(task.path().join("comm")));
    names.flatten().map(|name| name.trim().to_owned()).collect()
}

async fn who_builds_is_named_and_what_happened_is_remembered(foreshow: Foreshow) {
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", FOR_EVER_MS)
        .set("FORESHOW_WORKER__NAME", "eu-1");
    let up = foreshow.up().await;
    if cfg!(target_os = "linux") {
        // A thread gets its name when it first runs.
        eventually("leases have a thread", async || {
            threads(up.id()).iter().any(|name| name == "leases")
        })
        .await;
    }
    publish(&foreshow, "ctx", "<h1>one</h1>").await;
    let first = state(&foreshow, "ctx", "held", |told| !told["building"].is_null()).await;
    let worker = first["holder"]["worker"].as_str().unwrap().to_owned();
    assert!(worker.starts_with("eu-1-"), "{first}");
    assert_eq!(first["status"], "building");
    assert_eq!(first["building"]["provider"], "local");
    assert_eq!(first["holder"]["revision"], first["wanted"]["revision"]);
    assert!(
        first["holder"]["until"].as_str() > first["askedAt"].as_str(),
        "{first}"
    );
    assert_eq!(first["limits"][1]["used"], 1, "{first}");
    assert_eq!(first["storeRemembers"], true, "{first}");
    let said = foreshow.run(["why", "ctx", "--tenant", "acme"]).await;
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains(&format!("worker {worker} holds it for revision")),
        "{said}"
    );

    publish(&foreshow, "ctx", "<h1>two</h1>").await;
    let second = state(&foreshow, "ctx", "held", |told| {
        !told["history"].as_array().unwrap().is_empty() && !told["building"].is_null()
    })
    .await;
    assert_eq!(second["cancels"]["inARow"], 1, "{second}");
    let cancelled = &second["history"][0];
    assert_eq!(cancelled["what"], "superseded", "{second}");
    assert_eq!(
        cancelled["revision"], first["wanted"]["revision"],
        "{second}"
    );
    assert_eq!(cancelled["worker"], worker.as_str(), "{second}");
    let detail = cancelled["detail"].as_str().unwrap();
    let winner = second["wanted"]["revision"].as_u64().unwrap();
    assert!(
        detail.contains(&format!("cancelled: {winner} updated was accepted")),
        "it names the winner: {second}"
    );

    let ended = foreshow.run(["end", "ctx", "--tenant", "acme"]).await;
    assert!(ended.status.success(), "{ended:?}");
    let rest = account(&foreshow, "ctx").await;
    assert_eq!(rest["state"], "at_rest", "{rest}");
    assert_eq!(rest["status"], "ended", "{rest}");
    assert_eq!(rest["wanted"]["ended"]["outcome"], "removed", "{rest}");
    // The history is written behind the answer.
    eventually("its end is the newest in the history", async || {
        let told = account(&foreshow, "ctx").await;
        let history = told["history"].as_array().cloned().unwrap_or_default();
        history
            .last()
            .is_some_and(|newest| newest["what"] == "removed")
    })
    .await;
    assert_eq!(up.stop("TERM").await, Some(0));
}

async fn a_context_over_a_limit_says_which_and_until_when(foreshow: Foreshow) {
    let foreshow = foreshow
        .set("FORESHOW_LOCAL__BUILD_MS", FOR_EVER_MS)
        .set("FORESHOW_LIMITS__CONCURRENT_BUILDS", 1);
    let _up = foreshow.up().await;
    publish(&foreshow, "first", "x").await;
    state(&foreshow, "first", "held", |told| {
        !told["building"].is_null()
    })
    .await;
    publish(&foreshow, "second", "y").await;
    let waiting = state(&foreshow, "second", "waiting", |_| true).await;
    let why = waiting["waits"]["why"].as_str().unwrap();
    assert!(why.contains("limits.concurrent_builds"), "{waiting}");
    assert!(
        waiting["waits"]["until"].as_str() > waiting["waits"]["since"].as_str(),
        "{waiting}"
    );
    assert_eq!(waiting["limits"][1]["used"], 1, "{waiting}");
    assert_eq!(waiting["limits"][1]["limit"], 1, "{waiting}");
}

async fn a_context_that_nobody_knows_says_what_to_check(foreshow: Foreshow) {
    let asked = async || {
        let told = foreshow.run(["why", "nobody", "--tenant", "acme"]).await;
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        assert!(told.stdout.is_empty(), "{told:?}");
        let said = String::from_utf8(told.stderr).unwrap();
        assert!(
            said.contains("there is no context nobody of tenant acme"),
            "{said}"
        );
        said
    };
    if foreshow.ground().vhost().is_none() {
        // A broker without its queues is another trouble, which every command tells first.
        asked().await;
        assert!(
            !foreshow.data_dir().exists(),
            "who only asks leaves no folder behind"
        );
    }
    let up = foreshow.up().await;
    eventually("somebody reads the queue", async || {
        !asked().await.contains("no worker reads the events")
    })
    .await;
    assert_eq!(up.stop("TERM").await, Some(0));
    eventually("nobody reads the queue", async || {
        asked().await.contains("no worker reads the events")
    })
    .await;
}

async fn watch_tells_each_step_of_a_build(foreshow: Foreshow) {
    let foreshow = foreshow.set("FORESHOW_LOCAL__BUILD_MS", FOR_EVER_MS);
    let _up = foreshow.up().await;
    let mut watch = Up::start(foreshow.command(["watch", "--tenant", "acme"]));
    watch.line_with("Waiting for results").await;
    publish(&foreshow, "ctx", "x").await;
    let line = watch.line_with("building at local").await;
    assert!(line.contains("acme/ctx"), "{line}");
    let ended = foreshow.run(["end", "ctx", "--tenant", "acme"]).await;
    assert!(ended.status.success(), "{ended:?}");
    watch.line_with("removed").await;
}

async fn what_waits_for_a_worker_is_said_where_it_would_be_missed(foreshow: Foreshow) {
    let up = foreshow.up().await;
    write(&foreshow.folder().join("site"), "index.html", "one");
    foreshow
        .publish(&foreshow.folder().join("site"), "ctx")
        .await;
    let said = async |arguments: &[&str]| {
        let told = foreshow.run(arguments).await;
        assert!(told.status.success(), "{told:?}");
        let [out, err] = [told.stdout, told.stderr].map(|text| String::from_utf8(text).unwrap());
        (out, err)
    };
    let (listed, warned) = said(&["previews"]).await;
    assert!(
        listed.contains("PROVIDER") && listed.contains("local"),
        "{listed}"
    );
    assert!(!warned.contains("no worker"), "{warned}");
    assert_eq!(up.stop("TERM").await, Some(0));
    eventually("nobody reads the queue", async || {
        said(&["previews"]).await.1.contains("no worker is running")
    })
    .await;
    let (told, _) = said(&["why", "ctx", "--tenant", "acme"]).await;
    assert!(
        told.contains("whatever was published since waits there"),
        "{told}"
    );

    // A name that no provider has is told before anything is published.
    let dir = foreshow.folder().join("site");
    let dir = dir.to_str().unwrap();
    let wrong = ["publish", dir, "--context", "new", "--provider", "vercell"];
    let refused = foreshow.run(wrong).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let refused = String::from_utf8(refused.stderr).unwrap();
    assert!(
        refused.contains("there is no provider vercell"),
        "{refused}"
    );
}
