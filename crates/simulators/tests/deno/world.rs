//! A simulator, a client, and the words that conversations are made of.

use std::time::{Duration, Instant};

use foreshow_simulators::{Deno, DenoOptions, Simulator, deno::DenoKnobs};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HOST};
use serde_json::{Value, json};

/// How long a state is waited for before a test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer of the API.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) link: Option<String>,
    pub(crate) body: Value,
}

impl Answer {
    /// The code of an error in its flat shape.
    pub(crate) fn code(&self) -> (u16, &str) {
        (
            self.status.as_u16(),
            self.body["code"].as_str().unwrap_or_default(),
        )
    }
}

pub(crate) struct World {
    pub(crate) simulator: Simulator<Deno>,
    pub(crate) http: Client,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose knobs were turned before anything happens.
    pub(crate) async fn with(turn: impl FnOnce(&mut DenoKnobs)) -> Self {
        let mut options = DenoOptions::default();
        options.knobs.builds.build_ms = 0;
        turn(&mut options.knobs);
        Self {
            simulator: Simulator::start_anywhere(options).await.unwrap(),
            http: foreshow_tls::inward().build().unwrap(),
        }
    }

    /// A request with the right token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/v2/{path}", self.simulator.api_url());
        self.http.request(method, url).bearer_auth("ddo_simulator")
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(&body);
        }
        read(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Value::Null).await
    }

    /// Asks for something that has to succeed.
    pub(crate) async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.ask(method, path, body).await;
        assert!(answer.status.is_success(), "{method} {path}: {answer:?}");
        answer.body
    }

    /// Creates an app of static files.
    pub(crate) async fn app(&self, slug: &str) -> Value {
        let runtime = json!({ "type": "static", "cwd": "" });
        self.done(
            "POST",
            "apps",
            json!({ "slug": slug, "config": { "runtime": runtime } }),
        )
        .await
    }

    /// Deploys one page to an app, with whatever else the deploy is to say, and gives the revision's id.
    pub(crate) async fn deploy(&self, app: &str, page: &str, more: Value) -> String {
        let mut body = json!({ "assets": { "index.html": { "content": page } } });
        for (name, value) in more.as_object().cloned().unwrap_or_default() {
            body[name.as_str()] = value;
        }
        let revision = self.done("POST", &format!("apps/{app}/deploy"), body).await;
        revision["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn revision(&self, id: &str) -> Value {
        self.done("GET", &format!("revisions/{id}"), Value::Null)
            .await
    }

    /// A revision once its build is over.
    pub(crate) async fn over(&self, id: &str) -> Value {
        let over =
            |revision: &Value| !matches!(revision["status"].as_str(), Some("queued" | "building"));
        self.until(id, over).await
    }

    /// A revision once it is as wanted.
    pub(crate) async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let revision = self.revision(id).await;
            if wanted(&revision) {
                return revision;
            }
            assert!(Instant::now() < deadline, "it stays like this: {revision}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What a visitor of a host gets.
    pub(crate) async fn visit(&self, host: &str, path: &str) -> (u16, String) {
        let url = format!("{}{path}", self.simulator.api_url());
        let answer = self.http.get(url).header(HOST, host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// What a visitor of a host gets, once it is this.
    pub(crate) async fn sees(&self, host: &str, wanted: (u16, &str)) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.visit(host, "/").await;
            if (seen.0, seen.1.as_str()) == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{host} stays at {seen:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The hosts that a revision tells of a timeline.
pub(crate) fn hosts(revision: &Value, timeline: &str) -> Vec<String> {
    revision["timelines"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["name"] == timeline)
        .flat_map(|one| one["hostnames"].as_array().unwrap())
        .map(|host| host.as_str().unwrap().to_owned())
        .collect()
}

pub(crate) async fn read(request: RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    assert!(answer.headers().contains_key("x-deno-trace-id"));
    let link = answer
        .headers()
        .get("link")
        .map(|link| link.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    let body = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap()
    };
    Answer { status, link, body }
}
