//! Ranges of addresses: by the bits, by the words, against a naive model.

use std::net::IpAddr;

use proptest::prelude::*;
use seawall::http::Networks;
use seawall::options::Rule;

fn networks(texts: &[&str]) -> Networks {
    Networks::parse(texts.iter().copied(), "from").unwrap()
}

fn contains(text: &str, address: &str) -> bool {
    networks(&[text]).contains(address.parse().unwrap())
}

#[test]
fn by_the_bits() {
    for (text, inside, outside) in [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
        ("192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
        ("192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
        ("0.0.0.0/0", "255.255.255.255", "::1"),
        ("::/0", "2001:db8::1", "192.0.2.1"),
        ("::/1", "::1", "8000::"),
        ("2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"),
        ("::1", "::1", "::2"),
        ("::ffff:10.0.0.0/104", "10.1.1.1", "11.0.0.0"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
    ] {
        assert!(contains(text, inside), "{inside} in {text}");
        assert!(!contains(text, outside), "{outside} not in {text}");
    }
}

#[test]
fn any_of_several() {
    let some = networks(&["192.0.2.1", "2001:db8::/32"]);
    assert!(some.contains("2001:db8::7".parse().unwrap()));
    assert!(some.contains("192.0.2.1".parse().unwrap()));
    assert!(!some.contains("192.0.2.2".parse().unwrap()));
}

#[test]
fn what_is_no_range() {
    for text in [
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/08",
        "10.0.0.0/+8",
        "10.0.0.0/-1",
        "10.0.0.0/8/8",
        "10.0.0/8",
        "::/129",
        "2001:db8::/1e",
        "host",
        "10.0.0.0 ",
        "10.0.0.0:80",
    ] {
        let problem = Networks::parse([text], "from").unwrap_err();
        assert_eq!((problem.field, problem.rule), ("from", Rule::Networks), "{text:?}");
    }
    assert!(Networks::parse([], "from").is_err(), "nobody is no list");
    assert!(Networks::parse(["10.0.0.0/8", "nonsense"], "from").is_err());
}

/// Bit by bit.
fn naive(first: &[u8], bits: u32, address: &[u8]) -> bool {
    first.len() == address.len()
        && (0..bits as usize).all(|bit| {
            let mask = 0x80_u8 >> (bit % 8);
            first[bit / 8] & mask == address[bit / 8] & mask
        })
}

proptest! {
    #[test]
    fn as_the_model(
        (first, bits) in prop_oneof![
            (any::<[u8; 4]>().prop_map(IpAddr::from), 0_u32..=32),
            (any::<[u8; 16]>().prop_map(IpAddr::from), 0_u32..=128),
        ],
        is_newer: bool,
        near: bool,
        four: [u8; 4],
        sixteen: [u8; 16],
        flip in 0_usize..128,
    ) {
        let octets = |address: IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let mut address = octets(if is_newer { sixteen.into() } else { four.into() });
        if near {
            address = octets(first);
            let place = flip % (address.len() * 8);
            address[place / 8] ^= 0x80 >> (place % 8);
        }
        let asked = match <[u8; 4]>::try_from(address.as_slice()) {
            Ok(four) => IpAddr::from(four),
            Err(_) => IpAddr::from(<[u8; 16]>::try_from(address.as_slice()).unwrap()),
        };
        let found = networks(&[&format!("{first}/{bits}")]).contains(asked);
        // Random addresses of IPv6 are never those of IPv4 in disguise.
        prop_assert_eq!(found, naive(&octets(first), bits, &address));
    }
}
