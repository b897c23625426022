//! Faults: what a client sees, and what really happened.

use std::time::{Duration, Instant};

use foreshow_simulators::{
    core::{Fault, FaultKind, RateHint, RateLimit},
    vercel::VercelOperation as Op,
};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{World, answered, body, code};

fn deployments(world: &World) -> usize {
    world.simulator.state()["deployments"]
        .as_array()
        .unwrap()
        .len()
}

#[tokio::test]
async fn a_reset_comes_before_or_after_the_deed_and_without_a_byte() {
    let world = World::start().await;
    for (fault, deeds) in [(FaultKind::ResetBefore, 0), (FaultKind::ResetAfter, 1)] {
        world.simulator.clear_ledger();
        world
            .simulator
            .fault(Fault::new(fault.clone()).on(Op::CreateDeployment).times(1));
        let request = world
            .request(Method::POST, "/v13/deployments")
            .json(&body(&[("index.html", "x")], json!({})));
        let error = request.send().await.expect_err("the connection is cut");
        assert!(error.is_request() && error.status().is_none(), "{error:?}");
        assert_eq!(deployments(&world), deeds, "{fault:?}");
        let calls = world.simulator.calls_of(Op::CreateDeployment);
        assert_eq!(
            (calls[0].status, calls[0].fault),
            (None, Some(fault.name()))
        );
    }
    assert_eq!(world.get("/v2/user").await.0, 200);
}

#[tokio::test]
async fn a_cut_connection_is_reset_rather_than_closed() {
    let world = World::start().await;
    world
        .simulator
        .fault(Fault::new(FaultKind::ResetAfter).on(Op::GetUser));
    let mut stream = TcpStream::connect(world.simulator.address()).await.unwrap();
    stream
        .write_all(b"GET /v2/user HTTP/1.1\r\nHost: api\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(crate::harness::SOON, stream.read_to_end(&mut answer)).await;
    let error = read
        .expect("it is cut")
        .expect_err("it is not closed in peace");
    assert_eq!(
        (error.kind(), answer.len()),
        (std::io::ErrorKind::ConnectionReset, 0)
    );
}

#[tokio::test]
async fn a_call_that_hangs_is_in_the_ledger_without_an_answer_and_stopping_cuts_it() {
    let world = World::start().await;
    world
        .simulator
        .fault(Fault::new(FaultKind::Hang).on(Op::GetUser));
    let request = world.request(Method::GET, "/v2/user");
    let hanging = tokio::spawn(async move { request.send().await });
    let began = Instant::now();
    while world.simulator.calls_of(Op::GetUser).is_empty() {
        assert!(began.elapsed() < crate::harness::SOON);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let calls = world.simulator.calls_of(Op::GetUser);
    assert_eq!((calls[0].status, calls[0].fault), (None, Some("hang")));
    assert!(!hanging.is_finished());
    world.simulator.stop().await;
    let ended = tokio::time::timeout(crate::harness::SOON, hanging)
        .await
        .expect("it is cut")
        .unwrap();
    assert!(ended.is_err());
}

#[tokio::test]
async fn statuses_come_in_the_vendors_words_or_as_a_page_and_may_hide_a_deed() {
    let world = World::start().await;
    world.simulator.fault(Fault::status(500).times(1));
    assert_eq!(
        code(&world.get("/v2/user").await),
        (500, "internal_server_error")
    );
    world.simulator.fault(
        Fault::new(FaultKind::Status {
            status: 402,
            code: Some("payment_failed".to_owned()),
            message: None,
            is_done: false,
        })
        .times(1),
    );
    assert_eq!(code(&world.get("/v2/user").await), (402, "payment_failed"));

    world.simulator.fault(
        Fault::new(FaultKind::Html {
            status: 502,
            is_done: true,
        })
        .on(Op::CreateDeployment)
        .times(1),
    );
    let request = world
        .request(Method::POST, "/v13/deployments")
        .json(&body(&[("index.html", "x")], json!({})));
    let response = request.send().await.unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["content-type"].to_str().unwrap()
        ),
        (502, "text/html")
    );
    assert_eq!(deployments(&world), 1);
}

#[tokio::test]
async fn rate_limits_hint_in_every_style() {
    let world = World::start().await;
    for (hint, retry_after, body_hints) in [
        (RateHint::None, None, false),
        (
            RateHint::RetryAfter {
                seconds: Some(3),
                as_date: false,
            },
            Some("3"),
            false,
        ),
        (RateHint::Vendor, None, true),
        (RateHint::Far, Some("86400"), true),
    ] {
        world.simulator.fault(Fault::rate_limit(hint).times(1));
        let response = world.request(Method::GET, "/v2/user").send().await.unwrap();
        assert_eq!(response.status().as_u16(), 429);
        let told = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told.as_deref(), retry_after, "{hint:?}");
        assert_eq!(
            response.headers().contains_key("x-ratelimit-reset"),
            body_hints
        );
        let told: serde_json::Value =
            serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(told["error"].get("limit").is_some(), body_hints, "{told}");
    }
    world.simulator.fault(
        Fault::rate_limit(RateHint::RetryAfter {
            seconds: Some(3),
            as_date: true,
        })
        .times(1),
    );
    let response = world.request(Method::GET, "/v2/user").send().await.unwrap();
    assert!(httpdate::parse_http_date(response.headers()["retry-after"].to_str().unwrap()).is_ok());
}

#[tokio::test]
async fn a_limit_with_a_window_counts() {
    let world = World::start().await;
    let limit = RateLimit {
        hint: RateHint::Vendor,
        limit: 2,
        window_ms: 3_600_000,
    };
    let id = world
        .simulator
        .fault(Fault::new(FaultKind::RateLimit(limit)).on(Op::GetUser));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(world.get("/v2/user").await.0);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(
        world.get("/v2/teams").await.0,
        200,
        "another operation is not limited"
    );
    assert!(world.simulator.clear_fault(id));
    assert_eq!(world.get("/v2/user").await.0, 200);
}

#[tokio::test]
async fn broken_and_endless_answers_still_did_what_was_asked() {
    let world = World::start().await;
    world.simulator.fault(
        Fault::new(FaultKind::MalformedJson)
            .on(Op::CreateDeployment)
            .times(1),
    );
    let request = world
        .request(Method::POST, "/v13/deployments")
        .json(&body(&[("index.html", "x")], json!({})));
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(
        serde_json::from_str::<serde_json::Value>(&text).is_err(),
        "{text}"
    );
    assert_eq!(deployments(&world), 1);

    world
        .simulator
        .fault(Fault::new(FaultKind::HugeBody { bytes: 1_000_000 }).times(1));
    let text = world
        .request(Method::GET, "/v2/user")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(text.len() > 1_000_000 && serde_json::from_str::<serde_json::Value>(&text).is_ok());
}

#[tokio::test]
async fn a_slow_call_takes_its_time_and_is_answered() {
    let world = World::start().await;
    world
        .simulator
        .fault(Fault::new(FaultKind::Slow { ms: 100 }).times(1));
    let (status, _) = answered(world.request(Method::GET, "/v2/user")).await;
    let call = &world.simulator.ledger()[0];
    assert_eq!((status, call.fault), (200, Some("slow")));
    assert!(call.answered_at_ms.unwrap() - call.at_ms >= 100);
}
