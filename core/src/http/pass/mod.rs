//! Messages of HTTP/1 that pass through: from a client to one of several workers and back.
//!
//! **Why.** What two sides read differently is how a request is smuggled in: one sees the end of a
//! body where the other does not. So nothing passes as it came. A head is read strictly, what is
//! ambiguous is refused, and the other side gets a head written anew, in which the length of the
//! body is said once.
//!
//! **How.** [`pass_request`] and [`pass_response`] read the head at the beginning of some bytes and
//! write the head for the other side; [`Chunks`] finds the end of a body that is sent in chunks.
//! All of them are functions of bytes: reading and writing sockets is the caller's.
//!
//! **What is refused.** Both a length and chunks, two lengths, chunks in HTTP/1.0, any other
//! transfer coding, lines that end without a carriage return, folded lines, spaces before the
//! colon, no `Host` or two, a target that is neither path nor URI (RFC 9112 sections 2.2, 3.2, 5.1,
//! 5.2, 6.1 and 6.3).
//!
//! ```
//! use seawall::http::pass::{Body, Client, Fault, Forwarding, Limits, pass_request};
//!
//! let client = Client { address: "192.0.2.7", forwarding: Forwarding::default() };
//! let mut head = Vec::new();
//! let bytes = b"GET /a HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
//! let request = pass_request(bytes, &client, Limits::default(), &mut head)?.ok_or(Fault::Bad)?;
//! assert_eq!((request.bytes, request.body, request.keep_alive), (bytes.len(), Body::None, false));
//! let head = String::from_utf8_lossy(&head);
//! assert!(head.starts_with("GET /a HTTP/1.1\r\nHost: here\r\nX-Forwarded-For: 192.0.2.7\r\n"));
//! assert!(!head.contains("Connection"), "that is between the two of them");
//!
//! let both = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
//! let refused = pass_request(both, &client, Limits::default(), &mut Vec::new());
//! assert_eq!(refused, Err(Fault::Bad));
//! # Ok::<(), Fault>(())
//! ```

mod chunks;
mod forwarded;
mod names;
mod request;
mod response;

pub use chunks::{Chunks, Part};
pub use forwarded::{Client, Forwarding};
pub use request::{PassedRequest, pass_request};
pub use response::{Asked, PassedResponse, pass_response};

use alloc::vec::Vec;

/// Headers that are read; a message with more is refused.
const MOST_HEADERS: usize = 128;

/// Why a message goes no further.
///
/// The discriminants are the statuses a client gets for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Fault {
    /// It is not HTTP/1, or can be read in two ways.
    Bad = 400,
    /// It expects something nobody knows.
    Expectation = 417,
    /// Its head is too long, or has too many lines.
    HeadTooLong = 431,
    /// Its body is coded in a way nobody here reads.
    Coding = 501,
    /// It is of another version of HTTP.
    Version = 505,
}

impl Fault {
    /// The status a client gets.
    #[must_use]
    pub const fn status(self) -> u16 {
        self as u16
    }
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// It has this many bytes.
    Length(u64),
    /// It comes in chunks, the last of which is empty.
    Chunked,
    /// It ends with the connection. Only an answer's.
    UntilClose,
}

/// What is refused for its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes a head may have. Default 16,384.
    pub head: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: 16_384 }
    }
}

impl Limits {
    /// What a head that ends nowhere in `bytes` is: not complete, or too long already.
    const fn partial<T>(self, bytes: &[u8]) -> Result<Option<T>, Fault> {
        if bytes.len() < self.head { Ok(None) } else { Err(Fault::HeadTooLong) }
    }
}

fn fault(error: httparse::Error) -> Fault {
    match error {
        httparse::Error::TooManyHeaders => Fault::HeadTooLong,
        httparse::Error::Version => Fault::Version,
        _ => Fault::Bad,
    }
}

/// Whether a line feed stands without its carriage return, which the parser would take for the end
/// of a line and others would not.
fn has_bare_line_feed(head: &[u8]) -> bool {
    let rest = head.get(1..).unwrap_or_default();
    let pairs = head.iter().zip(rest);
    // Without a way out of the loop, so that it is done for many bytes at once.
    pairs.fold(head.first() == Some(&b'\n'), |bare, (before, byte)| {
        bare | ((*byte == b'\n') & (*before != b'\r'))
    })
}

/// The length of a body: digits alone.
fn length(value: &[u8]) -> Result<u64, Fault> {
    if value.is_empty() {
        return Err(Fault::Bad);
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10).ok_or(Fault::Bad)?;
        sum.checked_mul(10).and_then(|sum| sum.checked_add(u64::from(digit))).ok_or(Fault::Bad)
    })
}

/// The words of a list, such as that of `Connection`.
fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

fn write_line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_digits_alone() {
        assert_eq!(length(b"0"), Ok(0));
        assert_eq!(length(b"18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "+1", "-1", " 1", "1 ", "1,1", "0x1", "1.0", "18446744073709551616"] {
            assert_eq!(length(bad.as_bytes()), Err(Fault::Bad), "{bad}");
        }
    }

    #[test]
    fn line_feeds_without_a_carriage_return() {
        assert!(!has_bare_line_feed(b"a\r\nb\r\n\r\n"));
        for bare in ["\n", "a\n", "a\r\n\n", "\r\n\nb"] {
            assert!(has_bare_line_feed(bare.as_bytes()), "{bare:?}");
        }
        assert!(!has_bare_line_feed(b""));
    }
}
