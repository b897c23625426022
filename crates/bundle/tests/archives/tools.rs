//! Archives of real tools. Python is on every machine that runs these; the others are asked where they are installed, and
//! what they write is described by hand elsewhere.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use foreshow_bundle::Limits;
use tempfile::TempDir;

use crate::support::{OnDisk, contents};

/// A folder with a page, a file below it whose name isn't ASCII, an empty one, a large one, and an empty folder.
fn site() -> TempDir {
    let site = TempDir::new().unwrap();
    let below = site.path().join("sub/n\u{f8}");
    fs::create_dir_all(&below).unwrap();
    fs::create_dir(site.path().join("empty")).unwrap();
    fs::write(site.path().join("index.html"), "hi".repeat(1000)).unwrap();
    fs::write(below.join("a.css"), "").unwrap();
    fs::write(site.path().join("noise"), noise()).unwrap();
    let long = site.path().join("x".repeat(90));
    fs::create_dir(&long).unwrap();
    fs::write(long.join("y".repeat(90)), "long").unwrap();
    site
}

/// What doesn't shrink.
fn noise() -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(300_000).collect()
}

fn assert_is_the_site(archive: &Path) {
    let bundle = OnDisk::new(&fs::read(archive).unwrap());
    let tree = bundle.read(&Limits::default()).unwrap();
    let long = format!("{}/{}", "x".repeat(90), "y".repeat(90));
    let expected = [
        ("index.html", "hi".repeat(1000).into_bytes()),
        ("noise", noise()),
        ("sub/n\u{f8}/a.css", Vec::new()),
        (long.as_str(), b"long".to_vec()),
    ];
    assert_eq!(contents(&tree), expected);
}

/// Runs a command in the site that makes an archive, whose path is its argument.
fn assert_makes_the_site(command: &mut Command) {
    let site = site();
    let out = TempDir::new().unwrap();
    let archive = out.path().join("site.archive");
    let status = command
        .arg(&archive)
        .current_dir(site.path())
        .env("LC_ALL", "C.UTF-8")
        .status()
        .unwrap();
    assert!(status.success(), "{command:?}: {status}");
    assert_is_the_site(&archive);
}

fn is_installed(tool: &str) -> bool {
    let script = format!("command -v {tool}");
    let mut shell = Command::new("sh");
    let found = shell.args(["-c", &script]).stdout(Stdio::null()).status();
    found.unwrap().success()
}

macro_rules! of_python {
    ($($name:ident: $program:literal;)*) => {
        $(#[test]
        fn $name() {
            assert_makes_the_site(Command::new("python3").args(["-c", $program]));
        })*
    };
}

of_python! {
    a_pax_tar_of_python: "import sys,tarfile; t=tarfile.open(sys.argv[1],'w',format=tarfile.PAX_FORMAT); t.add('.'); t.close()";
    a_gnu_tar_of_python: "import sys,tarfile; t=tarfile.open(sys.argv[1],'w',format=tarfile.GNU_FORMAT); t.add('.'); t.close()";
    a_tar_gz_of_python: "import sys,tarfile; t=tarfile.open(sys.argv[1],'w:gz'); t.add('.'); t.close()";
    a_zip_of_python: "import sys,os,zipfile
z=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)
for folder,folders,files in os.walk('.'):
    for name in folders+files: z.write(os.path.join(folder,name))
z.close()";
    a_stored_zip_of_python: "import sys,os,zipfile
z=zipfile.ZipFile(sys.argv[1],'w')
for folder,folders,files in os.walk('.'):
    for name in folders+files: z.write(os.path.join(folder,name))
z.close()";
    a_zip64_of_python: "import sys,os,zipfile
z=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)
for folder,folders,files in os.walk('.'):
    for name in files:
        path=os.path.relpath(os.path.join(folder,name))
        with z.open(path,'w',force_zip64=True) as out: out.write(open(path,'rb').read())
z.close()";
    a_zip_that_python_streams: "import sys,os,zipfile
class Pipe:
    def __init__(self,file): self.file=file
    def write(self,data): return self.file.write(data)
    def flush(self): self.file.flush()
pipe=open(sys.argv[1],'wb')
z=zipfile.ZipFile(Pipe(pipe),'w',zipfile.ZIP_DEFLATED)
for folder,folders,files in os.walk('.'):
    for name in files: z.write(os.path.join(folder,name))
z.close(); pipe.close()";
}

macro_rules! of_tools {
    ($($name:ident: $tools:expr, $script:literal;)*) => {
        $(#[test]
        fn $name() {
            if $tools.into_iter().all(is_installed) {
                assert_makes_the_site(Command::new("sh").args(["-c", $script, "sh"]));
            }
        })*
    };
}

of_tools! {
    a_tar_of_gnu: ["tar"], "tar --format=gnu -cf $1 .";
    a_tar_of_posix: ["tar"], "tar --format=posix -cf $1 .";
    a_tar_of_ustar: ["tar"], "tar --format=ustar -cf $1 .";
    a_tar_gz_of_gzip: ["tar", "gzip"], "tar -cf - . | gzip -9 > $1";
    two_halves_of_gzip: ["tar", "gzip"], "tar -cf $1.tar . && { head -c 5000 $1.tar | gzip; tail -c +5001 $1.tar | gzip; } > $1";
    a_tar_zst: ["tar", "zstd"], "tar -cf - . | zstd -3 > $1";
    a_tar_zst_of_the_highest_plain_level: ["tar", "zstd"], "tar -cf $1.tar . && zstd -q -19 --check $1.tar -o $1";
    a_tar_zst_of_many_threads: ["tar", "zstd"], "tar -cf - . | zstd -T2 -B64K --no-check > $1";
    a_zip_of_info_zip: ["zip"], "zip -qr $1.zip . && mv $1.zip $1";
    a_zip_without_folders: ["zip"], "zip -qrD $1.zip . && mv $1.zip $1";
    a_zip_that_info_zip_streams: ["zip"], "zip -qr - . | cat > $1";
    a_zip_of_git: ["git", "tar"], "git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm a && git archive --format=zip HEAD > $1";
    a_tar_gz_of_git: ["git", "gzip"], "git init -q && git add . && git -c user.name=a -c user.email=a@b commit -qm a && git archive --format=tar.gz HEAD > $1";
}
