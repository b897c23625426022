//! Paths of files, as strangers name them.

use std::path::{Component, Path};

use foreshow_bundle::SafePath;

use crate::assert_showable;

/// The bytes as a path: what is taken stays below its root on every system, and means itself.
pub fn paths(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match SafePath::parse(&text) {
        Ok(path) => accepted(&path, &text),
        Err(error) => assert_showable(&error.to_string(), 2_000),
    }
}

fn accepted(path: &SafePath, given: &str) {
    let text = path.as_str();
    assert_eq!(SafePath::parse(text).as_ref(), Ok(path), "it means itself");
    assert!(!text.is_empty() && text.len() <= SafePath::MAX_BYTES);
    assert!(
        text.len() <= given.len() * 4,
        "it does not grow without bound"
    );
    assert!(!text.contains('\\') && !text.contains(char::is_control));
    let root = Path::new("/root/of/all");
    let joined = path.join_to(root);
    let below = joined
        .strip_prefix(root)
        .expect("it lies below its root, whatever it is");
    let parts: Vec<_> = below.components().collect();
    assert_eq!(parts.len(), text.split('/').count());
    for part in parts {
        let Component::Normal(name) = part else {
            panic!("{part:?} in {text:?}")
        };
        assert!(name.len() <= SafePath::MAX_PART_BYTES);
    }
}
