//! The `foreshow` binary: what its library does.

use std::process::ExitCode;

fn main() -> ExitCode {
    foreshow::run()
}
