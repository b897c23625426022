//! What the fuzz targets assert, in every ordinary test run: over the seeds, over changes of them, over any bytes.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; only the tests themselves are exempt"
)]

use std::{fs, path::PathBuf};

use foreshow_fuzzing::{Body, TARGETS};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};

/// What is changed in a seed.
#[derive(Clone, Debug)]
enum Change {
    /// One bit is turned.
    Flip(Index, u8),
    /// One byte becomes another.
    Set(Index, u8),
    /// The rest is cut off.
    Cut(Index),
    /// A stretch is taken out.
    Remove(Index, u8),
    /// A stretch is there again, elsewhere.
    Repeat(Index, Index, u8),
    /// Another seed goes on from here.
    Splice(Index, Index, Index),
    /// Something that parsers find hard stands in between.
    Insert(Index, Index),
}

/// Pieces that parsers find hard.
const HARD: &[&[u8]] = &[
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    "\u{202e}".as_bytes(),
    "e\u{301}".as_bytes(),
    "\u{1f680}".as_bytes(),
    b"1e400",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"9007199254740993",
    b"null",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":",
    b"\\ud800",
    b"\\u0000",
    b"../",
    b"~2F",
    b"%2e%2e",
    b"\r\n",
    b"9999-12-31T23:59:60.999999999+23:59",
];

/// Bytes that a person can read, and paste into a seed with `printf`.
#[derive(Clone)]
struct Input(Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz"))
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("seeds").join(target);
    let entries = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{} has no seeds: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    prop_oneof![
        (place(), 0..8_u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        place().prop_map(Change::Cut),
        (place(), any::<u8>()).prop_map(|(at, length)| Change::Remove(at, length)),
        (place(), place(), any::<u8>()).prop_map(|(at, to, length)| Change::Repeat(at, to, length)),
        (place(), place(), place()).prop_map(|(at, seed, from)| Change::Splice(at, seed, from)),
        (place(), place()).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[Change], seeds: &[Vec<u8>]) -> Vec<u8> {
    for change in changes {
        let length = bytes.len();
        match change {
            _ if length == 0 => {}
            Change::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Change::Set(at, byte) => bytes[at.index(length)] = *byte,
            Change::Cut(at) => bytes.truncate(at.index(length)),
            Change::Remove(at, count) => {
                let from = at.index(length);
                bytes.drain(from..length.min(from + usize::from(*count)));
            }
            Change::Repeat(at, to, count) => {
                let from = at.index(length);
                let piece = bytes[from..length.min(from + usize::from(*count))].to_vec();
                let to = to.index(length);
                bytes.splice(to..to, piece);
            }
            Change::Splice(at, seed, from) => {
                let other = seed.get(seeds);
                bytes.truncate(at.index(length));
                bytes.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
            Change::Insert(at, piece) => {
                let to = at.index(length);
                bytes.splice(to..to, piece.get(HARD).iter().copied());
            }
        }
    }
    bytes
}

fn run(target: &str) {
    let (_, body): &(&str, Body) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let seeds = seeds(target);
    for seed in &seeds {
        body(seed);
    }
    let config = ProptestConfig {
        cases: 1_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = TestRunner::new_with_rng(
        config,
        // The same in every run: who wants others lets `cargo xtask fuzz` look for them.
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let from_seed = (any::<Index>(), vec(change(), 1..6))
        .prop_map(|(seed, changes)| changed(seed.get(&seeds).clone(), &changes, &seeds));
    let inputs = prop_oneof![9 => from_seed, 1 => vec(any::<u8>(), 0..600)].prop_map(Input);
    let outcome = runner.run(&inputs, |Input(bytes)| {
        body(&bytes);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{target}: {error}");
    }
}

macro_rules! every_target_holds {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            run(stringify!($target));
        })*

        #[test]
        fn every_target_is_run_here_and_can_be_fuzzed() {
            let here = [$(stringify!($target)),*];
            assert_eq!(TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), here);
            let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
            for target in here {
                let file = root().join(format!("fuzz_targets/{target}.rs"));
                let text = fs::read_to_string(&file).unwrap();
                assert!(text.contains(&format!("foreshow_fuzzing::{target}(")), "{}", file.display());
                assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            }
        }
    };
}

every_target_holds! {
    archives
    configuration
    events_binary
    events_structured
    ignore_files
    names
    paths
    provider_deno
    provider_vercel
    records
    results
}
