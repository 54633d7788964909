//! The head of a request.

use httparse::{EMPTY_HEADER, Error, Status};

/// How many bytes a head may have.
pub(super) const MOST_BYTES: usize = 8 * 1024;

const MOST_HEADERS: usize = 64;

/// What can be said of the bytes so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// There must come more.
    Partial,
    /// A request whose head is so many bytes long.
    Request { method: Method, path: String, close: bool, bytes: usize },
    /// No request; the status to refuse it with.
    Refused(u16),
}

/// What is wanted of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Head,
    Other,
}

/// Reads the head at the beginning of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Head {
    let mut headers = [EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Partial) if bytes.len() < MOST_BYTES => Head::Partial,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => Head::Refused(431),
        Err(_) => Head::Refused(400),
        Ok(Status::Complete(length)) if length > MOST_BYTES => Head::Refused(431),
        Ok(Status::Complete(length)) => Head::Request {
            method: match request.method {
                Some("GET") => Method::Get,
                Some("HEAD") => Method::Head,
                _ => Method::Other,
            },
            path: path_of(request.path.unwrap_or("/")).to_owned(),
            close: closes(&request),
            bytes: length,
        },
    }
}

/// Whether the connection ends with the answer: asked for, in an old version, or with a body that
/// nobody here reads.
fn closes(request: &httparse::Request<'_, '_>) -> bool {
    let old = request.version != Some(1);
    old || request.headers.iter().any(|header| {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        is("connection") && has_word(header.value, b"close")
            || is("content-length") && header.value.trim_ascii() != b"0"
            || is("transfer-encoding")
            || is("upgrade")
    })
}

/// Whether a list of words, as headers have them, has `word`.
pub(in crate::native) fn has_word(value: &[u8], word: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
}

/// The path of a request target: without the query, and without scheme and host.
pub(in crate::native) fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    };
    path.split(['?', '#']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(target: &str) -> String {
        match parse(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()) {
            Head::Request { path, .. } => path,
            other => format!("{other:?}"),
        }
    }

    fn ends(lines: &str) -> bool {
        match parse(format!("GET / HTTP/1.1\r\n{lines}\r\n").as_bytes()) {
            Head::Request { close, .. } => close,
            _ => panic!("{lines} is no head"),
        }
    }

    #[test]
    fn a_path_has_no_query_and_no_host() {
        assert_eq!(path("/livez"), "/livez");
        assert_eq!(path("/livez?verbose=1#x"), "/livez");
        assert_eq!(path("http://10.0.0.1:8080/livez?a://b/c"), "/livez");
        assert_eq!(path("http://10.0.0.1"), "/");
        assert_eq!(path("/a?b=http://c/d"), "/a");
        assert_eq!(path("*"), "*");
    }

    #[test]
    fn connections_end_where_it_is_asked_for_or_a_body_comes() {
        assert!(!ends(""));
        assert!(!ends("Connection: keep-alive\r\n"));
        assert!(ends("connection: Keep-Alive, Close\r\n"));
        assert!(ends("Content-Length: 5\r\n"));
        assert!(!ends("Content-Length: 0\r\n"));
        assert!(ends("Transfer-Encoding: chunked\r\n"));
        assert!(matches!(parse(b"GET / HTTP/1.0\r\n\r\n"), Head::Request { close: true, .. }));
    }

    #[test]
    fn every_prefix_of_a_head_is_partial_and_what_follows_is_left_alone() {
        let head = b"HEAD /readyz HTTP/1.1\r\nhost: x\r\nuser-agent: kube-probe/1.31\r\n\r\n";
        for end in 0..head.len() {
            assert_eq!(parse(&head[..end]), Head::Partial, "{end}");
        }
        let mut two = head.to_vec();
        two.extend_from_slice(b"GET /");
        let Head::Request { method, bytes, .. } = parse(&two) else { panic!("no head") };
        assert_eq!((method, bytes), (Method::Head, head.len()));
    }

    #[test]
    fn garbage_and_heads_without_end_are_refused() {
        assert_eq!(parse(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), Head::Refused(400));
        assert_eq!(parse(b"GET / HTTP/1.1\r\nno colon\r\n\r\n"), Head::Refused(400));
        let mut long = b"GET /".to_vec();
        long.resize(MOST_BYTES, b'a');
        assert_eq!(parse(&long), Head::Refused(431));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(MOST_HEADERS + 1));
        assert_eq!(parse(many.as_bytes()), Head::Refused(431));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let mut bytes = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 25) as u8;
            }
            let _ = parse(&bytes);
        }
    }
}
