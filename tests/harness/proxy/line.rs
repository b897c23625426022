//! One connection: two directions, each a reader that stamps what comes and a writer that lets it go when the weather says so.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{Counts, Flow, Sky, Weather};

/// Chunks on their way in one direction: what a network holds.
const IN_FLIGHT: usize = 256;

/// Which direction.
#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

impl Way {
    fn flow(self, weather: Weather) -> Flow {
        match self {
            Self::Up => weather.up,
            Self::Down => weather.down,
        }
    }
}

/// Bytes, or with none the end, and when they came.
struct Chunk {
    came_at: Instant,
    bytes: Vec<u8>,
}

/// How a direction ended.
enum Ended {
    /// Its sender had no more to say, and its receiver knows.
    Closed,
    /// It must not be carried on.
    Broken,
}

/// Carries both directions until both have ended, or one is broken, or the line is cut.
pub(super) async fn carry(
    client: TcpStream,
    server: TcpStream,
    sky: watch::Receiver<Sky>,
    began: u64,
    counts: &Counts,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let ended = {
        let up = direction(
            Way::Up,
            &mut from_client,
            &mut to_server,
            sky.clone(),
            counts,
        );
        let down = direction(
            Way::Down,
            &mut from_server,
            &mut to_client,
            sky.clone(),
            counts,
        );
        tokio::pin!(up, down);
        let both = async {
            let (first, is_up) = tokio::select! {
                ended = &mut up => (ended, true),
                ended = &mut down => (ended, false),
            };
            match first {
                Ended::Broken => Ended::Broken,
                Ended::Closed if is_up => down.await,
                Ended::Closed => up.await,
            }
        };
        let mut cut = sky;
        // An error says that the proxy is being dropped.
        let is_cut = cut.wait_for(|sky| sky.cuts > began);
        tokio::select! {
            ended = both => ended,
            _ = is_cut => Ended::Broken,
        }
    };
    if matches!(ended, Ended::Broken) {
        for end in [&to_client, &to_server] {
            let stream: &TcpStream = end.as_ref();
            stream.set_zero_linger().ok();
        }
        // Dropped as they are they would say goodbye first.
        for end in [to_client, to_server] {
            end.forget();
        }
    }
}

async fn direction(
    way: Way,
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    sky: watch::Receiver<Sky>,
    counts: &Counts,
) -> Ended {
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let ((), ended) = tokio::join!(read(from, sender), write(way, receiver, to, sky, counts));
    ended
}

/// Stamps what comes. An end, or an error, is a chunk without bytes.
async fn read(from: &mut OwnedReadHalf, to: mpsc::Sender<Chunk>) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            () = to.closed() => return,
        };
        let chunk = Chunk {
            came_at: Instant::now(),
            bytes: buffer[..read].to_vec(),
        };
        if to.send(chunk).await.is_err() || read == 0 {
            return;
        }
    }
}

async fn write(
    way: Way,
    mut chunks: mpsc::Receiver<Chunk>,
    to: &mut OwnedWriteHalf,
    mut sky: watch::Receiver<Sky>,
    counts: &Counts,
) -> Ended {
    let mut has_swallowed = false;
    loop {
        let chunk = tokio::select! {
            biased;
            () = clears(way, sky.clone()), if has_swallowed => return Ended::Broken,
            chunk = chunks.recv() => chunk,
        };
        let Some(Chunk { came_at, bytes }) = chunk else {
            if has_swallowed {
                clears(way, sky).await;
            }
            return Ended::Broken;
        };
        let pace = loop {
            let flow = way.flow(sky.borrow_and_update().weather);
            match flow {
                Flow::Pass if has_swallowed => return Ended::Broken,
                Flow::Pass => break None,
                Flow::Delay(by) => {
                    tokio::select! {
                        () = sleep_until(came_at + by) => break None,
                        changed = sky.changed() => if changed.is_err() { return Ended::Broken },
                    }
                }
                Flow::Limit(bytes_per_second) => break Some(bytes_per_second.max(1)),
                Flow::Swallow => {
                    has_swallowed = true;
                    break None;
                }
                Flow::Stall => {
                    if sky.changed().await.is_err() {
                        return Ended::Broken;
                    }
                }
            }
        };
        if has_swallowed {
            counts
                .swallowed
                .fetch_add(bytes.len() as u64, Ordering::Relaxed);
            continue;
        }
        if bytes.is_empty() {
            return match to.shutdown().await {
                Ok(()) => Ended::Closed,
                Err(_) => Ended::Broken,
            };
        }
        if to.write_all(&bytes).await.is_err() {
            return Ended::Broken;
        }
        if let Some(bytes_per_second) = pace {
            let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            sleep(Duration::from_secs_f64(
                f64::from(count) / f64::from(bytes_per_second),
            ))
            .await;
        }
    }
}

/// Returns once the weather swallows no more.
async fn clears(way: Way, mut sky: watch::Receiver<Sky>) {
    // An error says that the proxy is being dropped.
    sky.wait_for(|sky| way.flow(sky.weather) != Flow::Swallow)
        .await
        .ok();
}
