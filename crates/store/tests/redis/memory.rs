//! What an idle context costs.

use std::time::{Duration, Instant};

use foreshow_contract::{ContextKey, Sha256};
use foreshow_engine::{
    Address, Admission, AdmitRequest, Claim, Claimed, Live, Owner, Purpose, QuotaMember,
    RecordedDeployment, Recording, Settlement, Settling, Store,
};
use foreshow_servers::{Redis, RedisOptions as Server};
use foreshow_store::redis::{RedisOptions, RedisStore, RedisUrl};
use futures_util::{StreamExt as _, stream};

use crate::support::{admission, alias, connect, options, ready, revision, up};

/// Enough that no part of the index is still in one of Redis's small encodings.
const CONTEXTS: u64 = 3_000;

/// A context with a name, a deployment and an address as long as they usually are, brought live.
async fn bring_live(store: &RedisStore, forgetful: &RedisStore, number: u64) {
    let key = name(number);
    let hex = |salt: u64| Sha256::of(format!("{number} {salt}").as_bytes()).to_hex();
    let now = store.now().await.unwrap();
    let expires_at = now.saturating_add(Duration::from_hours(24));
    let claim = Claim {
        key: key.clone(),
        ordinal: up(1_795_000_000_000_000 + number),
        digest: hex(0),
        alias: alias(&key),
        owner: Owner::new(&hex(1)[..32]),
        ttl: Duration::from_secs(30),
        purpose: Purpose::Event,
        replay: 0,
    };
    let Claimed::Granted { lease, .. } = store.claim(&claim).await.unwrap() else {
        panic!("{key} was not granted")
    };
    let request = AdmitRequest {
        live_until: expires_at,
        ..admission(&key, 1, now)
    };
    assert_eq!(store.admit(&request).await.unwrap(), Admission::Admitted);
    let id = format!("dpl_{}", &hex(2)[..28]);
    let recorded = RecordedDeployment {
        provider: "vercel".into(),
        deployment: id.as_str().into(),
    };
    let recording = store.record_deployment(lease.id(), &recorded).await;
    assert_eq!(recording.unwrap(), Recording::Recorded);
    let live = Live {
        revision: claim.ordinal.revision,
        provider: "vercel".into(),
        deployment: id.as_str().into(),
        address: Address::new(format!("previews-{}-acme-corp.vercel.app", &hex(2)[..9])),
        tree: hex(3),
        settings: hex(4),
    };
    let ttl = Duration::from_secs(30);
    let went = store.go_live(lease.id(), &live, expires_at, ttl).await;
    assert_eq!(went.unwrap(), Recording::Recorded);
    let settlement = Settlement {
        outcome: ready(&id, expires_at),
        expires_at: Some(expires_at),
        kept: vec![id.as_str().into()],
        built_ms: Some(41_234),
        cancelled: None,
    };
    let settled = forgetful.settle(lease.id(), &settlement).await.unwrap();
    assert!(matches!(settled, Settling::Settled { .. }));
    let build = QuotaMember::Build(key, revision(1));
    store.leave(&build).await.unwrap();
}

/// As an editor names its sessions.
fn name(number: u64) -> ContextKey {
    let session = format!("{number:08x}-6f2d-7c41-9a3b-{:012x}", number * 7_919);
    ContextKey::try_new("acme", &session).unwrap()
}

async fn used_memory(server: &Redis) -> u64 {
    let info = server.call(&["INFO", "memory"]).await.unwrap().text();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().parse().unwrap()
}

async fn wait_until_forgotten(server: &Redis, keys: u64) {
    let began_at = Instant::now();
    loop {
        let left: u64 = server
            .call(&["DBSIZE"])
            .await
            .unwrap()
            .text()
            .parse()
            .unwrap();
        if left <= keys {
            return;
        }
        assert!(
            began_at.elapsed() < Duration::from_mins(2),
            "{left} keys are left, not {keys}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_context_takes_a_kibibyte_at_most() {
    let server = Redis::temporary(Server::default()).await.unwrap();
    let store = connect(&server.url(), "foreshow").await;
    // Its ends age out at once.
    let forgetful = RedisOptions {
        keep_outcomes: Duration::from_secs(1),
        ..options("foreshow")
    };
    let url = RedisUrl::parse(&server.url()).unwrap();
    let forgetful = RedisStore::connect(&url, forgetful).await.unwrap();
    // What there is once: scripts, connections, the shards.
    for number in 0..64 {
        bring_live(&store, &forgetful, number).await;
    }
    let settle_down = async |contexts: u64| {
        store.close().await.unwrap();
        forgetful.close().await.unwrap();
        // The history is capped, so it is no part of what a context costs.
        for shard in 0..16 {
            let key = format!("foreshow:{{ix:{shard:02}}}:history");
            server.call(&["DEL", &key]).await.unwrap();
        }
        // Records, three keys of index a shard, one set.
        wait_until_forgotten(&server, contexts + 3 * 16 + 1).await;
        used_memory(&server).await
    };
    let before = settle_down(64).await;
    stream::iter(64..64 + CONTEXTS)
        .for_each_concurrent(32, |number| bring_live(&store, &forgetful, number))
        .await;
    let after = settle_down(64 + CONTEXTS).await;
    let each = (after - before) / CONTEXTS;
    let record = format!("foreshow:{{c:{}}}", name(100));
    let encoding = server.call(&["OBJECT", "ENCODING", &record]).await.unwrap();
    let of_record = server.call(&["MEMORY", "USAGE", &record]).await.unwrap();
    eprintln!(
        "an idle context takes {each} bytes of Redis's memory, its record {} of them",
        of_record.text()
    );
    assert_eq!(encoding.text(), "listpack");
    assert!(each <= 1_024, "{each} bytes");
}
