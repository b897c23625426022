//! Progress, build logs and live logs.

use foreshow_simulators::core::BuildOutcome;
use foreshow_simulators::deno::StreamForm;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::world::{World, hosts};

const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

impl World {
    /// A stream to its end: its type and its text; `None` where it broke.
    async fn stream(&self, path: &str, accept: &str) -> (String, Option<String>) {
        let request = self.request(Method::GET, path).header(ACCEPT, accept);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let form = answer.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        (form, answer.text().await.ok())
    }

    async fn lines(&self, path: &str) -> Vec<Value> {
        let (_, text) = self.stream(path, LINES).await;
        let text = text.unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[tokio::test]
async fn a_stream_is_in_the_form_that_was_asked_for() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    world.over(&id).await;
    let path = format!("revisions/{id}/progress");
    let (form, text) = world.stream(&path, EVENTS).await;
    assert_eq!(form, EVENTS);
    let text = text.unwrap();
    assert!(text.starts_with("event: message\ndata: {"), "{text}");
    assert!(text.ends_with("}\n\nevent: done\n\n"), "{text}");
    for accept in [LINES, "application/json", "*/*"] {
        assert_eq!(world.stream(&path, accept).await.0, LINES);
    }
    world
        .simulator
        .turn(|knobs| knobs.streams = StreamForm::Ndjson);
    assert_eq!(world.stream(&path, EVENTS).await.0, LINES);
}

#[tokio::test]
async fn progress_is_told_from_the_queue_to_the_end() {
    let world = World::with(|knobs| {
        knobs.builds.queue_ms = 100;
        knobs.builds.build_ms = 3000;
    })
    .await;
    world.app("shop").await;
    let config = json!({ "install": "deno install", "runtime": { "type": "static", "cwd": "" } });
    let id = world
        .deploy("shop", "x", json!({ "config": config, "preview": true }))
        .await;
    let path = format!("revisions/{id}/progress");
    let live = world.lines(&path).await;
    assert_eq!(world.revision(&id).await["status"], "succeeded");
    assert!(live.len() > 1, "it is told as it comes");
    let last = live.last().unwrap();
    for stage in ["queued", "preparing", "installing", "deploying"] {
        assert_eq!(last[stage]["status"], "succeeded", "{stage}");
    }
    assert_eq!(last["installing"]["command"], "deno install");
    assert_eq!(
        last["building"],
        json!({ "status": "skipped", "command": null })
    );
    assert_eq!(last["deploying"]["timelines"].as_array().unwrap().len(), 2);
    let afterwards = world.lines(&path).await;
    assert_eq!(
        (afterwards.len(), &afterwards[0]),
        (1, last),
        "afterwards there is the end alone"
    );
}

#[tokio::test]
async fn build_logs_end_with_what_went_wrong() {
    let world = World::with(|knobs| {
        let log = vec!["error: Module not found".to_owned()];
        knobs.builds.next = [BuildOutcome::Failed { log }].into();
    })
    .await;
    world.app("shop").await;
    let config = json!({ "build": "deno task build", "runtime": { "type": "static", "cwd": "" } });
    let id = world.deploy("shop", "x", json!({ "config": config })).await;
    let path = format!("revisions/{id}/build_logs");
    let lines = world.lines(&path).await;
    assert!(
        lines.iter().any(|line| {
            line["level"] == "error" && line["message"] == "error: Module not found"
        })
    );
    let building = world.lines(&format!("{path}?step=building")).await;
    assert!(!building.is_empty() && building.len() < lines.len());
    assert!(building.iter().all(|line| line["step"] == "building"));
    assert_eq!(world.get(&format!("{path}?step=odd")).await.status, 400);
}

#[tokio::test]
async fn a_cut_stream_breaks_and_the_next_one_tells_all() {
    let world = World::with(|knobs| knobs.cut_streams = [1, 0].into()).await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    let path = format!("revisions/{id}/build_logs");
    assert_eq!(world.stream(&path, LINES).await.1, None);
    assert_eq!(world.stream(&path, EVENTS).await.1, None);
    assert!(world.lines(&path).await.len() > 1);
}

#[tokio::test]
async fn a_stream_ends_when_its_revision_goes() {
    let world = World::with(|knobs| knobs.builds.outcome = BuildOutcome::Never).await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    let path = format!("revisions/{id}/progress");
    let (lines, ()) = tokio::join!(world.lines(&path), async {
        // However the two meet, the stream has an end.
        world
            .until(&id, |revision| revision["status"] == "building")
            .await;
        world
            .done("POST", &format!("revisions/{id}/cancel"), Value::Null)
            .await;
    });
    assert_eq!(lines.last().unwrap()["preparing"]["status"], "cancelled");
}

#[tokio::test]
async fn live_logs_go_on_until_nobody_listens() {
    let world = World::start().await;
    world.app("shop").await;
    let id = world.deploy("shop", "x", Value::Null).await;
    let host = hosts(&world.over(&id).await, "Production").remove(0);
    let path = "apps/shop/logs?start=2020-01-01T00:00:00Z&query=GET";
    let refused = world
        .request(Method::GET, path)
        .header(ACCEPT, "application/json");
    assert_eq!(refused.send().await.unwrap().status(), 400);

    let request = world.request(Method::GET, path).header(ACCEPT, LINES);
    let mut answer = request.send().await.unwrap();
    let mut seen = String::new();
    for wanted in 1..=3 {
        world.visit(&host, &format!("/{wanted}")).await;
        while seen.lines().count() < wanted {
            let chunk = answer.chunk().await.unwrap().expect("it goes on");
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
    let messages: Vec<String> = seen
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].to_string())
        .collect();
    assert_eq!(
        messages,
        ["\"GET /1 404\"", "\"GET /2 404\"", "\"GET /3 404\""]
    );
}
