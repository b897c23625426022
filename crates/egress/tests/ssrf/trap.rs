//! A listener that must hear nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// Hears whoever connects to any address of this machine at its port.
pub(crate) struct Trap {
    listener: TcpListener,
    pub(crate) port: u16,
}

impl Trap {
    pub(crate) async fn set() -> Self {
        // Where there is IPv6, this hears IPv4 as well.
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
        };
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// The next to connect.
    pub(crate) async fn hear(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// Who has connected up to now. Connections queue in their order, so whoever comes before one of our own was there before.
    pub(crate) async fn heard(&self) -> Vec<SocketAddr> {
        let ours = soon(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)))
            .await
            .unwrap();
        let ours = ours.local_addr().unwrap();
        let mut strangers = Vec::new();
        loop {
            let peer = soon(self.listener.accept()).await.unwrap().1;
            let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
            if peer == ours {
                return strangers;
            }
            strangers.push(peer);
        }
    }

    pub(crate) async fn heard_nothing(&self) {
        assert_eq!(self.heard().await, [], "somebody was called");
    }
}

/// Long enough for a machine that is busy.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), what)
        .await
        .expect("this takes a moment at most")
}

#[tokio::test]
async fn a_trap_hears_a_call() {
    let trap = Trap::set().await;
    trap.heard_nothing().await;
    let caller = soon(TcpStream::connect(("127.0.0.2", trap.port)))
        .await
        .unwrap();
    assert_eq!(trap.heard().await, [caller.local_addr().unwrap()]);
}
