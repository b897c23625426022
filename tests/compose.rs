//! What docker-compose.yml puts together, without containers: its definitions, scripts and users, each role as the user
//! that it has there, on servers of their own. What it can't show is the images and Compose's own work.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use foreshow_servers::{RabbitMq, Redis, RedisOptions};
use foreshow_tests::{Client, Foreshow, Ground, Up, fetch, write};

/// The secrets that the script makes, by name.
fn secrets() -> BTreeMap<String, String> {
    let output = Command::new("sh")
        .arg(root().join("ops/compose/secrets.sh"))
        .output();
    let output = output.expect("sh can be started");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let pairs = text
        .lines()
        .map(|line| line.split_once('=').expect("NAME=value"));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    let path = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_secret_that_compose_asks_for_is_made_and_no_other() {
    let compose = read("docker-compose.yml");
    let asked = compose
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once(":?"));
    let asked: Vec<&str> = asked
        .map(|(name, _)| name)
        .filter(|name| !name.contains('}'))
        .collect();
    let made = secrets();
    for name in &asked {
        assert!(made.contains_key(*name), "{name} is not made");
    }
    for (name, value) in &made {
        assert!(asked.contains(&name.as_str()), "nobody asks for {name}");
        assert!(value.len() >= 48, "{name} is too easy to guess");
        assert!(!compose.contains(value.as_str()));
    }
    assert_ne!(made, secrets(), "they are random");
    assert_eq!(made["FORESHOW_INSTALLATION_KEY"].len(), 64);
}

/// Each role has its least-privileged user, may not declare, and the preview becomes ready all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_users_of_the_fleet_may_do_all_that_their_roles_need() {
    let secrets = secrets();
    let rabbitmq = RabbitMq::temporary().await.expect("RabbitMQ starts");
    let definitions = read("ops/rabbitmq/definitions.json");
    let definitions = serde_json::from_str(&definitions).expect("JSON");
    let imported = rabbitmq.management().import_definitions(&definitions).await;
    imported.expect("the definitions can be imported");
    let ready = tempfile::tempdir().expect("a temporary folder can be had");
    let mut passwords = rabbitmq.command("sh");
    passwords
        .arg(root().join("ops/compose/rabbitmq-passwords.sh"))
        .envs(&secrets)
        .env("READY_FILE", ready.path().join("ready"));
    let mut passwords = tokio::process::Command::from(passwords);
    let output = passwords.output().await.expect("sh can be started");
    assert!(output.status.success(), "{output:?}");
    assert!(ready.path().join("ready").exists());

    let password = &secrets["FORESHOW_REDIS_PASSWORD"];
    let users = read("ops/redis/users.acl");
    let user = users
        .lines()
        .find(|line| line.starts_with("user foreshow on"));
    let user = user
        .expect("a line for the user")
        .replacen(" on", &format!(" on >{password}"), 1);
    let redis = RedisOptions {
        appendonly: true,
        password: Some("of nobody's business".replace(' ', "-")),
        users: vec![user],
        ..RedisOptions::default()
    };
    let redis = Redis::temporary(redis).await.expect("Redis starts");

    let amqp = |user: &str| {
        let password = &secrets[&format!("FORESHOW_{}_PASSWORD", user.to_uppercase())];
        let user = format!("foreshow-{user}");
        rabbitmq.management().as_user(&user, password).amqp_url("/")
    };
    let foreshow = Foreshow::on(Ground::Embedded)
        .set("FORESHOW_STORE", redis.url_as("foreshow", password))
        .set(
            "FORESHOW_INSTALLATION_KEY",
            &secrets["FORESHOW_INSTALLATION_KEY"],
        )
        .set(
            "FORESHOW_GATEWAY__TOKEN",
            &secrets["FORESHOW_GATEWAY_TOKEN"],
        )
        .set("FORESHOW_TOPOLOGY__DECLARE", "false");
    let role = |user: &str, arguments: &[&str]| {
        let mut command = foreshow.command(arguments);
        command.env("FORESHOW_BROKER", amqp(user));
        command
    };
    let mut apply = role("operator", &["topology", "apply"]);
    let output = apply.output().await.expect("the binary can be started");
    assert!(output.status.success(), "{output:?}");
    let gateway = role("gateway", &["gateway", "--listen", "127.0.0.1:0"]);
    let _gateway = Up::start(gateway).told_where("A gateway is up at ").await;
    let worker = role("worker", &["worker", "--admin", "127.0.0.1:0"]);
    let worker = Up::start(worker).told_where("A worker runs").await;

    write(foreshow.folder(), "page.html", "<h1>composed</h1>");
    let page = foreshow.folder().join("page.html");
    let client = Client::Python;
    let listener = client.listen(&amqp("consumer"), "acme", "ctx-1").await;
    client
        .publish(&amqp("upstream"), "acme", "ctx-1", 1, &page)
        .await;
    let end = listener.end().await;
    assert_eq!(
        end["type"],
        "dev.foreshow.preview.ready.v1",
        "{end}\n{}",
        worker.said()
    );
    let shown = fetch(end["data"]["url"].as_str().expect("a URL")).await;
    assert_eq!(shown.text(), "<h1>composed</h1>");
    let checked = foreshow
        .run([
            "healthcheck",
            "--admin",
            &worker.admin("")["http://".len()..],
        ])
        .await;
    assert!(checked.status.success(), "{checked:?}");
}
