//! Bodies: a small blob from memory, a large one in chunks as the client takes them.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use foreshow_contract::Sha256;
use futures_util::TryStreamExt as _;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use tokio_util::io::ReaderStream;

use crate::PreviewError;
use crate::blobs::BlobFolder;

/// The body of a preview's answer.
pub type PreviewBody = UnsyncBoxBody<Bytes, BodyError>;

/// Reading a blob stopped half-way: the connection is cut, and the client sees that the length is not as announced.
pub type BodyError = io::Error;

/// Up to this many bytes are read at once; more are streamed in chunks of the same size.
const CHUNK_BYTES: usize = 64 * 1024;

pub(super) fn empty() -> PreviewBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn full(bytes: impl Into<Bytes>) -> PreviewBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The stretch of a blob.
pub(super) async fn of_blob(
    blobs: &BlobFolder,
    sha256: &Sha256,
    range: Range<u64>,
) -> Result<PreviewBody, PreviewError> {
    let path = blobs.path(sha256);
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => PreviewError::BlobMissing { sha256: *sha256 },
        _ => PreviewError::on("read", &path, error),
    };
    let len = range.end - range.start;
    let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start))
            .await
            .map_err(failed)?;
    }
    match usize::try_from(len) {
        Ok(len) if len <= CHUNK_BYTES => {
            let mut bytes = vec![0; len];
            file.read_exact(&mut bytes).await.map_err(failed)?;
            Ok(full(bytes))
        }
        _ => {
            let chunks = ReaderStream::with_capacity(file.take(len), CHUNK_BYTES);
            Ok(StreamBody::new(chunks.map_ok(Frame::data)).boxed_unsync())
        }
    }
}
