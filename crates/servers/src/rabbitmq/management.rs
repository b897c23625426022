//! RabbitMQ's HTTP API, as far as tests use it. Errors name the call and the broker's answer, never the password.

use std::{fmt, time::Duration};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::rabbitmq::Vhost;

/// What a user may do in a vhost, each as a regular expression over names of queues and exchanges.
#[derive(Clone, Debug, Serialize)]
pub struct Permissions {
    /// What it may declare and delete.
    pub configure: String,
    /// What it may publish to, and bind to.
    pub write: String,
    /// What it may consume from, and bind from.
    pub read: String,
}

impl Permissions {
    /// Everything.
    pub fn all() -> Self {
        Self::new(".*", ".*", ".*")
    }

    /// These three.
    pub fn new(configure: &str, write: &str, read: &str) -> Self {
        Self {
            configure: configure.to_owned(),
            write: write.to_owned(),
            read: read.to_owned(),
        }
    }
}

/// A client of a node's HTTP API. Cheap to clone.
#[derive(Clone)]
pub struct Management {
    client: reqwest::Client,
    amqp_port: u16,
    port: u16,
    user: String,
    password: String,
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management")
            .field("port", &self.port)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Management {
    pub(crate) fn new(amqp_port: u16, port: u16, user: &str, password: &str) -> Self {
        let client = foreshow_tls::inward()
            .timeout(Duration::from_mins(1))
            .build()
            .expect("a client without TLS can always be built");
        Self {
            client,
            amqp_port,
            port,
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    /// The same API as another user.
    pub fn as_user(&self, name: &str, password: &str) -> Self {
        Self {
            user: name.to_owned(),
            password: password.to_owned(),
            ..self.clone()
        }
    }

    /// The base of the API, without credentials.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The API's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What HTTP's basic authentication sends.
    pub(crate) fn basic_credentials(&self) -> String {
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.user, self.password))
    }

    /// Where this client's user connects by AMQP to a vhost.
    pub fn amqp_url(&self, vhost: &str) -> String {
        format!(
            "amqp://{}:{}@127.0.0.1:{}/{}",
            escaped(&self.user),
            escaped(&self.password),
            self.amqp_port,
            escaped(vhost)
        )
    }

    /// The name of the node that answers.
    pub(crate) async fn node_name(&self) -> Result<String> {
        let overview = self.get("overview").await?.context("no overview")?;
        let name = overview["node"].as_str().context("a node without a name")?;
        Ok(name.to_owned())
    }

    /// A new vhost, in which this client's user may do everything.
    ///
    /// # Errors
    /// Where the node does not make it.
    pub async fn create_vhost(&self, name: &str) -> Result<Vhost> {
        let path = format!("vhosts/{}", escaped(name));
        self.send(Method::PUT, &path, &json!({})).await?;
        self.set_permissions(name, &self.user, &Permissions::all())
            .await?;
        Ok(Vhost::new(self.clone(), name))
    }

    /// A vhost that is already there.
    pub fn vhost(&self, name: &str) -> Vhost {
        Vhost::new(self.clone(), name)
    }

    /// Removes a vhost with everything in it; it need not be there.
    ///
    /// # Errors
    /// Where the node does not do it.
    pub async fn delete_vhost(&self, name: &str) -> Result<()> {
        self.delete(&format!("vhosts/{}", escaped(name))).await
    }

    /// Makes a user, or changes its password and tags (comma-separated, e.g. `administrator`; empty for none).
    ///
    /// # Errors
    /// Where the node does not do it.
    pub async fn add_user(&self, name: &str, password: &str, tags: &str) -> Result<()> {
        let body = json!({ "password": password, "tags": tags });
        self.send(Method::PUT, &format!("users/{}", escaped(name)), &body)
            .await
            .map(drop)
    }

    /// Removes a user; it need not be there.
    ///
    /// # Errors
    /// Where the node does not do it.
    pub async fn delete_user(&self, name: &str) -> Result<()> {
        self.delete(&format!("users/{}", escaped(name))).await
    }

    /// Sets what a user may do in a vhost.
    ///
    /// # Errors
    /// Where the node does not do it.
    pub async fn set_permissions(
        &self,
        vhost: &str,
        user: &str,
        permissions: &Permissions,
    ) -> Result<()> {
        let path = format!("permissions/{}/{}", escaped(vhost), escaped(user));
        self.send(Method::PUT, &path, &json!(permissions))
            .await
            .map(drop)
    }

    /// What each user may do in each vhost, as the API tells it.
    ///
    /// # Errors
    /// Where the node does not tell.
    pub async fn permissions(&self) -> Result<Value> {
        self.get("permissions").await?.context("no permissions")
    }

    /// Sets which routing keys a user may publish and bind with at one topic exchange, as regular expressions.
    ///
    /// # Errors
    /// Where the node does not do it.
    pub async fn set_topic_permissions(
        &self,
        vhost: &str,
        user: &str,
        exchange: &str,
        write: &str,
        read: &str,
    ) -> Result<()> {
        let path = format!("topic-permissions/{}/{}", escaped(vhost), escaped(user));
        let body = json!({ "exchange": exchange, "write": write, "read": read });
        self.send(Method::PUT, &path, &body).await.map(drop)
    }

    /// Imports definitions of a whole node: users, vhosts, permissions, queues, exchanges, bindings.
    ///
    /// # Errors
    /// Where the node does not take them, with its reason.
    pub async fn import_definitions(&self, definitions: &Value) -> Result<()> {
        self.send(Method::POST, "definitions", definitions)
            .await
            .map(drop)
    }

    /// What an API path (below `/api/`) answers; none where it answers 404.
    ///
    /// # Errors
    /// Where it answers otherwise than with JSON.
    pub async fn get(&self, path: &str) -> Result<Option<Value>> {
        let (status, text) = self.call(Method::GET, path, None).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        ensure!(status.is_success(), "GET {path}: {status}: {text}");
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("GET {path} answered no JSON: {text}"))
    }

    /// Sends JSON to an API path (below `/api/`): the answer, null where it is empty.
    ///
    /// # Errors
    /// Where the node refuses, with its reason.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let (status, text) = self.call(method.clone(), path, Some(body)).await?;
        ensure!(status.is_success(), "{method} {path}: {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// Deletes an API path (below `/api/`); it need not be there.
    ///
    /// # Errors
    /// Where the node refuses, with its reason.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let (status, text) = self.call(Method::DELETE, path, None).await?;
        let gone = status.is_success() || status == StatusCode::NOT_FOUND;
        ensure!(gone, "DELETE {path}: {status}: {text}");
        Ok(())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, String)> {
        let url = format!("{}/api/{path}", self.url());
        let mut request = self
            .client
            .request(method.clone(), &url)
            .basic_auth(&self.user, Some(&self.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        let what = || format!("no answer to {method} {url}");
        let answer = request.send().await.with_context(what)?;
        let status = answer.status();
        let text = answer.text().await.with_context(what)?;
        Ok((status, text))
    }
}

/// A name as one part of a path: `/`, the default vhost, becomes `%2F`.
pub(crate) fn escaped(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(byte.into());
        } else {
            write!(path, "%{byte:02X}").expect("a string takes everything");
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_parts_of_a_path_and_of_a_url() {
        assert_eq!(escaped("/"), "%2F");
        assert_eq!(escaped("t-1_a.b~c"), "t-1_a.b~c");
        let node = Management::new(1, 2, "us@er", "p:w");
        assert_eq!(node.amqp_url("/"), "amqp://us%40er:p%3Aw@127.0.0.1:1/%2F");
        assert_eq!(node.url(), "http://127.0.0.1:2");
        assert!(!format!("{node:?}").contains("p:w"), "no password is shown");
    }
}
