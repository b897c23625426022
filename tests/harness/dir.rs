use std::{fmt::Write as _, fs, path::Path};

/// Writes a file, with its folders.
///
/// # Panics
/// Where it can't be written.
pub fn write(dir: &Path, path: &str, content: impl AsRef<[u8]>) {
    let file = dir.join(path);
    fs::create_dir_all(file.parent().expect("a file lies in a folder"))
        .expect("the folder can be made");
    fs::write(file, content).expect("the file can be written");
}

/// A site of `files` pages with `bytes` in all, the same each time for the same `seed`, and its index.
pub fn site(dir: &Path, files: usize, bytes: usize, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut index = String::from("<!doctype html><title>A site</title><h1>A site</h1>\n");
    for n in 0..files - 1 {
        let path = format!("chapter-{}/page-{n}.html", n % 20);
        writeln!(index, "<a href=\"{path}\">{n}</a>").expect("text can be written to");
        let size = bytes / (files - 1);
        let text: String = std::iter::repeat_with(|| rng.alphanumeric())
            .take(size)
            .collect();
        write(dir, &path, text);
    }
    write(dir, "index.html", index);
}
