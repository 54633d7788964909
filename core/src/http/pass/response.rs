//! The head of an answer, for who asked.

use alloc::vec::Vec;

use super::names::{Name, Wishes, names};
use super::request::PassedRequest;
use super::{Body, Fault, Limits, MOST_HEADERS, fault, length, write_line};

/// What was asked, as far as the answer depends on it.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The request that is answered.
    pub request: PassedRequest,
    /// Whether another request may come on the client's connection.
    pub keep_alive: bool,
}

/// An answer whose head has been read and written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedResponse {
    /// How many bytes its head had.
    pub bytes: usize,
    /// Its status.
    pub status: u16,
    /// How its body ends.
    pub body: Body,
    /// It is not the answer yet: another head follows. For a client of HTTP/1.0 nothing was
    /// written.
    pub interim: bool,
    /// From now on the connection belongs to another protocol.
    pub tunnel: bool,
    /// The client does not read chunks: it gets what is in them.
    pub unwrap: bool,
    /// Whether who answers takes another request on its connection.
    pub keeps: bool,
    /// Whether the client may send another one.
    pub client_keeps: bool,
}

#[derive(Default)]
struct Read {
    length: Option<u64>,
    chunked: bool,
    wishes: Wishes,
}

impl Read {
    fn add(&mut self, header: &httparse::Header<'_>, minor: u8) -> Result<(), Fault> {
        let value = header.value.trim_ascii();
        match Name::of(header.name) {
            Name::ContentLength => {
                let length = length(value)?;
                if self.length.replace(length).is_some_and(|before| before != length) {
                    return Err(Fault::Bad);
                }
            }
            Name::TransferEncoding => {
                if minor == 0 || self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Fault::Bad);
                }
                self.chunked = true;
            }
            Name::Connection => self.wishes.add(value),
            _ => {}
        }
        Ok(())
    }

    fn body(&self, status: u16, asked: &PassedRequest) -> Body {
        match status {
            _ if asked.head => Body::None,
            100..=199 | 204 | 304 => Body::None,
            _ if self.chunked => Body::Chunked,
            _ => match self.length {
                Some(0) => Body::None,
                Some(length) => Body::Length(length),
                None => Body::UntilClose,
            },
        }
    }
}

/// Reads the head at the beginning of `bytes` and adds to `out` the one for the client; nothing
/// where more bytes have to come first.
///
/// # Errors
///
/// Why it is not passed on: who answers does not speak HTTP/1.
pub fn pass_response(
    bytes: &[u8],
    asked: &Asked,
    limits: Limits,
    out: &mut Vec<u8>,
) -> Result<Option<PassedResponse>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let end = match response.parse(bytes).map_err(fault)? {
        httparse::Status::Complete(end) if end <= limits.head => end,
        httparse::Status::Complete(_) => return Err(Fault::HeadTooLong),
        httparse::Status::Partial => return limits.partial(bytes),
    };
    let httparse::Response { version, code, reason, headers } = response;
    let (minor, status) = (version.unwrap_or(0), code.unwrap_or(0));
    let headers: &[httparse::Header<'_>] = headers;
    let mut read = Read::default();
    for header in headers {
        read.add(header, minor)?;
    }
    let Asked { request, keep_alive } = asked;
    let switched = status == 101;
    if switched && !request.upgrade {
        return Err(Fault::Bad);
    }
    let tunnel = switched || (request.connect && (200..300).contains(&status));
    let interim = (100..200).contains(&status) && !switched;
    let body = if tunnel { Body::None } else { read.body(status, request) };
    let unwrap = body == Body::Chunked && request.minor == 0;
    let client_keeps = *keep_alive && !unwrap && !tunnel && body != Body::UntilClose;
    // Servers let go of a connection on which something else was asked for, whatever they answer.
    let switching = request.upgrade || request.connect;
    let passed = PassedResponse {
        bytes: end,
        status,
        body,
        interim,
        tunnel,
        unwrap,
        keeps: read.wishes.keeps(minor)
            && !switching
            && body != Body::UntilClose
            // Who says both is not to be asked again.
            && !(read.chunked && read.length.is_some()),
        client_keeps,
    };
    if interim && request.minor == 0 {
        return Ok(Some(passed));
    }
    write_status(out, status, reason.unwrap_or_default());
    // A length that says nothing of what follows is not passed on.
    let counts = !interim && !tunnel && status != 204 && !read.chunked;
    for header in headers {
        let goes = match Name::of(header.name) {
            Name::Connection | Name::Hop | Name::TransferEncoding => false,
            Name::Upgrade => switched || status == 426,
            Name::ContentLength => counts,
            _ => !read.wishes.names || !names(headers, header.name),
        };
        if goes {
            write_line(out, header.name, header.value.trim_ascii());
        }
    }
    if body == Body::Chunked && !unwrap {
        write_line(out, "Transfer-Encoding", b"chunked");
    }
    if switched || status == 426 {
        write_line(
            out,
            "Connection",
            if switched || client_keeps { b"upgrade" } else { b"upgrade, close" },
        );
    } else if !interim && !tunnel {
        match (client_keeps, request.minor) {
            (false, _) => write_line(out, "Connection", b"close"),
            (true, 0) => write_line(out, "Connection", b"keep-alive"),
            (true, _) => {}
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(Some(passed))
}

fn write_status(out: &mut Vec<u8>, status: u16, reason: &str) {
    out.extend_from_slice(b"HTTP/1.1 ");
    for place in [100, 10, 1] {
        let digit = status.checked_div(place).unwrap_or(0) % 10;
        out.push(b'0'.saturating_add(u8::try_from(digit).unwrap_or(0)));
    }
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}
