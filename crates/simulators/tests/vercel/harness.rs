//! A simulator and a client that speaks to it as a program would.

use std::time::{Duration, Instant};

use foreshow_simulators::{Simulator, Vercel, VercelOptions};
use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// How long a state that must come may take: far longer than it does on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) simulator: Simulator<Vercel>,
    pub(crate) http: Client,
}

/// What a site answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

impl World {
    /// Builds take no time unless a test says so.
    pub(crate) async fn start() -> Self {
        let simulator = Simulator::<Vercel>::start_anywhere(VercelOptions::default())
            .await
            .unwrap();
        simulator.turn(|knobs| knobs.builds.build_ms = 0);
        let http = foreshow_tls::inward()
            .redirect(Policy::none())
            .build()
            .unwrap();
        Self { simulator, http }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.simulator.api_url());
        self.http
            .request(method, url)
            .bearer_auth("simulator-token")
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answered(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answered(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        answered(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> (u16, Value) {
        answered(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn upload(&self, content: &str) -> (u16, Value) {
        let request = self.request(Method::POST, "/v2/files");
        answered(
            request
                .header("x-vercel-digest", sha(content))
                .body(content.to_owned()),
        )
        .await
    }

    /// Deploys inline files to the project `site`.
    pub(crate) async fn deploy(&self, files: &[(&str, &str)]) -> Value {
        self.deploy_with(files, json!({})).await
    }

    /// Deploys inline files with more fields.
    pub(crate) async fn deploy_with(&self, files: &[(&str, &str)], more: Value) -> Value {
        let (status, created) = self.post("/v13/deployments", body(files, more)).await;
        assert_eq!(status, 200, "{created}");
        created
    }

    /// Switches the login of the project `site` off.
    pub(crate) async fn open_previews(&self) {
        let (status, told) = self
            .patch("/v9/projects/site", json!({"ssoProtection": null}))
            .await;
        assert_eq!(status, 200, "{told}");
    }

    pub(crate) async fn visit(&self, host: &str, path: &str) -> Page {
        self.visit_with(host, path, &[]).await
    }

    pub(crate) async fn visit_with(
        &self,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Page {
        let url = format!("{}{path}", self.simulator.api_url());
        let mut request = self.http.get(url).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        Page {
            status: response.status().as_u16(),
            error: headers
                .get("x-vercel-error")
                .map(|code| code.to_str().unwrap().to_owned()),
            headers,
            body: response.text().await.unwrap(),
        }
    }

    /// Asks for a deployment until it is in a state.
    pub(crate) async fn until(&self, id: &str, state: &str) -> Value {
        let began = Instant::now();
        loop {
            let (_, told) = self.get(&format!("/v13/deployments/{id}")).await;
            if told["readyState"] == state {
                return told;
            }
            assert!(began.elapsed() < SOON, "{id} is not {state}: {told}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The body of a create with inline files.
pub(crate) fn body(files: &[(&str, &str)], more: Value) -> Value {
    let files: Vec<_> = files
        .iter()
        .map(|(file, data)| json!({"file": file, "data": data}))
        .collect();
    let mut body = json!({"name": "site", "files": files, "projectSettings": {"framework": null}});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// An answer's status and JSON; no body is `null`.
pub(crate) async fn answered(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

pub(crate) fn sha(content: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha1::digest(content))
}

pub(crate) fn code(answer: &(u16, Value)) -> (u16, &str) {
    (
        answer.0,
        answer.1["error"]["code"].as_str().unwrap_or_default(),
    )
}
