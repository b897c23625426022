//! Encrypted connections, by an authority of one's own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use foreshow_engine::Store as _;
use foreshow_servers::{Redis, RedisOptions as Server, RedisTls};
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};

use crate::support::{far, key, make_live, options};

fn openssl(dir: &Path, arguments: &str) {
    let run = Command::new("openssl")
        .current_dir(dir)
        .args(arguments.split(' '))
        .output()
        .expect("this test needs the program openssl, to make certificates: install the package openssl");
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "openssl {arguments}: {said}");
}

/// An authority, and a certificate for 127.0.0.1 that it signed.
fn certificates(dir: &Path) -> RedisTls {
    openssl(
        dir,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 \
         -subj /CN=test-authority -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign",
    );
    openssl(
        dir,
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout server.key -out server.csr -subj /CN=redis",
    );
    std::fs::write(dir.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(
        dir,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    RedisTls {
        certificate: dir.join("server.pem"),
        key: dir.join("server.key"),
        authority: dir.join("ca.pem"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_works_over_tls_and_checks_who_answers() {
    let dir = tempfile::tempdir().unwrap();
    let tls = certificates(dir.path());
    let server = Server {
        tls: Some(tls.clone()),
        ..Server::default()
    };
    let server = Redis::temporary(server).await.unwrap();
    let url = RedisUrl::parse(&server.url()).unwrap();
    let trusting = |ca_file: Option<PathBuf>| RedisOptions {
        ca_file,
        ..options("foreshow")
    };
    let store = RedisStore::connect(&url, trusting(Some(tls.authority))).await;
    let store = store.unwrap();
    make_live(&store, &key("a"), 1, far()).await;
    assert!(store.context(&key("a")).await.unwrap().is_some());
    // Nobody whom the system trusts has signed that.
    assert!(RedisStore::connect(&url, trusting(None)).await.is_err());
    let missing = trusting(Some(dir.path().join("missing.pem")));
    let Err(error) = RedisStore::connect(&url, missing).await else {
        panic!("a file that is missing was read")
    };
    assert!(
        error.source.to_string().contains("missing.pem"),
        "{}",
        error.source
    );
}
