//! Reading and writing sockets of either kind, without a future of its own for each call.

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;

use super::super::relay::Stream as Socket;
use super::buffer::Buffer;

/// A connection.
pub(super) trait Stream {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize>;
    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;
    fn descriptor(&self) -> RawFd;
}

impl Stream for TcpStream {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(context)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(context)
    }

    fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        self.try_read(bytes)
    }

    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match parts {
            [one] => self.try_write(one),
            _ => self.try_write_vectored(parts),
        }
    }

    fn descriptor(&self) -> RawFd {
        self.as_raw_fd()
    }
}

impl Stream for Socket {
    fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(context),
            Self::Unix(stream) => stream.poll_read_ready(context),
        }
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(context),
            Self::Unix(stream) => stream.poll_write_ready(context),
        }
    }

    fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(bytes),
            Self::Unix(stream) => stream.try_read(bytes),
        }
    }

    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, parts) {
            (Self::Tcp(stream), [one]) => stream.try_write(one),
            (Self::Tcp(stream), _) => stream.try_write_vectored(parts),
            (Self::Unix(stream), [one]) => stream.try_write(one),
            (Self::Unix(stream), _) => stream.try_write_vectored(parts),
        }
    }

    fn descriptor(&self) -> RawFd {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

/// Reads what has come into the room `buffer` has; 0 where nothing more will. Who always has more to
/// say lets the others have their turn now and then.
pub(super) async fn read(stream: &impl Stream, buffer: &mut Buffer) -> io::Result<usize> {
    consume_budget().await;
    let room = buffer.room();
    let count = std::future::poll_fn(|context| {
        loop {
            match stream.try_read(room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_readable(context))?;
                }
                done => return Poll::Ready(done),
            }
        }
    })
    .await?;
    buffer.added(count);
    Ok(count)
}

/// Writes all of both parts, the second right after the first.
///
/// # Errors
///
/// With how many bytes went out before it.
pub(super) async fn write(
    stream: &impl Stream,
    mut first: &[u8],
    mut second: &[u8],
) -> Result<(), (usize, io::Error)> {
    let mut sent = 0;
    std::future::poll_fn(|context| {
        while !(first.is_empty() && second.is_empty()) {
            let written = match (first, second) {
                (first, []) => stream.try_write(&[IoSlice::new(first)]),
                ([], second) => stream.try_write(&[IoSlice::new(second)]),
                (first, second) => stream.try_write(&[IoSlice::new(first), IoSlice::new(second)]),
            };
            match written {
                Ok(0) => return Poll::Ready(Err((sent, io::ErrorKind::WriteZero.into()))),
                Ok(count) => {
                    sent += count;
                    let of_first = count.min(first.len());
                    first = &first[of_first..];
                    second = &second[count - of_first..];
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_writable(context)).map_err(|error| (sent, error))?;
                }
                Err(error) => return Poll::Ready(Err((sent, error))),
            }
        }
        Poll::Ready(Ok(()))
    })
    .await
}

/// Whether a connection is open and nothing has come. Asked of the system: what the runtime remembers
/// may be older than the end.
pub(super) fn is_quiet(stream: &impl Stream) -> bool {
    let (mut byte, flags) = ([0_u8], libc::MSG_PEEK | libc::MSG_DONTWAIT);
    // SAFETY: the pointer and the length are those of the list.
    let count = unsafe { libc::recv(stream.descriptor(), byte.as_mut_ptr().cast(), 1, flags) };
    count < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
}

/// Says that nothing more will come from here.
pub(super) fn end(stream: &impl Stream) {
    shut(stream.descriptor(), libc::SHUT_WR);
}

/// Ends one or both directions of a connection, which wakes who waits for it.
pub(super) fn shut(descriptor: RawFd, how: libc::c_int) {
    // SAFETY: a descriptor that is none is an error, which changes nothing.
    unsafe { libc::shutdown(descriptor, how) };
}

/// Lets the end of a connection be a reset: the client learns that the answer is not whole.
pub(super) fn reset_at_close(stream: &impl Stream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the option's value lives until the call returns.
    unsafe {
        libc::setsockopt(
            stream.descriptor(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::Builder;
    use tokio::task::yield_now;

    use super::*;

    /// Always has more to say.
    struct Endless;

    impl Stream for Endless {
        fn poll_readable(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_writable(&self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn try_write(&self, _parts: &[IoSlice<'_>]) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn descriptor(&self) -> RawFd {
            -1
        }
    }

    #[test]
    fn who_always_has_more_to_say_lets_others_have_their_turn() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let turns = Arc::new(AtomicUsize::new(0));
        runtime.block_on(async {
            let counted = Arc::clone(&turns);
            tokio::spawn(async move {
                loop {
                    counted.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            });
            let mut buffer = Buffer::default();
            for _ in 0..10_000 {
                read(&Endless, &mut buffer).await.unwrap();
                buffer.consume(buffer.len());
            }
        });
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns >= 50, "{turns}");
    }

    #[test]
    fn bodies_that_are_kept_with_what_follows_them_do_not_add_up() {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut buffer = Buffer::default();
            for _ in 0..12 {
                // A small one, read with all that has come after it, and then that as a whole, with more.
                buffer.consume(buffer.len());
                for held in [100, usize::MAX] {
                    let held = held.min(buffer.len());
                    while buffer.len() < held + 16 * 1024 {
                        read(&Endless, &mut buffer).await.unwrap();
                    }
                    buffer.consume(held);
                }
            }
            assert!(buffer.size() <= 128 * 1024, "{}", buffer.size());
        });
    }
}
