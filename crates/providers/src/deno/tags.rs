//! How our things are recognised at Deno Deploy: an app's slug, and the labels on apps and revisions.
//!
//! One context has one app. Its slug is the keyed part of the context's alias label, so every worker finds the app without
//! asking for it, and nobody outside the installation can guess its address. Labels say whose it is, in words: they let a store
//! that lost its memory be rebuilt, and they are read back wherever a slug was enough to find something, since an organization may
//! hold apps of other people, and of other installations.
//!
//! An app takes at most five labels. A name is escaped, so what is read back is either the very name or no name at all.

use std::collections::BTreeMap;

use foreshow_contract::{ContextKey, DeploymentId, HostLabel, Revision, unescape};

use serde_json::Value;

use super::wire::Labels;

const INSTALLATION: &str = "custom.foreshow_installation";
const TENANT: &str = "custom.foreshow_tenant";
const CONTEXT: &str = "custom.foreshow_context";
const REVISION: &str = "custom.foreshow_revision";

/// What every slug of ours begins with.
const PREFIX: &str = "fs-";
/// The keyed part of a label: 26 characters, so that a slug has 29 of the 32 that the API allows.
const KEYED_CHARS: usize = 26;

/// The slug of the app that shows this alias.
pub(super) fn slug(alias: &HostLabel) -> String {
    let alias = alias.as_str();
    let keyed = &alias[alias.len().saturating_sub(KEYED_CHARS)..];
    format!("{PREFIX}{}", keyed.trim_start_matches('-'))
}

/// A deployment: a revision of Deno's, with the app it belongs to. Deno names a revision without its app, and there is no way from
/// the one to the other, so the id that Foreshow keeps names both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) app: String,
    pub(super) revision: String,
}

impl Place {
    pub(super) fn new(app: &str, revision: &str) -> Self {
        Self {
            app: app.to_owned(),
            revision: revision.to_owned(),
        }
    }

    /// `None` where the id was not made here: such a deployment does not exist.
    pub(super) fn parse(id: &DeploymentId) -> Option<Self> {
        let (app, revision) = id.as_str().split_once(':')?;
        // They become parts of a path.
        let is_word = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        (is_word(app) && is_word(revision)).then(|| Self::new(app, revision))
    }

    pub(super) fn id(&self) -> DeploymentId {
        DeploymentId::from(format!("{}:{}", self.app, self.revision))
    }
}

/// The labels of one installation.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    installation: String,
}

impl Tags {
    pub(super) fn new(installation: String) -> Self {
        Self { installation }
    }

    /// The label that every app of this installation has, and its value.
    pub(super) fn filter(&self) -> (&'static str, &str) {
        (INSTALLATION, &self.installation)
    }

    pub(super) fn of_app(&self, key: &ContextKey) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            (INSTALLATION, self.installation.clone()),
            (TENANT, key.tenant.escaped()),
            (CONTEXT, key.context.escaped()),
        ])
    }

    pub(super) fn of_revision(
        &self,
        key: &ContextKey,
        revision: Revision,
    ) -> BTreeMap<&'static str, String> {
        let mut labels = self.of_app(key);
        labels.insert(REVISION, revision.to_string());
        labels
    }

    /// The context in labels of this installation.
    pub(super) fn context(&self, labels: &Labels) -> Option<ContextKey> {
        (text(labels, INSTALLATION)? == self.installation).then_some(())?;
        let tenant = unescape(text(labels, TENANT)?).ok()?;
        let context = unescape(text(labels, CONTEXT)?).ok()?;
        ContextKey::try_new(&tenant, &context).ok()
    }

    /// The context and the revision in labels of this installation.
    pub(super) fn revision(&self, labels: &Labels) -> Option<(ContextKey, Revision)> {
        let key = self.context(labels)?;
        Some((key, text(labels, REVISION)?.parse().ok()?))
    }
}

fn text<'a>(labels: &'a Labels, name: &str) -> Option<&'a str> {
    match labels.get(name)? {
        Value::String(text) => Some(text),
        Value::Array(texts) => match texts.as_slice() {
            [Value::String(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use foreshow_contract::InstallationKey;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn labels(written: BTreeMap<&'static str, String>) -> Labels {
        serde_json::from_value(serde_json::to_value(written).unwrap()).unwrap()
    }

    fn tags() -> Tags {
        Tags::new("0123456789abcdef".to_owned())
    }

    proptest! {
        #[test]
        fn labels_are_read_as_they_were_written(tenant in ".{1,5}", context in ".{1,13}", number in 0..=Revision::MAX.get()) {
            let key = ContextKey::try_new(&tenant, &context).unwrap();
            let revision = Revision::try_new(number).unwrap();
            let written = labels(tags().of_revision(&key, revision));
            prop_assert_eq!(tags().revision(&written), Some((key.clone(), revision)));
            prop_assert_eq!(Tags::new("other".to_owned()).revision(&written), None);
            prop_assert_eq!(tags().context(&labels(tags().of_app(&key))), Some(key));
        }

        #[test]
        fn every_context_has_a_slug_that_the_api_takes(tenant in ".{1,5}", context in ".{1,13}") {
            let key = ContextKey::try_new(&tenant, &context).unwrap();
            let installation = InstallationKey::try_from_slice(&[7; 32]).unwrap();
            let slug = slug(&installation.alias_label(&key));
            prop_assert_eq!(slug.len(), 29);
            prop_assert!(slug.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')));
            prop_assert!(!slug.ends_with('-') && &slug[2..4] != "--");
        }
    }

    #[test]
    fn an_id_names_the_app_and_the_revision() {
        let place = Place::new("fs-abc", "r2ysnrrhr352");
        assert_eq!(place.id().as_str(), "fs-abc:r2ysnrrhr352");
        assert_eq!(Place::parse(&place.id()), Some(place));
        for foreign in [
            "",
            "dpl_123",
            "a:",
            ":b",
            "a:../../apps",
            "a:b?x=1",
            "a:b/c",
        ] {
            assert_eq!(
                Place::parse(&DeploymentId::from(foreign)),
                None,
                "{foreign}"
            );
        }
    }

    #[test]
    fn a_label_with_one_text_in_a_list_is_that_text() {
        let key = ContextKey::try_new("acme", "ctx").unwrap();
        let mut written = labels(tags().of_app(&key));
        written.insert(TENANT.to_owned(), json!(["acme"]));
        assert_eq!(tags().context(&written), Some(key));
        for strange in [json!(["acme", "b"]), json!([]), json!(7), json!(null)] {
            written.insert(TENANT.to_owned(), strange);
            assert_eq!(tags().context(&written), None);
        }
    }
}
