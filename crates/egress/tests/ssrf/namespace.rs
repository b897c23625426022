//! All cases once more where every address is this machine's own.
//!
//! That a metadata service was not called can't be seen from afar. In a network namespace of its own, this test makes every
//! address a local one, so that one listener hears a call to any of them. It first shows that it can: each address is called
//! with a plain socket, and through a client whose guard is open. Then the guard is closed, and the listener must hear nothing.
//!
//! Where namespaces are not permitted, what is left is said on stderr: the cases as they are everywhere, which hear calls to
//! this machine's own addresses and demand that each refusal is the guard's, made before there is anything to dial; and the
//! count of connections in `client.rs`.

#![expect(
    clippy::print_stderr,
    reason = "whoever reads the log should know what was proved"
)]

use std::env;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use foreshow_egress::{Egress, EgressOptions};
use reqwest::Method;
use tokio::net::TcpStream;

use crate::answers::Answers;
use crate::case::{Case, options};
use crate::ranges::{self, ADDRESSES};
use crate::spellings::SPELLINGS;
use crate::trap::{Trap, soon};
use crate::urls::URLS;

const INSIDE: &str = "FORESHOW_EGRESS_TEST_NAMESPACE";
const SETUP: &str = "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && \
                     { ip -6 route add local ::/0 dev lo 2>/dev/null || true; }";

/// Whether a call to this address could be heard. The kernel connects to no group, and to no link without an interface.
fn can_be_called(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            !address.is_multicast() && !matches!(address.octets(), [127 | 255, 255, 255, 255])
        }
        IpAddr::V6(address) => !address.is_multicast() && !address.is_unicast_link_local(),
    }
}

fn in_a_namespace(script: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-rn", "sh", "-c", script]).args(arguments);
    command
}

#[test]
fn where_every_address_is_local_none_is_called() {
    if env::var_os(INSIDE).is_some() {
        run(inside());
        return;
    }
    let permitted = in_a_namespace(SETUP, &[]).output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "no network namespace can be made here, so calls to other machines' addresses can't be heard: what remains is \
             that every case is refused by the guard, and that nothing on this machine is called"
        );
        run(closed());
        return;
    }
    let exe = env::current_exe().unwrap();
    let script = format!("{SETUP} && exec \"$0\" \"$@\"");
    let name = "namespace::where_every_address_is_local_none_is_called";
    let output = in_a_namespace(
        &script,
        &[exe.to_str().unwrap(), name, "--exact", "--nocapture"],
    )
    .env(INSIDE, "1")
    .output()
    .unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
    eprintln!("{told}");
}

fn run(what: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(what);
}

async fn inside() {
    // Nobody listens there, and where IPv6 is, this machine says so itself.
    let has_v6 = TcpStream::connect("[fd00::1]:9")
        .await
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    if !has_v6 {
        eprintln!("there is no IPv6 here: calls to its addresses can't be heard");
    }
    for address in ADDRESSES {
        if address.contains(':') && !has_v6 {
            continue;
        }
        let heard = can_be_called(address.parse().unwrap());
        assert_eq!(plain(address).await, heard, "{address}, a plain socket");
        let case = ranges::literal(address);
        assert_eq!(open(case).await, heard, "{address}, an open guard");
        let case = ranges::name(vec![*address].leak());
        assert_eq!(open(case).await, heard, "{address}, a name, an open guard");
    }
    // A public address is let through by the closed guard, and heard: so would be the others.
    let trap = Trap::set().await;
    let public = Answers::of("public.example", &["93.184.216.34"]);
    let egress = Egress::with_resolver(&options(trap.port), public).unwrap();
    for host in ["public.example", "93.184.216.34"] {
        assert!(reaches(&egress, &trap, &format!("http://{host}:{}/", trap.port)).await);
    }
    closed().await;
}

async fn closed() {
    for address in ADDRESSES {
        ranges::literal(address).is_refused_and_unheard().await;
        ranges::name(vec![*address].leak())
            .is_refused_and_unheard()
            .await;
    }
    for case in SPELLINGS.iter().chain(URLS) {
        case.is_refused_and_unheard().await;
    }
}

/// Whether a plain socket is heard.
async fn plain(address: &str) -> bool {
    let trap = Trap::set().await;
    let address = SocketAddr::new(address.parse().unwrap(), trap.port);
    let connected = soon(TcpStream::connect(address)).await.is_ok();
    let heard = !trap.heard().await.is_empty();
    assert_eq!(connected, heard, "{address}");
    heard
}

/// Whether a client whose guard lets everything through is heard.
async fn open(case: Case) -> bool {
    let trap = Trap::set().await;
    let options = EgressOptions {
        allow: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        ..options(trap.port)
    };
    let egress = Egress::with_resolver(&options, case.way.resolver()).unwrap();
    reaches(&egress, &trap, &case.way.url(trap.port)).await
}

async fn reaches(egress: &Egress, trap: &Trap, url: &str) -> bool {
    let target = egress.check(url).unwrap();
    let sending = egress.request(Method::GET, &target).send();
    soon(async {
        tokio::select! {
            _ = trap.hear() => true,
            sent = sending => {
                assert!(sent.unwrap_err().is_connect());
                false
            }
        }
    })
    .await
}
