//! Dead letters, as an operator meets them: looked at, tried again, dropped; and never lost by looking.
#![expect(
    clippy::unwrap_used,
    reason = "stories are tests, told from two places"
)]

use std::process::Output;

use foreshow_contract::{
    Content, ContextEvent, ContextUpdated, IncomingEvent, InlineFile, ResultBody, Revision,
};
use foreshow_tests::{Foreshow, Up, Upstream, event, eventually, key};
use serde_json::{Value, json};

foreshow_tests::on_every_ground! {
    an_operator_sees_and_counts_what_was_given_up_and_no_secrets
    a_dry_run_changes_nothing_and_a_drop_is_for_good
    what_is_superseded_is_dropped_instead_of_replayed
    a_replay_that_fails_again_dies_again_and_counts_its_lives
    a_replay_after_the_cause_was_mended_ends_ready_under_an_id_of_its_own
    asked_to_stop_a_replay_tells_what_it_did_and_leaves_the_rest
    without_any_there_is_nothing_to_do
}

/// Stands where nobody may ever read it.
const SECRET: &str = "hunter2-hunter2";

/// Contexts that the installation's provider does not build, until it is started without this.
const FAILS: (&str, &str) = ("FORESHOW_LOCAL__FAIL_CONTEXTS", "broken");

async fn run(foreshow: &Foreshow, arguments: &[&str]) -> Output {
    let output = foreshow.run(["dead-letters"].iter().chain(arguments)).await;
    for text in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(text);
        let is_raw = arguments.contains(&"--raw");
        assert!(
            is_raw || !text.contains(SECRET),
            "{arguments:?} tells a secret: {text}"
        );
    }
    output
}

/// Runs it with `--json`: how it ended, and what it answered.
async fn asked(foreshow: &Foreshow, arguments: &[&str]) -> (Option<i32>, Value) {
    let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
    let output = run(foreshow, &arguments).await;
    let told = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        told.unwrap_or_else(|error| panic!("{error}: {output:?}")),
    )
}

async fn list(foreshow: &Foreshow, filters: &[&str]) -> Vec<Value> {
    let arguments: Vec<_> = ["list"].iter().chain(filters).copied().collect();
    let (code, told) = asked(foreshow, &arguments).await;
    assert_eq!(code, Some(0), "{told}");
    let letters = told["deadLetters"].as_array().unwrap().clone();
    assert_eq!(told["counts"]["total"], letters.len(), "{told}");
    letters
}

async fn until_there_are(foreshow: &Foreshow, count: usize) -> Vec<Value> {
    let mut letters = Vec::new();
    eventually(&format!("{count} dead letters are there"), async || {
        letters = list(foreshow, &[]).await;
        letters.len() == count
    })
    .await;
    letters
}

fn ids(letters: &[Value]) -> Vec<&str> {
    let ids = letters.iter().map(|letter| letter["id"].as_str().unwrap());
    ids.collect()
}

/// An update that holds a secret.
fn secretive(tenant: &str, context: &str, revision: u64) -> IncomingEvent {
    let files = Content::Files(vec![InlineFile::text(
        "index.html",
        format!("<p>{SECRET}</p>"),
    )]);
    let revision = Revision::try_new(revision).unwrap();
    let mut update = ContextUpdated::new(key(tenant, context), revision, files);
    update.env.insert("API_KEY".to_owned(), SECRET.into());
    event(ContextEvent::Updated(update))
}

fn rubbish(number: usize) -> Vec<u8> {
    format!("{{ \"number\": {number}, \"key\": \"{SECRET}\" oops").into_bytes()
}

/// Has one update fail for each context, and so many messages rejected.
async fn give_up(upstream: &mut Upstream, contexts: &[(&str, &str)], rejected: usize) {
    for (tenant, context) in contexts {
        upstream.publish(&secretive(tenant, context, 1)).await;
        let end = upstream.next_end().await;
        assert!(matches!(end.body, ResultBody::Failed(_)), "{end:?}");
    }
    for number in 0..rejected {
        upstream
            .publish_raw("context.updated.acme", &rubbish(number))
            .await;
        let end = upstream.next_end().await;
        assert!(matches!(end.body, ResultBody::Rejected(_)), "{end:?}");
    }
}

async fn an_operator_sees_and_counts_what_was_given_up_and_no_secrets(foreshow: Foreshow) {
    let foreshow = foreshow.set(FAILS.0, FAILS.1);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    give_up(
        &mut upstream,
        &[("acme", "broken"), ("globex", "broken")],
        1,
    )
    .await;
    let letters = until_there_are(&foreshow, 3).await;
    let of = |at: usize, field: &str| letters[at][field].clone();
    assert_eq!(of(0, "code"), "build_failed");
    assert_eq!([of(0, "tenantId"), of(0, "contextId")], ["acme", "broken"]);
    assert_eq!([of(0, "revision"), of(0, "replays")], [1, 0]);
    assert_eq!(
        [of(0, "queue"), of(0, "kind")],
        ["foreshow.deploy", "updated"]
    );
    assert_eq!(of(1, "tenantId"), "globex");
    assert_eq!(of(2, "code"), "malformed_json");
    assert_eq!(of(2, "tenantId"), "acme", "its routing key tells");
    assert_eq!(of(2, "revision"), Value::Null);

    for (filters, expected) in [
        (&["--tenant", "globex"][..], &[1][..]),
        (&["--context", "broken"], &[0, 1]),
        (&["--code", "malformed_json"], &[2]),
        (
            &["--code", "malformed_json", "--code", "build_failed"],
            &[0, 1, 2],
        ),
        (&["--kind", "updated"], &[0, 1]),
        (&["--kind", "unknown"], &[2]),
        (&["--queue", "cleanup"], &[]),
        (&["--newer-than", "1h"], &[0, 1, 2]),
        (&["--older-than", "1h"], &[]),
    ] {
        let found = list(&foreshow, filters).await;
        let expected: Vec<_> = expected.iter().map(|at| letters[*at].clone()).collect();
        assert_eq!(ids(&found), ids(&expected), "{filters:?}");
    }
    let (_, counted) = asked(&foreshow, &["list", "--count"]).await;
    let by_code = json!([
        { "code": "build_failed", "count": 2 },
        { "code": "malformed_json", "count": 1 },
    ]);
    assert_eq!(counted["counts"]["byCode"], by_code);
    assert_eq!(counted.get("deadLetters"), None);
    let (_, limited) = asked(&foreshow, &["list", "--limit", "1"]).await;
    assert_eq!(limited["deadLetters"].as_array().unwrap().len(), 1);
    assert_eq!(limited["counts"]["total"], 3);
    let words = run(&foreshow, &["list"]).await;
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(
        words.contains("malformed_json") && words.contains("globex"),
        "{words}"
    );

    let first = ids(&letters)[0];
    let (_, shown) = asked(&foreshow, &["show", first]).await;
    assert_eq!(shown["data"]["env"], json!({ "API_KEY": "[redacted]" }));
    assert_eq!(shown["data"]["content"]["files"][0]["path"], "index.html");
    assert_eq!(shown["attempts"][0]["code"], "build_failed", "{shown}");
    let words = run(&foreshow, &["show", first]).await;
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(
        words.contains("API_KEY=[redacted]") && words.contains("index.html"),
        "{words}"
    );
    let unreadable = ids(&letters)[2];
    run(&foreshow, &["show", unreadable]).await;
    let raw = run(&foreshow, &["show", unreadable, "--raw", "-"]).await;
    assert_eq!(raw.stdout, rubbish(0), "only when it is asked for");
    let file = foreshow.folder().join("body");
    let to_file = ["show", unreadable, "--raw", file.to_str().unwrap()];
    assert_eq!(run(&foreshow, &to_file).await.status.code(), Some(0));
    assert_eq!(std::fs::read(&file).unwrap(), rubbish(0));
    assert_eq!(
        run(&foreshow, &to_file).await.status.code(),
        Some(3),
        "nothing is overwritten"
    );
    assert_eq!(until_there_are(&foreshow, 3).await, letters, "as before");
}

async fn a_dry_run_changes_nothing_and_a_drop_is_for_good(foreshow: Foreshow) {
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    give_up(&mut upstream, &[], 4).await;
    let letters = until_there_are(&foreshow, 4).await;
    // Nobody takes what would be replayed by mistake.
    assert_eq!(up.stop("TERM").await, Some(0));
    for dry in [
        &["replay", "--all", "--dry-run"][..],
        &["drop", "--all", "--dry-run"],
        &["drop", ids(&letters)[0], "--dry-run"],
    ] {
        let (code, told) = asked(&foreshow, dry).await;
        assert_eq!((code, &told["dryRun"]), (Some(0), &json!(true)), "{told}");
        let counted = [&told["replayed"]["total"], &told["dropped"]["total"]];
        assert!(
            counted.iter().any(|count| count.as_u64() > Some(0)),
            "{told}"
        );
    }
    assert_eq!(list(&foreshow, &[]).await, letters);

    for meant in [
        &["replay"][..],
        &["drop"],
        &["drop", "--all"],
        &["drop", "--all", "--code", "x"],
        &["drop", ids(&letters)[0], "--all"],
        &["replay", "--all", "--rate", "0"],
        &["show", "NO/ID"],
    ] {
        let refused = run(&foreshow, meant).await;
        assert_eq!(refused.status.code(), Some(2), "{meant:?}: {refused:?}");
    }
    assert_eq!(list(&foreshow, &[]).await, letters);

    let (code, told) = asked(&foreshow, &["drop", ids(&letters)[1]]).await;
    assert_eq!((code, &told["dropped"]["total"]), (Some(0), &json!(1)));
    let (code, told) = asked(&foreshow, &["drop", ids(&letters)[1]]).await;
    assert_eq!(code, Some(1), "it is gone");
    assert_eq!(told["missing"][0]["id"], ids(&letters)[1]);
    let (code, _) = asked(&foreshow, &["replay", ids(&letters)[1]]).await;
    assert_eq!(code, Some(1));
    assert_eq!(
        run(&foreshow, &["show", ids(&letters)[1]])
            .await
            .status
            .code(),
        Some(1)
    );
    assert_eq!(list(&foreshow, &[]).await.len(), 3);
    let (code, told) = asked(&foreshow, &["drop", "--tenant", "acme", "--yes"]).await;
    assert_eq!((code, &told["dropped"]["total"]), (Some(0), &json!(3)));
    assert_eq!(list(&foreshow, &[]).await, [] as [Value; 0]);
}

async fn what_is_superseded_is_dropped_instead_of_replayed(foreshow: Foreshow) {
    let foreshow = foreshow.set(FAILS.0, FAILS.1);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    give_up(&mut upstream, &[("acme", "broken")], 0).await;
    upstream.publish(&secretive("acme", "broken", 2)).await;
    upstream.next_end().await;
    let letters = until_there_are(&foreshow, 2).await;
    let (_, kept) = asked(
        &foreshow,
        &["replay", ids(&letters)[0], "--keep-superseded"],
    )
    .await;
    assert_eq!(kept["supersededLeft"], 1, "{kept}");
    assert_eq!(list(&foreshow, &[]).await, letters);
    let (_, dry) = asked(&foreshow, &["replay", "--all", "--dry-run"]).await;
    assert_eq!(
        [&dry["supersededDropped"], &dry["replayed"]["total"]],
        [1, 1],
        "{dry}"
    );
    let (code, told) = asked(&foreshow, &["replay", ids(&letters)[0]]).await;
    assert_eq!(
        (code, &told["supersededDropped"]),
        (Some(0), &json!(1)),
        "{told}"
    );
    assert_eq!(told["replayed"]["total"], 0);
    assert_eq!(list(&foreshow, &[]).await, letters[1..], "the newest stays");
}

async fn a_replay_that_fails_again_dies_again_and_counts_its_lives(foreshow: Foreshow) {
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    give_up(&mut upstream, &[], 2).await;
    let letters = until_there_are(&foreshow, 2).await;
    for life in 1..=2 {
        let (code, told) = asked(&foreshow, &["replay", "--code", "malformed_json"]).await;
        assert_eq!(
            (code, &told["replayed"]["total"]),
            (Some(0), &json!(2)),
            "{told}"
        );
        // What dies meanwhile is not chased, so it comes to an end.
        let mut again = Vec::new();
        eventually("both have died again", async || {
            again = list(&foreshow, &[]).await;
            again.len() == 2 && again.iter().all(|letter| letter["replays"] == life)
        })
        .await;
        assert!(ids(&again).iter().all(|id| !ids(&letters).contains(id)));
    }
    let newest = list(&foreshow, &[]).await;
    let raw = run(&foreshow, &["show", ids(&newest)[0], "--raw", "-"]).await;
    let bodies = [rubbish(0), rubbish(1)];
    assert!(
        bodies.contains(&raw.stdout),
        "the body is what was published"
    );
}

async fn a_replay_after_the_cause_was_mended_ends_ready_under_an_id_of_its_own(foreshow: Foreshow) {
    let foreshow = foreshow.set(FAILS.0, FAILS.1);
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    give_up(&mut upstream, &[("acme", "broken")], 0).await;
    until_there_are(&foreshow, 1).await;
    assert_eq!(up.stop("TERM").await, Some(0));
    let foreshow = foreshow.set(FAILS.0, "");
    let up = foreshow.up().await;
    let (code, told) = asked(&foreshow, &["replay", "--all"]).await;
    assert_eq!(
        (code, &told["replayed"]["total"]),
        (Some(0), &json!(1)),
        "{told}"
    );
    let end = upstream.next_end().await;
    assert!(matches!(end.body, ResultBody::Ready(_)), "{end:?}");
    let of_its_own = end.id.split('/').any(|part| part == "replay-1");
    assert!(of_its_own, "{}", end.id);
    assert_eq!(list(&foreshow, &[]).await, [] as [Value; 0]);
    assert_eq!(up.stop("TERM").await, Some(0));
}

async fn asked_to_stop_a_replay_tells_what_it_did_and_leaves_the_rest(foreshow: Foreshow) {
    const LETTERS: u64 = 30;
    let up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    give_up(&mut upstream, &[], usize::try_from(LETTERS).unwrap()).await;
    until_there_are(&foreshow, usize::try_from(LETTERS).unwrap()).await;
    let arguments = ["dead-letters", "replay", "--all", "--rate", "1", "--json"];
    let mut replay = Up::start(foreshow.command(arguments));
    // Rejected again, so it has come as far as that.
    upstream.next_end().await;
    replay.signal("INT").await;
    let line = replay.line_with("isInterrupted").await;
    let told: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(told["isInterrupted"], true, "{told}");
    let replayed = told["replayed"]["total"].as_u64().unwrap();
    assert!((1..LETTERS).contains(&replayed), "{told}");
    assert_eq!(replay.ended().await, Some(130));
    let mut lives = Vec::new();
    eventually("all are there again", async || {
        let letters = list(&foreshow, &[]).await;
        lives = letters
            .iter()
            .map(|letter| letter["replays"].as_u64().unwrap())
            .collect();
        lives.len() as u64 == LETTERS
    })
    .await;
    assert_eq!(lives.iter().sum::<u64>(), replayed, "the rest was left");
    assert_eq!(up.stop("TERM").await, Some(0));
}

async fn without_any_there_is_nothing_to_do(foreshow: Foreshow) {
    if foreshow.ground().vhost().is_some() {
        // A broker without its queues is another trouble.
        assert_eq!(foreshow.up().await.stop("TERM").await, Some(0));
    }
    assert_eq!(list(&foreshow, &[]).await, [] as [Value; 0]);
    for command in ["replay", "drop"] {
        let (code, _) = asked(&foreshow, &[command, "--all", "--dry-run"]).await;
        assert_eq!(code, Some(0));
        let (code, told) = asked(&foreshow, &[command, "7"]).await;
        assert_eq!((code, &told["missing"][0]["id"]), (Some(1), &json!("7")));
    }
    let shown = run(&foreshow, &["show", "7"]).await;
    assert_eq!(shown.status.code(), Some(1), "{shown:?}");
    assert_eq!(
        foreshow.data_dir().exists(),
        foreshow.ground().vhost().is_some(),
        "who only asks leaves no folder behind"
    );
}
