//! One direction of a connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::buffers::{Held, SIZE, with_shared};

/// Bytes from one side to the other, as fast as the other takes them: nothing is read while something
/// is held.
#[derive(Default)]
pub(super) struct Pipe {
    held: Held,
    /// A copy of all that was read, while it may have to be sent again.
    pub(super) kept: Option<Vec<u8>>,
    /// The one side has said all it had to say.
    pub(super) ended: bool,
    /// The other one has been told so.
    told: bool,
    /// How often anything has been read.
    pub(super) reads: u64,
    /// What is read goes nowhere.
    sink: bool,
}

/// Which side failed.
pub(super) enum Failed {
    Reading,
    Writing,
}

impl Pipe {
    /// With bytes that have been read before, and whether those were the last.
    pub(super) fn with(bytes: &[u8], ended: bool) -> Self {
        let mut pipe = Self { ended, ..Self::default() };
        pipe.held.add(bytes);
        pipe
    }

    /// Puts bytes before everything else.
    pub(super) fn begin_with(&mut self, first: &[u8]) {
        let mut held = Held::default();
        held.add(first);
        held.add(self.held.rest());
        self.held = held;
    }

    /// From now on nobody takes what is read.
    pub(super) fn sink(&mut self) {
        self.sink = true;
        self.held = Held::default();
    }

    pub(super) const fn sinks(&self) -> bool {
        self.sink
    }

    /// Moves what can be moved; ready when the other side was told that this is all.
    pub(super) fn poll<R, W>(
        &mut self,
        context: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
    ) -> Poll<Result<(), Failed>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            while !self.held.is_empty() {
                let sent = ready!(Pin::new(&mut *to).poll_write(context, self.held.rest()));
                self.held.took(taken(sent).ok_or(Failed::Writing)?);
            }
            if self.ended {
                if !self.told {
                    // It may be gone already, which is all the same now.
                    let _ = ready!(Pin::new(&mut *to).poll_shutdown(context));
                    self.told = true;
                }
                return Poll::Ready(Ok(()));
            }
            // So much is kept at most before it is known who serves it.
            if self.kept.as_ref().is_some_and(|kept| kept.len() >= SIZE) {
                return Poll::Pending;
            }
            ready!(with_shared(|buffer| self.step(context, from, to, buffer)))?;
        }
    }

    /// Reads once, and sends as much of it as goes at once.
    fn step<R, W>(
        &mut self,
        context: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        buffer: &mut [u8],
    ) -> Poll<Result<(), Failed>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut read = ReadBuf::new(buffer);
        let got = ready!(Pin::new(&mut *from).poll_read(context, &mut read));
        got.map_err(|_| Failed::Reading)?;
        let mut bytes = read.filled();
        if bytes.is_empty() {
            self.ended = true;
            return Poll::Ready(Ok(()));
        }
        self.reads = self.reads.wrapping_add(1);
        if self.sink {
            return Poll::Ready(Ok(()));
        }
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        while !bytes.is_empty() {
            match Pin::new(&mut *to).poll_write(context, bytes) {
                Poll::Ready(sent) => {
                    let count = taken(sent).ok_or(Failed::Writing)?;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Poll::Pending => {
                    self.held.add(bytes);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// How much was sent; nothing where no more can be.
fn taken(sent: io::Result<usize>) -> Option<usize> {
    sent.ok().filter(|count| *count > 0)
}
