//! Bytes both ways, unread, until both sides have ended.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::buffer::Buffer;
use super::stream::{Stream, end, read, write};

/// Passes everything from one side to the other, and then the end of it. What was read before, in
/// the buffers, comes first.
pub(super) async fn tunnel(
    client: &impl Stream,
    from_client: &mut Buffer,
    worker: &impl Stream,
    from_worker: &mut Buffer,
) {
    let mut up = pin!(pass(client, from_client, worker));
    let mut down = pin!(pass(worker, from_worker, client));
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
            _ => Poll::Pending,
        }
    })
    .await;
}

/// Whether it came to its end; false where it broke off.
async fn pass(from: &impl Stream, buffer: &mut Buffer, to: &impl Stream) -> bool {
    loop {
        if write(to, buffer.filled(), &[]).await.is_err() {
            return false;
        }
        buffer.consume(buffer.len());
        buffer.release();
        match read(from, buffer).await {
            Ok(0) => {
                end(to);
                return true;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
