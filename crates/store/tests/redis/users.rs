//! The user of `ops/redis/users.acl` may do what the store does, and nothing else.

use foreshow_conformance::store_contract;
use foreshow_engine::Store as _;
use foreshow_servers::{Redis, RedisOptions as Server};

use crate::support::{Remote, connect, far, key, make_live};

const USERS: &str = include_str!("../../../../ops/redis/users.acl");

/// With a password, and with every namespace that a test begins with `foreshow`.
async fn server() -> Redis {
    let user = USERS
        .lines()
        .find(|line| line.starts_with("user foreshow "))
        .unwrap();
    let users = vec![format!("{user} >secret")];
    Redis::temporary(Server {
        users,
        ..Server::default()
    })
    .await
    .unwrap()
}

store_contract!(one test the_user_may_do_what_the_store_does: server().await, async |server: &Redis| {
    server.flush_all().await.unwrap();
    // The suite's other stores, that have lost everything, have keys of their own.
    for wider in ["~foreshow-wiped-*", "&foreshow-wiped-*"] {
        server.call(&["ACL", "SETUSER", "foreshow", wider]).await.unwrap();
    }
    Remote::at(&server.url_as("foreshow", "secret"), "foreshow").await
});

#[tokio::test]
async fn the_user_may_do_nothing_else() {
    let server = server().await;
    let url = server.url_as("foreshow", "secret");
    make_live(&connect(&url, "foreshow").await, &key("a"), 1, far()).await;
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut user = client.get_multiplexed_async_connection().await.unwrap();
    for refused in [
        "GET other",
        "SET foreshowother 1",
        "HGETALL other:{c:acme/a}",
        "DEL foreshow:{c:acme/a}",
        "FLUSHALL",
        "KEYS *",
        "SCAN 0",
        "CONFIG GET *",
        "ACL LIST",
        "CLIENT LIST",
        "MONITOR",
        "DEBUG SLEEP 0",
        "SCRIPT FLUSH",
        "SHUTDOWN",
        "PUBLISH other 1",
        "SUBSCRIBE other",
        "EVAL return(redis.call('GET','other')) 0",
        "EVAL return(redis.call('FLUSHALL')) 0",
    ] {
        let mut words = refused.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        let answer: Result<redis::Value, _> = command.query_async(&mut user).await;
        let error = answer.expect_err(refused).to_string();
        assert!(
            ["NOPERM", "permission", "can't access", "can't run"]
                .iter()
                .any(|word| error.contains(word)),
            "{refused}: {error}"
        );
    }
    // Elsewhere its store can't do anything either.
    let url = foreshow_store::redis::RedisUrl::parse(&url).unwrap();
    let elsewhere =
        foreshow_store::redis::RedisStore::connect(&url, crate::support::options("other"))
            .await
            .unwrap();
    assert!(elsewhere.context(&key("a")).await.is_err());
}

#[test]
fn the_default_user_is_off() {
    assert!(USERS.lines().any(|line| line == "user default off"));
    assert!(
        !USERS.contains('>') && !USERS.contains("nopass"),
        "no password is in the file"
    );
}
