//! Reading a file whose place is known, with errors that name the bundle.
//!
//! Two things go wrong when a file is read: the disk fails, which passes, and the file ends or lies, which stays. They are
//! told apart here, once, and not by what a decoder makes of them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use super::BUFFER_BYTES;
use super::format::Format;
use crate::error::BundleError;

/// The bundle that errors are about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) path: &'a Path,
    pub(super) format: Format,
}

impl Subject<'_> {
    pub(super) fn invalid(self, reason: impl Into<Cow<'static, str>>) -> BundleError {
        BundleError::BundleInvalid {
            path: self.path.to_owned(),
            format: self.format.wanted(),
            reason: reason.into(),
            source: None,
        }
    }

    /// The same, and what a decoder says.
    pub(super) fn undecodable(
        self,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> BundleError {
        BundleError::BundleInvalid {
            path: self.path.to_owned(),
            format: self.format.wanted(),
            reason: "its compressed data makes no sense".into(),
            source: Some(error.into()),
        }
    }

    pub(super) fn ends_within(self, what: &str) -> BundleError {
        self.invalid(format!("it ends within {what}"))
    }

    pub(super) fn damaged(self, what: impl Into<String>) -> BundleError {
        BundleError::BundleDamaged {
            path: self.path.to_owned(),
            what: what.into(),
        }
    }

    pub(super) fn unread(self, error: io::Error) -> BundleError {
        BundleError::io("read", self.path)(error)
    }
}

/// A file that is read from a known place on.
pub(super) struct Input<'a> {
    subject: Subject<'a>,
    reader: BufReader<File>,
    at: u64,
    /// What happened where only `io::Result` could be told.
    trouble: Option<Trouble>,
}

enum Trouble {
    Ended,
    Unread(io::Error),
}

impl<'a> Input<'a> {
    /// Reads from the file's beginning.
    pub(super) fn new(subject: Subject<'a>, mut file: File) -> Result<Self, BundleError> {
        file.rewind().map_err(|error| subject.unread(error))?;
        Ok(Self {
            subject,
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            at: 0,
            trouble: None,
        })
    }

    pub(super) fn subject(&self) -> Subject<'a> {
        self.subject
    }

    /// Where the next byte lies.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn seek_to(&mut self, at: u64) -> Result<(), BundleError> {
        // What has been read ahead stays where that is possible.
        let sought = match at.checked_signed_diff(self.at) {
            Some(offset) => self.reader.seek_relative(offset),
            None => self.reader.seek(SeekFrom::Start(at)).map(drop),
        };
        sought.map_err(|error| self.subject.unread(error))?;
        self.at = at;
        Ok(())
    }

    /// What comes next, at least a byte unless the file has ended.
    pub(super) fn fill(&mut self) -> Result<&[u8], BundleError> {
        loop {
            match self.reader.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.subject.unread(error)),
            }
        }
        Ok(self.reader.buffer())
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.at += bytes as u64;
    }

    pub(super) fn has_ended(&mut self) -> Result<bool, BundleError> {
        Ok(self.fill()?.is_empty())
    }

    pub(super) fn exact<const LEN: usize>(&mut self, what: &str) -> Result<[u8; LEN], BundleError> {
        let mut bytes = [0; LEN];
        self.exact_into(&mut bytes, what)?;
        Ok(bytes)
    }

    /// Fills `bytes`, or names what the file ends within.
    pub(super) fn exact_into(&mut self, bytes: &mut [u8], what: &str) -> Result<(), BundleError> {
        let mut filled = 0;
        while filled < bytes.len() {
            let next = self.fill()?;
            let taken = next.len().min(bytes.len() - filled);
            if taken == 0 {
                return Err(self.subject.ends_within(what));
            }
            bytes[filled..filled + taken].copy_from_slice(&next[..taken]);
            self.consume(taken);
            filled += taken;
        }
        Ok(())
    }

    /// Hands `len_bytes` to `see`, piece by piece.
    pub(super) fn each(
        &mut self,
        len_bytes: u64,
        what: &str,
        mut see: impl FnMut(&[u8]),
    ) -> Result<(), BundleError> {
        let mut left = len_bytes;
        while left > 0 {
            let next = self.fill()?;
            let taken = next.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if taken == 0 {
                return Err(self.subject.ends_within(what));
            }
            see(&next[..taken]);
            self.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, len_bytes: u64, what: &str) -> Result<(), BundleError> {
        self.each(len_bytes, what, |_| ())
    }

    /// What a decoder's error is really about, that read from here as from a [`Read`].
    pub(super) fn explain(
        &mut self,
        what: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> BundleError {
        match self.trouble.take() {
            Some(Trouble::Ended) => self.subject.ends_within(what),
            Some(Trouble::Unread(error)) => self.subject.unread(error),
            None => self.subject.undecodable(error),
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.reader.read(buffer) {
            Ok(0) if !buffer.is_empty() => {
                self.trouble = Some(Trouble::Ended);
                Ok(0)
            }
            Ok(read) => {
                self.at += read as u64;
                Ok(read)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let kind = error.kind();
                self.trouble = Some(Trouble::Unread(error));
                Err(kind.into())
            }
        }
    }
}
