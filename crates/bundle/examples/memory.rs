//! How much memory reading a large bundle takes: makes one of 20,000 files and 500 MB in a temporary folder, reads it in a
//! process of its own, and prints that process's peak.
//!
//! `cargo run --release -p foreshow-bundle --example memory -- [tar|tar.gz|tar.zst|zip|FILE]`

#![expect(clippy::print_stdout, reason = "it is there to print")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use foreshow_bundle::{Limits, tree_from_bundle};
use foreshow_contract::Sha256;

const FILES: usize = 20_000;
const FILE_BYTES: usize = 25_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [read, path, sha256] = &arguments[..]
        && read == "read"
    {
        return read_bundle(Path::new(path), sha256.parse()?);
    }
    let format = arguments.first().map_or("tar.gz", String::as_str);
    let folder = tempfile::tempdir()?;
    let made = folder.path().join("bundle");
    let path = if Path::new(format).is_file() {
        Path::new(format)
    } else {
        make(format, &made)?;
        &made
    };
    let sha256 = Sha256::of(&fs::read(path)?);
    let status = Command::new(std::env::current_exe()?)
        .arg("read")
        .arg(path)
        .arg(sha256.to_string())
        .status()?;
    status.success().then_some(()).ok_or("the reader failed")?;
    Ok(())
}

fn read_bundle(path: &Path, sha256: Sha256) -> Result<(), Box<dyn Error>> {
    let before = peak_kib()?;
    let began = Instant::now();
    let tree = tree_from_bundle(path, sha256, &Limits::default())?;
    println!(
        "{} bytes: {} files of {} bytes in {:.1?}; a peak of {} KiB, {} KiB of them for this",
        fs::metadata(path)?.len(),
        tree.files().len(),
        tree.total_bytes(),
        began.elapsed(),
        peak_kib()?,
        peak_kib()? - before
    );
    Ok(())
}

/// The most that this process had in memory so far. Known on Linux alone.
fn peak_kib() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmHWM in /proc/self/status")?.parse()?)
}

fn make(format: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    let file = io::BufWriter::new(File::create(path)?);
    match format {
        "tar" => write_tar(file).map(drop)?,
        "tar.gz" => {
            let gzip = write_tar(GzEncoder::new(file, Compression::fast()))?;
            gzip.finish()?.flush()?;
        }
        "tar.zst" => {
            let mut tar = tempfile::tempfile()?;
            write_tar(io::BufWriter::new(tar.try_clone()?))?.flush()?;
            io::Seek::rewind(&mut tar)?;
            let level = ruzstd::encoding::CompressionLevel::Fastest;
            ruzstd::encoding::compress(tar, file, level);
        }
        other => return Err(format!("no file, and no format that is made here: {other}").into()),
    }
    Ok(())
}

fn write_tar<W: Write>(out: W) -> io::Result<W> {
    let mut tar = tar::Builder::new(out);
    let mut content = vec![0; FILE_BYTES];
    let mut state = 1_u32;
    for nth in 0..FILES {
        // About half of it shrinks.
        for pair in content.chunks_mut(2) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            pair[0] = state.to_be_bytes()[0];
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(FILE_BYTES as u64);
        header.set_mode(0o644);
        let name = format!("assets/{:03}/file-{nth:05}.js", nth / 100);
        tar.append_data(&mut header, name, &content[..])?;
    }
    tar.into_inner()
}
