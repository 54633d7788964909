//! Heads of requests and handshakes, whole, in parts and hostile.

use proptest::prelude::*;
use seawall::http::{Head, latin1, server_name};

#[test]
fn a_whole_head() {
    let text = b"POST /a?b=1 HTTP/1.0\r\nHost:  x.test \r\nX-A: 1\r\nx-a: 2\r\n\r\nHost: evil";
    let head = Head::parse(text);
    assert_eq!(head.method, "POST");
    assert_eq!((head.path.as_deref(), head.version.as_deref()), (Some("/a?b=1"), Some("1.0")));
    assert_eq!(head.header("host"), Some("x.test"), "the body is no header");
    assert_eq!(head.header("x-a"), Some("2"), "the last one");
    assert_eq!(&text[head.bytes..], b"Host: evil");
    assert!(head.complete && head.is_http1);
}

#[test]
fn as_far_as_it_goes() {
    let head = Head::parse(b"GET /slow HTTP/1.1\r\nHost: here\r\nX-Half: w");
    assert_eq!((head.method.as_str(), head.path.as_deref()), ("GET", Some("/slow")));
    assert_eq!(head.header("host"), Some("here"));
    assert!(!head.complete && head.is_http1);
    let empty = Head::parse(b"");
    assert_eq!((empty.method.as_str(), empty.path, empty.is_http1), ("", None, false));
}

#[test]
fn what_is_no_request_is_none() {
    for bytes in [
        &b"\x16\x03\x01\x00\x05hello"[..],
        b"hello world\r\n\r\n",
        b"\0\0\0",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"hello world",
        b"GET /nearly HTTP/1.",
    ] {
        let head = Head::parse(bytes);
        assert!(!head.is_http1, "{bytes:?}");
        assert!(head.headers.is_empty());
    }
}

#[test]
fn lines_that_are_no_headers_are_left_out() {
    let head = Head::parse(b"GET / HTTP/1.1\r\nno colon\r\n: no name\r\nA: b\r\n\r\n");
    assert_eq!(head.headers, [("a".into(), "b".into())]);
}

#[test]
fn bytes_beyond_ascii_are_latin1() {
    let head = Head::parse(b"GET / HTTP/1.1\r\nX: caf\xe9\r\n\r\n");
    assert_eq!(head.header("x"), Some("caf\u{e9}"));
    assert_eq!(latin1(&[0xe9, 0x41]), "\u{e9}A");
}

/// A handshake for `name`, as TLS 1.2 and 1.3 clients begin.
fn client_hello(name: &[u8]) -> Vec<u8> {
    fn block(length: usize, bytes: &[u8]) -> Vec<u8> {
        let size = bytes.len().to_be_bytes();
        [&size[size.len() - length..], bytes].concat()
    }
    let list = block(2, &[&[0][..], &block(2, name)].concat());
    let extensions = [&[0, 23][..], &block(2, &[]), &[0, 0], &block(2, &list)].concat();
    let hello = [
        &[3, 3][..],
        &[7; 32],
        &block(1, &[9; 32]),
        &block(2, &[0x13, 1]),
        &block(1, &[0]),
        &block(2, &extensions),
    ]
    .concat();
    let message = [&[1][..], &block(3, &hello)].concat();
    [&[0x16, 3, 1][..], &block(2, &message)].concat()
}

#[test]
fn the_name_a_handshake_asks_for() {
    let hello = client_hello(b"api.example.test");
    assert_eq!(server_name(&hello).as_deref(), Some("api.example.test"));
    assert_eq!(server_name(&hello[..hello.len() - 1]), None, "not whole");
    assert_eq!(server_name(&client_hello(b"a b\r\n")), None, "no name of a host");
    assert_eq!(server_name(b"GET / HTTP/1.1\r\n\r\n"), None);
}

proptest! {
    #[test]
    fn nothing_breaks_the_parsers(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Head::parse(&bytes).bytes <= bytes.len());
        let _ = server_name(&bytes);
    }

    #[test]
    fn nor_what_is_nearly_right(place in 0usize..120, byte: u8, cut in 0usize..120) {
        let mut hello = client_hello(b"api.example.test");
        if let Some(old) = hello.get_mut(place) { *old = byte; }
        hello.truncate(cut);
        let _ = server_name(&hello);
        let mut request = b"GET /path HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n".to_vec();
        if let Some(old) = request.get_mut(place) { *old = byte; }
        request.truncate(cut);
        prop_assert!(Head::parse(&request).bytes <= request.len());
    }
}
