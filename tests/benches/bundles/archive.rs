//! A large site, packed without being in memory, and the same each time.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use foreshow_contract::Sha256;

/// Packs it, and answers its digest and size.
pub(crate) fn pack(file: &Path, files: usize, bytes: usize) -> (Sha256, u64) {
    let out = BufWriter::new(File::create(file).expect("the file can be made"));
    let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::fast()));
    for number in 0..files {
        let content = content(number, files, bytes);
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name(number), content.as_slice())
            .expect("the archive can be written");
    }
    let out = tar.into_inner().and_then(GzEncoder::finish);
    let mut out = out.expect("the archive can be ended");
    out.flush().expect("the archive can be written");
    let packed = std::fs::read(file).expect("it is there");
    (Sha256::of(&packed), packed.len() as u64)
}

/// What the file is called.
pub(crate) fn name(number: usize) -> String {
    match number {
        0 => "index.html".to_owned(),
        _ => format!("chapter-{}/page-{number}.html", number % 200),
    }
}

/// What is in it: letters by chance, which can be compressed a little.
pub(crate) fn content(number: usize, files: usize, bytes: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(number as u64);
    let letters = std::iter::repeat_with(|| b'a' + rng.u8(0..26));
    letters.take(bytes / files).collect()
}
