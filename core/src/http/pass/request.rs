//! The head of a request, for who serves it.

use alloc::vec::Vec;

use super::forwarded::{Client, Said};
use super::names::{Name, Wishes, names};
use super::{
    Body, Fault, Limits, MOST_HEADERS, fault, has_bare_line_feed, length, words, write_line,
};

/// A request whose head has been read and written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedRequest {
    /// How many bytes its head had; its body begins after them.
    pub bytes: usize,
    /// How its body ends.
    pub body: Body,
    /// The last part of the version, 0 or 1.
    pub minor: u8,
    /// Whether the client wants to send another one on this connection.
    pub keep_alive: bool,
    /// Whether its answer has no body whatever it says: HEAD.
    pub head: bool,
    /// Whether it asks for a tunnel: CONNECT.
    pub connect: bool,
    /// Whether it asks for another protocol.
    pub upgrade: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects: bool,
}

/// What the headers say, before anything is written.
#[derive(Default)]
struct Read<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    wishes: Wishes,
    upgrade: bool,
    http2: bool,
    expects: bool,
}

impl<'a> Read<'a> {
    fn add(&mut self, header: &httparse::Header<'a>, minor: u8) -> Result<(), Fault> {
        let value = header.value.trim_ascii();
        match Name::of(header.name) {
            Name::Host => match self.host.replace(value) {
                Some(_) => Err(Fault::Bad),
                None if is_host(value) => Ok(()),
                None => Err(Fault::Bad),
            },
            // Twice the same is not refused by everybody, which is why it is refused here.
            Name::ContentLength => match self.length.replace(length(value)?) {
                Some(_) => Err(Fault::Bad),
                None => Ok(()),
            },
            Name::TransferEncoding if self.chunked || minor == 0 => Err(Fault::Bad),
            Name::TransferEncoding => {
                self.chunked = true;
                coding(value)
            }
            Name::Connection => {
                self.wishes.add(value);
                Ok(())
            }
            Name::Upgrade => {
                // A connection that became HTTP/2 would carry requests nobody here looks at.
                self.http2 |= words(value).any(|word| word.eq_ignore_ascii_case(b"h2c"));
                self.upgrade = true;
                Ok(())
            }
            Name::Expect if value.eq_ignore_ascii_case(b"100-continue") => {
                self.expects = minor > 0;
                Ok(())
            }
            Name::Expect => Err(Fault::Expectation),
            _ => Ok(()),
        }
    }
}

/// Which coding a body has: chunks and nothing else.
fn coding(value: &[u8]) -> Result<(), Fault> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let known = |word: &[u8]| {
        [&b"gzip"[..], b"x-gzip", b"deflate", b"compress", b"x-compress"]
            .iter()
            .any(|known| word.eq_ignore_ascii_case(known))
    };
    let mut coding = words(value).peekable();
    while let Some(word) = coding.next() {
        let last = coding.peek().is_none();
        if last && word.eq_ignore_ascii_case(b"chunked") {
            return Err(Fault::Coding);
        }
        if last || !known(word) {
            break;
        }
    }
    Err(Fault::Bad)
}

fn is_host(value: &[u8]) -> bool {
    let other = b"-._~!$&'()*+;=:[]%";
    value.iter().all(|byte| byte.is_ascii_alphanumeric() || other.contains(byte))
}

/// The target for the other side, and the host that it names itself.
fn target<'a>(method: &str, target: &'a str) -> Result<(&'a str, Option<&'a str>), Fault> {
    if method == "CONNECT" {
        let named = !target.contains('/') && is_host(target.as_bytes());
        return if named { Ok((target, None)) } else { Err(Fault::Bad) };
    }
    if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        return Ok((target, None));
    }
    // What a client sends to a proxy; RFC 9112 section 3.2.2: its host counts, not the header's.
    let scheme = target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let rest = scheme.and_then(|_| target.get(7..)).ok_or(Fault::Bad)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end).ok_or(Fault::Bad)?;
    if host.is_empty() || !is_host(host.as_bytes()) {
        return Err(Fault::Bad);
    }
    match path {
        "" => Ok(("/", Some(host))),
        _ if path.starts_with('/') => Ok((path, Some(host))),
        // A path that begins with its query has nothing before it.
        _ => Err(Fault::Bad),
    }
}

/// Reads the head at the beginning of `bytes` and adds to `out` the one for who serves it; nothing
/// where more bytes have to come first.
///
/// # Errors
///
/// Why it is not passed on. Nothing after it on the connection means anything then.
pub fn pass_request(
    bytes: &[u8],
    client: &Client<'_>,
    limits: Limits,
    out: &mut Vec<u8>,
) -> Result<Option<PassedRequest>, Fault> {
    // An empty line before a request is read over (RFC 9112 section 2.2), one.
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let rest = bytes.get(skipped..).unwrap_or_default();
    if bytes == b"\r" {
        return limits.partial(bytes);
    }
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(rest);
    // The parser reads over any number of them.
    if rest.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(Fault::Bad);
    }
    let end = match parsed.map_err(fault)? {
        httparse::Status::Complete(end) if end <= limits.head => end,
        httparse::Status::Complete(_) => return Err(Fault::HeadTooLong),
        httparse::Status::Partial if has_bare_line_feed(rest) => return Err(Fault::Bad),
        httparse::Status::Partial => return limits.partial(rest),
    };
    if has_bare_line_feed(rest.get(..end).unwrap_or_default()) {
        return Err(Fault::Bad);
    }
    let httparse::Request { method, path, version, headers } = request;
    let (method, minor) = (method.unwrap_or_default(), version.unwrap_or(0));
    let headers: &[httparse::Header<'_>] = headers;
    let mut read = Read::default();
    for header in headers {
        read.add(header, minor)?;
    }
    let (target, named) = target(method, path.unwrap_or_default())?;
    if read.host.is_none() && minor > 0 {
        return Err(Fault::Bad);
    }
    let connect = method == "CONNECT";
    let body = match (read.length, read.chunked) {
        (Some(_), true) => return Err(Fault::Bad),
        (None, false) => Body::None,
        _ if connect => return Err(Fault::Bad),
        (Some(0), false) => Body::None,
        (Some(length), false) => Body::Length(length),
        (None, true) => Body::Chunked,
    };
    let host = named.map_or(read.host.unwrap_or_default(), str::as_bytes);
    let asks = read.upgrade && read.wishes.upgrade && !read.http2;
    let upgrade = asks && minor > 0 && body == Body::None;
    for part in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    write_line(out, "Host", host);
    client.write(host, &Said { headers, trust: client.forwarding.trust }, out);
    let expects = read.expects && body != Body::None;
    for header in headers {
        let value = header.value.trim_ascii();
        let goes = match Name::of(header.name) {
            Name::Host | Name::Connection | Name::Hop | Name::TransferEncoding => false,
            Name::Upgrade => upgrade,
            Name::Expect => expects,
            Name::Forwarded(forward) => client.keeps(forward),
            Name::ContentLength => true,
            Name::Te => {
                if words(value).any(|word| word.eq_ignore_ascii_case(b"trailers")) {
                    write_line(out, header.name, b"trailers");
                }
                false
            }
            Name::Other => !read.wishes.names || !names(headers, header.name),
        };
        if goes {
            write_line(out, header.name, value);
        }
    }
    if upgrade {
        write_line(out, "Connection", b"upgrade");
    }
    if body == Body::Chunked {
        write_line(out, "Transfer-Encoding", b"chunked");
    }
    out.extend_from_slice(b"\r\n");
    Ok(Some(PassedRequest {
        bytes: end.saturating_add(skipped),
        body,
        minor,
        keep_alive: read.wishes.keeps(minor),
        head: method == "HEAD",
        connect,
        upgrade,
        expects,
    }))
}
