//! One vhost of a node: what a test has to itself.

use anyhow::{Context as _, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::rabbitmq::{Management, escaped};

/// A vhost. Dropping it changes nothing: the node, or [`Management::delete_vhost`], removes it.
#[derive(Clone, Debug)]
pub struct Vhost {
    management: Management,
    name: String,
}

impl Vhost {
    pub(crate) fn new(management: Management, name: &str) -> Self {
        Self {
            management,
            name: name.to_owned(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the administrator connects to it.
    pub fn amqp_url(&self) -> String {
        self.management.amqp_url(&self.name)
    }

    /// Where another user connects to it.
    pub fn amqp_url_as(&self, user: &str, password: &str) -> String {
        self.management.as_user(user, password).amqp_url(&self.name)
    }

    /// The HTTP API of its node.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// Imports definitions of this vhost: queues, exchanges, bindings, policies.
    ///
    /// # Errors
    /// Where the node does not take them, with its reason.
    pub async fn import_definitions(&self, definitions: &Value) -> Result<()> {
        let path = format!("definitions/{}", escaped(&self.name));
        self.management
            .send(Method::POST, &path, definitions)
            .await
            .map(drop)
    }

    /// Declares a durable quorum queue.
    ///
    /// # Errors
    /// Where the node does not make it.
    pub async fn declare_queue(&self, queue: &str) -> Result<()> {
        let body = json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
        let path = self.path("queues", queue);
        self.management
            .send(Method::PUT, &path, &body)
            .await
            .map(drop)
    }

    /// Binds a queue to an exchange.
    ///
    /// # Errors
    /// Where either is missing.
    pub async fn bind(&self, exchange: &str, queue: &str, routing_key: &str) -> Result<()> {
        let path = format!(
            "bindings/{}/e/{}/q/{}",
            escaped(&self.name),
            escaped(exchange),
            escaped(queue)
        );
        let body = json!({ "routing_key": routing_key, "arguments": {} });
        self.management
            .send(Method::POST, &path, &body)
            .await
            .map(drop)
    }

    /// Deletes a queue, as a hostile operator would: its consumers are cancelled. It need not be there.
    ///
    /// # Errors
    /// Where the node does not do it.
    pub async fn delete_queue(&self, queue: &str) -> Result<()> {
        self.management.delete(&self.path("queues", queue)).await
    }

    /// Publishes a persistent message, confirmed: whether a queue took it.
    ///
    /// # Errors
    /// Where the node does not take it.
    pub async fn publish(&self, exchange: &str, routing_key: &str, body: &str) -> Result<bool> {
        let exchange = if exchange.is_empty() {
            "amq.default"
        } else {
            exchange
        };
        let message = json!({
            "properties": { "delivery_mode": 2 },
            "routing_key": routing_key,
            "payload": body,
            "payload_encoding": "string",
        });
        let path = format!("{}/publish", self.path("exchanges", exchange));
        let answer = self.management.send(Method::POST, &path, &message).await?;
        answer["routed"].as_bool().context("no word of routing")
    }

    /// Takes messages off a queue and acknowledges them: their bodies.
    ///
    /// # Errors
    /// Where the node does not give them.
    pub async fn take(&self, queue: &str, at_most: usize) -> Result<Vec<String>> {
        let body = json!({ "count": at_most, "ackmode": "ack_requeue_false", "encoding": "auto" });
        let path = format!("{}/get", self.path("queues", queue));
        let answer = self.management.send(Method::POST, &path, &body).await?;
        let messages = answer.as_array().context("no list of messages")?;
        Ok(messages
            .iter()
            .map(|message| message["payload"].as_str().unwrap_or_default().to_owned())
            .collect())
    }

    /// Its queues' names and arguments, as the API tells them (without counts).
    ///
    /// # Errors
    /// Where the node does not tell.
    pub async fn queues(&self) -> Result<Value> {
        let path = format!("queues/{}", escaped(&self.name));
        self.management.get(&path).await?.context("no such vhost")
    }

    /// How many messages a queue has that no consumer holds, now and exactly: the HTTP API's counts of a quorum queue
    /// are up to five seconds old.
    ///
    /// # Errors
    /// Where there is no such queue, or no connection.
    #[cfg(feature = "amqp")]
    pub async fn depth(&self, queue: &str) -> Result<u32> {
        use lapin::{
            Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable,
        };

        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&self.amqp_url(), properties)
            .await
            .context("cannot connect to ask for a queue's depth")?;
        let channel = connection.create_channel().await?;
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel
            .queue_declare(queue.into(), passive, FieldTable::default())
            .await
            .with_context(|| format!("cannot ask for the depth of {queue}"));
        connection.close(200, "asked".into()).await.ok();
        Ok(declared?.message_count())
    }

    fn path(&self, kind: &str, name: &str) -> String {
        format!("{kind}/{}/{}", escaped(&self.name), escaped(name))
    }
}
