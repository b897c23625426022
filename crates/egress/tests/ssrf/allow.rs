//! The list of what is let through lets exactly that through.

use std::sync::Arc;

use foreshow_egress::Egress;
use reqwest::Method;

use crate::answers::Answers;
use crate::case::{ADDRESS, URL};
use crate::server::{Server, allowing};
use crate::trap::{Trap, soon};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn an_allowed_address_is_reached_and_its_neighbours_are_not() {
    let server = Server::answering(OK).await;
    let egress = server.egress(Arc::default());
    let target = egress.check(&server.url("/")).unwrap();
    let response = soon(egress.request(Method::GET, &target).send()).await;
    assert_eq!(response.unwrap().status(), 200);

    let trap = Trap::set().await;
    let egress = Egress::try_new(&allowing(trap.port, &["127.0.0.1/32"])).unwrap();
    for host in ["127.0.0.0", "127.0.0.2", "0.0.0.0", "10.0.0.1", "[::1]"] {
        let refused = egress.check(&format!("http://{host}:{}/", trap.port));
        assert_eq!(refused.unwrap_err().code(), ADDRESS, "{host}");
    }
    trap.heard_nothing().await;
}

#[tokio::test]
async fn an_allowed_address_is_reached_by_name() {
    let server = Server::answering(OK).await;
    let egress = server.egress(Answers::of("bundles.example", &["127.0.0.1"]));
    let url = format!("http://bundles.example:{}/a?b=c", server.port);
    let target = egress.check(&url).unwrap();
    let response = soon(egress.request(Method::GET, &target).send()).await;
    assert_eq!(response.unwrap().status(), 200);
    let asked = server.asked().remove(0);
    assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
}

#[tokio::test]
async fn a_name_with_one_address_that_is_not_allowed_is_refused() {
    let trap = Trap::set().await;
    for addresses in [
        &["127.0.0.1", "127.0.0.2"][..],
        &["127.0.0.2", "127.0.0.1"],
        &["127.0.0.1", "::1"],
        &["127.0.0.1", "::ffff:127.0.0.1"],
        &["127.0.0.1", "93.184.216.34", "10.0.0.1"],
    ] {
        let answers = Answers::of("bundles.example", addresses);
        let options = allowing(trap.port, &["127.0.0.1/32"]);
        let egress = Egress::with_resolver(&options, answers).unwrap();
        let target = egress
            .check(&format!("http://bundles.example:{}/", trap.port))
            .unwrap();
        let error = soon(egress.request(Method::GET, &target).send())
            .await
            .unwrap_err();
        assert_eq!(Egress::refusal(&error).unwrap().code(), ADDRESS);
    }
    trap.heard_nothing().await;
}

#[test]
fn a_range_of_ipv4_says_nothing_about_its_carriers() {
    let egress = Egress::try_new(&allowing(443, &["127.0.0.0/8", "10.0.0.0/8"])).unwrap();
    egress.check("https://127.9.9.9/").unwrap();
    egress.check("https://10.0.0.1/").unwrap();
    for carrier in [
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::10.0.0.1",
        "2002:7f00:1::",
        "2001:0:a00:1::",
    ] {
        let refused = egress.check(&format!("https://[{carrier}]/"));
        assert_eq!(refused.unwrap_err().code(), ADDRESS, "{carrier}");
    }
}

#[test]
fn a_carrier_is_let_through_by_a_range_of_its_own_and_that_one_alone() {
    let egress = Egress::try_new(&allowing(443, &["64:ff9b::/96", "::ffff:10.0.0.1/128"])).unwrap();
    egress.check("https://[64:ff9b::5db8:d822]/").unwrap();
    egress.check("https://[::ffff:10.0.0.1]/").unwrap();
    for refused in ["[64:ff9b:1::1]", "[::ffff:10.0.0.2]", "10.0.0.1"] {
        let refused = egress.check(&format!("https://{refused}/"));
        assert_eq!(refused.unwrap_err().code(), ADDRESS);
    }
}

#[test]
fn everything_may_be_allowed_by_family() {
    let v4 = Egress::try_new(&allowing(443, &["0.0.0.0/0"])).unwrap();
    v4.check("https://169.254.169.254/").unwrap();
    assert_eq!(v4.check("https://[::1]/").unwrap_err().code(), ADDRESS);
    let v6 = Egress::try_new(&allowing(443, &["::/0"])).unwrap();
    v6.check("https://[::1]/").unwrap();
    assert_eq!(v6.check("https://127.0.0.1/").unwrap_err().code(), ADDRESS);
}

#[test]
fn what_is_allowed_is_no_wider_for_ports_schemes_and_credentials() {
    let egress = Egress::try_new(&allowing(8080, &["127.0.0.0/8"])).unwrap();
    egress.check("http://127.0.0.1:8080/").unwrap();
    for url in [
        "http://127.0.0.1:8081/",
        "ftp://127.0.0.1:8080/",
        "http://user@127.0.0.1:8080/",
    ] {
        assert_eq!(egress.check(url).unwrap_err().code(), URL, "{url}");
    }
}
