//! Raw deflate, as gzip and zip have it.

use flate2::{Decompress, FlushDecompress, Status};

use super::BUFFER_BYTES;
use super::input::Input;
use crate::error::BundleError;

/// A decoder and its buffer, for one stream after another.
pub(super) struct Inflate {
    state: Decompress,
    output: Vec<u8>,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self {
            state: Decompress::new(false),
            output: vec![0; BUFFER_BYTES],
        }
    }

    /// Decompresses one stream, which may take up to `packed_bytes`, and hands on what comes out. Answers how many bytes it took.
    pub(super) fn stream(
        &mut self,
        input: &mut Input<'_>,
        packed_bytes: u64,
        what: &str,
        mut out: impl FnMut(&[u8]) -> Result<(), BundleError>,
    ) -> Result<u64, BundleError> {
        self.state.reset(false);
        loop {
            let before = (self.state.total_in(), self.state.total_out());
            let left = usize::try_from(packed_bytes - before.0).unwrap_or(usize::MAX);
            let next = input.fill()?;
            let next = &next[..next.len().min(left)];
            let is_end = next.is_empty();
            let decoded = self
                .state
                .decompress(next, &mut self.output, FlushDecompress::None);
            let after = (self.state.total_in(), self.state.total_out());
            let count =
                |from: u64, to: u64| usize::try_from(to - from).expect("both are within buffers");
            input.consume(count(before.0, after.0));
            let status = decoded.map_err(|error| input.subject().undecodable(error))?;
            out(&self.output[..count(before.1, after.1)])?;
            match status {
                Status::StreamEnd => return Ok(after.0),
                Status::Ok | Status::BufError => {
                    if is_end && before == after {
                        return Err(input.subject().ends_within(what));
                    }
                    if before == after {
                        return Err(input.subject().invalid(format!("{what} makes no sense")));
                    }
                }
            }
        }
    }
}
