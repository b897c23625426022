//! A TCP proxy on loopback that loses what a network loses: what stands between a worker and a server in a chaos run.
//!
//! Each direction has a [`Flow`], switched while connections are open. A proxy keeps TCP's promise or breaks the connection: one
//! that has swallowed bytes is never carried on, for whoever reads it would take the next message's middle for its beginning;
//! when the weather clears it is reset. What is delayed, stalled or limited arrives in order and whole.
//!
//! It is a stand-in for a network, not a network: packets are not lost one by one (that takes the kernel's traffic control),
//! and a connection that is swallowed was always open before.

mod line;
#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// What becomes of the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They pass.
    #[default]
    Pass,
    /// They pass, each so much later.
    Delay(Duration),
    /// They wait; senders feel it once the buffers between are full.
    Stall,
    /// They are taken and lost, and so is the end of the connection: its other side never hears of it.
    Swallow,
    /// So many bytes pass in a second.
    Limit(u32),
}

/// The state of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// From the client to the server.
    pub up: Flow,
    /// From the server to the client.
    pub down: Flow,
    /// Whether new connections are refused.
    pub refuses: bool,
}

impl Weather {
    /// The same in both directions.
    pub fn both(flow: Flow) -> Self {
        Self {
            up: flow,
            down: flow,
            refuses: false,
        }
    }

    /// No new connection comes through; those that are open go on.
    pub fn refusing() -> Self {
        Self {
            refuses: true,
            ..Self::default()
        }
    }
}

/// What goes on inside.
#[derive(Debug, Default)]
struct Counts {
    open: AtomicU64,
    swallowed: AtomicU64,
}

/// What every connection looks at.
#[derive(Clone, Copy, Debug, Default)]
struct Sky {
    weather: Weather,
    /// Connections from before this were cut.
    cuts: u64,
}

/// A proxy that runs. Dropping it ends it, and its connections with a reset.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    sky: watch::Sender<Sky>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface and leads to `server`.
    ///
    /// # Panics
    /// Where no port can be had.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port of the loopback interface can be had");
        let address = listener.local_addr().expect("a listener has an address");
        let (sky, watched) = watch::channel(Sky::default());
        let counts = Arc::<Counts>::default();
        let task = tokio::spawn(listen(
            listener,
            address,
            server,
            watched,
            Arc::clone(&counts),
        ));
        Self {
            address,
            sky,
            counts,
            task,
        }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Switches the weather.
    pub fn set(&self, weather: Weather) {
        self.sky.send_modify(|sky| sky.weather = weather);
    }

    /// Resets every connection that is open now; the weather stays.
    pub fn cut(&self) {
        self.sky.send_modify(|sky| sky.cuts += 1);
    }

    /// Clears the weather.
    pub fn heal(&self) {
        self.set(Weather::default());
    }

    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Bytes that were swallowed so far.
    pub fn swallowed(&self) -> u64 {
        self.counts.swallowed.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    listener: TcpListener,
    address: SocketAddr,
    server: SocketAddr,
    mut sky: watch::Receiver<Sky>,
    counts: Arc<Counts>,
) {
    let mut lines = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        let refuses = sky.borrow_and_update().weather.refuses;
        if refuses {
            // Without a listener the system refuses by itself, as it does where no server runs.
            listener = None;
        }
        let Some(listening) = &listener else {
            if refuses {
                if sky.changed().await.is_err() {
                    return;
                }
            } else {
                listener = TcpListener::bind(address).await.ok();
                if listener.is_none() {
                    sleep(Duration::from_millis(20)).await;
                }
            }
            continue;
        };
        tokio::select! {
            changed = sky.changed() => if changed.is_err() { return },
            Some(_ended) = lines.join_next() => {}
            accepted = listening.accept() => if let Ok((client, _)) = accepted {
                let (sky, counts) = (sky.clone(), Arc::clone(&counts));
                lines.spawn(async move {
                    counts.open.fetch_add(1, Ordering::Relaxed);
                    lead(client, server, sky, &counts).await;
                    counts.open.fetch_sub(1, Ordering::Relaxed);
                });
            },
        }
    }
}

/// Leads one client to the server, until either side ends, or the line is cut.
async fn lead(client: TcpStream, server: SocketAddr, sky: watch::Receiver<Sky>, counts: &Counts) {
    let began = sky.borrow().cuts;
    let Ok(server) = TcpStream::connect(server).await else {
        client.set_zero_linger().ok();
        return;
    };
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
    }
    line::carry(client, server, sky, began, counts).await;
}
