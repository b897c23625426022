//! Redirects are told, not followed, and where they lead is checked.

use std::sync::Arc;

use foreshow_egress::{Egress, EgressOptions, Refused, Target};
use reqwest::{Method, Response};

use crate::case::{ADDRESS, URL};
use crate::server::Server;
use crate::trap::{Trap, soon};

async fn is_not_followed(status: u16) {
    let trap = Trap::set().await;
    for location in [
        format!("http://127.0.0.2:{}/", trap.port),
        format!("http://[::1]:{}/", trap.port),
        format!("//127.0.0.2:{}/", trap.port),
        format!("http://2130706434:{}/", trap.port),
    ] {
        let answer = format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        );
        let server = Server::answering(answer).await;
        let options = EgressOptions {
            ports: vec![server.port, trap.port],
            ..crate::server::allowing(server.port, &["127.0.0.1/32"])
        };
        let egress =
            Egress::with_resolver(&options, Arc::<crate::answers::Answers>::default()).unwrap();
        let from = egress.check(&server.url("/bundle")).unwrap();
        let response = soon(egress.request(Method::GET, &from).send())
            .await
            .unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(server.asked().len(), 1);
        let refused = egress.redirect(&from, &response).unwrap_err();
        assert_eq!(refused.code(), ADDRESS, "{location}");
    }
    trap.heard_nothing().await;
}

macro_rules! statuses {
    ($($name:ident: $status:literal;)*) => {
        $(#[tokio::test]
        async fn $name() {
            is_not_followed($status).await;
        })*
    };
}

statuses! {
    a_301_inward_is_not_followed: 301;
    a_302_inward_is_not_followed: 302;
    a_303_inward_is_not_followed: 303;
    a_307_inward_is_not_followed: 307;
    a_308_inward_is_not_followed: 308;
}

fn redirect(from: &str, status: u16, location: &[u8]) -> Result<Option<Target>, Refused> {
    let options = EgressOptions {
        http: true,
        ..EgressOptions::default()
    };
    let egress = Egress::try_new(&options).unwrap();
    let from = egress.check(from).unwrap();
    let response = http::Response::builder()
        .status(status)
        .header("Location", location)
        .body("")
        .unwrap();
    egress.redirect(&from, &Response::from(response))
}

#[test]
fn a_redirect_is_read_relative_to_where_it_came_from() {
    let from = "https://cdn.example/bundles/latest?sig=1";
    for (location, expected) in [
        ("https://other.example/a", "https://other.example/a"),
        ("//other.example/a", "https://other.example/a"),
        ("/a?b", "https://cdn.example/a?b"),
        ("a", "https://cdn.example/bundles/a"),
        ("../a#b", "https://cdn.example/a"),
        ("", "https://cdn.example/bundles/latest?sig=1"),
    ] {
        let target = redirect(from, 302, location.as_bytes()).unwrap().unwrap();
        assert_eq!(target.url().as_str(), expected, "{location}");
    }
}

#[test]
fn https_never_becomes_http_and_http_may_become_https() {
    let downgrade = redirect("https://cdn.example/", 307, b"http://cdn.example/").unwrap_err();
    assert_eq!(downgrade.code(), URL);
    assert!(downgrade.to_string().contains("from https to http"));
    let upgrade = redirect("http://cdn.example/", 307, b"https://cdn.example/");
    assert!(upgrade.unwrap().is_some());
    assert!(
        redirect("http://cdn.example/", 307, b"http://other.example/")
            .unwrap()
            .is_some()
    );
}

#[test]
fn a_redirect_to_what_is_no_url_of_ours_is_refused() {
    for location in [
        &b"https://"[..],
        b"https://user:hunter2@cdn.example/",
        b"https://cdn.example:22/",
        b"file:///etc/passwd",
        b"data:,x",
        b"gopher://cdn.example/",
        b"https://cdn.\xff\xfe/",
    ] {
        let refused = redirect("https://cdn.example/", 301, location).unwrap_err();
        assert_eq!(refused.code(), URL, "{location:?}");
        assert!(!refused.to_string().contains("hunter2"));
    }
}

#[test]
fn other_answers_lead_nowhere() {
    for status in [200, 201, 300, 304, 305, 306, 400, 503] {
        let told = redirect("https://cdn.example/", status, b"http://127.0.0.1/");
        assert_eq!(told, Ok(None), "{status}");
    }
    let egress = Egress::try_new(&EgressOptions::default()).unwrap();
    let from = egress.check("https://cdn.example/").unwrap();
    let silent = http::Response::builder().status(302).body("").unwrap();
    assert_eq!(egress.redirect(&from, &Response::from(silent)), Ok(None));
}
