//! The users of the shipped definitions, tried on a broker: what each may do, and what it may not. Over TLS, with
//! certificates of our own.

use std::{net::TcpListener, path::Path, process::Command, time::Duration};

use foreshow_broker::rabbitmq::{RabbitMqBroker, RabbitMqOptions};
use foreshow_engine::{Attempts, Broker, Decided, Queue, ResultFilter};
use foreshow_servers::{Permissions, RabbitMq, RabbitMqOptions as NodeOptions};
use lapin::{
    BasicProperties, Channel, ErrorKind,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::FieldTable,
};

use crate::support::{Client, chain, count, delay_of, next, reason, result, soon, update};

const PASSWORD: &str = "correct horse";

fn definitions() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../../ops/rabbitmq/definitions.json")).unwrap()
}

/// A certificate authority and a server's certificate for localhost, in this folder.
fn certificates(dir: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(dir)
            .output()
            .expect("the program openssl is needed: apt-get install openssl");
        assert!(
            output.status.success(),
            "openssl {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(&format!(
        "req -x509 {key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ours -addext keyUsage=critical,keyCertSign"
    ));
    openssl(&format!(
        "req {key} -keyout server.key -out server.csr -subj /CN=localhost"
    ));
    std::fs::write(dir.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
}

struct Fleet {
    node: RabbitMq,
    dir: tempfile::TempDir,
    tls_port: u16,
}

impl Fleet {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
        let tls_port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let file = |name: &str| dir.path().join(name).display().to_string();
        let options = NodeOptions {
            config: vec![
                format!("listeners.ssl.1 = 127.0.0.1:{tls_port}"),
                format!("ssl_options.cacertfile = {}", file("ca.pem")),
                format!("ssl_options.certfile = {}", file("server.pem")),
                format!("ssl_options.keyfile = {}", file("server.key")),
            ],
            ..NodeOptions::default()
        };
        let node = RabbitMq::temporary_with(&options).await.unwrap();
        Self {
            node,
            dir,
            tls_port,
        }
    }

    fn options(&self, role: &str) -> RabbitMqOptions {
        let password = PASSWORD.replace(' ', "%20");
        let url = format!(
            "amqps://foreshow-{role}:{password}@localhost:{}",
            self.tls_port
        );
        RabbitMqOptions {
            ca_file: Some(self.dir.path().join("ca.pem")),
            ..RabbitMqOptions::new(vec![url.parse().unwrap()])
        }
    }

    async fn broker(&self, role: &str) -> RabbitMqBroker {
        RabbitMqBroker::connect(self.options(role)).await.unwrap()
    }

    async fn client(&self, role: &str) -> Client {
        let management = self.node.management();
        let user = management.as_user(&format!("foreshow-{role}"), PASSWORD);
        Client::connect(&user.amqp_url("/")).await
    }

    /// Tries something on a channel of its own; a refusal ends it.
    async fn may(&self, role: &str, what: impl AsyncFnOnce(&Channel) -> lapin::Result<()>) -> bool {
        let client = self.client(role).await;
        match soon(what(&client.channel)).await {
            Ok(()) => true,
            Err(error) => match error.kind() {
                ErrorKind::ProtocolError(error) => {
                    assert_eq!(error.get_id(), 403, "{error:?}");
                    false
                }
                other => panic!("{other:?}"),
            },
        }
    }

    async fn may_publish(&self, role: &str, exchange: &str, key: &str) -> bool {
        self.may(role, async |channel| {
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            let confirm = channel
                .basic_publish(
                    exchange.into(),
                    key.into(),
                    BasicPublishOptions::default(),
                    b"x",
                    BasicProperties::default(),
                )
                .await?;
            confirm.await.map(drop)
        })
        .await
    }

    async fn may_read(&self, role: &str, queue: &str) -> bool {
        self.may(role, async |channel| {
            channel
                .basic_get(queue.into(), BasicGetOptions::default())
                .await
                .map(drop)
        })
        .await
    }

    async fn may_declare(&self, role: &str, queue: &str) -> bool {
        self.may(role, async |channel| {
            let exclusive = QueueDeclareOptions {
                exclusive: true,
                ..QueueDeclareOptions::default()
            };
            channel
                .queue_declare(queue.into(), exclusive, FieldTable::default())
                .await
                .map(drop)
        })
        .await
    }

    /// Whether it may hear of an exchange's messages through a queue of its own.
    async fn may_listen(&self, role: &str, queue: &str, exchange: &str, key: &str) -> bool {
        self.may(role, async |channel| {
            let exclusive = QueueDeclareOptions {
                exclusive: true,
                ..QueueDeclareOptions::default()
            };
            channel
                .queue_declare(queue.into(), exclusive, FieldTable::default())
                .await?;
            channel
                .queue_bind(
                    queue.into(),
                    exchange.into(),
                    key.into(),
                    QueueBindOptions::default(),
                    FieldTable::default(),
                )
                .await?;
            channel
                .basic_consume(
                    queue.into(),
                    "".into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await
                .map(drop)
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_may_do_its_work_and_nothing_else() {
    let fleet = Fleet::start().await;
    let management = fleet.node.management();
    management.import_definitions(&definitions()).await.unwrap();

    // Nobody can log in before an operator has set a password.
    let refused = RabbitMqBroker::connect(fleet.options("worker")).await;
    let refused = chain(&refused.err().unwrap());
    assert!(
        refused.contains("ACCESS") || refused.contains("403"),
        "{refused}"
    );
    for role in ["upstream", "worker", "gateway", "consumer", "operator"] {
        let user = format!("foreshow-{role}");
        management.add_user(&user, PASSWORD, "").await.unwrap();
    }
    // Nor does TLS trust anybody: without our authority it is no connection.
    let mut strangers = fleet.options("worker");
    strangers.ca_file = None;
    let refused = chain(&RabbitMqBroker::connect(strangers).await.err().unwrap());
    assert!(
        refused.contains("certificate") || refused.contains("UnknownIssuer"),
        "{refused}"
    );

    let operator = fleet.broker("operator").await;
    assert_eq!(
        operator.check_topology().await.unwrap(),
        [],
        "the file is what is declared"
    );
    operator.apply_topology().await.unwrap();

    operator_alone_goes_through_dead_letters(&fleet).await;
    upstream_only_publishes_context_events(&fleet).await;
    worker_reads_its_queues_and_hands_on(&fleet).await;
    gateway_publishes_events_and_listens(&fleet).await;
    consumer_only_listens(&fleet).await;
    a_tenants_user_publishes_under_its_own_keys(&fleet).await;
    assert!(
        fleet
            .may_publish("operator", "foreshow.events", "context.reset.acme")
            .await
    );
    operator.close().await;
}

/// Looking takes reading, a replay writing into queues by their names, which reaches past what keys allow.
async fn operator_alone_goes_through_dead_letters(fleet: &Fleet) {
    let worker = fleet.broker("worker").await;
    let mut deliveries = worker.consume(Queue::Deploy, count(1)).await.unwrap();
    let operator = fleet.broker("operator").await;
    for name in ["one", "two"] {
        operator.publish_event(update(name)).await.unwrap();
        let delivery = next(&mut deliveries).await;
        worker.dead_letter(&delivery, &reason()).await.unwrap();
    }
    let mut walk = operator.dead_letters().await.unwrap();
    soon(walk.next()).await.unwrap().unwrap();
    let replayed = walk.replay(Attempts::Reset).await.unwrap();
    assert_eq!(replayed, Decided::Done);
    soon(walk.next()).await.unwrap().unwrap();
    assert_eq!(walk.discard().await.unwrap(), Decided::Done);
    walk.end().await.unwrap();
    let mut backlog = worker.pull(Queue::Backlog).await.unwrap();
    soon(backlog.ready()).await;
    let again = backlog.take(1).await.unwrap().remove(0);
    assert_eq!(again.replay, 1);
    worker.ack(&again.receipt).await.unwrap();
    worker.close().await;
    operator.close().await;
    for role in ["upstream", "worker", "gateway", "consumer"] {
        assert!(
            !fleet.may_read(role, "foreshow.dead-letters").await,
            "{role}"
        );
        assert!(
            !fleet.may_publish(role, "", "foreshow.deploy").await,
            "{role}"
        );
    }
}

async fn upstream_only_publishes_context_events(fleet: &Fleet) {
    let broker = fleet.broker("upstream").await;
    broker.publish_event(update("up")).await.unwrap();
    broker.close().await;
    let may = async |exchange, key| fleet.may_publish("upstream", exchange, key).await;
    assert!(may("foreshow.events", "context.touched.acme").await);
    assert!(!may("foreshow.events", "context.renamed.acme").await);
    assert!(!may("foreshow.events", "context.expired.acme").await);
    assert!(!may("foreshow.events", "context.reset.acme").await);
    assert!(!may("foreshow.events", "anything").await);
    assert!(!may("foreshow.results", "preview.ready.acme.a").await);
    assert!(!may("", "foreshow.deploy").await);
    assert!(!may("foreshow.delay.1s", "foreshow.deploy").await);
    assert!(!may("foreshow.deploy.backlog", "context.updated.acme").await);
    assert!(!fleet.may_read("upstream", "foreshow.deploy").await);
    assert!(!fleet.may_read("upstream", "foreshow.dead-letters").await);
    assert!(!fleet.may_declare("upstream", "mine").await);
}

async fn worker_reads_its_queues_and_hands_on(fleet: &Fleet) {
    let broker = fleet.broker("worker").await;
    broker.ping().await.unwrap();
    assert_eq!(broker.check_topology().await.unwrap(), [], "it may look");
    let mut deliveries = broker.consume(Queue::Deploy, count(1)).await.unwrap();
    let delivery = next(&mut deliveries).await;
    broker
        .delay(&delivery, delay_of(Duration::ZERO))
        .await
        .unwrap();
    let delivery = next(&mut deliveries).await;
    broker.move_to(&delivery, Queue::Backlog).await.unwrap();
    let mut backlog = broker.pull(Queue::Backlog).await.unwrap();
    let taken = soon(backlog.take(1)).await.unwrap();
    broker.dead_letter(&taken[0], &reason()).await.unwrap();
    broker
        .publish_results(&[result("acme", "a", 1)])
        .await
        .unwrap();
    broker.consume(Queue::Cleanup, count(1)).await.unwrap();
    broker.close().await;
    let may = async |exchange, key| fleet.may_publish("worker", exchange, key).await;
    assert!(may("foreshow.events", "context.expired.acme").await);
    assert!(!may("foreshow.events", "context.updated.acme").await);
    assert!(!may("foreshow.events", "context.reset.acme").await);
    assert!(!may("foreshow.results", "something.else").await);
    assert!(!fleet.may_publish("worker", "", "foreshow.deploy").await);
    assert!(!fleet.may_read("worker", "foreshow.dead-letters").await);
    assert!(!fleet.may_declare("worker", "foreshow.mine").await);
}

async fn gateway_publishes_events_and_listens(fleet: &Fleet) {
    let broker = fleet.broker("gateway").await;
    broker.ping().await.unwrap();
    assert!(!broker.has_consumers(Queue::Cleanup).await.unwrap());
    let mut results = broker.subscribe(ResultFilter::default()).await.unwrap();
    broker
        .publish_event(update("from the gateway"))
        .await
        .unwrap();
    let worker = fleet.broker("worker").await;
    let expected = result("acme", "a", 2);
    worker
        .publish_results(std::slice::from_ref(&expected))
        .await
        .unwrap();
    assert_eq!(soon(results.next()).await.unwrap(), expected);
    worker.close().await;
    broker.close().await;
    assert!(
        !fleet
            .may_publish("gateway", "foreshow.results", "preview.ready.acme.a")
            .await
    );
    assert!(
        !fleet
            .may_publish("gateway", "foreshow.events", "context.reset.acme")
            .await
    );
    assert!(!fleet.may_read("gateway", "foreshow.deploy").await);
    assert!(!fleet.may_read("gateway", "foreshow.dead-letters").await);
    assert!(!fleet.may_declare("gateway", "foreshow.deploy").await);
    let (own, key) = ("foreshow.gateway.mine", "context.#");
    assert!(
        !fleet
            .may_listen("gateway", own, "foreshow.events", key)
            .await
    );
}

async fn consumer_only_listens(fleet: &Fleet) {
    let own = "foreshow.consumer.mine";
    let may = async |queue, exchange, key| fleet.may_listen("consumer", queue, exchange, key).await;
    assert!(may(own, "foreshow.results", "preview.ready.#").await);
    assert!(
        may("", "foreshow.results", "#").await,
        "a queue that the broker names"
    );
    assert!(!may(own, "foreshow.events", "#").await);
    assert!(!may("foreshow.gateway.theirs", "foreshow.results", "#").await);
    assert!(
        !fleet
            .may_publish("consumer", "foreshow.events", "context.updated.acme")
            .await
    );
    assert!(
        !fleet
            .may_publish("consumer", "foreshow.results", "preview.ready.acme.a")
            .await
    );
    assert!(!fleet.may_read("consumer", "foreshow.unrouted").await);
    assert!(!fleet.may_read("consumer", "foreshow.deploy").await);
}

/// As the README shows it: an upstream service of one tenant's. What its events say is the worker's to check.
async fn a_tenants_user_publishes_under_its_own_keys(fleet: &Fleet) {
    let (management, user) = (fleet.node.management(), "foreshow-acme");
    management.add_user(user, PASSWORD, "").await.unwrap();
    let permissions = Permissions::new("^$", "^foreshow\\.events$", "^$");
    let set = management.set_permissions("/", user, &permissions).await;
    set.unwrap();
    let keys = "^context\\.(updated|ended|touched)\\.acme$";
    let set = management.set_topic_permissions("/", user, "foreshow.events", keys, "^$");
    set.await.unwrap();
    let may = async |key: &str| fleet.may_publish("acme", "foreshow.events", key).await;
    for own in ["updated", "ended", "touched"] {
        assert!(may(&format!("context.{own}.acme")).await, "{own}");
    }
    for another in [
        "context.updated.globex",
        "context.updated.acme2",
        "context.updated.acme.globex",
        "context.updated.",
        "context.expired.acme",
        "context.reset.acme",
        "context.updated.ACME",
        "",
    ] {
        assert!(!may(another).await, "{another}");
    }
    assert!(!fleet.may_publish("acme", "", "foreshow.deploy").await);
    assert!(!fleet.may_read("acme", "foreshow.deploy").await);
    assert!(!fleet.may_declare("acme", "mine").await);
}
