//! What people and scripts see: answers on standard output, everything else on standard error.

mod progress;
mod table;
mod words;

use std::io::{self, ErrorKind, Write as _, stderr, stdout};

pub(crate) use progress::{Progress, Stage};
pub(crate) use table::Table;
pub(crate) use words::{bytes, count, duration, time_of_day, until};

/// Whether anybody still reads what we write.
#[must_use = "nobody reads what follows a closed pipe"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody does.
    Listens,
    /// The pipe is closed, as by `head`.
    Left,
}

/// An answer, on standard output.
pub(crate) fn answer(text: &str) -> Reader {
    let mut out = stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Reader::Left,
        Ok(()) | Err(_) => Reader::Listens,
    }
}

/// Something beside the answer, on standard error. That nobody hears it is no reason to stop.
pub(crate) fn tell(text: &str) {
    let written: io::Result<()> = writeln!(stderr().lock(), "{text}");
    written.ok();
}
