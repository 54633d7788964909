//! Connections nobody can serve: answered, so that the client knows, and then let go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::unavailable::unavailable;
use super::counters::{Stage, Staged};
use super::workers::Workers;

/// How long the client may take to read the answer.
const LINGER: Duration = Duration::from_millis(500);
/// How many may be on their way out; more are closed at once.
const MOST: u64 = 1024;
/// What a client may still send meanwhile.
const MOST_BYTES: usize = 64 * 1024;

/// Answers 503 to what speaks HTTP; to anything else nothing that could be understood is known.
/// `first` is what has been read of it.
pub(crate) async fn refuse(
    mut stream: TcpStream,
    first: &[u8],
    mut staged: Staged,
    workers: &Workers,
) {
    let mut bytes = [0; 2048];
    let read = if first.is_empty() { stream.try_read(&mut bytes).unwrap_or(0) } else { 0 };
    let first = first.first().or_else(|| bytes.get(..read).and_then(<[u8]>::first));
    // A TLS handshake begins with this byte.
    if first == Some(&0x16) {
        return staged.refuse();
    }
    // One or two seconds, so that not all of them come back at once.
    let seconds = 1 + (workers.draw() * 2.0) as u64;
    let answer = unavailable(seconds);
    staged.set(Stage::Leaving);
    let leave = async {
        stream.write_all(answer.as_bytes()).await.ok()?;
        stream.shutdown().await.ok()?;
        // Closed at once with unread bytes of a request, the answer would be lost.
        let mut left = MOST_BYTES;
        while left > 0 && staged.leaving() <= MOST {
            let count = stream.read(&mut bytes).await.ok()?;
            left = if count == 0 { 0 } else { left.saturating_sub(count) };
        }
        Some(())
    };
    let _ = timeout(LINGER, leave).await;
}

impl Staged {
    fn leaving(&self) -> u64 {
        self.counters().leaving.load(Ordering::Relaxed)
    }
}
