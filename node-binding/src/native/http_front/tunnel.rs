//! Bytes both ways, unread, until both sides have ended.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use seawall::balance::Half;
use tokio::time::sleep;

use super::super::relay::Stream as Socket;
use super::buffer::Buffer;
use super::stream::{Stream, end, read, reset_at_close, write};

/// Which side failed.
enum Failed {
    Reading,
    Writing,
}

/// One direction.
#[derive(Default)]
struct Way {
    /// How often anything has been read.
    reads: AtomicU64,
    /// What is read goes nowhere.
    sinks: AtomicBool,
}

/// Passes everything from one side to the other, and then the end of it; where a client may not be
/// `half_open`, its end is that of both. What was read before, in the buffers, comes first. `said`: the
/// worker has answered already.
pub(super) async fn tunnel(
    client: &impl Stream,
    from_client: &mut Buffer,
    worker: &Socket,
    from_worker: &mut Buffer,
    half_open: bool,
    said: bool,
) {
    let way = Way::default();
    let mut up = pin!(pass_up(client, from_client, worker, &way));
    let mut down = pin!(pass_down(worker, from_worker, client, said));
    let mut half = pin!(half(worker, &way));
    let (mut up_ended, mut down_ended) = (None, None);
    poll_fn(|context| {
        if up_ended.is_none()
            && let Poll::Ready(whole) = up.as_mut().poll(context)
        {
            up_ended = Some(whole);
        }
        if down_ended.is_none()
            && let Poll::Ready(whole) = down.as_mut().poll(context)
        {
            down_ended = Some(whole);
        }
        match (up_ended, down_ended) {
            (Some(false), _) | (_, Some(false)) | (Some(_), Some(_)) => Poll::Ready(()),
            (Some(true), None) if !half_open => Poll::Ready(()),
            (None, Some(true)) => half.as_mut().poll(context),
            _ => Poll::Pending,
        }
    })
    .await;
}

/// Whether it came to its end; false where it broke off.
async fn pass_up(client: &impl Stream, buffer: &mut Buffer, worker: &Socket, way: &Way) -> bool {
    match pass(client, buffer, worker, &way.reads).await {
        Err(Failed::Writing) => {
            // The worker wants no more, but may have answered: closed with unread bytes, the connection
            // would be reset and the answer lost.
            way.sinks.store(true, Ordering::Relaxed);
            loop {
                buffer.consume(buffer.len());
                match read(client, buffer).await {
                    Ok(0) => return true,
                    Ok(_) => way.reads.fetch_add(1, Ordering::Relaxed),
                    Err(_) => return false,
                };
            }
        }
        passed => passed.is_ok(),
    }
}

/// The same.
async fn pass_down(worker: &Socket, buffer: &mut Buffer, client: &impl Stream, said: bool) -> bool {
    let reads = AtomicU64::new(u64::from(said));
    match pass(worker, buffer, client, &reads).await {
        // Cut off without a word: the client is not to take that for an end.
        Err(Failed::Reading) if reads.into_inner() == 0 => {
            reset_at_close(client);
            false
        }
        // It closed before it had read everything, which is no reason to lose its answer.
        Err(Failed::Reading) => {
            end(client);
            true
        }
        passed => passed.is_ok(),
    }
}

async fn pass(
    from: &impl Stream,
    buffer: &mut Buffer,
    to: &impl Stream,
    reads: &AtomicU64,
) -> Result<(), Failed> {
    loop {
        write(to, buffer.filled(), &[]).await.map_err(|_| Failed::Writing)?;
        buffer.consume(buffer.len());
        buffer.release();
        if read(from, buffer).await.map_err(|_| Failed::Reading)? == 0 {
            end(to);
            return Ok(());
        }
        reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Ready when a worker that has ended its half is gone, or the client says nothing more.
async fn half(worker: &Socket, up: &Way) {
    if worker.is_hung_up() && !up.sinks.load(Ordering::Relaxed) {
        return;
    }
    let mut half = Half::default();
    loop {
        sleep(Half::LOOK).await;
        if half.is_over(up.reads.load(Ordering::Relaxed), worker.is_hung_up()) {
            return;
        }
    }
}
