//! The head of a request that is about to be refused: whether it is to be, and what follows it.

use httparse::{EMPTY_HEADER, Status};

use crate::native::probes::head::{has_word, path_of};

/// How many bytes a head may have before it is given to JavaScript, which knows its own limits.
pub(super) const MOST_BYTES: usize = 8 * 1024;

const MOST_HEADERS: usize = 64;

/// What can be said of the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// There must come more.
    Partial,
    /// Nothing that can be answered here.
    Foreign,
    /// A request that can be.
    Whole(Request),
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// Whether the answer has no body.
    pub(super) bare: bool,
    /// Whether the connection can go on after the answer: nobody wants it closed, and all of the
    /// request is there.
    pub(super) stays: bool,
    /// How many bytes of it are there.
    pub(super) bytes: usize,
    /// Whether more of it may come.
    pub(super) more: bool,
}

/// Reads the head at the beginning of `bytes`; requests for one of `paths` are foreign.
pub(super) fn read(bytes: &[u8], paths: &[String]) -> Head {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) if bytes.len() < MOST_BYTES => return Head::Partial,
        Ok(Status::Partial) | Err(_) => return Head::Foreign,
    };
    let path = path_of(request.path.unwrap_or("/"));
    if paths.iter().any(|known| known == path) {
        return Head::Foreign;
    }
    let end = body_of(request.headers).and_then(|body| head.checked_add(body));
    let more = end.is_none_or(|end| end > bytes.len());
    Head::Whole(Request {
        bare: request.method == Some("HEAD"),
        stays: !more && !ends(&request),
        bytes: end.unwrap_or(head).min(bytes.len()),
        more,
    })
}

/// How many bytes of body there are; nothing where that is not said, or not in one clear way.
fn body_of(headers: &[httparse::Header<'_>]) -> Option<usize> {
    let mut length = None;
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // Who expects to be asked for the body may send it or not.
        if is("transfer-encoding") || is("expect") {
            return None;
        }
        if is("content-length") {
            let digits = !header.value.is_empty() && header.value.iter().all(u8::is_ascii_digit);
            let value = str::from_utf8(header.value).ok().filter(|_| digits && length.is_none());
            length = Some(value?.parse().ok()?);
        }
    }
    Some(length.unwrap_or(0))
}

/// Whether the connection ends with the answer: asked for, in an old version, or where something else
/// than HTTP/1 is wanted.
fn ends(request: &httparse::Request<'_, '_>) -> bool {
    let old = request.version != Some(1);
    old || request.headers.iter().any(|header| {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        is("upgrade") || is("connection") && has_word(header.value, b"close")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Head {
        read(head.as_bytes(), &[String::from("/livez")])
    }

    fn whole(head: &str) -> Request {
        match of(head) {
            Head::Whole(request) => request,
            other => panic!("{head} is {other:?}"),
        }
    }

    #[test]
    fn requests_are_refused_but_for_the_paths_that_are_exempt() {
        let get = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let plain = Request { bare: false, stays: true, bytes: get.len(), more: false };
        assert_eq!(whole(get), plain);
        assert_eq!(whole("GET /livez/x HTTP/1.1\r\n\r\n").more, false);
        assert_eq!(of("GET /livez?verbose HTTP/1.1\r\n\r\n"), Head::Foreign);
        assert_eq!(of("GET http://a:1/livez HTTP/1.1\r\n\r\n"), Head::Foreign);
        assert!(whole("HEAD / HTTP/1.1\r\n\r\n").bare);
    }

    #[test]
    fn a_connection_stays_where_all_of_the_request_is_there() {
        for lines in ["", "connection: keep-alive\r\n", "content-length: 0\r\n"] {
            assert!(whole(&format!("GET / HTTP/1.1\r\n{lines}\r\n")).stays, "{lines}");
        }
        let head = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
        let (none, half, all, next) = (
            whole(head),
            whole(&format!("{head}ab")),
            whole(&format!("{head}abcd")),
            whole(&format!("{head}abcdGET /")),
        );
        assert_eq!((none.stays, none.more, none.bytes), (false, true, head.len()));
        assert_eq!((half.stays, half.more, half.bytes), (false, true, head.len() + 2));
        assert_eq!((all.stays, all.more, all.bytes), (true, false, head.len() + 4));
        assert_eq!((next.stays, next.bytes), (true, head.len() + 4));
    }

    #[test]
    fn it_ends_where_that_is_wanted_or_nobody_knows_where_the_request_does() {
        for lines in [
            "connection: x, Close\r\n",
            "upgrade: websocket\r\nconnection: upgrade\r\n",
            "transfer-encoding: chunked\r\n",
            "content-length: 0\r\nTransfer-Encoding: chunked\r\n",
            "expect: 100-continue\r\ncontent-length: 0\r\n",
            "content-length: +1\r\n",
            "content-length: 0\r\ncontent-length: 0\r\n",
            "content-length: 99999999999999999999999\r\n",
            "content-length: 18446744073709551615\r\n",
        ] {
            assert!(!whole(&format!("POST / HTTP/1.1\r\n{lines}\r\nabc")).stays, "{lines}");
        }
        assert!(!whole("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").stays);
    }

    #[test]
    fn what_is_no_request_is_somebody_elses_and_half_of_one_is_waited_for() {
        assert_eq!(of("\x16\x03\x01\x02"), Head::Foreign);
        assert_eq!(of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Head::Foreign);
        assert_eq!(of(""), Head::Partial);
        assert_eq!(of("GET / HTTP/1.1\r\nhost: a\r\n"), Head::Partial);
        assert_eq!(of(&format!("GET /{} ", "a".repeat(MOST_BYTES))), Head::Foreign);
    }
}
