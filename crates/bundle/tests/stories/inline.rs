//! Files inside an event.

use crate::support::{inline, paths};
use foreshow_bundle::{Limits, tree_from_inline};
use foreshow_contract::{Encoding, InlineFile};

fn code(files: &[InlineFile]) -> &'static str {
    tree_from_inline(files, &Limits::default())
        .unwrap_err()
        .code()
}

#[test]
fn the_tree_is_sorted_and_digested_whatever_the_order_of_arrival() {
    let mut files = vec![
        inline("b.txt", "b"),
        inline("a/z.txt", "z"),
        inline("a.txt", "a"),
    ];
    let tree = tree_from_inline(&files, &Limits::default()).unwrap();
    assert_eq!(paths(&tree), ["a.txt", "a/z.txt", "b.txt"]);
    assert_eq!(tree.total_bytes(), 3);
    assert_eq!(
        tree.get("a/z.txt").unwrap().sha1.to_string(),
        "395df8f7c51f007019cb30201c49e884b46b92fa"
    );
    assert!(tree.get("a/zz.txt").is_none());

    files.rotate_left(1);
    let again = tree_from_inline(&files, &Limits::default()).unwrap();
    assert_eq!(again.digest(), tree.digest());
}

#[test]
fn the_tree_digest_is_what_it_always_was() {
    // Stores keep this digest: another one makes every live preview deploy once more.
    let files = [inline("index.html", "<h1>hi</h1>"), inline("a/b.txt", "")];
    let tree = tree_from_inline(&files, &Limits::default()).unwrap();
    assert_eq!(
        tree.digest().to_string(),
        "41f80535cb8e1bbcdd74ad6481f6e979afcb898495306ff474c7184b7b6b5e39"
    );
}

#[test]
fn content_and_name_both_change_the_tree_digest() {
    let digest = |path, content| {
        tree_from_inline(
            &[inline(path, content), inline("x", "")],
            &Limits::default(),
        )
        .unwrap()
        .digest()
    };
    assert_ne!(digest("ab", "c"), digest("a", "bc"));
    assert_ne!(digest("a", "b"), digest("a", "c"));
}

#[test]
fn ignored_files_do_not_change_the_tree_digest() {
    let site = inline("index.html", "hi");
    let alone = tree_from_inline(std::slice::from_ref(&site), &Limits::default()).unwrap();
    let more = [
        site,
        inline(".env", "SECRET=1"),
        inline("node_modules/x/index.js", ""),
        inline(".gitignore", "*.log"),
    ];
    let tree = tree_from_inline(&more, &Limits::default()).unwrap();
    assert_eq!(tree.digest(), alone.digest());
    let ignored: Vec<_> = tree.ignored().iter().map(ToString::to_string).collect();
    assert_eq!(
        ignored,
        [
            ".env (`.env`, a default)",
            ".gitignore (an ignore file)",
            "node_modules/ (`node_modules/`, a default)",
        ]
    );
}

#[test]
fn an_ignored_folder_is_reported_once_and_has_no_say() {
    let files = [
        inline("index.html", ""),
        inline(".gitignore", "dist/"),
        inline("dist/.foreshowignore", "!*\n{broken"),
        inline("dist/a", ""),
        inline("dist/b/c", ""),
    ];
    let tree = tree_from_inline(&files, &Limits::default()).unwrap();
    assert_eq!(paths(&tree), ["index.html"]);
    assert_eq!(
        tree.ignored().iter().map(|i| &*i.path).collect::<Vec<_>>(),
        [".gitignore", "dist/"]
    );
}

#[test]
fn a_foreshowignore_publishes_the_output_that_the_gitignore_hides() {
    let files = [
        inline(".gitignore", "dist/\n"),
        inline("web/.gitignore", "dist/\n"),
        inline(".foreshowignore", "!dist/\n*.map\n"),
        inline("web/dist/app.js", ""),
        inline("web/dist/app.js.map", ""),
    ];
    let tree = tree_from_inline(&files, &Limits::default()).unwrap();
    assert_eq!(paths(&tree), ["web/dist/app.js"]);
}

#[test]
fn nothing_is_taken_back_from_within_a_folder_that_is_left_out() {
    let files = [
        inline("index.html", ""),
        inline(".gitignore", "dist/"),
        inline(".foreshowignore", "!dist/keep.js"),
        inline("dist/keep.js", ""),
    ];
    let tree = tree_from_inline(&files, &Limits::default()).unwrap();
    assert_eq!(paths(&tree), ["index.html"]);
}

#[test]
fn without_files_to_deploy_the_error_says_what_was_left_out() {
    assert_eq!(code(&[]), "no_files");
    let files = [inline(".gitignore", "dist/"), inline("dist/index.html", "")];
    let error = tree_from_inline(&files, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "no_files");
    assert_eq!(
        error.to_string(),
        "there are no files to deploy: left out are dist/ (`dist/` in .gitignore); \
         take back what should be published with a line like `!dist/` in a .foreshowignore"
    );
}

#[test]
fn binary_content_arrives_as_base64() {
    let binary = InlineFile {
        path: "x.bin".to_owned(),
        content: "AP8Q".to_owned(),
        encoding: Encoding::Base64,
    };
    let tree = tree_from_inline(std::slice::from_ref(&binary), &Limits::default()).unwrap();
    let content = tree.files()[0].content.read().unwrap();
    assert_eq!(&content[..], [0, 255, 16]);

    for broken in ["AP8Q=", "A", "A P8Q", "AP-_", "%"] {
        let content = broken.to_owned();
        assert_eq!(
            code(&[InlineFile {
                content,
                ..binary.clone()
            }]),
            "invalid_base64"
        );
    }
}

#[test]
fn unsafe_and_colliding_paths_are_refused_even_where_they_would_be_ignored() {
    assert_eq!(code(&[inline("../x", "")]), "unsafe_path");
    assert_eq!(code(&[inline("node_modules/../../x", "")]), "unsafe_path");
    assert_eq!(
        code(&[
            inline(".gitignore", ""),
            inline(".gitignore", "*"),
            inline("a", "")
        ]),
        "path_collision"
    );
    assert_eq!(code(&[inline("a", ""), inline("A", "")]), "path_collision");
    assert_eq!(
        code(&[inline("a", ""), inline("a/b", "")]),
        "path_collision"
    );
    // What isn't deployed can't collide.
    let files = [
        inline("x", ""),
        inline("node_modules/A", ""),
        inline("node_modules/a", ""),
    ];
    tree_from_inline(&files, &Limits::default()).unwrap();
}

#[test]
fn every_limit_holds_before_the_content_is_decoded() {
    let limits = Limits {
        files: 2,
        total_bytes: 10,
        file_bytes: 8,
        depth: 2,
        ..Limits::default()
    };
    let code = |files: &[InlineFile]| tree_from_inline(files, &limits).unwrap_err().code();
    assert_eq!(
        code(&[inline("a", ""), inline("b", ""), inline("c", "")]),
        "too_many_files"
    );
    assert_eq!(code(&[inline("a", "123456789")]), "file_too_large");
    assert_eq!(
        code(&[inline("a", "123456"), inline("b", "123456")]),
        "bundle_too_large"
    );
    assert_eq!(code(&[inline("a/b/c", "")]), "too_deep");
    let encoded = |content: &str| InlineFile {
        encoding: Encoding::Base64,
        ..inline("a", content)
    };
    assert!(tree_from_inline(&[encoded("MTIzNDU2Nzg")], &limits).is_ok());
    // Eight bytes with padding fit, nine don't, and broken base64 that is too large isn't looked at.
    assert!(tree_from_inline(&[encoded("MTIzNDU2Nzg=")], &limits).is_ok());
    assert_eq!(code(&[encoded("MTIzNDU2Nzg5")]), "file_too_large");
    assert_eq!(code(&[encoded("!!!!!!!!!!!!")]), "file_too_large");
}
