//! Any event and any result, for what must hold for all of them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use foreshow_contract::{
    Amount, App, AttemptReport, Building, BuildingState, BundleRef, Content, ContextEnded,
    ContextEvent, ContextExpired, ContextKey, ContextReset, ContextTouched, ContextUpdated,
    CouldIgnore, DomainReport, DomainWord, Envelope, EstimatedCost, Failed, FailureCode,
    FailureReport, Framework, IgnoredFile, InlineFile, OrdinalKind, ProviderName, Ready, Rejected,
    RejectionCode, RemovalReason, Removed, ResetId, ResultBody, Retention, Revision, Routing,
    Secret, Sha256, SizeReport, SizedFile, Superseded, Timestamp, Timings, Winner,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn key() -> impl Strategy<Value = ContextKey> {
    (".{1,5}", ".{1,13}")
        .prop_map(|(tenant, context)| ContextKey::try_new(&tenant, &context).unwrap())
}

fn revision() -> impl Strategy<Value = Revision> {
    (0..=Revision::MAX.get()).prop_map(|number| Revision::try_new(number).unwrap())
}

pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()).prop_map(Timestamp::from_micros)
}

pub(crate) fn trace() -> impl Strategy<Value = (Option<String>, Option<String>)> {
    let traceparent = "00-[1-9a-f][0-9a-f]{31}-[1-9a-f][0-9a-f]{15}-[0-9a-f]{2}";
    prop_oneof![
        Just((None, None)),
        (traceparent, option::of("[a-z]{1,8}=[!-+]{1,20}"))
            .prop_map(|(parent, state)| (Some(parent), state)),
    ]
}

pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
    let subject = option::of(".{1,8}");
    // What names an event has no control characters.
    (
        "\\PC{1,20}",
        "\\PC{1,20}",
        subject,
        option::of(timestamp()),
        trace(),
    )
        .prop_map(
            |(id, source, subject, time, (traceparent, tracestate))| Envelope {
                id,
                source,
                subject,
                time,
                traceparent,
                tracestate,
            },
        )
}

fn content() -> impl Strategy<Value = Content> {
    let file = prop_oneof![
        (".{0,12}", ".{0,40}").prop_map(|(path, text)| InlineFile::text(path, text)),
        (".{0,12}", vec(any::<u8>(), 0..40))
            .prop_map(|(path, bytes)| InlineFile::from_bytes(path, bytes)),
    ];
    prop_oneof![
        vec(file, 0..4).prop_map(Content::Files),
        (".{1,40}", any::<[u8; 32]>()).prop_map(|(url, bytes)| {
            Content::Bundle(BundleRef {
                url: format!("https://{url}"),
                sha256: Sha256::from_bytes(bytes),
            })
        }),
        any::<[u8; 32]>()
            .prop_map(|bytes| Content::Bundle(BundleRef::local(Sha256::from_bytes(bytes)))),
    ]
}

fn app() -> impl Strategy<Value = App> {
    let text = || option::of(".{0,8}");
    (
        select(&Framework::ALL),
        text(),
        text(),
        text(),
        any::<bool>(),
    )
        .prop_map(
            |(framework, entrypoint, build_command, output_directory, spa_fallback)| App {
                framework,
                entrypoint,
                build_command,
                output_directory,
                spa_fallback,
            },
        )
}

fn settings() -> impl Strategy<Value = (BTreeMap<String, Secret>, App, Routing, Retention)> {
    use foreshow_contract::Strategy::{Cheapest, Fastest, Preferred, Weighted};
    let env = btree_map(".{0,8}", ".{0,20}".prop_map(Secret::new), 0..4);
    let strategy = option::of(select(&[Preferred, Cheapest, Fastest, Weighted]));
    let routing = (vec(".{1,8}".prop_map(ProviderName::from), 0..3), strategy).prop_map(
        |(providers, strategy)| Routing {
            providers,
            strategy,
        },
    );
    let retention =
        (option::of(1..=u64::MAX), option::of(1..=u32::MAX)).prop_map(|(ttl, keep)| Retention {
            ttl: ttl.map(Duration::from_secs),
            keep_revisions: keep.and_then(NonZeroU32::new),
        });
    (env, app(), routing, retention)
}

pub(crate) fn event() -> impl Strategy<Value = ContextEvent> {
    let free = (
        vec(".{0,12}", 0..3),
        option::of(".{0,4}"),
        btree_map(".{0,4}", ".{0,8}", 0..3),
    );
    let updated = (key(), revision(), content(), settings(), free).prop_map(
        |(key, revision, content, (env, app, routing, retention), (domains, variant, labels))| {
            ContextEvent::Updated(ContextUpdated {
                key,
                revision,
                content,
                env,
                app,
                routing,
                retention,
                domains,
                variant,
                labels,
            })
        },
    );
    prop_oneof![
        4 => updated,
        1 => (key(), revision(), option::of(".{0,12}"))
            .prop_map(|(key, revision, reason)| ContextEvent::Ended(ContextEnded { key, revision, reason })),
        1 => key().prop_map(|key| ContextEvent::Touched(ContextTouched { key })),
        1 => (key(), revision()).prop_map(|(key, revision)| ContextEvent::Expired(ContextExpired { key, revision })),
        1 => (key(), any::<u128>()).prop_map(|(key, id)| {
            let reset = ResetId::try_new(format!("{id:x}")).unwrap();
            ContextEvent::Reset(ContextReset { key, reset })
        }),
    ]
}

fn failure() -> impl Strategy<Value = FailureReport> {
    let provider = || option::of("[a-z]{1,8}".prop_map(ProviderName::from));
    let code = || "[a-z_]{1,12}".prop_map(FailureCode::from);
    let attempt = (any::<u32>(), timestamp(), provider(), code(), ".{0,20}").prop_map(
        |(number, at, provider, code, message)| AttemptReport {
            number,
            at,
            provider,
            code,
            message,
        },
    );
    (
        code(),
        ".{0,20}",
        provider(),
        vec(attempt, 0..3),
        vec(".{0,20}", 0..3),
    )
        .prop_map(
            |(code, message, provider, attempts, log_tail)| FailureReport {
                code,
                message,
                provider,
                attempts,
                log_tail,
            },
        )
}

fn domain() -> impl Strategy<Value = DomainReport> {
    let state = select(&[
        DomainWord::Bound,
        DomainWord::Unverified,
        DomainWord::Pending,
        DomainWord::Refused,
    ]);
    (
        ".{1,20}",
        state,
        vec(".{1,20}", 0..3),
        option::of(".{1,20}"),
    )
        .prop_map(|(domain, state, records, message)| DomainReport {
            domain,
            state,
            records,
            message,
        })
}

fn size() -> impl Strategy<Value = SizeReport> {
    let sized = (".{1,20}", any::<u64>()).prop_map(|(path, bytes)| SizedFile { path, bytes });
    let ignored = (".{1,20}", ".{1,20}").prop_map(|(path, reason)| IgnoredFile { path, reason });
    let could = (".{1,9}", any::<[u64; 2]>()).prop_map(|(pattern, [files, bytes])| CouldIgnore {
        pattern,
        files,
        bytes,
    });
    (
        any::<[u64; 3]>(),
        vec(sized, 0..3),
        vec(ignored, 0..3),
        vec(could, 0..3),
    )
        .prop_map(
            |([files, bytes, ignored], largest, ignored_first, could_ignore)| SizeReport {
                files,
                bytes,
                largest,
                ignored,
                ignored_first,
                could_ignore,
            },
        )
}

fn ready() -> impl Strategy<Value = Ready> {
    let place = (".{1,20}", ".{1,20}", "[a-z]{1,8}", ".{1,12}");
    let cost = option::of(("[A-Z]{3}", 0..=Amount::MAX.as_millionths()));
    let counts = (
        any::<bool>(),
        option::of(timestamp()),
        any::<[u64; 5]>(),
        any::<[u64; 2]>(),
        any::<u32>(),
        cost,
        vec(domain(), 0..3),
        option::of(size()),
    );
    (key(), revision(), place, counts).prop_map(
        |(key, revision, (url, alias_url, provider, deployment), counts)| {
            let (unchanged, expires_at, timings, bytes, attempts, cost, domains, size) = counts;
            let [bytes_uploaded, bytes_reused] = bytes;
            let [queued_ms, prepared_ms, uploaded_ms, built_ms, total_ms] = timings;
            Ready {
                key,
                revision,
                url,
                alias_url,
                provider: provider.into(),
                deployment_id: deployment.into(),
                unchanged,
                expires_at,
                timings: Timings {
                    queued_ms,
                    prepared_ms,
                    uploaded_ms,
                    built_ms,
                    total_ms,
                },
                bytes_uploaded,
                bytes_reused,
                attempts,
                estimated_cost: cost.map(|(currency, millionths)| EstimatedCost {
                    currency,
                    amount: Amount::from_millionths(millionths),
                }),
                domains,
                size,
            }
        },
    )
}

pub(crate) fn body() -> impl Strategy<Value = ResultBody> {
    let winner = (revision(), select(&[OrdinalKind::Update, OrdinalKind::End]))
        .prop_map(|(revision, kind)| Winner { revision, kind });
    let deployment = (option::of("[a-z]{1,8}"), option::of(".{1,12}"));
    prop_oneof![
        ready().prop_map(ResultBody::Ready),
        (key(), revision(), failure()).prop_map(|(key, revision, error)| ResultBody::Failed(
            Failed {
                key,
                revision,
                error
            }
        )),
        (key(), revision(), winner).prop_map(|(key, revision, winner)| ResultBody::Superseded(
            Superseded {
                key,
                revision,
                winner
            }
        )),
        (key(), revision(), select(&RemovalReason::ALL)).prop_map(|(key, revision, reason)| {
            ResultBody::Removed(Removed {
                key,
                revision,
                reason,
            })
        }),
        (
            key(),
            revision(),
            select(&BuildingState::ALL),
            any::<u64>(),
            deployment
        )
            .prop_map(|(key, revision, state, counter, (provider, deployment))| {
                ResultBody::Building(Building {
                    key,
                    revision,
                    state,
                    counter,
                    provider: provider.map(Into::into),
                    deployment_id: deployment.map(Into::into),
                })
            }),
        rejected().prop_map(ResultBody::Rejected),
    ]
}

fn rejected() -> impl Strategy<Value = Rejected> {
    let text = || option::of(".{0,12}");
    (
        option::of(key()),
        option::of(revision()),
        text(),
        text(),
        select(RejectionCode::ALL),
        ".{0,20}",
        text(),
    )
        .prop_map(
            |(key, revision, event_id, event_source, code, message, path)| Rejected {
                tenant_id: key.as_ref().map(|key| key.tenant.clone()),
                context_id: key.map(|key| key.context),
                revision,
                event_id,
                event_source,
                code,
                message,
                path,
            },
        )
}
