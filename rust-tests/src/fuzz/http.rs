//! What stands between a client and a worker: nothing that two sides could read differently goes by.

use std::net::IpAddr;

use seawall::http::pass::{
    Asked, Body, Chunks, Client, Fault, Forwarding, Limits, Part, PassedRequest, pass_request,
    pass_response,
};
use seawall::http::proxy_protocol::{Introduction, LONGEST, Read, extra, read, write};
use seawall::http::{Head, Networks};

use super::bytes::Bytes;

const LIMITS: Limits = Limits { head: 2048 };

/// The words of a balancer before a client's first byte.
pub fn proxy(data: &[u8]) {
    let Read::Whole(header) = read(data) else { return };
    let (length, extras) = (header.length, header.extras);
    assert!((1..=LONGEST).contains(&length) && length <= data.len() && extras.len() < length);
    // What follows says nothing, and nothing but the whole is whole.
    assert_eq!(read(&data[..length]), Read::Whole(header));
    for end in 0..length {
        assert_eq!(read(&data[..end]), Read::Partial, "{end} of {length} bytes");
    }
    let kinds = [0, 1, 5, 0xe5, data[length - 1]];
    let found = kinds.map(|kind| extra(extras, kind));
    let mut again = Vec::new();
    let known: Vec<_> = kinds.iter().zip(found).filter_map(|(k, it)| Some((*k, it?))).collect();
    write(header.introduction, &known, &mut again);
    let Read::Whole(written) = read(&again) else {
        assert!(again.len() > LONGEST, "it reads what it wrote");
        return;
    };
    assert_eq!((written.introduction, written.length), (header.introduction, again.len()));
    for (kind, value) in kinds.iter().zip(found) {
        assert_eq!(extra(written.extras, *kind), value);
    }
    if let Some(Introduction { source, destination }) = header.introduction {
        assert_eq!(source.is_ipv4(), destination.is_ipv4());
    }
}

/// Ranges of addresses, one a line; the first line is an address.
pub fn networks(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, ranges) = text.split_once('\n').unwrap_or((&text, ""));
    let all = Networks::parse(ranges.lines(), "from");
    let Ok(address) = first.parse::<IpAddr>() else { return };
    let alone = Networks::parse([first], "from").expect("an address is a range of one");
    assert!(alone.contains(address));
    // However it is written.
    let older = match address {
        IpAddr::V4(address) => Some(IpAddr::V6(address.to_ipv6_mapped())),
        IpAddr::V6(address) => address.to_ipv4_mapped().map(IpAddr::V4),
    };
    assert!(older.is_none_or(|older| alone.contains(older)));
    let Ok(all) = all else { return };
    let plain = plain(address, if address.is_ipv4() { 32 } else { 128 }).0;
    let expected = ranges.lines().any(|range| {
        let (first, bits) = range.split_once('/').unwrap_or((range, "128"));
        let first = first.parse::<IpAddr>().expect("it was read before");
        let most = if first.is_ipv4() { 32 } else { 128 };
        let (first, bits) =
            self::plain(first, bits.parse().map_or(most, |bits: u32| bits.min(most)));
        match (plain, first) {
            (IpAddr::V4(one), IpAddr::V4(two)) => {
                begins_like(one.to_bits().into(), two.to_bits().into(), bits, 32)
            }
            (IpAddr::V6(one), IpAddr::V6(two)) => {
                begins_like(one.to_bits(), two.to_bits(), bits, 128)
            }
            _ => false,
        }
    });
    assert_eq!(all.contains(address), expected);
    assert!(older.is_none_or(|older| all.contains(older) == expected));
}

/// An address and how many of its bits count, as IPv4 where it is that in the clothes of IPv6.
fn plain(address: IpAddr, bits: u32) -> (IpAddr, u32) {
    match (address, bits.checked_sub(96)) {
        (IpAddr::V6(newer), Some(left)) => match newer.to_ipv4_mapped() {
            Some(older) => (IpAddr::V4(older), left),
            None => (address, bits),
        },
        _ => (address, bits),
    }
}

fn begins_like(one: u128, two: u128, bits: u32, all: u32) -> bool {
    (0..bits).all(|bit| (one ^ two) >> (all - 1 - bit) & 1 == 0)
}

/// Heads of requests and of answers as they are passed on. The first byte says what is told of the
/// client, and what the answer is for.
pub fn pass(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let how = bytes.byte();
    let forwarding =
        Forwarding { trust: how & 1 > 0, x_forwarded: how & 2 > 0, standard: how & 4 > 0 };
    let client =
        Client { address: if how & 8 > 0 { "2001:db8::7" } else { "192.0.2.7" }, forwarding };
    let data = bytes.rest();
    if how & 16 == 0 {
        request(data, &client);
    } else {
        response(data, how);
    }
}

fn passed_request(data: &[u8], client: &Client<'_>) -> Option<(PassedRequest, Vec<u8>)> {
    let mut out = Vec::new();
    let passed = pass_request(data, client, LIMITS, &mut out);
    let Ok(Some(passed)) = passed else {
        assert!(out.is_empty(), "nothing is written of what does not go on");
        assert!(passed.is_err() || data.len() < LIMITS.head + 2, "it is waited for too long");
        return None;
    };
    Some((passed, out))
}

fn request(data: &[u8], client: &Client<'_>) {
    let Some((passed, out)) = passed_request(data, client) else { return };
    assert!(passed.bytes <= data.len() && passed.minor <= 1);
    // What follows the head says nothing, and a beginning of it is not refused and not whole.
    let cut = pass_request(&data[..passed.bytes], client, LIMITS, &mut Vec::new());
    assert_eq!(cut, Ok(Some(passed)));
    let before = pass_request(&data[..passed.bytes - 1], client, LIMITS, &mut Vec::new());
    assert_eq!(before, Ok(None), "it ended before its end");
    one_head(&out);
    // Whoever reads it strictly sees the same request, and where it ends.
    let trusted = Client { forwarding: Forwarding { trust: true, ..client.forwarding }, ..*client };
    let limits = Limits { head: usize::MAX };
    let mut again = Vec::new();
    let reread = pass_request(&out, &trusted, limits, &mut again);
    let reread = match reread {
        Ok(reread) => reread.expect("it is whole"),
        // What is told of the client can make too many lines of it.
        Err(fault) => return assert_eq!(fault, Fault::HeadTooLong),
    };
    assert_eq!(reread.bytes, out.len());
    assert_eq!(
        (reread.body, reread.head, reread.connect, reread.upgrade, reread.minor),
        (passed.body, passed.head, passed.connect, passed.upgrade, 1)
    );
    assert_eq!(reread.expects, passed.expects);
    let lenient = Head::parse(&out);
    let lines = |name: &str| lenient.headers.iter().filter(|(other, _)| other == name).count();
    assert_eq!(lines("host"), 1);
    let (length, chunked) = (lines("content-length"), lines("transfer-encoding"));
    match passed.body {
        Body::Chunked => assert_eq!((length, chunked), (0, 1)),
        Body::Length(_) => assert_eq!((length, chunked), (1, 0)),
        _ => assert!(length <= 1 && chunked == 0),
    }
    if !client.forwarding.trust && client.forwarding.x_forwarded {
        assert_eq!(lines("x-forwarded-for"), 1);
        assert_eq!(lenient.header("x-forwarded-for"), Some(client.address));
    }
}

fn response(data: &[u8], how: u8) {
    let request = PassedRequest {
        bytes: 0,
        body: Body::None,
        minor: u8::from(how & 1 > 0),
        keep_alive: true,
        head: how & 2 > 0,
        connect: how & 6 == 4,
        upgrade: how & 8 > 0,
        expects: false,
    };
    let asked = Asked { request, keep_alive: how & 32 > 0 };
    let mut out = Vec::new();
    let passed = pass_response(data, &asked, LIMITS, &mut out);
    let Ok(Some(passed)) = passed else {
        assert!(out.is_empty(), "nothing is written of what does not go on");
        return;
    };
    assert!(passed.bytes <= data.len() && !(passed.interim && passed.tunnel));
    let cut = pass_response(&data[..passed.bytes], &asked, LIMITS, &mut Vec::new());
    assert_eq!(cut, Ok(Some(passed)));
    if out.is_empty() {
        assert!(passed.interim && request.minor == 0);
        return;
    }
    one_head(&out);
    // Read once more, it ends where it did for whoever reads chunks.
    let limits = Limits { head: usize::MAX };
    let reads = Asked { request: PassedRequest { minor: 1, ..request }, ..asked };
    let again = pass_response(&out, &reads, limits, &mut Vec::new());
    let Ok(Some(again)) = again else {
        assert_eq!(again, Err(Fault::HeadTooLong));
        return;
    };
    assert_eq!((again.bytes, again.status), (out.len(), passed.status));
    let body = if passed.unwrap { Body::UntilClose } else { passed.body };
    assert_eq!((again.body, again.tunnel, again.interim), (body, passed.tunnel, passed.interim));
    assert!(!passed.client_keeps || passed.body != Body::UntilClose);
}

/// There is one head in it, each line of which ends as it should.
fn one_head(out: &[u8]) {
    assert!(out.ends_with(b"\r\n\r\n"));
    let ends = out.windows(4).filter(|four| four == b"\r\n\r\n").count();
    assert_eq!(ends, 1, "a second head in it");
    let pairs = |one: u8| out.iter().filter(|byte| **byte == one).count();
    let lines = out.windows(2).filter(|two| two == b"\r\n").count();
    assert_eq!((pairs(b'\r'), pairs(b'\n'), pairs(0)), (lines, lines, 0));
}

/// Bodies in chunks: read in one go, byte by byte, or cut anywhere, they are the same.
pub fn chunks(data: &[u8]) {
    let whole = dechunked(data, usize::MAX);
    let size = usize::from(data.first().copied().unwrap_or(0) % 7) + 2;
    assert_eq!(dechunked(data, 1), whole);
    assert_eq!(dechunked(data, size), whole);
    if let (Ok(read), true) = (&whole, data.len() < 512) {
        // What was read is the body; written anew it reads the same.
        let mut plain = Vec::new();
        for piece in read.data.chunks(9) {
            plain.extend(format!("{:x}\r\n", piece.len()).bytes());
            plain.extend(piece);
            plain.extend(b"\r\n");
        }
        plain.extend(b"0\r\n\r\n");
        let again = dechunked(&plain, usize::MAX).expect("a sound body");
        assert_eq!((again.data.as_slice(), again.end), (read.data.as_slice(), Some(plain.len())));
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Dechunked {
    data: Vec<u8>,
    /// Where it ended.
    end: Option<usize>,
}

/// Given at most `most` bytes at a time.
fn dechunked(bytes: &[u8], most: usize) -> Result<Dechunked, Fault> {
    let (mut chunks, mut at, mut data) = (Chunks::default(), 0, Vec::new());
    while at < bytes.len() {
        let given = &bytes[at..bytes.len().min(at.saturating_add(most))];
        let part = chunks.next(given)?;
        assert!(part.len() <= given.len());
        if let Part::Data(count) = part {
            data.extend_from_slice(&given[..count]);
        }
        at += part.len();
        if let Part::End(_) = part {
            assert_eq!(chunks.next(&bytes[at..]), Ok(Part::End(0)), "nothing more belongs to it");
            return Ok(Dechunked { data, end: Some(at) });
        }
        assert!(!part.is_empty(), "it goes on");
    }
    Ok(Dechunked { data, end: None })
}
