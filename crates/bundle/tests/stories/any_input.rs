//! What holds for all inputs.

use std::collections::BTreeMap;

use crate::support::{HandMade, OnDisk, contents, directory, inline, packed};
use foreshow_bundle::{Limits, collect, tree_from_bundle, tree_from_inline};
use foreshow_contract::InlineFile;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Names that no default ignores, around the 100 bytes at which a tar needs another way to write them, some of which would be cut into `..`.
fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9 é日~]{1,8}", "[a-z]{90,104}", "\\.\\.[0-9]{1,4}",]
}

fn site() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    let path = vec(name(), 1..4).prop_map(|parts| parts.join("/"));
    btree_map(path, vec(any::<u8>(), 0..1200), 1..8)
}

fn refs(site: &BTreeMap<String, Vec<u8>>) -> Vec<(&str, &[u8])> {
    site.iter()
        .map(|(path, content)| (&**path, &**content))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_site_survives_packing_and_inlining(site in site()) {
        let below = |file: &String| site.keys().any(|other| other.starts_with(&format!("{file}/")));
        prop_assume!(!site.keys().any(below));
        let dir = directory(&refs(&site));
        let limits = Limits::default();

        let (packed, bytes) = packed(dir.path());
        let bundle = OnDisk::new(&bytes);
        let from_bundle = tree_from_bundle(&bundle.path, packed.sha256, &limits).unwrap();
        let files = collect(dir.path(), &limits).unwrap().inline().unwrap();
        let from_inline = tree_from_inline(&files, &limits).unwrap();

        let expected: Vec<_> = site.into_iter().collect();
        let got: Vec<_> = contents(&from_bundle).into_iter().map(|c| (c.0, c.1)).collect();
        prop_assert_eq!(got, expected);
        prop_assert_eq!(contents(&from_inline), contents(&from_bundle));
        prop_assert_eq!(from_inline.digest(), from_bundle.digest());
    }

    /// The walk and the sieve apply the same rules in two ways; the sieve must find nothing more to drop.
    #[test]
    fn walking_and_sifting_leave_out_the_same(
        rules in vec(("(|a/|b/|a/b/)\\.(git|vercel|foreshow)ignore", "(!?/?(\\*|a|b|\\*\\.x|a/b|\\*\\*/b|\\.env)/?\n){1,4}"), 0..5),
        files in vec("([abc]/){0,3}[de](\\.x)?|\\.env", 1..10),
    ) {
        let mut site: BTreeMap<String, Vec<u8>> = files.into_iter().map(|path| (path, Vec::new())).collect();
        site.extend(rules.into_iter().map(|(path, rules)| (path, rules.into_bytes())));
        let dir = directory(&refs(&site));
        let all: Vec<InlineFile> = site.iter().map(|(path, content)| inline(path, std::str::from_utf8(content).unwrap())).collect();
        let limits = Limits::default();

        let walked = collect(dir.path(), &limits);
        let sifted = tree_from_inline(&all, &limits);
        match (walked, sifted) {
            (Ok(walked), Ok(sifted)) => {
                let paths: Vec<_> = walked.files().iter().map(|file| file.path.clone()).collect();
                let expected: Vec<_> = sifted.files().iter().map(|file| file.path.clone()).collect();
                prop_assert_eq!(&paths, &expected);
                // A folder that only the disk knows, for nothing but ignored things were in it, is no difference.
                prop_assert_eq!(walked.ignored(), sifted.ignored());
                let received = tree_from_inline(&walked.inline().unwrap(), &limits).unwrap();
                prop_assert_eq!(received.digest(), sifted.digest());
            }
            (Err(walked), Err(sifted)) => prop_assert_eq!(walked.code(), sifted.code()),
            (walked, sifted) => prop_assert!(false, "{walked:?} but {sifted:?}"),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..600), at in 0usize..2000) {
        let mut tar = HandMade::default().file("a", "1").folder("b/").file("b/c", "2").bytes();
        for (index, byte) in bytes.into_iter().enumerate().take(16) {
            let len = tar.len();
            tar[(at + index) % len] = byte;
        }
        let bundle = OnDisk::new(&tar);
        let read = tree_from_bundle(&bundle.path, bundle.sha256, &Limits::default());
        if let Err(error) = read {
            prop_assert_ne!(error.code(), "bundle_digest_mismatch");
        }
    }
}
