//! Digests of files and streams.

use std::fmt;
use std::io::{self, Read, Write};

use data_encoding::HEXLOWER;
use foreshow_contract::Sha256;
use sha2::Digest as _;

/// A file's SHA-1, as Vercel's and Netlify's upload APIs name blobs by. Not for security: [`Sha256`] is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha1([u8; 20]);

impl Sha1 {
    /// The raw digest.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Sha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha1({self})")
    }
}

/// Both digests of one file, in one pass.
#[derive(Default)]
pub(crate) struct FileHasher {
    sha256: sha2::Sha256,
    sha1: sha1::Sha1,
}

impl FileHasher {
    pub(crate) fn of(content: &[u8]) -> (Sha256, Sha1) {
        let mut hasher = Self::default();
        hasher.update(content);
        hasher.finish()
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.sha1.update(bytes);
    }

    pub(crate) fn finish(self) -> (Sha256, Sha1) {
        (sha256(self.sha256), Sha1(self.sha1.finalize().into()))
    }
}

/// The finished digest in the contract's type.
pub(crate) fn sha256(hasher: sha2::Sha256) -> Sha256 {
    Sha256::from_bytes(hasher.finalize().into())
}

/// Digests and counts what passes through, either way.
pub(crate) struct Hashing<T> {
    inner: T,
    hasher: sha2::Sha256,
    bytes: u64,
}

impl<T> Hashing<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            hasher: sha2::Sha256::default(),
            bytes: 0,
        }
    }

    /// The digest and how many bytes it covers.
    pub(crate) fn finish(self) -> (Sha256, u64) {
        (sha256(self.hasher), self.bytes)
    }

    /// What it passed through to, and the digest.
    pub(crate) fn into_parts(self) -> (T, Sha256) {
        (self.inner, sha256(self.hasher))
    }

    fn saw(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.saw(&buffer[..read]);
        Ok(read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.saw(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_well_known_ones() {
        let (sha256, sha1) = FileHasher::of(b"abc");
        assert_eq!(
            sha256.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(sha1.to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
