//! The head of a request that is about to be refused: whether it is to be, and what follows it.

use httparse::{EMPTY_HEADER, Status};

use crate::native::probes::head::path_of;

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
    /// A request.
    Whole {
        /// Whether the answer has no body.
        bare: bool,
        /// Whether more than the head has come, or will.
        more: bool,
    },
}

/// Reads the head at the beginning of `bytes`; requests for one of `paths` are foreign.
pub(super) fn read(bytes: &[u8], paths: &[String]) -> Head {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < MOST_BYTES => return Head::Partial,
        Ok(Status::Partial) | Err(_) => return Head::Foreign,
    };
    let path = path_of(request.path.unwrap_or("/"));
    if paths.iter().any(|known| known == path) {
        return Head::Foreign;
    }
    let has_body = request.headers.iter().any(|header| {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        is("transfer-encoding") || is("content-length") && header.value.trim_ascii() != b"0"
    });
    Head::Whole { bare: request.method == Some("HEAD"), more: has_body || bytes.len() > length }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Head {
        read(head.as_bytes(), &[String::from("/livez")])
    }

    #[test]
    fn requests_are_refused_but_for_the_paths_that_are_exempt() {
        let whole = Head::Whole { bare: false, more: false };
        assert_eq!(of("GET / HTTP/1.1\r\nhost: a\r\n\r\n"), whole);
        assert_eq!(of("GET /livez/x HTTP/1.1\r\n\r\n"), whole);
        assert_eq!(of("GET /livez?verbose HTTP/1.1\r\n\r\n"), Head::Foreign);
        assert_eq!(of("GET http://a:1/livez HTTP/1.1\r\n\r\n"), Head::Foreign);
        assert_eq!(of("HEAD / HTTP/1.1\r\n\r\n"), Head::Whole { bare: true, more: false });
    }

    #[test]
    fn what_follows_a_head_is_seen() {
        let more = Head::Whole { bare: false, more: true };
        assert_eq!(of("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"), more);
        assert_eq!(of("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"), more);
        assert_eq!(of("GET / HTTP/1.1\r\n\r\nGET"), more);
        let none = of("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(none, Head::Whole { bare: false, more: false });
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
