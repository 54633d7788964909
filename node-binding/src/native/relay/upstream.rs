//! A connection with a worker.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::worker::{Counted, Worker};

/// A connection of either kind.
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    /// Whether the worker has closed it altogether, and not only its half. Not known of TCP.
    #[cfg(unix)]
    pub(crate) fn is_hung_up(&self) -> bool {
        use std::os::fd::AsRawFd;
        let Self::Unix(stream) = self else { return false };
        let mut entry = libc::pollfd { fd: stream.as_raw_fd(), events: 0, revents: 0 };
        // SAFETY: one entry, which lives until the call returns; it does not wait.
        let count = unsafe { libc::poll(&raw mut entry, 1, 0) };
        count > 0 && entry.revents & (libc::POLLHUP | libc::POLLERR) != 0
    }

    #[cfg(not(unix))]
    pub(crate) fn is_hung_up(&self) -> bool {
        false
    }
}

/// A connection with a worker, counted there until it is dropped.
pub(crate) struct Upstream {
    stream: Stream,
    count: Counted,
}

impl Upstream {
    pub(super) const fn new(stream: Stream, count: Counted) -> Self {
        Self { stream, count }
    }

    pub(crate) fn worker(&self) -> &Arc<Worker> {
        self.count.worker()
    }

    /// See [`Stream::is_hung_up`].
    pub(crate) fn is_hung_up(&self) -> bool {
        self.stream.is_hung_up()
    }
}

macro_rules! on_stream {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match &mut $self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Upstream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on_stream!(self, poll_read(context, buffer))
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, poll_write(context, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, poll_shutdown(context))
    }
}
