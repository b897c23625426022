//! Answers that change. There is one question per connection and nothing between answer and dial, so there is no moment at
//! which a change would help.

use std::sync::Arc;

use foreshow_egress::Egress;
use reqwest::{Method, StatusCode};

use crate::answers::Answers;
use crate::case::{ADDRESS, options};
use crate::server::Server;
use crate::trap::{Trap, soon};

const CLOSED: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
const KEPT: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const NAME: &str = "rebinding.example";

/// Asks once, and reads to the end, so that a connection that is kept is free again.
async fn get(egress: &Egress, url: &str) -> Result<StatusCode, reqwest::Error> {
    let target = egress.check(url).unwrap();
    let response = soon(egress.request(Method::GET, &target).send()).await?;
    let status = response.status();
    soon(response.bytes()).await?;
    Ok(status)
}

#[tokio::test]
async fn a_name_that_turns_inward_is_refused_at_its_next_connect() {
    let server = Server::answering(CLOSED).await;
    let answers = Answers::of(NAME, &["127.0.0.1"]);
    answers.then(NAME, &["127.0.0.2"]);
    let egress = server.egress(Arc::clone(&answers));
    let url = format!("http://{NAME}:{}/", server.port);

    assert_eq!(get(&egress, &url).await.unwrap(), 200);
    assert_eq!(answers.asked(NAME), 1);
    let error = get(&egress, &url).await.unwrap_err();
    assert_eq!(Egress::refusal(&error).unwrap().code(), ADDRESS);
    assert_eq!(answers.asked(NAME), 2);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_name_that_turns_inward_after_it_was_checked_is_not_called() {
    let trap = Trap::set().await;
    let answers = Answers::of(NAME, &["93.184.216.34"]);
    let egress = Egress::with_resolver(&options(trap.port), answers.clone()).unwrap();
    let target = egress
        .check(&format!("http://{NAME}:{}/", trap.port))
        .unwrap();
    // Checking asks nothing: an answer from before would be no use.
    assert_eq!(answers.asked(NAME), 0);
    let answers = Answers::of(NAME, &["127.0.0.1"]);
    let egress = Egress::with_resolver(&options(trap.port), answers.clone()).unwrap();
    let error = soon(egress.request(Method::GET, &target).send())
        .await
        .unwrap_err();
    assert_eq!(Egress::refusal(&error).unwrap().code(), ADDRESS);
    assert_eq!(answers.asked(NAME), 1);
    trap.heard_nothing().await;
}

#[tokio::test]
async fn a_connection_asks_once_and_dials_what_was_answered() {
    let server = Server::answering(CLOSED).await;
    let answers = Answers::of(NAME, &["127.0.0.1"]);
    // A second question would be answered otherwise.
    answers.then(NAME, &["10.0.0.1"]);
    let egress = server.egress(Arc::clone(&answers));
    let url = format!("http://{NAME}:{}/", server.port);
    assert_eq!(get(&egress, &url).await.unwrap(), 200);
    assert_eq!(answers.asked(NAME), 1);
    assert!(server.asked()[0].contains(&format!("host: {NAME}:{}\r\n", server.port)));
}

#[tokio::test]
async fn a_kept_connection_stays_where_it_was_checked() {
    let server = Server::answering(KEPT).await;
    let answers = Answers::of(NAME, &["127.0.0.1"]);
    answers.then(NAME, &["127.0.0.2"]);
    let egress = server.egress(Arc::clone(&answers));
    let url = format!("http://{NAME}:{}/", server.port);
    for _ in 0..3 {
        assert_eq!(get(&egress, &url).await.unwrap(), 200);
    }
    assert_eq!(answers.asked(NAME), 1);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn the_systems_own_answers_are_checked_as_well() {
    let trap = Trap::set().await;
    let egress = Egress::try_new(&options(trap.port)).unwrap();
    for host in ["localhost", "LOCALHOST"] {
        let error = get(&egress, &format!("http://{host}:{}/", trap.port))
            .await
            .unwrap_err();
        assert_eq!(
            Egress::refusal(&error).unwrap().code(),
            ADDRESS,
            "{error:?}"
        );
    }
    trap.heard_nothing().await;
}

#[tokio::test]
async fn what_fails_for_another_reason_is_no_refusal() {
    let server = Server::answering("rubbish\r\n\r\n").await;
    let egress = server.egress(Arc::default());
    for url in [
        server.url("/"),
        format!("http://unknown.example:{}/", server.port),
    ] {
        let error = get(&egress, &url).await.unwrap_err();
        assert!(Egress::refusal(&error).is_none(), "{error:?}");
    }
}
