//! A Redis that Sentinels watch: the store asks them for the master, and goes where the master goes.

use std::{net::TcpListener, path::Path, process::Command, time::Duration};

use foreshow_engine::Store as _;
use foreshow_servers::{Group, Redis, RedisOptions as Server, find_redis};
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};
use redis::{Value, aio::MultiplexedConnection, cmd};

use crate::{
    faults::insist,
    support::{connect, far, key, make_live},
};

/// One Sentinel. Dropping it ends it.
struct Sentinel {
    port: u16,
    _group: Group,
}

impl Sentinel {
    async fn watching(master: u16, dir: &Path) -> Self {
        for _ in 0..5 {
            let port = free_port();
            let file = dir.join(format!("sentinel-{port}.conf"));
            let lines = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor mymaster 127.0.0.1 {master} 1\n\
                 sentinel down-after-milliseconds mymaster 60000\nsentinel failover-timeout mymaster 20000\n",
                dir.display()
            );
            std::fs::write(&file, lines).unwrap();
            let group = Group::new().unwrap();
            let mut command = Command::new(find_redis().unwrap().server);
            let output = std::fs::File::create(dir.join("sentinel.out")).unwrap();
            command.arg(&file).arg("--sentinel").stdout(output);
            let mut process = group.spawn(&mut command).unwrap();
            // Until it answers, or has found its port taken.
            for _ in 0..600 {
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                if TcpListener::bind(("127.0.0.1", port)).is_err() && ask(port).await.is_ok() {
                    return Self {
                        port,
                        _group: group,
                    };
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        panic!("no Sentinel came up");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

async fn ask(port: u16) -> redis::RedisResult<MultiplexedConnection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    cmd("PING").query_async::<Value>(&mut connection).await?;
    Ok(connection)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_follows_the_master() {
    let dir = tempfile::tempdir().unwrap();
    let master = Redis::temporary(Server::default()).await.unwrap();
    let replica = Redis::temporary(Server {
        settings: vec![
            (
                "replicaof".to_owned(),
                format!("127.0.0.1 {}", master.port()),
            ),
            ("repl-diskless-sync-delay".to_owned(), "0".to_owned()),
        ],
        ..Server::default()
    })
    .await
    .unwrap();
    let sentinel = Sentinel::watching(master.port(), dir.path()).await;
    let url = format!(
        "redis+sentinel://127.0.0.1:1,127.0.0.1:{}/mymaster",
        sentinel.port
    );
    let store = connect(&url, "foreshow").await;
    make_live(&store, &key("a"), 1, far()).await;
    let replicated = async || {
        let told = replica
            .call(&["EXISTS", "foreshow:{c:acme/a}"])
            .await?
            .text();
        anyhow::ensure!(told == "1");
        let known = cmd("SENTINEL")
            .arg("replicas")
            .arg("mymaster")
            .query_async::<Vec<Value>>(&mut ask(sentinel.port).await?)
            .await?;
        anyhow::ensure!(known.len() == 1);
        Ok(())
    };
    insist(replicated).await;
    // A replica may have to be seen for some seconds first.
    insist(async || {
        cmd("SENTINEL")
            .arg("failover")
            .arg("mymaster")
            .query_async::<Value>(&mut ask(sentinel.port).await?)
            .await
    })
    .await;
    // A server that changes sides closes its connections, so this may fail too.
    insist(async || {
        let role =
            async |server: &Redis| Ok::<_, anyhow::Error>(server.call(&["ROLE"]).await?.text());
        let done = role(&replica).await?.starts_with("master")
            && role(&master).await?.starts_with("slave");
        anyhow::ensure!(done, "the fail-over is not done");
        Ok(())
    })
    .await;
    // The old master refuses writes from now on.
    insist(async || {
        let claim = crate::support::claim(&key("b"), crate::support::up(1), "1");
        store.claim(&claim).await
    })
    .await;
    assert!(
        store
            .context(&key("a"))
            .await
            .unwrap()
            .unwrap()
            .live
            .is_some()
    );
    let told = replica
        .call(&["EXISTS", "foreshow:{c:acme/b}"])
        .await
        .unwrap();
    assert_eq!(told.text(), "1");
}

#[tokio::test]
async fn a_name_that_no_sentinel_knows_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let master = Redis::temporary(Server::default()).await.unwrap();
    let sentinel = Sentinel::watching(master.port(), dir.path()).await;
    let url = format!("redis+sentinel://127.0.0.1:{}/other", sentinel.port);
    let url = RedisUrl::parse(&url).unwrap();
    let Err(error) = RedisStore::connect(&url, RedisOptions::default()).await else {
        panic!("it is connected to")
    };
    assert!(
        error.source.to_string().contains("\"other\""),
        "{}",
        error.source
    );
}
