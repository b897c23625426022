//! Canonical forms of requests, as digests.
//!
//! A request is hashed part by part in a fixed order, never as JSON: field order, escapes and spacing of the sender do
//! not matter, and a repeat of the same request from another library has the same digest. The digests are kept in the
//! store, so a change of anything here is a change of format: use new domains, and say so in the changelog.

use std::collections::BTreeMap;

use crate::digest::KeyedHasher;
use crate::{Content, ContextUpdated, InlineFile, InstallationKey, Secret, Sha256};

pub(crate) fn request_digest(update: &ContextUpdated, key: &InstallationKey) -> String {
    let hasher = key
        .hasher("foreshow.request.v1")
        .part(update.key.tenant.as_str())
        .part(update.key.context.as_str());
    let hasher = settings(content(hasher, &update.content), update);
    let hasher = list(
        hasher,
        update
            .routing
            .providers
            .iter()
            .map(crate::ProviderName::as_str),
    )
    .optional(update.routing.strategy.map(crate::Strategy::word))
    .optional(update.retention.ttl.map(|ttl| ttl.as_secs().to_be_bytes()))
    .optional(
        update
            .retention
            .keep_revisions
            .map(|keep| keep.get().to_be_bytes()),
    );
    let hasher = list(hasher, update.domains.iter().map(String::as_str));
    map(hasher, &update.labels, String::as_str)
        .finish()
        .to_hex()
}

pub(crate) fn settings_digest(update: &ContextUpdated, key: &InstallationKey) -> String {
    settings(key.hasher("foreshow.settings.v1"), update)
        .finish()
        .to_hex()
}

fn settings(hasher: KeyedHasher, update: &ContextUpdated) -> KeyedHasher {
    let app = &update.app;
    let hasher = hasher
        .part(app.framework.word())
        .optional(app.entrypoint.as_deref())
        .optional(app.build_command.as_deref())
        .optional(app.output_directory.as_deref())
        .number(u64::from(app.spa_fallback))
        .optional(update.variant.as_deref());
    map(hasher, &update.env, Secret::expose)
}

fn content(hasher: KeyedHasher, content: &Content) -> KeyedHasher {
    match content {
        Content::Bundle(bundle) => hasher.part("bundle").part(bundle.sha256.as_bytes()),
        Content::Files(files) => {
            // Stable: should a path come twice, the order of those two may decide which one counts.
            let mut sorted: Vec<&InlineFile> = files.iter().collect();
            sorted.sort_by(|a, b| a.path.cmp(&b.path));
            let hasher = hasher.part("files").number(sorted.len() as u64);
            sorted
                .into_iter()
                .fold(hasher, |hasher, file| match file.decoded() {
                    Ok(bytes) => hasher
                        .part(&file.path)
                        .part("bytes")
                        .part(Sha256::of(&bytes).as_bytes()),
                    // Decoding lets no such file in; one that was made otherwise still has a digest of its own.
                    Err(_) => hasher
                        .part(&file.path)
                        .part("text")
                        .part(Sha256::of(file.content.as_bytes()).as_bytes()),
                })
        }
    }
}

fn list<'a>(hasher: KeyedHasher, items: impl ExactSizeIterator<Item = &'a str>) -> KeyedHasher {
    let hasher = hasher.number(items.len() as u64);
    items.fold(hasher, KeyedHasher::part)
}

fn map<V>(
    hasher: KeyedHasher,
    map: &BTreeMap<String, V>,
    text: impl Fn(&V) -> &str,
) -> KeyedHasher {
    let hasher = hasher.number(map.len() as u64);
    map.iter().fold(hasher, |hasher, (key, value)| {
        hasher.part(key).part(text(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BundleRef, ContextKey, Encoding, Revision};

    fn update(files: Vec<InlineFile>) -> ContextUpdated {
        let key = ContextKey::try_new("acme", "ctx-42").unwrap();
        ContextUpdated::new(key, Revision::try_new(7).unwrap(), Content::Files(files))
    }

    fn secret() -> InstallationKey {
        InstallationKey::try_from_slice(&[1; 32]).unwrap()
    }

    #[test]
    fn order_and_encoding_of_files_do_not_count() {
        let a = InlineFile::text("a", "hi");
        let b = InlineFile::text("b", "there");
        let encoded = InlineFile {
            content: "aGk=".to_owned(),
            encoding: Encoding::Base64,
            ..a.clone()
        };
        let digest = |files| update(files).request_digest(&secret());
        assert_eq!(
            digest(vec![a.clone(), b.clone()]),
            digest(vec![b.clone(), encoded])
        );
        assert_ne!(digest(vec![a.clone(), b]), digest(vec![a]));
    }

    #[test]
    fn the_revision_does_not_count_and_everything_else_does() {
        let base = update(vec![]);
        let digest = base.request_digest(&secret());
        let changed = |change: &dyn Fn(&mut ContextUpdated)| {
            let mut update = base.clone();
            change(&mut update);
            update.request_digest(&secret())
        };
        assert_eq!(changed(&|u| u.revision = Revision::MAX), digest);
        let changes: [&dyn Fn(&mut ContextUpdated); 12] = [
            &|u| u.key = ContextKey::try_new("acme", "other").unwrap(),
            &|u| u.content = Content::Bundle(BundleRef::local(Sha256::of(b""))),
            &|u| u.env = BTreeMap::from([("A".to_owned(), Secret::new("1"))]),
            &|u| u.app.spa_fallback = true,
            &|u| u.app.entrypoint = Some(String::new()),
            &|u| u.app.build_command = Some(String::new()),
            &|u| u.routing.providers = vec!["vercel".into()],
            &|u| u.routing.strategy = Some(crate::Strategy::Fastest),
            &|u| u.retention.ttl = Some(std::time::Duration::from_secs(1)),
            &|u| u.domains = vec!["demo.acme.dev".to_owned()],
            &|u| u.variant = Some("a".to_owned()),
            &|u| u.labels = BTreeMap::from([("A".to_owned(), "1".to_owned())]),
        ];
        let mut digests: Vec<String> = changes.iter().map(|change| changed(change)).collect();
        digests.push(digest);
        digests.sort();
        digests.dedup();
        assert_eq!(
            digests.len(),
            changes.len() + 1,
            "every change has a digest of its own"
        );
    }

    #[test]
    fn a_bundles_url_does_not_count() {
        let bundle = |url: &str| {
            let mut update = update(vec![]);
            update.content = Content::Bundle(BundleRef {
                url: url.to_owned(),
                sha256: Sha256::of(b""),
            });
            update.request_digest(&secret())
        };
        assert_eq!(
            bundle("https://a.example/x?signature=1"),
            bundle("https://a.example/x?signature=2")
        );
    }

    #[test]
    fn settings_are_what_changes_the_deployment_beside_its_files() {
        let base = update(vec![]);
        let digest = base.settings_digest(&secret());
        let mut other = update(vec![InlineFile::text("a", "hi")]);
        other.domains.push("demo.acme.dev".to_owned());
        other.routing.providers.push("vercel".into());
        assert_eq!(other.settings_digest(&secret()), digest);
        other.env.insert("A".to_owned(), Secret::new("1"));
        assert_ne!(other.settings_digest(&secret()), digest);
        assert_ne!(
            base.settings_digest(&InstallationKey::try_from_slice(&[2; 32]).unwrap()),
            digest
        );
    }
}
