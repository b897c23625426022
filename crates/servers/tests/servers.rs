//! Servers start, survive what they must, and leave nothing behind.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use foreshow_servers::{
    Group, Permissions, RabbitMq, RabbitMqOptions, Redis, RedisCluster, RedisOptions, shared,
};

/// Whether a process with this id is there and no zombie.
fn runs(pid: u32) -> bool {
    let output = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output();
    let state = String::from_utf8_lossy(&output.expect("ps can be started").stdout).into_owned();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

async fn ends(pid: u32) {
    let give_up_at = Instant::now() + Duration::from_mins(1);
    while runs(pid) {
        assert!(Instant::now() < give_up_at, "process {pid} still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The processes whose command line has this in it, e.g. a folder.
fn processes_with(text: &str) -> Vec<String> {
    let output = Command::new("ps").args(["-eo", "args="]).output();
    let output = String::from_utf8_lossy(&output.expect("ps can be started").stdout).into_owned();
    let lines = output.lines().filter(|line| line.contains(text));
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_confirmed_message_survives_kill_9_and_restart_on_the_same_ports() {
    let mut node = RabbitMq::temporary().await.unwrap();
    let vhost = node.create_vhost("one").await.unwrap();
    vhost.declare_queue("q").await.unwrap();
    assert!(vhost.publish("", "q", "kept").await.unwrap());
    assert!(!vhost.publish("", "nobody", "lost").await.unwrap());
    let (url, first) = (vhost.amqp_url(), node.pid().unwrap());

    node.kill().await.unwrap();
    assert!(!runs(first));
    assert!(node.pid().is_err(), "it does not run");
    assert!(node.kill().await.is_err(), "a dead one can't be killed");
    node.restart().await.unwrap();

    assert_ne!(node.pid().unwrap(), first);
    assert_eq!(node.management().vhost("one").amqp_url(), url);
    // A quorum queue elects its leader after the boot.
    let give_up_at = Instant::now() + Duration::from_mins(1);
    let kept = loop {
        match vhost.take("q", 10).await {
            Ok(messages) if !messages.is_empty() => break messages,
            other => assert!(
                Instant::now() < give_up_at,
                "the message is gone: {other:?}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(kept, ["kept"]);
    node.delete_vhost("one").await.unwrap();
    node.delete_vhost("one").await.unwrap();

    node.stop().await.unwrap();
    assert!(node.pid().is_err());
}

#[tokio::test]
async fn users_vhosts_and_definitions_are_as_they_were_told() {
    let options = RabbitMqOptions {
        consumer_timeout: Some(Duration::from_mins(2)),
        ..RabbitMqOptions::default()
    };
    let node = RabbitMq::temporary_with(&options).await.unwrap();
    let asked = node
        .ctl(&["eval", "application:get_env(rabbit, consumer_timeout)."])
        .await;
    assert!(asked.unwrap().contains("120000"));
    assert!(node.ctl(&["no-such-command"]).await.is_err());

    let vhost = node.create_vhost("two/three").await.unwrap();
    let api = node.management();
    api.add_user("reader", "secret", "management")
        .await
        .unwrap();
    let reading = Permissions::new("", "", ".*");
    api.set_permissions("two/three", "reader", &reading)
        .await
        .unwrap();
    api.set_topic_permissions("two/three", "reader", "amq.topic", "", ".*")
        .await
        .unwrap();
    let permissions = api.permissions().await.unwrap();
    let mine = |entry: &&serde_json::Value| entry["user"] == "reader";
    let mine = permissions.as_array().unwrap().iter().find(mine).unwrap();
    assert_eq!(mine["vhost"], "two/three");
    assert_eq!(mine["write"], "");

    let definitions = serde_json::json!({
        "queues": [{ "name": "q", "durable": true, "auto_delete": false, "arguments": { "x-queue-type": "quorum" } }],
        "exchanges": [], "bindings": [], "policies": [],
    });
    vhost.import_definitions(&definitions).await.unwrap();
    assert_eq!(vhost.queues().await.unwrap()[0]["name"], "q");
    for depth in 0..5 {
        assert_eq!(vhost.depth("q").await.unwrap(), depth, "exact, and at once");
        vhost.publish("", "q", "one more").await.unwrap();
    }
    vhost.delete_queue("q").await.unwrap();
    assert!(vhost.depth("q").await.is_err());
    let wrong = serde_json::json!({ "users": [{ "name": 7 }] });
    let refused = api.import_definitions(&wrong).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("POST definitions: 4"),
        "{refused:#}"
    );
    api.delete_user("reader").await.unwrap();
    let stranger = api.as_user("reader", "secret").permissions().await;
    assert!(stranger.unwrap_err().to_string().contains("401"));
}

#[tokio::test]
async fn a_dropped_node_leaves_no_process_and_no_folder() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("node");
    let node = RabbitMq::start(&dir).await.unwrap();
    let pid = node.pid().unwrap();
    let text = dir.to_str().unwrap().to_owned();
    assert!(!processes_with(&text).is_empty(), "the search finds it");
    drop(node);
    ends(pid).await;
    assert_eq!(processes_with(&text), Vec::<String>::new());

    let redis = Redis::temporary(RedisOptions::default()).await.unwrap();
    let folder = redis.call(&["CONFIG", "GET", "dir"]).await.unwrap().text();
    let folder = folder.lines().last().unwrap().to_owned();
    let pid = redis.pid().unwrap();
    assert!(std::path::Path::new(&folder).is_dir());
    drop(redis);
    assert!(!runs(pid));
    assert!(!std::path::Path::new(&folder).exists());
}

#[tokio::test]
async fn redis_keeps_its_data_with_an_append_only_file_alone() {
    for appendonly in [true, false] {
        let options = RedisOptions {
            appendonly,
            ..RedisOptions::default()
        };
        let mut redis = Redis::temporary(options).await.unwrap();
        let (url, pid) = (redis.url(), redis.pid().unwrap());
        redis.call(&["SET", "k", "v 1"]).await.unwrap();
        redis.kill().await.unwrap();
        assert!(redis.call(&["PING"]).await.is_err());
        redis.restart().await.unwrap();
        assert_eq!(redis.url(), url);
        assert_ne!(redis.pid().unwrap(), pid);
        let kept = redis.call(&["GET", "k"]).await.unwrap().text();
        assert_eq!(kept, if appendonly { "v 1" } else { "" });
        redis.call(&["SET", "k", "again"]).await.unwrap();
        redis.flush_all().await.unwrap();
        assert_eq!(redis.call(&["DBSIZE"]).await.unwrap().text(), "0");
        redis.stop().await.unwrap();
    }
}

#[tokio::test]
async fn redis_knows_its_users_and_its_limits() {
    let options = RedisOptions {
        password: Some("top secret".replace(' ', "-")),
        users: vec!["user worker on >pw ~app:* resetchannels -@all +get +set".to_owned()],
        max_memory: Some(50_000_000),
        settings: vec![("slowlog-max-len".to_owned(), "7".to_owned())],
        ..RedisOptions::default()
    };
    let redis = Redis::temporary(options).await.unwrap();
    assert_eq!(
        redis.url(),
        format!("redis://:top-secret@127.0.0.1:{}", redis.port())
    );
    assert!(
        redis
            .url_as("worker", "p/w")
            .starts_with("redis://worker:p%2Fw@")
    );
    let settings = redis.call(&["CONFIG", "GET", "maxmemory"]).await.unwrap();
    assert!(settings.text().contains("50000000"));
    let may = redis
        .call(&["ACL", "DRYRUN", "worker", "GET", "app:1"])
        .await;
    assert_eq!(may.unwrap().text(), "OK");
    let may = redis
        .call(&["ACL", "DRYRUN", "worker", "GET", "other"])
        .await;
    assert_ne!(may.unwrap().text(), "OK");
}

#[tokio::test]
async fn a_frozen_redis_answers_when_it_thaws() {
    let redis = Redis::temporary(RedisOptions::default()).await.unwrap();
    redis.freeze().unwrap();
    let asked = redis.call(&["PING"]);
    tokio::pin!(asked);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut asked).await;
    assert!(early.is_err(), "frozen");
    redis.thaw().unwrap();
    assert_eq!(asked.await.unwrap().text(), "PONG");
}

#[tokio::test]
async fn a_cluster_serves_every_slot_again_after_a_node_has_died() {
    let mut cluster = RedisCluster::temporary().await.unwrap();
    assert!(cluster.url().starts_with("redis+cluster://127.0.0.1:"));
    // Which node a key belongs to is the cluster's own rule: exactly one takes it, the others say who does.
    let mut taken = 0;
    for node in cluster.nodes() {
        match node.call(&["SET", "{one}key", "v"]).await {
            Ok(_) => taken += 1,
            Err(error) => assert!(format!("{error:#}").contains("MOVED"), "{error:#}"),
        }
    }
    assert_eq!(taken, 1);
    cluster.node_mut(1).kill().await.unwrap();
    cluster.node_mut(1).restart().await.unwrap();
    cluster.joined().await.unwrap();
    cluster.flush_all().await.unwrap();
}

/// Not a test of its own: started, and killed, by the one below.
#[test]
fn somebody_who_is_killed() {
    if std::env::var_os("FORESHOW_SERVERS_VICTIM").is_none() {
        return;
    }
    let group = Group::new().unwrap();
    let mut server = group.spawn(Command::new("sleep").arg("600")).unwrap();
    println!("server {}", server.id());
    println!("leader {}", group.id());
    // Until it is killed.
    server.wait().unwrap();
}

#[tokio::test]
async fn servers_end_with_whoever_started_them_even_by_kill_9() {
    use std::io::{BufRead as _, BufReader};

    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "somebody_who_is_killed", "--nocapture"])
        .env("FORESHOW_SERVERS_VICTIM", "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let ids: Vec<u32> = lines
        .map_while(Result::ok)
        .filter_map(|line| {
            let at = line.find("server ").or_else(|| line.find("leader "))?;
            line[at + 7..].trim().parse().ok()
        })
        .take(2)
        .collect();
    let [server, leader] = ids[..] else {
        panic!("it said {ids:?}")
    };
    assert!(runs(server) && runs(leader));
    victim.kill().unwrap();
    victim.wait().unwrap();
    ends(server).await;
    ends(leader).await;
}

#[tokio::test]
async fn both_servers_of_a_run_serve_vhosts_and_namespaces() {
    let servers = shared::Servers::temporary().await.unwrap();
    let [(_, rabbitmq), (_, redis)] = servers.variables();
    let (one, two) = tokio::join!(
        shared::rabbitmq_at(&rabbitmq),
        shared::rabbitmq_at(&rabbitmq)
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.name(), two.name());
    one.declare_queue("q").await.unwrap();
    assert_eq!(two.queues().await.unwrap(), serde_json::json!([]));

    let (first, second) = (shared::redis_at(&redis), shared::redis_at(&redis));
    for mine in [&first, &second] {
        let key = format!("{}:k", mine.namespace);
        servers.redis.call(&["SET", &key, "v"]).await.unwrap();
    }
    first.close().await;
    let left = servers.redis.call(&["KEYS", "*"]).await.unwrap().text();
    assert_eq!(left, format!("{}:k", second.namespace));

    let name = one.name().to_owned();
    one.close().await;
    drop(two);
    let vhosts = servers.rabbitmq.management().get("vhosts").await.unwrap();
    assert!(
        !vhosts.unwrap().to_string().contains("test-"),
        "{name} and the other are gone"
    );
}
