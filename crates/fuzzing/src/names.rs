//! Names of tenants and contexts, and all that is made of them: different names never share anything.

use foreshow_contract::{
    ContextKey, EventKind, HostLabel, InstallationKey, NameError, OutcomeKind, OutcomeMark,
    Revision, escape, event_routing_key, result_id, routing_key, unescape,
};
use foreshow_engine::Queue;

/// Four names, set apart by NUL: two tenants and two contexts. Then any routing key, any label.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let parts: Vec<&str> = text.split('\0').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    for raw in &parts {
        escaping(raw);
        routing(raw);
        labels(raw);
    }
    let one = ContextKey::try_new(part(0), part(1));
    let other = ContextKey::try_new(part(2), part(3));
    for key in [&one, &other] {
        match key {
            Ok(key) => assert_eq!(key.to_string().parse().as_ref(), Ok(key)),
            Err(error) => assert!(!matches!(error, NameError::NotEscaped)),
        }
    }
    if let (Ok(one), Ok(other)) = (one, other) {
        apart(&one, &other);
    }
}

fn escaping(raw: &str) {
    let escaped = escape(raw);
    assert_eq!(unescape(&escaped).as_deref(), Ok(raw));
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'~');
    assert!(escaped.bytes().all(is_word), "{escaped}");
    if let Ok(meant) = unescape(raw) {
        assert_eq!(escape(&meant), raw, "one escaped form for each name");
    }
}

/// A key goes to a queue exactly where it has the three words of one.
fn routing(key: &str) {
    let words: Vec<&str> = key.split('.').collect();
    let is_ours = match words[..] {
        ["context", kind, _] => EventKind::ALL.iter().any(|known| known.word() == kind),
        _ => false,
    };
    assert_eq!(Queue::for_routing_key(key).is_some(), is_ours, "{key}");
}

/// A label is one of DNS, and its own text.
fn labels(text: &str) {
    let Ok(label) = HostLabel::try_new(text) else {
        return;
    };
    assert_eq!(label.as_str(), text);
    assert!((1..=63).contains(&text.len()));
    let is_ldh = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    assert!(text.bytes().all(is_ldh) && !text.starts_with('-') && !text.ends_with('-'));
}

fn apart(one: &ContextKey, other: &ContextKey) {
    let installation = InstallationKey::try_from_slice(&[7; 32]).expect("32 bytes are a key");
    let revision = Revision::try_new(7).expect("7 is a revision");
    let made = |key: &ContextKey| {
        [
            key.to_string(),
            routing_key(OutcomeKind::Ready, Some(&key.tenant), Some(&key.context)),
            result_id(key, revision, EventKind::Update, OutcomeMark::Ready, 0),
            installation.alias_label(key).to_string(),
            installation.revision_label(key, revision).to_string(),
            format!(
                "{:?}",
                installation.digest("test", key.to_string().as_bytes())
            ),
        ]
    };
    for (mine, theirs) in made(one).iter().zip(&made(other)) {
        assert_eq!(
            mine == theirs,
            one == other,
            "{mine}: {one:?} and {other:?}"
        );
    }
    let event_key = |key: &ContextKey| event_routing_key(EventKind::Update, &key.tenant);
    assert_eq!(
        event_key(one) == event_key(other),
        one.tenant == other.tenant
    );
    // Neither is a beginning of the other's way: a subscription to one tenant hears nobody else.
    let alias = installation.alias_label(one);
    assert_ne!(alias, installation.revision_label(one, revision));
}
