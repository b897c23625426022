//! What a deploy and a superseded event cost: commands, and how often one waits for another.
//!
//! A proxy in front of Redis counts. It holds each answer back for a moment, so that what is sent without waiting for an
//! answer is told from what is sent after it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use foreshow_engine::{
    Admission, Claimed, GateAnswer, GateReport, Lane, QuotaMember, Recording, Settling, Store,
};
use foreshow_servers::{Redis, RedisOptions as Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use crate::support::{
    Adapter as _, Remote, TTL, admission, ask, deployment, entry, far, gate, grant, hand_over, key,
    limited, live, make_live, ready, rebuild, revision, settlement, up,
};

/// Longer than it takes to send what goes out together.
const HELD_BACK: Duration = Duration::from_millis(60);

#[derive(Default)]
struct Counts {
    commands: AtomicU32,
    turns: AtomicU32,
}

impl Counts {
    /// Since the last time.
    fn take(&self) -> (u32, u32) {
        let commands = self.commands.swap(0, Ordering::SeqCst);
        (commands, self.turns.swap(0, Ordering::SeqCst))
    }
}

struct Proxy {
    url: String,
    counts: Arc<Counts>,
}

impl Proxy {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let heard = Arc::new(AtomicBool::new(true));
                tokio::spawn(up_stream(
                    from_client,
                    to_server,
                    Arc::clone(&heard),
                    Arc::clone(&counting),
                ));
                tokio::spawn(down_stream(from_server, to_client, heard));
            }
        });
        Self { url, counts }
    }
}

/// The connection for notices is not counted: nobody waits for its pings.
///
/// Commands are arrays of bulk strings, so each begins with `*` at the beginning of a line, and nothing that these tests
/// send has such a line inside.
async fn up_stream(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    heard: Arc<AtomicBool>,
    counts: Arc<Counts>,
) {
    let mut buffer = vec![0; 1 << 16];
    let mut before = b'\n';
    let mut is_for_notices = false;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        is_for_notices |= buffer[..read].windows(9).any(|word| word == b"SUBSCRIBE");
        for byte in &buffer[..read] {
            if *byte == b'*' && before == b'\n' && !is_for_notices {
                counts.commands.fetch_add(1, Ordering::SeqCst);
                if heard.swap(false, Ordering::SeqCst) {
                    counts.turns.fetch_add(1, Ordering::SeqCst);
                }
            }
            before = *byte;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn down_stream(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, heard: Arc<AtomicBool>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(HELD_BACK).await;
        heard.store(true, Ordering::SeqCst);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_waits_four_times_and_a_superseded_event_once() {
    let server = Redis::temporary(Server::default()).await.unwrap();
    let proxy = Proxy::before(server.port()).await;
    let direct = Remote::at(&server.url(), "foreshow").await;
    // The scripts are known to the server.
    direct
        .store
        .admit(&admission(&key("warm"), 1, direct.now()))
        .await
        .unwrap();
    let (lease, _) = grant(&direct.store, &key("warm"), up(1)).await;
    let warm = deployment("warm");
    direct
        .store
        .record_deployment(lease.id(), &warm)
        .await
        .unwrap();
    hand_over(&direct.store, &lease).await;
    make_live(&direct.store, &key("warm"), 2, far()).await;
    // A store that remembers, whose answer to the claim of a new context counts only in its order.
    rebuild(&direct.store, "nonce").await;
    direct.store.close().await.unwrap();

    let proxied = Remote::at(&proxy.url, "foreshow").await;
    let store = &proxied.store;
    let now = proxied.now();
    // A first deploy, as the engine goes about it.
    proxy.counts.take();
    let (lease, _) = grant(store, &key("a"), up(1)).await;
    assert_eq!(
        proxy.counts.take(),
        (2, 1),
        "the claim, and the index with it"
    );
    let admitted = store.admit(&admission(&key("a"), 1, now)).await.unwrap();
    assert_eq!(admitted, Admission::Admitted);
    let recorded = store
        .record_deployment(lease.id(), &deployment("dep-1"))
        .await;
    assert_eq!(recorded.unwrap(), Recording::Recorded);
    assert_eq!(proxy.counts.take(), (2, 2), "admitted, recorded");
    let went = store
        .go_live(lease.id(), &live(1, "dep-1"), far(), TTL)
        .await;
    assert_eq!(went.unwrap(), Recording::Recorded);
    let (renewal, _) = proxy.counts.take();
    let settled = store
        .settle(lease.id(), &settlement(ready("dep-1", far())))
        .await;
    assert!(matches!(settled.unwrap(), Settling::Settled { .. }));
    let (settling, _) = proxy.counts.take();
    // The result is published here. What follows is on nobody's way.
    let build = QuotaMember::Build(key("a"), revision(1));
    store.leave(&build).await.unwrap();
    store.close().await.unwrap();
    let (behind, _) = proxy.counts.take();
    let aside_from_the_renewal = 2 + 2 + settling + behind;
    eprintln!(
        "a deploy takes {aside_from_the_renewal} commands, and {renewal} to renew its lease as it goes live"
    );
    assert!(
        renewal <= 2 && aside_from_the_renewal <= 8,
        "{renewal} {settling} {behind}"
    );

    // A superseded event: the claim says so.
    proxy.counts.take();
    let Claimed::Finished(_) = ask(store, &key("a"), up(1)).await else {
        panic!()
    };
    assert_eq!(proxy.counts.take(), (2, 1), "said again");
    let (lease, _) = grant(store, &key("a"), up(5)).await;
    proxy.counts.take();
    let Claimed::Stale { .. } = ask(store, &key("a"), up(4)).await else {
        panic!()
    };
    assert_eq!(proxy.counts.take(), (2, 1), "superseded");
    hand_over(store, &lease).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_gates_are_read_at_once_and_a_nudge_is_one_command() {
    let server = Redis::temporary(Server::default()).await.unwrap();
    let proxy = Proxy::before(server.port()).await;
    let proxied = Remote::at(&proxy.url, "foreshow").await;
    let store = &proxied.store;
    let gates = ["vercel/acme", "netlify/acme"].map(|account| gate(account, Lane::Create));
    let keys = async || server.call(&["DBSIZE"]).await.unwrap().text();
    // An open gate costs nothing to keep.
    let told = store.enter_gate(&gates[0], &entry("a")).await;
    assert_eq!(told.unwrap(), GateAnswer::Open);
    let answered = GateReport::Answered { trial: false };
    store.report_gate(&gates[0], &answered).await.unwrap();
    assert_eq!(keys().await, "0");
    for gate in &gates {
        let told = store.enter_gate(gate, &limited("a", 5, 60)).await;
        assert_eq!(told.unwrap(), GateAnswer::Open);
        let wait = Duration::from_secs(9);
        let report = GateReport::Limited { wait };
        store.report_gate(gate, &report).await.unwrap();
    }
    assert_eq!(keys().await, "3", "the gates, and entries of each");
    proxy.counts.take();
    assert_eq!(store.gates().await.unwrap().len(), 2);
    assert_eq!(proxy.counts.take(), (1, 1));
    store.nudge(&key("a")).await.unwrap();
    assert_eq!(proxy.counts.take(), (1, 1));
    store
        .enter_gate(&gates[0], &limited("a", 5, 60))
        .await
        .unwrap();
    assert_eq!(proxy.counts.take(), (1, 1));
    // What was entered goes by itself.
    let left = server.call(&["TTL", "foreshow:{gates}:create/vercel/acme"]);
    let left: u64 = left.await.unwrap().text().parse().unwrap();
    assert!((60..=86_460).contains(&left), "{left}");
}
