//! Heads that the addon answers by itself, of probes and of requests that are refused.

use seawall::http::pass::{Body, Client, Forwarding, Limits, pass_request};

use crate::native::probes;
use crate::native::refusals::{self, Seen};

/// Whatever comes, it is read once and in one way.
pub fn answered(data: &[u8]) {
    probe(data);
    refusal(data);
}

fn probe(data: &[u8]) {
    match probes::read(data) {
        None => {}
        Some(Err(status)) => assert!(matches!(status, 400 | 431)),
        Some(Ok((path, length))) => {
            assert!((1..=data.len()).contains(&length) && !path.contains(['?', '#', ' ']));
            assert_eq!(probes::read(&data[..length]), Some(Ok((path, length))));
            assert_eq!(probes::read(&data[..length - 1]), None, "it ended before its end");
        }
    }
}

fn refusal(data: &[u8]) {
    let Seen::Whole { stays, bytes, more } = refusals::read(data, &[]) else { return };
    assert!((1..=data.len()).contains(&bytes) && !(stays && more));
    if let Some(Ok((path, _))) = probes::read(data) {
        assert_eq!(refusals::read(data, &[path]), Seen::Foreign, "its path is another's");
    }
    // Where the connection goes on, the next request begins where a strict reader says.
    let client = Client { address: "192.0.2.7", forwarding: Forwarding::default() };
    let strict = pass_request(data, &client, Limits { head: usize::MAX }, &mut Vec::new());
    if let (true, Ok(Some(passed))) = (stays, strict) {
        let body = match passed.body {
            Body::Length(length) => usize::try_from(length).expect("it is all there"),
            Body::None => 0,
            Body::Chunked | Body::UntilClose => panic!("{:?} has no end here", passed.body),
        };
        assert_eq!(bytes, passed.bytes + body);
        assert!(passed.keep_alive && !passed.expects && !passed.upgrade);
    }
}
