//! Connections nobody can serve: answered, so that the client knows, and then let go.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::super::unavailable::unavailable;
use super::clock::{self, MILLI};

/// How long the client may take to read the answer.
const LINGER: u64 = 500 * MILLI;
/// How many may be on their way out; more are closed at once.
const MOST: usize = 1024;

/// Connections that were answered, until the client has closed or time is up. Closed at once with
/// unread bytes of a request, the answer would be lost.
#[derive(Default)]
pub(super) struct Refused {
    leaving: Vec<(TcpStream, u64)>,
}

impl Refused {
    /// Answers 503 to what speaks HTTP; to anything else nothing that could be understood is known.
    pub(super) fn add(&mut self, mut stream: TcpStream, retry_after: u64) {
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let mut first = [0; 1];
        // A TLS handshake begins with this byte.
        if matches!(stream.peek(&mut first), Ok(1)) && first == [0x16] {
            return;
        }
        let sent = stream.write_all(unavailable(retry_after).as_bytes()).is_ok();
        if sent && stream.shutdown(Shutdown::Write).is_ok() && self.leaving.len() < MOST {
            self.leaving.push((stream, clock::now().saturating_add(LINGER)));
        }
    }

    /// Reads what clients still send and lets go who is done.
    pub(super) fn sweep(&mut self) {
        let now = clock::now();
        self.leaving.retain_mut(|(stream, until)| now < *until && !has_ended(stream));
    }

    /// Until when they have to be looked at again.
    pub(super) fn wait(&self) -> Option<u64> {
        (!self.leaving.is_empty()).then_some(20 * MILLI)
    }

    pub(super) fn len(&self) -> usize {
        self.leaving.len()
    }
}

fn has_ended(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 4096];
    // Bounded: a client that sends for ever is not listened to for ever.
    for _ in 0..16 {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
    false
}
