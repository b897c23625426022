//! What people and scripts see: answers on standard output, everything else on standard error.

mod progress;
mod table;
mod words;

use std::io::{self, ErrorKind, Write as _, stderr, stdout};

pub(crate) use progress::{Counter, Progress, Stage};
pub(crate) use table::Table;
pub(crate) use words::{
    ago, bytes, count, duration, moment, one_line, shell_quoted, time_of_day, until,
};

use crate::failure::{Exit, Failure};

/// Whether anybody still reads what we write. One answer need not care; many to come need not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody does.
    Listens,
    /// The pipe is closed, as by `head`.
    Left,
}

/// An answer, on standard output.
///
/// # Errors
/// With exit code 3 where it could not be written: whoever asked must not take no answer for one.
pub(crate) fn answer(text: &str) -> Result<Reader, Failure> {
    let mut out = stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    reader(written)
}

/// Who is left after a write to standard output.
///
/// # Errors
/// As those of [`answer`].
pub(crate) fn reader(written: io::Result<()>) -> Result<Reader, Failure> {
    match written {
        Ok(()) => Ok(Reader::Listens),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Reader::Left),
        Err(error) => {
            let error = anyhow::Error::new(error).context("cannot write to standard output");
            Err(Failure::of(Exit::Environment, error)
                .help("check the file or the disk that it leads to"))
        }
    }
}

/// Something beside the answer, on standard error. That nobody hears it is no reason to stop.
pub(crate) fn tell(text: &str) {
    let written: io::Result<()> = writeln!(stderr().lock(), "{text}");
    written.ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_pipe_may_be_silent() {
        assert_eq!(
            reader(Err(ErrorKind::BrokenPipe.into())).unwrap(),
            Reader::Left
        );
        let failure = reader(Err(ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(failure.exit, Exit::Environment);
        assert!(failure.to_string().contains("standard output"), "{failure}");
    }
}
