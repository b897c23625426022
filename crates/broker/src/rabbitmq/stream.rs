//! The stream that the client library reads from: the socket's, TLS undone, with its [frames](super::frames) made readable.
//!
//! The library takes a stream only of the type that its runtime says, so this is a runtime too: tokio's, but for the stream.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use async_rs::{
    Tokio,
    traits::{Executor, Reactor, RuntimeKit},
    util::Task,
};
use futures_util::{AsyncRead, AsyncWrite, Stream, ready};
use lapin::AsyncTcpStream;

use super::frames::Frames;

/// How much is read at a time.
const READ_BYTES: usize = 64 << 10;

type Inner = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// A connection's stream.
pub(super) struct CleanStream {
    inner: Inner,
    frames: Frames,
    buffer: Box<[u8]>,
}

impl CleanStream {
    /// What comes of this stream is looked at.
    pub(super) fn new(inner: Inner) -> Self {
        Self {
            inner,
            frames: Frames::default(),
            buffer: vec![0; READ_BYTES].into(),
        }
    }
}

impl AsyncRead for CleanStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            let count = this.frames.take(into);
            if count > 0 || into.is_empty() {
                return Poll::Ready(Ok(count));
            }
            let read = ready!(Pin::new(&mut this.inner).poll_read(cx, &mut this.buffer))?;
            if read == 0 {
                // Half a frame is nothing that anybody could read.
                return Poll::Ready(Ok(0));
            }
            this.frames.feed(&this.buffer[..read]);
        }
    }
}

impl AsyncWrite for CleanStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_close(cx)
    }
}

/// Tokio, whose streams are clean.
#[derive(Clone, Debug)]
pub(super) struct CleanTokio(Tokio);

impl CleanTokio {
    /// The runtime that this is called on.
    pub(super) fn current() -> Self {
        Self(Tokio::current())
    }

    /// The plain one.
    pub(super) fn tokio(&self) -> Tokio {
        self.0.clone()
    }
}

impl RuntimeKit for CleanTokio {}

impl Executor for CleanTokio {
    type Task<T: Send + 'static> = <Tokio as Executor>::Task<T>;

    fn block_on<T, F: Future<Output = T>>(&self, future: F) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        future: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn(future)
    }

    fn spawn_blocking<T: Send + 'static, F: FnOnce() -> T + Send + 'static>(
        &self,
        work: F,
    ) -> Task<Self::Task<T>> {
        self.0.spawn_blocking(work)
    }
}

impl Reactor for CleanTokio {
    type TcpStream = CleanStream;
    type Sleep = <Tokio as Reactor>::Sleep;

    // The trait's own bound on sockets has no name outside its crate; a connection never needs this.
    fn register<H: io::Read + io::Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<CleanStream, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, for_long: Duration) -> Self::Sleep {
        self.0.sleep(for_long)
    }

    fn interval(&self, every: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(every)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(address);
        async move { Ok(CleanStream::new(AsyncTcpStream::Plain(connecting.await?))) }
    }
}
