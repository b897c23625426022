#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::print_stdout
)]
use foreshow_bundle::*;
use std::time::Instant;
fn main() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..600u32 {
        let f = dir.path().join(format!("d{}", i % 20));
        std::fs::create_dir_all(&f).unwrap();
        std::fs::write(f.join(format!("f{i}")), vec![(i % 255) as u8; 33_000]).unwrap();
    }
    std::fs::write(dir.path().join(".gitignore"), "*.log\nfoo/\nbar/**\n!x\n").unwrap();
    let l = Limits::default();
    let t = Instant::now();
    let mut v = Vec::new();
    let p = pack(dir.path(), &l, &mut v).unwrap();
    println!("pack {:?}", t.elapsed());
    let b = dir.path().join("b.tar");
    std::fs::write(&b, &v).unwrap();
    for _ in 0..3 {
        let t = Instant::now();
        let tree = tree_from_bundle(&b, p.sha256, &l).unwrap();
        println!("bundle {:?} {}", t.elapsed(), tree.files().len());
    }
    std::fs::remove_file(&b).unwrap();
    let files = collect(dir.path(), &l).unwrap().inline().unwrap();
    let t = Instant::now();
    tree_from_inline(&files, &l).unwrap();
    println!("inline {:?}", t.elapsed());
    std::fs::write("/tmp/foreshow-measure.tar", &v).unwrap();
    for kib in [4usize, 16, 63] {
    for (name, line) in [("simple", "aaaaaaaaaaa/bbb*c\n"), ("star", "*a*b*c*d*\n"), ("short*", "*a?\n"), ("dstar", "**/a/**/b/**\n"), ("brace","{{a,b},{c,d}}\n"), ("class", "[a-z][!b]\n")] {
        let n = (kib << 10) / (line.len() + 3);
        let rules: String = (0..n).map(|i| format!("{}{:03}\n", line.trim_end(), i % 1000)).collect();
        let mut fs = vec![foreshow_contract::InlineFile::text(".gitignore", rules)];
        let t = Instant::now();
        let r = tree_from_inline(&fs, &l);
        let compile = t.elapsed();
        let e = r.err().map(|e| format!("{:?}", std::error::Error::source(&e).map(|s| s.to_string().chars().take(100).collect::<String>()))).unwrap_or_default();
        for i in 0..1000 { fs.push(foreshow_contract::InlineFile::text({ let mut h = i as u64 + 1; let n: String = (0..240).map(|_| { h = h.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407); (b"abcd0123"[(h >> 60) as usize % 8]) as char }).collect(); n }, "x")); }
        let t = Instant::now();
        let r = tree_from_inline(&fs, &l);
        println!("{kib} rules {name} compile {compile:?} with 100 {:?} {e}", t.elapsed());
    }
    }
}
