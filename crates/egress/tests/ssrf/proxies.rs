//! The environment's proxies must see nothing: a proxy would resolve and connect in our stead.
//!
//! The environment belongs to the whole process, so each test runs itself once more, as a child whose environment names a trap
//! as the proxy of everything.

use std::env;
use std::process::Command;
use std::sync::Arc;

use foreshow_egress::Egress;
use reqwest::Method;

use crate::answers::Answers;
use crate::case::ADDRESS;
use crate::server::{Server, allowing};
use crate::trap::{Trap, soon};

const CHILD: &str = "FORESHOW_EGRESS_TEST_PROXIED";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Runs a test as a child, with this trap as its proxy.
async fn proxied(test: &str, trap: &Trap) {
    let proxy = format!("http://127.0.0.1:{}", trap.port);
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .env_remove("REQUEST_METHOD")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env(name, &proxy);
        command.env(name.to_lowercase(), &proxy);
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = soon(output).await.unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

#[tokio::test]
async fn proxies_of_the_environment_see_nothing() {
    if !is_child() {
        let trap = Trap::set().await;
        proxied("proxies::proxies_of_the_environment_see_nothing", &trap).await;
        trap.heard_nothing().await;
        return;
    }
    // Straight to a server that is allowed,
    let server = Server::answering(OK).await;
    let answers = Answers::of("bundles.example", &["127.0.0.1"]);
    answers.then("inner.example", &["10.0.0.1"]);
    let egress = server.egress(answers);
    for host in ["127.0.0.1", "bundles.example"] {
        let target = egress
            .check(&format!("http://{host}:{}/", server.port))
            .unwrap();
        let response = soon(egress.request(Method::GET, &target).send()).await;
        assert_eq!(response.unwrap().status(), 200);
    }
    assert_eq!(server.asked().len(), 2);
    // and to what is not allowed, neither straight nor otherwise.
    for scheme in ["http", "https"] {
        let target = egress
            .check(&format!("{scheme}://inner.example:{}/", server.port))
            .unwrap();
        let error = soon(egress.request(Method::GET, &target).send())
            .await
            .unwrap_err();
        assert_eq!(Egress::refusal(&error).unwrap().code(), ADDRESS);
    }
    // The system's resolver is no other client.
    let egress = Egress::try_new(&allowing(server.port, &["127.0.0.1/32"])).unwrap();
    let target = egress.check(&server.url("/")).unwrap();
    let response = soon(egress.request(Method::GET, &target).send()).await;
    assert_eq!(response.unwrap().status(), 200);
}

/// That the test above can fail: without the guard, the same environment sends everything to the trap.
#[tokio::test]
async fn a_client_without_a_guard_goes_through_the_proxy() {
    if !is_child() {
        let trap = Arc::new(Trap::set().await);
        let hearing = tokio::spawn({
            let trap = Arc::clone(&trap);
            async move { drop(trap.hear().await) }
        });
        proxied(
            "proxies::a_client_without_a_guard_goes_through_the_proxy",
            &trap,
        )
        .await;
        soon(hearing).await.unwrap();
        return;
    }
    let client = foreshow_tls::public(None).unwrap().build().unwrap();
    let sent = soon(client.get("http://bundles.example/").send()).await;
    // The trap hangs up.
    sent.unwrap_err();
}
