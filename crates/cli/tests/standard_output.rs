//! What a script is told when nobody, or nothing, takes the answer.

#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::io;
use std::process::{Command, Output, Stdio};

/// Commands that answer without a worker.
const ANSWERING: [&str; 5] = [
    "config check",
    "config show --json",
    "completions bash",
    "previews --json",
    "--help",
];

fn run(arguments: &str, stdout: impl Into<Stdio>) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder can be had");
    let mut command = Command::new(env!("CARGO_BIN_EXE_foreshow"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FORESHOW_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments.split(' '))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped());
    let child = command.spawn().expect("it can be started");
    child.wait_with_output().expect("it ends")
}

#[test]
fn an_answer_that_could_not_be_written_is_no_success() {
    for arguments in ANSWERING {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = run(arguments, full);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments}: {told}");
        assert!(
            told.contains("cannot write to standard output"),
            "{arguments}: {told}"
        );
    }
}

#[test]
fn a_reader_who_left_has_read_enough() {
    for arguments in ANSWERING {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = run(arguments, writer);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments}: {told}");
        assert_eq!(told, "", "{arguments}");
    }
}
