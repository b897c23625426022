//! What holds for all archives.

use std::collections::BTreeMap;

use foreshow_bundle::Limits;
use foreshow_contract::Sha256;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::support::{OnDisk, contents, gzip, zstd};
use crate::tape::tar;
use crate::zip_maker::{Entry, Zip};

/// Sites without collisions: no name is a prefix's, and case is one.
fn site() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let path = "(d[a-z\u{e9}\u{65e5} ~]{0,6}/){0,3}f[a-z\u{e9}\u{65e5} .]{0,8}";
    let content = prop_oneof![
        vec(any::<u8>(), 0..1500),
        (any::<u8>(), 0..300_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    btree_map(path, content, 1..8)
}

fn as_tar(site: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let files = site.iter();
    files
        .fold(tar(), |tar, (path, content)| {
            tar.pax(&[("path", path)]).file("x", content)
        })
        .bytes()
}

/// Each entry in one of the ways that there are.
fn as_zip(site: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let entries = site.iter().enumerate();
    entries
        .fold(Zip::default(), |zip, (nth, (path, content))| {
            zip.entry(match nth % 4 {
                0 => Entry::stored(path, content),
                1 => Entry::deflated(path, content),
                2 => Entry::deflated(path, content).streamed(true, false),
                _ => Entry::stored(path, content).streamed(false, true),
            })
        })
        .bytes()
}

fn archives(site: &BTreeMap<String, Vec<u8>>) -> [Vec<u8>; 6] {
    let tar = as_tar(site);
    let (front, back) = tar.split_at(tar.len() / 3);
    [
        gzip(&tar),
        [gzip(front), gzip(back)].concat(),
        zstd(&tar),
        [zstd(front), zstd(back)].concat(),
        as_zip(site),
        tar,
    ]
}

/// Small enough for a mutation to pass them.
fn tight() -> Limits {
    Limits {
        files: 4,
        total_bytes: 100_000,
        file_bytes: 50_000,
        depth: 3,
        ratio: 20,
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let stretch = |at: usize, len: usize, bytes: &[u8]| at..(at + len).min(bytes.len());
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip(at, change) => {
                let at = at.index(bytes.len());
                bytes[at] ^= change;
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                drop(bytes.splice(at..at, more.iter().copied()));
            }
            Self::Remove(at, len) => {
                let gone = stretch(at.index(bytes.len()), *len, bytes);
                drop(bytes.drain(gone));
            }
            Self::Repeat(at, len) => {
                let again = stretch(at.index(bytes.len()), *len, bytes);
                bytes.extend_from_within(again);
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), 1..=u8::MAX).prop_map(|(at, change)| Mutation::Flip(at, change)),
        1 => at().prop_map(Mutation::Cut),
        1 => (at(), vec(any::<u8>(), 1..40)).prop_map(|(at, more)| Mutation::Insert(at, more)),
        1 => (at(), 1..600_usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        1 => (at(), 1..600_usize).prop_map(|(at, len)| Mutation::Repeat(at, len)),
    ]
}

/// How many cases: more than the default on request, with the environment's PROPTEST_CASES.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig {
            cases: 48,
            ..config
        },
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_site_is_the_same_in_every_archive(site in site()) {
        let limits = Limits { ratio: u64::MAX, ..Limits::default() };
        let expected: Vec<_> = site.iter().map(|(path, content)| (path.as_str(), content.clone())).collect();
        let mut digests = Vec::new();
        for archive in archives(&site) {
            let bundle = OnDisk::new(&archive);
            let tree = bundle.read(&limits).unwrap();
            prop_assert_eq!(contents(&tree), expected.clone());
            digests.push(tree.digest());
            drop(tree);
            prop_assert_eq!(bundle.beside(), 0);
        }
        prop_assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn no_mutation_panics_or_exceeds_the_limits(
        site in btree_map("[a-c]{1,2}(/[de]){0,2}", vec(0..4_u8, 0..3000), 1..4),
        mutations in vec(mutation(), 1..4),
        which in 0..6_usize,
        within in any::<bool>(),
    ) {
        let mut archive = match (which, within) {
            // A mutation of what is compressed, which checksums don't catch.
            (0 | 1, true) => as_tar(&site),
            (which, _) => archives(&site)[which].clone(),
        };
        for mutation in &mutations {
            mutation.apply(&mut archive);
        }
        if within && which < 2 {
            archive = if which == 0 { gzip(&archive) } else { zstd(&archive) };
        }
        let limits = tight();
        let bundle = OnDisk::new(&archive);
        match bundle.read(&limits) {
            Ok(tree) => {
                prop_assert!(tree.files().len() <= limits.files);
                prop_assert!(tree.total_bytes() <= limits.total_bytes);
                for file in tree.files() {
                    prop_assert!(file.size_bytes <= limits.file_bytes);
                    prop_assert!(file.path.depth() <= limits.depth);
                    let content = file.content.read().unwrap();
                    prop_assert_eq!(content.len() as u64, file.size_bytes);
                    prop_assert_eq!(Sha256::of(&content), file.sha256);
                }
            }
            Err(error) => {
                prop_assert!(!error.is_transient(), "{error:?}");
                prop_assert_ne!(error.code(), "bundle_digest_mismatch");
            }
        }
        prop_assert_eq!(bundle.beside(), 0);
    }
}
