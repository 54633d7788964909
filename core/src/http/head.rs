//! The head of a request, or as much of it as has come, read before anybody serves it.
//!
//! ```
//! use seawall::http::Head;
//!
//! let head = Head::parse(b"GET /a HTTP/1.1\r\nHost: here\r\n\r\nbody: no header");
//! assert_eq!((head.method.as_str(), head.path.as_deref()), ("GET", Some("/a")));
//! assert_eq!(head.header("host"), Some("here"));
//! assert_eq!((head.headers.len(), head.complete), (1, true));
//! ```

use alloc::string::String;
use alloc::vec::Vec;

/// Headers that are read; what comes after them is left out.
const MOST_HEADERS: usize = 128;

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// Empty where there is none yet.
    pub method: String,
    /// The target of the request as it was sent.
    pub path: Option<String>,
    /// `1.1` or `1.0`.
    pub version: Option<String>,
    /// Names in lower case, values trimmed, in the order they came. Bytes beyond ASCII are taken
    /// as Latin-1.
    pub headers: Vec<(String, String)>,
    /// How many bytes the head has, with the empty line that ends it; all of them where it has not
    /// ended.
    pub bytes: usize,
    /// Whether it has ended.
    pub complete: bool,
    /// Whether this is a request of HTTP/1.
    pub is_http1: bool,
}

impl Head {
    /// Reads `bytes` as far as they go. What is no HTTP leaves everything empty.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let mut parser = httparse::ParserConfig::default();
        parser.ignore_invalid_headers_in_requests(true);
        let end = match parser.parse_request(&mut request, bytes) {
            Ok(httparse::Status::Complete(end)) => Some(end),
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => None,
            // Not HTTP/1: nothing that was read on the way means anything.
            Err(_) => return Self { bytes: bytes.len(), ..Self::default() },
        };
        let headers = request.headers.iter().filter(|header| !header.name.is_empty());
        Self {
            method: request.method.unwrap_or_default().into(),
            path: request.path.map(Into::into),
            version: request.version.map(|minor| if minor == 0 { "1.0" } else { "1.1" }.into()),
            headers: headers
                .map(|header| (header.name.to_ascii_lowercase(), latin1(header.value.trim_ascii())))
                .collect(),
            bytes: end.unwrap_or(bytes.len()),
            complete: end.is_some(),
            // Any two words may be the beginning of anything.
            is_http1: request.version.is_some(),
        }
    }

    /// The last header of this name, which is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut same = self.headers.iter().rev().filter(|(other, _)| other == name);
        same.next().map(|(_, value)| value.as_str())
    }
}

/// Whether `bytes` are a whole head of HTTP/1, or begin with a whole first record of a TLS
/// handshake: all there is to choose by.
#[must_use]
pub fn is_whole(bytes: &[u8]) -> bool {
    // A TLS handshake begins so; its first record says how long it is.
    if let [0x16, _, _, high, low, rest @ ..] = bytes {
        return rest.len() >= usize::from(u16::from_be_bytes([*high, *low]));
    }
    bytes.windows(4).any(|four| four == b"\r\n\r\n")
}

/// `bytes` as text, a character for each.
#[must_use]
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The name of the server a TLS handshake asks for (SNI, RFC 6066 section 3), where `bytes` begin
/// with a whole one that has it.
#[must_use]
pub fn server_name(bytes: &[u8]) -> Option<String> {
    // A record of type handshake, in it a message of type ClientHello.
    let mut record = Bytes(bytes.strip_prefix(&[0x16])?);
    record.take(2)?;
    let mut record = record.block(2)?;
    (record.number(1)? == 1).then_some(())?;
    let mut hello = record.block(3)?;
    hello.take(34)?;
    hello.block(1)?;
    hello.block(2)?;
    hello.block(1)?;
    let mut extensions = hello.block(2)?;
    loop {
        let kind = extensions.number(2)?;
        let mut extension = extensions.block(2)?;
        if kind != 0 {
            continue;
        }
        let mut names = extension.block(2)?;
        (names.number(1)? == 0).then_some(())?;
        let name = names.block(2)?.0;
        let valid = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
        return (!name.is_empty() && name.iter().all(valid)).then(|| latin1(name));
    }
}

/// Bytes, read one part after the other.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of `count` bytes, the largest first.
    fn number(&mut self, count: usize) -> Option<usize> {
        let bytes = self.take(count)?;
        Some(bytes.iter().fold(0, |sum: usize, byte| sum.wrapping_shl(8) | usize::from(*byte)))
    }

    /// What follows its own length, which is a number of `count` bytes.
    fn block(&mut self, count: usize) -> Option<Self> {
        let length = self.number(count)?;
        self.take(length).map(Bytes)
    }
}
