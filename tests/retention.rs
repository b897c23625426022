//! Previews whose retention is over go, touched ones stay, and a context that was closed by a revision far too great begins
//! anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on should say where"
)]

use std::{num::NonZeroU32, time::Duration};

use foreshow_contract::{
    ContextEvent, ContextKey, ContextTouched, EventKind, IncomingEvent, OutcomeKind, Revision,
};
use foreshow_engine::{Broker, ResultFilter, Results};
use foreshow_tests::{Foreshow, Previews, Upstream, end, event, eventually, fetch, key, update};
use serde_json::Value;

foreshow_tests::on_every_ground! {
    a_preview_expires_is_told_of_once_and_makes_room
    a_poisoned_context_is_reset_and_begins_anew
    what_a_sweep_would_do_is_told_before_it_is_done
}

fn living_for(seconds: u64, mut event: IncomingEvent) -> IncomingEvent {
    if let ContextEvent::Updated(update) = &mut event.event {
        update.retention.ttl = Some(Duration::from_secs(seconds));
    }
    event
}

/// Everything that is told of previews that are gone.
struct Removals(Box<dyn Results>);

impl Removals {
    async fn of(broker: &dyn Broker) -> Self {
        let filter = ResultFilter {
            outcome: Some(OutcomeKind::Removed),
            ..ResultFilter::default()
        };
        Self(broker.subscribe(filter).await.unwrap())
    }

    async fn next(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_mins(1), self.0.next());
        next.await.expect("a removal is told of").unwrap().id
    }
}

/// The context's status, as the listing has it.
async fn status(foreshow: &Foreshow, key: &ContextKey) -> Value {
    let told = foreshow.run(["previews", "--all", "--json"]).await;
    assert!(told.status.success(), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    let previews = told["previews"].as_array().unwrap();
    let of_key = |one: &&Value| one["contextId"] == key.context.as_str();
    previews.iter().find(of_key).unwrap()["status"].clone()
}

async fn a_preview_expires_is_told_of_once_and_makes_room(foreshow: Foreshow) {
    // One preview at a time: the next is let in only once the place of the last is free.
    let one = NonZeroU32::MIN;
    let foreshow = foreshow.set("FORESHOW_LIMITS__LIVE_PREVIEWS", one);
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let broker = foreshow.broker().await;
    let mut removals = Removals::of(&*broker).await;
    let (short, next) = (key("acme", "short"), key("acme", "next"));
    upstream
        .publish(&living_for(1, update(&short, 7, "soon gone")))
        .await;
    let ready = upstream.next_end().await;
    let told: Value = serde_json::from_slice(&ready.data_json()).unwrap();
    let alias = told["aliasUrl"].as_str().unwrap().to_owned();
    assert_eq!(
        removals.next().await,
        "acme/short/7/updated/removed/expired"
    );
    assert_eq!(fetch(&alias).await.status, 410);
    assert_eq!(
        Previews::of(&foreshow).await.revisions(&short).await,
        [0_u64; 0]
    );
    assert_eq!(status(&foreshow, &short).await, "expired");
    let why = foreshow.run(["why", "short", "--tenant", "acme"]).await;
    assert!(
        String::from_utf8_lossy(&why.stdout).contains("expired"),
        "{why:?}"
    );

    // Its place is free, and what is touched in time stays.
    upstream
        .publish(&living_for(600, update(&next, 1, "stays")))
        .await;
    let ready = upstream.next_end().await;
    assert_eq!(ready.id, "acme/next/1/updated/ready");
    let store = foreshow.store().await;
    let before = store.context(&next).await.unwrap().unwrap().expires_at;
    let touch = ContextEvent::Touched(ContextTouched { key: next.clone() });
    upstream.publish(&event(touch)).await;
    eventually("the touch prolongs", async || {
        store.context(&next).await.unwrap().unwrap().expires_at > before
    })
    .await;
    let touched = foreshow
        .run(["touch", "next", "--tenant", "acme", "--json"])
        .await;
    assert!(touched.status.success(), "{touched:?}");
    // Upstream's own end of what has expired is an event as any other.
    upstream.publish(&end(&short, 7)).await;
    assert_eq!(
        upstream.next_end().await.id,
        "acme/short/7/ended/removed/ended"
    );
    assert_eq!(
        removals.next().await,
        "acme/short/7/ended/removed/ended",
        "and nothing between"
    );
    assert_eq!(status(&foreshow, &next).await, "live");
    let swept = foreshow.run(["sweep", "--json"]).await;
    assert!(swept.status.success(), "{swept:?}");
    let swept: Value = serde_json::from_slice(&swept.stdout).unwrap();
    assert_eq!(swept["previewsExpired"], 0);
    // Opened again.
    upstream.publish(&end(&next, 2)).await;
    upstream.next_end().await;
    upstream.publish(&update(&short, 8, "back")).await;
    assert_eq!(upstream.next_end().await.id, "acme/short/8/updated/ready");
    assert_eq!(fetch(&alias).await.text(), "back");
    foreshow.close().await;
}

async fn a_poisoned_context_is_reset_and_begins_anew(foreshow: Foreshow) {
    let _up = foreshow.up().await;
    let mut upstream = Upstream::connect(&foreshow).await;
    let broker = foreshow.broker().await;
    let mut removals = Removals::of(&*broker).await;
    let (max, key) = (Revision::MAX.get(), key("acme", "poisoned"));
    upstream.publish(&update(&key, max, "far too great")).await;
    assert_eq!(upstream.next_end().await.outcome(), OutcomeKind::Ready);
    upstream.publish(&update(&key, 1, "too late")).await;
    assert_eq!(upstream.next_end().await.outcome(), OutcomeKind::Superseded);

    // Nobody is there to be asked.
    let asked = foreshow
        .run(["reset", "poisoned", "--tenant", "acme"])
        .await;
    assert_eq!(asked.status.code(), Some(2), "{asked:?}");
    let unknown = foreshow.run(["reset", "nobody", "--yes"]).await;
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    let done = foreshow
        .run(["reset", "poisoned", "--tenant", "acme", "--yes", "--json"])
        .await;
    assert!(done.status.success(), "{done:?}");
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (&done["isDone"], &done["previousLiveRevision"]),
        (&true.into(), &max.into())
    );
    assert_eq!(
        removals.next().await,
        format!("acme/poisoned/{max}/updated/removed/swept")
    );
    assert_eq!(status(&foreshow, &key).await, "ended");
    assert_eq!(
        Previews::of(&foreshow).await.revisions(&key).await,
        [0_u64; 0]
    );

    upstream.publish(&update(&key, 1, "new")).await;
    let ready = upstream.next_end().await;
    assert_eq!(
        ready.id,
        format!("acme/poisoned/1/{}/ready", EventKind::Update.word())
    );
    let told: Value = serde_json::from_slice(&ready.data_json()).unwrap();
    assert_eq!(
        fetch(told["aliasUrl"].as_str().unwrap()).await.text(),
        "new"
    );
    foreshow.close().await;
}

/// What a dry run says of one context: its exit code and its JSON.
async fn foreseen(foreshow: &Foreshow, context: &str) -> (Option<i32>, Value) {
    let scope = ["--tenant", "acme", "--context", context];
    let arguments = ["sweep", "--dry-run", "--json"].iter().chain(&scope);
    let told = foreshow.run(arguments).await;
    let json = serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{told:?}"));
    (told.status.code(), json)
}

/// The lifetime comes from the command line; nobody runs while the sweep is foreseen.
async fn what_a_sweep_would_do_is_told_before_it_is_done(foreshow: Foreshow) {
    let up = foreshow.up().await;
    let dir = foreshow.folder().join("site");
    foreshow_tests::write(&dir, "index.html", "soon over");
    let dir = dir.to_str().unwrap();
    let to = ["--tenant", "acme", "--context", "c", "--ttl", "20s"];
    let published = foreshow.run(["publish", dir].iter().chain(&to)).await;
    assert!(published.status.success(), "{published:?}");
    let (code, told) = foreseen(&foreshow, "c").await;
    assert_eq!(
        (code, &told["contexts"]),
        (Some(0), &Value::Array(Vec::new())),
        "{told}"
    );
    assert_eq!(up.stop("TERM").await, Some(0));
    let mut last = Value::Null;
    eventually("its time is over", async || {
        let (code, told) = foreseen(&foreshow, "c").await;
        last = told;
        code == Some(1)
    })
    .await;
    let finding = &last["contexts"][0]["findings"][0];
    assert_eq!(
        (&finding["action"], &last["isDryRun"]),
        (&"expire".into(), &true.into()),
        "{last}"
    );
    // It was only told: told again, it is the same.
    assert_eq!(foreseen(&foreshow, "c").await.0, Some(1));
    let store = foreshow.store().await;
    let record = store.context(&key("acme", "c")).await.unwrap().unwrap();
    assert!(
        record.live.is_some() && record.expiring.is_none(),
        "{record:?}"
    );

    let swept = foreshow.run(["sweep"]).await;
    assert!(swept.status.success(), "{swept:?}");
    let said = String::from_utf8(swept.stdout).unwrap();
    assert!(
        said.contains("acme/c: ") && said.contains("a worker is asked to remove it"),
        "{said}"
    );
    assert!(said.contains("1 preview expired"), "{said}");
    let warned = String::from_utf8(swept.stderr).unwrap();
    assert!(warned.contains("no worker is running"), "{warned}");
    let _up = foreshow.up().await;
    eventually("it is gone", async || {
        let record = store.context(&key("acme", "c")).await.unwrap().unwrap();
        record.live.is_none()
    })
    .await;
    eventually("nothing is to be done", async || {
        foreseen(&foreshow, "c").await.0 == Some(0)
    })
    .await;
}
