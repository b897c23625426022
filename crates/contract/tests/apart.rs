//! Names that look alike, or try to be more than a name: each is its own context everywhere, or is refused.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

use std::collections::BTreeMap;

use foreshow_contract::{
    ContextKey, EventKind, InstallationKey, OutcomeKind, OutcomeMark, RejectedEvent, Revision,
    event_routing_key, rejected_id, result_id, routing_key,
};
use proptest::prelude::*;

/// Pairs of tenant and context, no two of which are the same bytes. An id is its bytes: nothing is folded, trimmed or composed.
fn lookalikes() -> Vec<(String, String)> {
    let pairs = [
        ("acme", "site"),
        ("Acme", "site"),
        ("acme", "Site"),
        ("acme.site", "x"),
        ("acme", "site.x"),
        ("acme/site", "x"),
        ("acme", "site/x"),
        ("acme%2Fsite", "x"),
        ("acme~2Fsite", "x"),
        ("acme", ".."),
        ("acme", "."),
        ("acme", "site."),
        ("acme", "site "),
        ("acme", " site"),
        ("acme", "site\t"),
        ("acme", "site\n"),
        ("acme", "site\0"),
        ("acme\0", "site"),
        ("acme", "*"),
        ("acme", "#"),
        ("#", "site"),
        ("acme", "{site}"),
        ("{acme}", "site"),
        ("acme", "caf\u{e9}"),
        ("acme", "cafe\u{301}"),
        ("acme", "\u{202e}etis"),
        ("acme", "si\u{200d}te"),
        ("acme", "\u{ff53}\u{ff49}\u{ff54}\u{ff45}"),
        ("acme", "s\u{456}te"),
        ("acme", "\u{1f680}"),
        ("unknown", "unknown"),
        ("acme", "unknown"),
        ("acme", "site:7u"),
        ("acme", "site/7/updated/ready"),
    ];
    pairs
        .map(|(tenant, context)| (tenant.to_owned(), context.to_owned()))
        .into()
}

fn installation() -> InstallationKey {
    InstallationKey::try_from_slice(&[7; 32]).unwrap()
}

/// All that is made of a context's name, by what it is for.
fn derived(key: &ContextKey) -> Vec<(&'static str, String)> {
    let revision = Revision::try_new(7).unwrap();
    let installation = installation();
    vec![
        ("key", key.to_string()),
        (
            "routing key",
            routing_key(OutcomeKind::Ready, Some(&key.tenant), Some(&key.context)),
        ),
        (
            "result id",
            result_id(key, revision, EventKind::Update, OutcomeMark::Ready, 0),
        ),
        ("alias", installation.alias_label(key).to_string()),
        (
            "label",
            installation.revision_label(key, revision).to_string(),
        ),
    ]
}

#[test]
fn names_that_look_alike_share_nothing() {
    let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut event_keys: BTreeMap<String, String> = BTreeMap::new();
    for (tenant, context) in lookalikes() {
        let key = ContextKey::try_new(&tenant, &context).unwrap();
        for (what, name) in derived(&key) {
            let other = seen.insert(format!("{what}: {name}"), (tenant.clone(), context.clone()));
            assert_eq!(
                other, None,
                "{what} {name} is also of {tenant:?} {context:?}"
            );
            assert!(
                !name.contains(['{', '}', '\0', '\n', '*', '#', '%', ' ']),
                "{name}"
            );
        }
        let event_key = event_routing_key(EventKind::Update, &key.tenant);
        assert_eq!(event_key.split('.').count(), 3, "{event_key}");
        let of = event_keys
            .entry(event_key)
            .or_insert_with(|| tenant.clone());
        assert_eq!(*of, tenant);
    }
}

#[test]
fn what_does_not_fit_is_refused_and_never_cut() {
    let long = "x".repeat(300);
    assert!(ContextKey::try_new(&long, "c").is_err());
    assert!(ContextKey::try_new("t", &long).is_err());
    assert!(ContextKey::try_new("", "c").is_err());
    // As long as can be, and one byte apart at the very end.
    let (one, other) = ("x".repeat(160), format!("{}y", "x".repeat(159)));
    let one = ContextKey::try_new("t", &one).unwrap();
    let other = ContextKey::try_new("t", &other).unwrap();
    for ((what, mine), (_, theirs)) in derived(&one).into_iter().zip(derived(&other)) {
        assert_ne!(mine, theirs, "{what}");
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-b./~%]{1,4}", ".{1,5}", "[A-Ca-c]{1,3}"]
}

proptest! {
    #[test]
    fn different_names_share_nothing(one in (name(), name()), other in (name(), name())) {
        let key = |(tenant, context): &(String, String)| ContextKey::try_new(tenant, context).unwrap();
        let (mine, theirs) = (derived(&key(&one)), derived(&key(&other)));
        for ((what, mine), (_, theirs)) in mine.into_iter().zip(theirs) {
            prop_assert_eq!(mine == theirs, one == other, "{} {}", what, mine);
        }
    }

    #[test]
    fn refused_events_of_different_names_have_different_ids(
        one in ("[a-b\0/]{1,3}", "[a-b\0/]{1,3}"), other in ("[a-b\0/]{1,3}", "[a-b\0/]{1,3}"),
    ) {
        let id = |(source, id): &(String, String)| {
            let read = |text: &String| Some(text.clone()).filter(|text| !text.contains(char::is_control));
            rejected_id(&RejectedEvent {
                source: read(source),
                id: read(id),
                body_digest: format!("{source:?} {id:?}, some digest that is long enough"),
                ..RejectedEvent::default()
            })
        };
        prop_assert_eq!(id(&one) == id(&other), one == other);
    }
}
