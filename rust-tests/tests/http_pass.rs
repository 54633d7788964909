//! Messages that pass through: what is refused, what is written, where bodies end.

use proptest::prelude::*;
use seawall::http::pass::{
    Asked, Body, Chunks, Client, Fault, Forwarding, Limits, Part, PassedRequest, PassedResponse,
    pass_request, pass_response,
};

fn request_from(
    forwarding: Forwarding,
    bytes: &str,
) -> Result<Option<(PassedRequest, String)>, Fault> {
    let client = Client { address: "192.0.2.7", forwarding };
    let mut out = Vec::new();
    let passed = pass_request(bytes.as_bytes(), &client, Limits::default(), &mut out)?;
    Ok(passed.map(|passed| (passed, String::from_utf8(out).expect("text"))))
}

fn request(bytes: &str) -> Result<Option<(PassedRequest, String)>, Fault> {
    request_from(Forwarding::default(), bytes)
}

fn passed(bytes: &str) -> (PassedRequest, String) {
    request(bytes).expect("not refused").expect("complete")
}

fn get() -> PassedRequest {
    passed("GET / HTTP/1.1\r\nHost: a\r\n\r\n").0
}

fn response_to(request: PassedRequest, bytes: &str) -> Result<(PassedResponse, String), Fault> {
    let mut out = Vec::new();
    let asked = Asked { request, keep_alive: request.keep_alive };
    let passed = pass_response(bytes.as_bytes(), &asked, Limits::default(), &mut out)?;
    Ok((passed.expect("complete"), String::from_utf8(out).expect("text")))
}

#[test]
fn what_could_smuggle_a_request_is_refused() {
    let length = "POST / HTTP/1.1\r\nHost: a\r\n";
    for (what, rest) in [
        ("a length, then chunks", "Content-Length: 3\r\nTransfer-Encoding: chunked"),
        ("chunks, then a length", "Transfer-Encoding: chunked\r\nContent-Length: 3"),
        ("two lengths", "Content-Length: 3\r\nContent-Length: 4"),
        ("the same length twice", "Content-Length: 3\r\nContent-Length: 3"),
        ("a list of lengths", "Content-Length: 3, 3"),
        ("a sign", "Content-Length: +3"),
        ("a hexadecimal length", "Content-Length: 0x3"),
        ("an empty length", "Content-Length:"),
        ("chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ("chunks twice in a line", "Transfer-Encoding: chunked, chunked"),
        ("chunks that are not last", "Transfer-Encoding: chunked, gzip"),
        ("another coding", "Transfer-Encoding: identity"),
        ("nearly chunked", "Transfer-Encoding: xchunked"),
        ("a vertical tab", "Transfer-Encoding: \x0bchunked"),
        ("quoted", "Transfer-Encoding: \"chunked\""),
        ("an empty coding", "Transfer-Encoding:"),
        ("a space before the colon", "Transfer-Encoding : chunked"),
        ("a tab before the colon", "Content-Length\t: 3"),
        ("a folded line", "X: a\r\n b"),
        ("a folded coding", "Transfer-Encoding:\r\n chunked"),
        ("a bare line feed", "X: a\nContent-Length: 3"),
        ("a bare carriage return", "X: a\rb"),
        ("a zero byte", "X: a\0b"),
        ("two hosts", "Host: b"),
        ("a line without a colon", "Content-Length"),
        ("an empty name", ": 3"),
    ] {
        let bytes = format!("{length}{rest}\r\n\r\nabc");
        assert_eq!(request(&bytes), Err(Fault::Bad), "{what}");
    }
    for (what, bytes) in [
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("an empty line that is bare", "GET / HTTP/1.1\r\nHost: a\r\n\nGET /b HTTP/1.1\r\n"),
        ("bare line feeds alone", "GET / HTTP/1.1\nHost: a\n"),
        ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a target that is none", "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a star without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a foreign scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a user in the host", "GET http://a@b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        ("a host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        ("empty lines before it", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a CONNECT with a body", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
    ] {
        assert_eq!(request(bytes), Err(Fault::Bad), "{what}");
    }
}

#[test]
fn other_faults_have_statuses_of_their_own() {
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(200));
    for (bytes, fault) in [
        (long.as_str(), Fault::HeadTooLong),
        (&long[..17_000], Fault::HeadTooLong),
        (many.as_str(), Fault::HeadTooLong),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", Fault::Expectation),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Fault::Coding),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", Fault::Version),
    ] {
        assert_eq!(request(bytes).map(|_| ()), Err(fault), "{:.60}", bytes);
    }
    assert_eq!(Fault::HeadTooLong.status(), 431);
}

#[test]
fn what_is_between_neighbours_does_not_go_on() {
    let (passed, head) = passed(
        "GET /a?b HTTP/1.1\r\nHost: a:80\r\nConnection: keep-alive, X-Mine\r\nKeep-Alive: 5\r\n\
         X-Mine: 1\r\nProxy-Connection: close\r\nTE: gzip, trailers\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: x\r\nProxy-Authorization: x\r\nX-Other: 2\r\n\r\n",
    );
    assert_eq!(
        head,
        "GET /a?b HTTP/1.1\r\nHost: a:80\r\nX-Forwarded-For: 192.0.2.7\r\n\
         X-Forwarded-Proto: http\r\nX-Forwarded-Host: a:80\r\nTE: trailers\r\nX-Other: 2\r\n\r\n"
    );
    assert!(passed.keep_alive && !passed.upgrade);
}

#[test]
fn strangers_are_not_believed() {
    let said = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\nx-forwarded-proto: https\r\n\
                X-Forwarded-Host: evil\r\nForwarded: for=1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\n\r\n";
    let (_, head) = passed(said);
    assert!(
        !head.contains("1.1.1.1") && !head.contains("evil") && !head.contains("https"),
        "{head}"
    );
    assert_eq!(head.matches("X-Forwarded-For").count(), 1);

    let trusting = Forwarding { trust: true, standard: true, ..Forwarding::default() };
    let (_, head) = request_from(trusting, said).unwrap().unwrap();
    for line in [
        "X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n",
        "x-forwarded-proto: https\r\n",
        "X-Forwarded-Host: evil\r\n",
        "Forwarded: for=1.1.1.1, for=192.0.2.7;proto=http;host=\"a\"\r\n",
        "X-Real-IP: 1.1.1.1\r\n",
    ] {
        assert_eq!(head.matches(line).count(), 1, "{line} in {head}");
    }
    assert!(!head.contains("X-Forwarded-Proto: http\r\n"));

    let silent = Forwarding { x_forwarded: false, ..Forwarding::default() };
    let (_, head) = request_from(silent, said).unwrap().unwrap();
    assert_eq!(head, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn targets_and_upgrades() {
    let (_, head) = passed("GET http://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.starts_with("GET /x?y HTTP/1.1\r\nHost: b:81\r\n"), "{head}");
    let (_, head) = passed("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.starts_with("GET / HTTP/1.1\r\nHost: b\r\n"), "{head}");
    let (request, head) = passed("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
    assert!(request.connect && head.starts_with("CONNECT b:443 HTTP/1.1\r\n"), "{head}");
    let (request, head) =
        passed("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(request.upgrade);
    assert!(head.ends_with("Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"), "{head}");
    for lines in ["h2c, x", "h2c\r\nUpgrade: x", "x\r\nUpgrade: H2C"] {
        let bytes =
            format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {lines}\r\n\r\n");
        let (request, head) = passed(&bytes);
        assert!(!request.upgrade && !head.contains("pgrade"), "{lines}: {head}");
    }
    let (_, head) = passed("GET / HTTP/1.0\r\n\r\n");
    assert!(head.starts_with("GET / HTTP/1.1\r\nHost: \r\n"), "Node wants one: {head}");
}

#[test]
fn an_empty_line_may_come_before_a_request() {
    for begun in ["\r", "\r\n", "\r\nG"] {
        assert_eq!(request(begun), Ok(None), "{begun:?}");
    }
    for bad in ["\rG", "\n", "\r\n\r", "\r\n\r\n"] {
        assert_eq!(request(bad), Err(Fault::Bad), "{bad:?}");
    }
}

#[test]
fn bodies_of_requests() {
    for (lines, body, expects) in [
        ("Content-Length: 0", Body::None, false),
        ("Content-Length: 12", Body::Length(12), false),
        ("Transfer-Encoding: Chunked", Body::Chunked, false),
        ("Content-Length: 1\r\nExpect: 100-Continue", Body::Length(1), true),
        ("Expect: 100-continue", Body::None, false),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        let (passed, head) = passed(&bytes);
        assert_eq!((passed.body, passed.expects), (body, expects && body != Body::None), "{lines}");
        assert_eq!(head.contains("Transfer-Encoding: chunked\r\n"), body == Body::Chunked);
    }
}

#[test]
fn answers() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let close = PassedRequest { keep_alive: false, ..get() };
    let head = PassedRequest { head: true, ..get() };
    let old = PassedRequest { minor: 0, keep_alive: true, ..get() };
    for (request, bytes, body, keeps, client_keeps, wanted) in [
        (
            get(),
            format!(
                "{ok}Content-Length: 2\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive\r\n\r\n"
            ),
            Body::Length(2),
            true,
            true,
            format!("{ok}Content-Length: 2\r\n\r\n"),
        ),
        (
            close,
            format!("{ok}Content-Length: 2\r\n\r\n"),
            Body::Length(2),
            true,
            false,
            format!("{ok}Content-Length: 2\r\nConnection: close\r\n\r\n"),
        ),
        (
            get(),
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n"),
            Body::Chunked,
            true,
            true,
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n"),
        ),
        (
            get(),
            format!("{ok}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"),
            Body::Chunked,
            false,
            true,
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n"),
        ),
        (
            old,
            format!("{ok}Transfer-Encoding: chunked\r\n\r\n"),
            Body::Chunked,
            true,
            false,
            format!("{ok}Connection: close\r\n\r\n"),
        ),
        (
            old,
            format!("{ok}Content-Length: 2\r\n\r\n"),
            Body::Length(2),
            true,
            true,
            format!("{ok}Content-Length: 2\r\nConnection: keep-alive\r\n\r\n"),
        ),
        (
            get(),
            format!("{ok}\r\n"),
            Body::UntilClose,
            false,
            false,
            format!("{ok}Connection: close\r\n\r\n"),
        ),
        (
            head,
            format!("{ok}Content-Length: 2\r\nConnection: close\r\n\r\n"),
            Body::None,
            false,
            true,
            format!("{ok}Content-Length: 2\r\n\r\n"),
        ),
        (
            get(),
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".into(),
            Body::None,
            true,
            true,
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n".into(),
        ),
        (
            get(),
            "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n".into(),
            Body::None,
            true,
            true,
            "HTTP/1.1 204 No Content\r\n\r\n".into(),
        ),
        (
            get(),
            format!("{ok}Content-Length: 0\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n"),
            Body::None,
            true,
            true,
            format!("{ok}Content-Length: 0\r\n\r\n"),
        ),
    ] {
        let (passed, head) = response_to(request, &bytes).expect("not refused");
        assert_eq!(
            (passed.body, passed.keeps, passed.client_keeps, head),
            (body, keeps, client_keeps, wanted),
            "{bytes}"
        );
    }
    let (passed, head) = response_to(get(), "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n").unwrap();
    assert!(passed.interim);
    assert_eq!(head, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n");
    assert_eq!(response_to(old, "HTTP/1.1 100 Continue\r\n\r\n").unwrap().1, "");
}

#[test]
fn answers_that_become_something_else() {
    let upgrade = PassedRequest { upgrade: true, ..get() };
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let (passed, head) = response_to(upgrade, switched).unwrap();
    assert!(passed.tunnel && !passed.keeps);
    assert!(head.ends_with("Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"), "{head}");
    assert_eq!(response_to(get(), switched).map(|_| ()), Err(Fault::Bad), "nobody asked for it");
    let connect = PassedRequest { connect: true, ..get() };
    assert!(response_to(connect, "HTTP/1.1 200 OK\r\n\r\n").unwrap().0.tunnel);
    assert!(
        !response_to(connect, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n").unwrap().0.tunnel
    );
    let no = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n";
    for (request, keeps) in [(upgrade, false), (connect, false), (get(), true)] {
        let (passed, _) = response_to(request, no).unwrap();
        assert!(passed.keeps == keeps && passed.client_keeps, "{request:?}");
    }
    for bad in [
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
    ] {
        assert_eq!(response_to(get(), bad).map(|_| ()), Err(Fault::Bad), "{bad}");
    }
    assert!(response_to(get(), "nonsense\r\n\r\n").is_err());
}

/// The data of a body in chunks and how many bytes it had, read in pieces of `size`.
fn read_chunks(bytes: &[u8], size: usize) -> Result<Option<(Vec<u8>, usize)>, Fault> {
    let (mut chunks, mut data, mut at) = (Chunks::default(), Vec::new(), 0);
    while at < bytes.len() {
        let end = (at + size).min(bytes.len());
        let part = chunks.next(&bytes[at..end])?;
        assert!(!part.is_empty(), "it goes on");
        if let Part::Data(count) = part {
            data.extend_from_slice(&bytes[at..at + count]);
        }
        at += part.len();
        if matches!(part, Part::End(_)) {
            return Ok(Some((data, at)));
        }
    }
    Ok(None)
}

#[test]
fn chunks_that_can_be_read_in_two_ways_are_refused() {
    for bad in [
        "3\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n",
        " 3\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        "+3\r\nabc\r\n",
        "-3\r\nabc\r\n",
        "\r\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n",
        "3;\0\r\nabc\r\n",
        "3\r\rabc\r\n",
        "g\r\n",
        "fffffffffffffffff\r\n",
        "0\r\nX : a\r\n\r\n",
        "0\r\n a\r\n\r\n",
        "0\r\nX: a\n\r\n",
        "0\r\n: a\r\n\r\n",
        "0\r\n\r0",
    ] {
        for size in [1, 4, 1000] {
            assert_eq!(read_chunks(bad.as_bytes(), size), Err(Fault::Bad), "{bad:?}");
        }
    }
    let long = format!("1;{}\r\n", "a".repeat(20_000));
    assert_eq!(read_chunks(long.as_bytes(), 1000), Err(Fault::Bad));
}

#[test]
fn chunks_with_trailers_and_extensions() {
    let bytes = b"003;a=b\r\nabc\r\nA\r\n0123456789\r\n00\r\nX-Sum: 1\r\nY:\r\n\r\nGET";
    for size in 1..bytes.len() {
        let read = read_chunks(bytes, size).expect("not refused");
        assert_eq!(read, Some((b"abc0123456789".to_vec(), bytes.len() - 3)), "{size}");
    }
}

proptest! {
    #[test]
    fn any_body_comes_out_as_it_went_in(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
        size in 1_usize..60,
        rest in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = Vec::new();
        for part in &parts {
            bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
            bytes.extend_from_slice(part);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        let whole = bytes.len();
        bytes.extend_from_slice(&rest);
        prop_assert_eq!(read_chunks(&bytes, size), Ok(Some((parts.concat(), whole))));
    }

    /// Nothing that comes makes it panic, and what passes is written so that it passes again, with
    /// the same body.
    #[test]
    fn what_was_written_reads_the_same(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "Content-Length: 5", "Content-Length: 0", "Transfer-Encoding: chunked",
                "Transfer-Encoding: gzip, chunked", "Connection: close", "Connection: upgrade",
                "Upgrade: websocket", "X: y", "Host: b", " folded", "Te: trailers",
                "X-Forwarded-For: 9.9.9.9", "Connection: Content-Length", "Connection: host",
                "Expect: 100-continue", "\tx", "Content-Length : 1",
            ]), 0..6),
        method in prop::sample::select(vec!["GET", "POST", "HEAD", "OPTIONS", "CONNECT"]),
        target in prop::sample::select(vec!["/", "*", "a:1", "http://c/d", "/x?y#z", "//"]),
        minor in 0_u8..2,
    ) {
        let head = format!("{method} {target} HTTP/1.{minor}\r\nHost: a\r\n{}\r\n\r\n", lines.join("\r\n"));
        let head = head.replace("\r\n\r\n\r\n", "\r\n\r\n");
        if let Ok(Some((first, written))) = request(&head) {
            prop_assert_eq!(first.bytes, head.len());
            let (second, again) = passed(&written);
            prop_assert_eq!(
                (second.body, second.connect, second.head, second.upgrade, second.bytes),
                (first.body, first.connect, first.head, first.upgrade, written.len())
            );
            prop_assert_eq!(again, written);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let client = Client { address: "::1", forwarding: Forwarding::default() };
        let _ = pass_request(&bytes, &client, Limits::default(), &mut Vec::new());
        let asked = Asked { request: get(), keep_alive: true };
        let _ = pass_response(&bytes, &asked, Limits::default(), &mut Vec::new());
        let _ = read_chunks(&bytes, 7);
    }
}
