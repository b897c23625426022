//! Claims about results on their way out.

use std::time::Duration;

use foreshow_contract::{
    Building, BuildingState, ContextId, ContextKey, EventKind, Failed, FailureCode, FailureReport,
    Ordinal, OutcomeKind, RejectedEvent, Rejection, RejectionCode, ResultBody, ResultEvent,
    Revision, Superseded, TenantId, Timestamp,
};
use foreshow_engine::ResultFilter;

use super::{Adapter, failed_attempt, result, soon};

fn filter(tenant: Option<&str>, context: Option<&str>) -> ResultFilter {
    ResultFilter {
        tenant: tenant.map(|tenant| TenantId::try_new(tenant).unwrap()),
        context: context.map(|context| ContextId::try_new(context).unwrap()),
        outcome: None,
    }
}

/// Everything, a tenant's, a context's, an outcome's: each in the order of publishing.
pub async fn a_subscriber_hears_what_it_asked_for_in_order(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let mut all = broker.subscribe(ResultFilter::default()).await.unwrap();
    let mut acme = broker.subscribe(filter(Some("acme"), None)).await.unwrap();
    let mut one = broker
        .subscribe(filter(Some("acme"), Some("a")))
        .await
        .unwrap();
    let outcome = Some(OutcomeKind::Removed);
    let mut removed = broker
        .subscribe(ResultFilter {
            outcome,
            ..filter(None, Some("b"))
        })
        .await
        .unwrap();
    let results = [
        result("acme", "a", 1),
        result("other", "a", 2),
        result("acme", "b", 3),
        result("acme", "a", 4),
    ];
    broker.publish_results(&results[..1]).await.unwrap();
    broker.publish_results(&results[1..]).await.unwrap();
    broker.publish_results(&[]).await.unwrap();
    for expected in &results {
        assert_eq!(soon(all.next()).await.unwrap(), *expected);
    }
    for expected in [0, 2, 3] {
        assert_eq!(soon(acme.next()).await.unwrap(), results[expected]);
    }
    for expected in [0, 3] {
        assert_eq!(soon(one.next()).await.unwrap(), results[expected]);
    }
    assert_eq!(soon(removed.next()).await.unwrap(), results[2]);
}

/// Only what is published after it began.
pub async fn a_subscriber_hears_nothing_of_the_past(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    broker
        .publish_results(&[result("acme", "a", 1)])
        .await
        .unwrap();
    let mut results = broker.subscribe(ResultFilter::default()).await.unwrap();
    broker
        .publish_results(&[result("acme", "a", 2)])
        .await
        .unwrap();
    assert_eq!(soon(results.next()).await.unwrap(), result("acme", "a", 2));
    assert!(
        tokio::time::timeout(Duration::from_millis(100), results.next())
            .await
            .is_err()
    );
}

/// Progress, failures, rejections that name nobody; with the trace they belong to.
pub async fn a_subscriber_hears_every_kind_of_result(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let key = ContextKey::try_new("acme", "ctx/42").unwrap();
    let revision = Revision::try_new(7).unwrap();
    let of = |body| {
        let time = Timestamp::from_micros(1_790_000_000_000_001);
        ResultEvent::of(EventKind::Update, 0, body, time).unwrap()
    };
    let building = of(ResultBody::Building(Building {
        key: key.clone(),
        revision,
        state: BuildingState::Uploading,
        counter: 3,
        provider: Some("local".into()),
        deployment_id: None,
    }));
    let mut failed = of(ResultBody::Failed(Failed {
        key: key.clone(),
        revision,
        error: FailureReport {
            code: FailureCode::from("build_failed"),
            message: "ünïcode, \"quotes\" and\nlines".to_owned(),
            provider: None,
            attempts: vec![failed_attempt(1)],
            log_tail: vec!["npm ERR!".to_owned()],
        },
    }));
    failed.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    failed.tracestate = Some("congo=t61rcWkgMzE".to_owned());
    let superseded = of(ResultBody::Superseded(Superseded {
        key,
        revision,
        winner: Ordinal::update(Revision::try_new(8).unwrap()),
    }));
    let rejection = Rejection {
        code: RejectionCode::MalformedJson,
        message: "the body is not JSON".to_owned(),
        path: None,
        event: RejectedEvent {
            body_digest: "ab".repeat(32),
            ..Default::default()
        },
    };
    let rejected = ResultEvent::rejected(&rejection, Timestamp::from_micros(5));

    let mut all = broker.subscribe(ResultFilter::default()).await.unwrap();
    let mut rejections = broker
        .subscribe(ResultFilter {
            outcome: Some(OutcomeKind::Rejected),
            ..ResultFilter::default()
        })
        .await
        .unwrap();
    let results = [building, failed, superseded, rejected];
    broker.publish_results(&results).await.unwrap();
    for expected in &results {
        assert_eq!(soon(all.next()).await.unwrap(), *expected);
    }
    assert_eq!(soon(rejections.next()).await.unwrap(), results[3]);
}

/// Names are escaped where they are keys; a tenant that is called like what stands for nobody is somebody else.
pub async fn names_with_special_bytes_are_heard_by_who_asked_for_them(adapter: &dyn Adapter) {
    let broker = adapter.broker();
    let rejection = Rejection {
        code: RejectionCode::MalformedJson,
        message: "the body is not JSON".to_owned(),
        path: None,
        event: RejectedEvent::default(),
    };
    let nobodys = ResultEvent::rejected(&rejection, Timestamp::from_micros(5));
    for (tenant, context) in [("a.b", "*"), ("#", "x.y/ü"), ("unknown", "unknown")] {
        let mut theirs = broker
            .subscribe(filter(Some(tenant), Some(context)))
            .await
            .unwrap();
        let wanted = result(tenant, context, 2);
        let results = [
            result("a", "b", 1),
            nobodys.clone(),
            result(tenant, "c", 1),
            wanted.clone(),
        ];
        broker.publish_results(&results).await.unwrap();
        assert_eq!(soon(theirs.next()).await.unwrap(), wanted);
    }
}
