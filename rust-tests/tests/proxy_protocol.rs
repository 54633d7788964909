//! The PROXY protocol: by the book, in parts, hostile.

use proptest::prelude::*;
use seawall::http::proxy_protocol::{Header, Introduction, LONGEST, Read, extra, read, write};

/// Version 2 by hand: command, family, and what follows.
fn second(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length, rest].concat()
}

fn whole(bytes: &[u8]) -> Header<'_> {
    match read(bytes) {
        Read::Whole(header) => header,
        other => panic!("{other:?}"),
    }
}

fn introduced(source: &str, destination: &str) -> Introduction {
    Introduction { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

#[test]
fn a_client_over_ipv4() {
    let bytes = second(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 2, 0x1f, 0x90, 0x01, 0xbb]);
    let header = whole(&bytes);
    let expected = introduced("192.0.2.1:8080", "198.51.100.2:443");
    assert_eq!(header.introduction, Some(expected));
    assert_eq!(header.length, 28);
    let mut written = Vec::new();
    write(Some(expected), &[], &mut written);
    assert_eq!(written, bytes);
}

#[test]
fn a_client_over_ipv6() {
    let mut rest = vec![0x20, 1, 0x0d, 0xb8];
    rest.extend([0; 11]);
    rest.push(7);
    rest.extend([0; 15]);
    rest.extend([1, 0, 80, 1, 2]);
    let bytes = second(0x21, 0x21, &rest);
    let expected = introduced("[2001:db8::7]:80", "[::1]:258");
    assert_eq!(whole(&bytes).introduction, Some(expected));
    let mut written = Vec::new();
    write(Some(expected), &[], &mut written);
    assert_eq!(written, bytes);
}

#[test]
fn addresses_of_two_families_are_written_as_the_newer_one() {
    let mut written = Vec::new();
    write(Some(introduced("192.0.2.1:1", "[::1]:2")), &[], &mut written);
    let expected = introduced("[::ffff:192.0.2.1]:1", "[::1]:2");
    assert_eq!(whole(&written).introduction, Some(expected));
}

#[test]
fn a_balancer_that_speaks_for_itself() {
    for bytes in [
        second(0x20, 0, &[]),
        second(0x20, 0x11, &[1; 12]),
        second(0x20, 0x11, &[1; 5]),
        second(0x20, 0xff, &[1; 40]),
    ] {
        let header = whole(&bytes);
        assert_eq!((header.introduction, header.length), (None, bytes.len()));
    }
    let mut written = Vec::new();
    write(None, &[], &mut written);
    assert_eq!(written, second(0x20, 0, &[]));
}

#[test]
fn clients_by_something_else_than_tcp_are_nobody_known() {
    for (family, size) in [(0x00, 0), (0x12, 12), (0x22, 36), (0x31, 216), (0x32, 216), (0x41, 3)] {
        let bytes = second(0x21, family, &vec![9; size]);
        let header = whole(&bytes);
        assert_eq!((header.introduction, header.length), (None, bytes.len()), "{family}");
    }
}

#[test]
fn what_contradicts_itself_is_invalid() {
    for bytes in [
        // A third version, a command nobody knows, addresses that do not fit.
        second(0x31, 0x11, &[0; 12]),
        second(0x22, 0x11, &[0; 12]),
        second(0x21, 0x11, &[0; 11]),
        second(0x21, 0x21, &[0; 12]),
        second(0x21, 0x31, &[0; 36]),
        second(0x21, 0x11, &vec![0; LONGEST]),
    ] {
        assert_eq!(read(&bytes), Read::Invalid);
    }
}

#[test]
fn extras() {
    let mut bytes = Vec::new();
    let alpn = (1, b"h2".as_slice());
    write(Some(introduced("192.0.2.1:1", "192.0.2.2:2")), &[alpn, (0xe5, &[1, 2, 3])], &mut bytes);
    bytes.extend(b"the client's own");
    let header = whole(&bytes);
    assert_eq!(&bytes[header.length..], b"the client's own");
    assert_eq!(extra(header.extras, 1), Some(b"h2".as_slice()));
    assert_eq!(extra(header.extras, 0xe5), Some([1, 2, 3].as_slice()));
    assert_eq!(extra(header.extras, 2), None);
    assert_eq!(extra(&[0xe5, 0, 9, 1], 0xe5), None, "cut");
}

/// An extra of the type `kind`.
fn tagged(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [&[kind], length.as_slice(), bytes].concat()
}

#[test]
fn extras_come_after_the_addresses_of_every_family() {
    let families = [
        (0x00, 0),
        (0x11, 12),
        (0x21, 36),
        (0x12, 12),
        (0x22, 36),
        (0x31, 216),
        (0x32, 216),
        (0x41, 0),
    ];
    for command in [0x20, 0x21] {
        for (family, size) in families {
            // Zeroes would be extras of their own, nines one that never ends.
            let rest = [vec![9; size], tagged(0xe5, b"mine")].concat();
            let bytes = second(command, family, &rest);
            let header = whole(&bytes);
            assert_eq!(header.extras, tagged(0xe5, b"mine"), "{command:x} {family:x}");
            let is_known = command == 0x21 && (family == 0x11 || family == 0x21);
            assert_eq!(header.introduction.is_some(), is_known, "{command:x} {family:x}");
            if size > 0 && command == 0x21 {
                let cut = second(command, family, &vec![9; size - 1]);
                assert_eq!(read(&cut), Read::Invalid, "{family:x}");
            }
        }
    }
}

#[test]
fn the_first_extra_of_a_type_wins_and_others_are_passed_over() {
    let three = [tagged(0xee, b"a"), tagged(0xe5, b""), tagged(0xe5, b"c"), tagged(1, b"d")];
    let extras = three.concat();
    assert_eq!(extra(&extras, 0xee), Some(b"a".as_slice()));
    assert_eq!(extra(&extras, 0xe5), Some(b"".as_slice()));
    assert_eq!(extra(&extras, 1), Some(b"d".as_slice()));
    assert_eq!(extra(&extras, 2), None);
    assert_eq!(extra(&extras[..extras.len() - 1], 1), None, "cut");
    assert_eq!(extra(&[1, 0], 1), None);
}

#[test]
fn the_longest_header_is_read_and_a_byte_more_is_not() {
    assert_eq!(LONGEST, 4096, "so much is held of who says nothing else");
    let longest = second(0x21, 0x11, &vec![1; LONGEST - 16]);
    assert_eq!(whole(&longest).length, LONGEST);
    // The length alone says it: nobody waits for the rest.
    let longer = second(0x21, 0x11, &vec![1; LONGEST - 15]);
    assert_eq!(read(&longer[..16]), Read::Invalid);
    assert_eq!(read(&longest[..16]), Read::Partial);
    // By the book a line has 107 bytes at most, with its end.
    let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert_eq!(whole(line(107).as_bytes()).length, 107);
    assert_eq!(read(line(108).as_bytes()), Read::Invalid);
    let endless = line(200).into_bytes();
    assert_eq!(read(&endless[..106]), Read::Partial);
    assert_eq!(read(&endless[..107]), Read::Invalid);
}

#[test]
fn each_end_has_its_own_port_and_no_port_is_too_small() {
    let bytes = second(0x21, 0x11, &[192, 0, 2, 1, 198, 51, 100, 2, 0, 1, 2, 0]);
    assert_eq!(whole(&bytes).introduction, Some(introduced("192.0.2.1:1", "198.51.100.2:512")));
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 0 10\r\n";
    assert_eq!(whole(line).introduction, Some(introduced("192.0.2.1:0", "192.0.2.2:10")));
}

#[test]
fn the_first_version() {
    let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\n";
    let header = whole(line);
    assert_eq!(header.introduction, Some(introduced("192.0.2.1:56324", "192.0.2.2:443")));
    assert_eq!(&line[header.length..], b"GET / HTTP/1.1\r\n");
    let six = b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n";
    assert_eq!(whole(six).introduction, Some(introduced("[2001:db8::1]:1", "[::1]:65535")));
    for unknown in [&b"PROXY UNKNOWN\r\n"[..], b"PROXY UNKNOWN ff:: a b c\r\n"] {
        assert_eq!(whole(unknown).introduction, None);
    }
}

#[test]
fn lines_that_are_wrong() {
    for line in [
        "PROXY TCP4 192.0.2.1 192.0.2.2 56324\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1  2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 ::1 1 2\r\n",
        "PROXY TCP4 ::1 192.0.2.1 1 2\r\n",
        "PROXY TCP6 ::1 192.0.2.1 1 2\r\n",
        "PROXY TCP6 192.0.2.1 ::1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 00\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY unknown\r\n",
        "PROXY UNSPEC\r\n",
        "PROXYTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXYX TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXYX UNKNOWN\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY \r\n",
        "PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    ] {
        assert_eq!(read(line.as_bytes()), Read::Invalid, "{line:?}");
    }
    let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
    assert_eq!(read(&endless), Read::Invalid);
    assert_eq!(read(b"PROXY TCP4 \xff\r\n"), Read::Invalid);
}

#[test]
fn nothing_yet_is_a_beginning() {
    assert_eq!(read(b""), Read::Partial);
    assert_eq!(read(b"\r"), Read::Partial);
    assert_eq!(read(b"P"), Read::Partial);
    assert_eq!(read(b"G"), Read::Invalid);
    // As requests may begin, but not with a byte that is none of it.
    assert_eq!(read(b"\r\n\r\n\0\r\nQUIZ"), Read::Invalid);
    assert_eq!(read(&[0x16, 3, 1]), Read::Invalid);
}

fn any_introduction() -> impl Strategy<Value = Introduction> {
    let four = any::<(std::net::Ipv4Addr, u16, std::net::Ipv4Addr, u16)>()
        .prop_map(|(a, b, c, d)| (std::net::IpAddr::from(a), b, std::net::IpAddr::from(c), d));
    let six = any::<(std::net::Ipv6Addr, u16, std::net::Ipv6Addr, u16)>()
        .prop_map(|(a, b, c, d)| (std::net::IpAddr::from(a), b, std::net::IpAddr::from(c), d));
    prop_oneof![four, six].prop_map(|(source, from, destination, to)| Introduction {
        source: (source, from).into(),
        destination: (destination, to).into(),
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        introduction in prop::option::of(any_introduction()),
        value in prop::collection::vec(any::<u8>(), 0..40),
        client in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = Vec::new();
        write(introduction, &[(4, &[0; 3]), (0xe5, &value)], &mut bytes);
        let length = bytes.len();
        bytes.extend(&client);
        let header = whole(&bytes);
        prop_assert_eq!(header.introduction, introduction);
        prop_assert_eq!(header.length, length);
        prop_assert_eq!(extra(header.extras, 0xe5), Some(value.as_slice()));
        for cut in 0..length {
            prop_assert_eq!(read(&bytes[..cut]), Read::Partial);
        }
    }

    #[test]
    fn nothing_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Read::Whole(header) = read(&bytes) {
            prop_assert!(header.length <= bytes.len());
        }
        let _ = extra(&bytes, 0xe5);
    }

    #[test]
    fn nor_what_is_nearly_right(
        is_second: bool, place in 0usize..60, byte: u8, cut in 0usize..80,
    ) {
        let mut bytes = if is_second {
            second(0x21, 0x11, &[7; 30])
        } else {
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET /".to_vec()
        };
        if let Some(old) = bytes.get_mut(place) { *old = byte; }
        bytes.truncate(cut);
        match read(&bytes) {
            Read::Whole(header) => {
                prop_assert!(header.length <= bytes.len());
                let _ = extra(header.extras, 0xe5);
            }
            // More of the same may follow; it is bounded all the same.
            Read::Partial => prop_assert!(bytes.len() < LONGEST),
            Read::Invalid => {}
        }
    }
}
