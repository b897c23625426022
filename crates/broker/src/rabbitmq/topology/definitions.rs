//! The same as RabbitMQ's own definitions file, with users who may do no more than they need.
//!
//! The users have no password, so nobody can log in as one of them until an operator sets it
//! (`rabbitmqctl change_password`). Importing again takes the passwords away (seen on 3.10, with an empty hash as with
//! none): set them after each import.

use serde_json::{Value, json};

use super::{Argument, Topology};

/// A user and its permissions: regular expressions over the names of exchanges and queues.
struct User {
    role: &'static str,
    configure: String,
    write: String,
    read: String,
    /// Exchange, then expressions over routing keys: to publish with, to bind with.
    topics: Vec<(String, &'static str, &'static str)>,
}

const NOTHING: &str = "^$";
const ANYTHING: &str = ".*";

impl Topology {
    /// Users, permissions and the topology under this prefix, for `rabbitmqctl import_definitions` or
    /// `load_definitions`, in the vhost `/`.
    pub fn definitions(&self, prefix: &str) -> Value {
        let users = users(prefix);
        let name = |user: &User| format!("{prefix}-{}", user.role);
        json!({
            "vhosts": [{ "name": "/" }],
            "users": users.iter().map(|user| json!({
                "name": name(user), "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""
            })).collect::<Vec<_>>(),
            "permissions": users.iter().map(|user| json!({
                "user": name(user), "vhost": "/",
                "configure": user.configure, "write": user.write, "read": user.read
            })).collect::<Vec<_>>(),
            "topic_permissions": users.iter().flat_map(|user| user.topics.iter().map(|(exchange, write, read)| json!({
                "user": name(user), "vhost": "/", "exchange": exchange, "write": write, "read": read
            }))).collect::<Vec<_>>(),
            "exchanges": self.exchanges.iter().map(|exchange| json!({
                "name": exchange.name, "vhost": "/", "type": exchange.kind.word(), "durable": true,
                "auto_delete": false, "internal": false,
                "arguments": exchange.alternate.as_ref().map_or_else(|| json!({}), |name| json!({ "alternate-exchange": name }))
            })).collect::<Vec<_>>(),
            "queues": self.queues.iter().map(|queue| json!({
                "name": queue.name, "vhost": "/", "durable": true, "auto_delete": false,
                "arguments": queue.arguments.iter().map(|(name, argument)| ((*name).to_owned(), match argument {
                    Argument::Text(text) => json!(text),
                    Argument::Number(number) => json!(number),
                })).collect::<serde_json::Map<_, _>>()
            })).collect::<Vec<_>>(),
            "bindings": self.bindings.iter().map(|binding| json!({
                "source": binding.exchange, "vhost": "/", "destination": binding.queue, "destination_type": "queue",
                "routing_key": binding.key, "arguments": {}
            })).collect::<Vec<_>>()
        })
    }
}

fn users(prefix: &str) -> Vec<User> {
    let events = format!("{prefix}.events");
    let results = format!("{prefix}.results");
    vec![
        User {
            role: "upstream",
            configure: NOTHING.to_owned(),
            write: format!(r"^{prefix}\.events$"),
            read: NOTHING.to_owned(),
            topics: vec![(
                events.clone(),
                r"^context\.(updated|ended|touched)\.[^.]+$",
                NOTHING,
            )],
        },
        User {
            role: "worker",
            configure: NOTHING.to_owned(),
            write: format!(
                r"^{prefix}\.(events|results|dead-letters|delay\.[0-9]+s|deploy\.backlog)$"
            ),
            read: format!(r"^{prefix}\.(deploy|cleanup|deploy\.backlog)$"),
            topics: vec![
                // The sweeper tells of previews whose retention is over, and of nothing else.
                (events.clone(), r"^context\.expired\.[^.]+$", NOTHING),
                (results.clone(), r"^(preview|event)\.", NOTHING),
            ],
        },
        User {
            role: "gateway",
            configure: format!(r"^({prefix}\.gateway\..*|amq\.gen-.*)$"),
            write: format!(r"^({prefix}\.events|{prefix}\.gateway\..*|amq\.gen-.*)$"),
            read: format!(r"^({prefix}\.results|{prefix}\.gateway\..*|amq\.gen-.*)$"),
            topics: vec![
                (
                    events,
                    r"^context\.(updated|ended|touched)\.[^.]+$",
                    NOTHING,
                ),
                (results.clone(), NOTHING, ANYTHING),
            ],
        },
        User {
            role: "consumer",
            configure: format!(r"^({prefix}\.consumer\..*|amq\.gen-.*)$"),
            write: format!(r"^({prefix}\.consumer\..*|amq\.gen-.*)$"),
            read: format!(r"^({prefix}\.results|{prefix}\.consumer\..*|amq\.gen-.*)$"),
            topics: vec![(results, NOTHING, ANYTHING)],
        },
        User {
            role: "operator",
            configure: format!(r"^{prefix}\..*"),
            write: format!(r"^(amq\.default|{prefix}\..*)$"),
            read: format!(r"^{prefix}\..*"),
            topics: Vec::new(),
        },
    ]
}
