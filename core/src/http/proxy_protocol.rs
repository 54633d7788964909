//! The PROXY protocol: what a balancer says of a client before the client's first byte.
//!
//! After "The PROXY protocol, versions 1 & 2" of HAProxy (2020). Version 2 is read and written,
//! version 1 read. Only who is trusted may be listened to: anybody can claim to be anybody.
//!
//! ```
//! use seawall::http::proxy_protocol::{Introduction, Read, read, write};
//!
//! let introduction = Introduction {
//!     source: "192.0.2.7:41000".parse()?,
//!     destination: "198.51.100.1:443".parse()?,
//! };
//! let mut bytes = Vec::new();
//! write(Some(introduction), &[], &mut bytes);
//! let length = bytes.len();
//! bytes.extend(b"GET / HTTP/1.1\r\n");
//! let Read::Whole(header) = read(&bytes) else { return Err("not whole".into()) };
//! assert_eq!(header.introduction, Some(introduction));
//! assert_eq!(header.length, length);
//! assert_eq!(read(&bytes[..length - 1]), Read::Partial);
//! assert_eq!(read(b"GET / HTTP/1.1\r\n"), Read::Invalid);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with the two bytes that end it.
const LONGEST_LINE: usize = 107;
/// Signature, version and command, family, and the length of the rest.
const FIXED: usize = 16;

/// The longest header that is read, in bytes; a longer one is [`Read::Invalid`].
pub const LONGEST: usize = 4096;

/// Two ends of a connection, as a balancer saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Introduction {
    /// The client.
    pub source: SocketAddr,
    /// Where it connected to.
    pub destination: SocketAddr,
}

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Who the client is. Nothing where the balancer speaks for itself (`LOCAL`, such as its health
    /// checks), does not know, or the client came by something other than TCP over IP.
    pub introduction: Option<Introduction>,
    /// Everything else that was said, unread; see [`extra`]. Empty in version 1.
    pub extras: &'a [u8],
    /// How many bytes the header has. The client's follow.
    pub length: usize,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read<'a> {
    /// A header.
    Whole(Header<'a>),
    /// Perhaps the beginning of one.
    Partial,
    /// No header, or one that contradicts itself.
    Invalid,
}

/// Reads the header that `bytes` begin with, of either version.
#[must_use]
pub fn read(bytes: &[u8]) -> Read<'_> {
    if begins(bytes, &SIGNATURE) {
        return if bytes.len() < FIXED { Read::Partial } else { read_second(bytes) };
    }
    if begins(bytes, b"PROXY ") {
        return read_first(bytes);
    }
    Read::Invalid
}

/// Whether `bytes` begin with `signature`, as far as both go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, expected)| byte == expected)
}

fn read_second(bytes: &[u8]) -> Read<'_> {
    let Some([command, family, high, low]) = bytes.get(12..FIXED) else { return Read::Partial };
    let rest = usize::from(u16::from_be_bytes([*high, *low]));
    let length = FIXED.saturating_add(rest);
    if command >> 4 != 2 || command & 0xf > 1 || length > LONGEST {
        return Read::Invalid;
    }
    let Some(rest) = bytes.get(FIXED..length) else { return Read::Partial };
    // What the families beyond these say is nothing that Node could show.
    let (size, is_tcp) = match family {
        0x11 => (12, true),
        0x21 => (36, true),
        0x12 => (12, false),
        0x22 => (36, false),
        0x31 | 0x32 => (216, false),
        _ => (0, false),
    };
    // A balancer that speaks for itself may leave the addresses out, or fill in anything.
    let is_local = command & 0xf == 0;
    let size = if is_local { rest.len().min(size) } else { size };
    let Some((addresses, extras)) = rest.split_at_checked(size) else { return Read::Invalid };
    let introduction = if is_tcp && !is_local { pair(addresses) } else { None };
    Read::Whole(Header { introduction, extras, length })
}

/// Two addresses, then two ports.
fn pair(bytes: &[u8]) -> Option<Introduction> {
    let (addresses, ports) = bytes.split_last_chunk::<4>()?;
    let (source, destination) = addresses.split_at_checked(addresses.len() / 2)?;
    let [a, b, c, d] = *ports;
    Some(Introduction {
        source: SocketAddr::new(address(source)?, u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(address(destination)?, u16::from_be_bytes([c, d])),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
}

fn read_first(bytes: &[u8]) -> Read<'_> {
    let longest = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = longest.windows(2).position(|two| two == b"\r\n") else {
        return if bytes.len() < LONGEST_LINE { Read::Partial } else { Read::Invalid };
    };
    let length = end.saturating_add(2);
    let line = longest.get(..end).and_then(|line| core::str::from_utf8(line).ok());
    let Some(line) = line else { return Read::Invalid };
    let mut words = line.split(' ').skip(1);
    let family = words.next();
    // What follows is of no meaning.
    if family == Some("UNKNOWN") {
        return Read::Whole(Header { introduction: None, extras: &[], length });
    }
    match introduction(family, words) {
        Some(introduction) => {
            Read::Whole(Header { introduction: Some(introduction), extras: &[], length })
        }
        None => Read::Invalid,
    }
}

fn introduction<'a>(
    family: Option<&str>,
    mut words: impl Iterator<Item = &'a str>,
) -> Option<Introduction> {
    let mut address = || words.next()?.parse::<IpAddr>().ok();
    let (source, destination) = (address()?, address()?);
    let mut port = || {
        let word = words.next()?;
        // No sign, and no zeroes in front.
        let plain = word == "0" || word.starts_with(|digit: char| ('1'..='9').contains(&digit));
        word.parse::<u16>().ok().filter(|_| plain)
    };
    let (from, to) = (port()?, port()?);
    let fits = match family? {
        "TCP4" => source.is_ipv4() && destination.is_ipv4(),
        "TCP6" => source.is_ipv6() && destination.is_ipv6(),
        _ => false,
    };
    (fits && words.next().is_none()).then(|| Introduction {
        source: SocketAddr::new(source, from),
        destination: SocketAddr::new(destination, to),
    })
}

/// Appends a header of version 2 to `to`, with `extras`, each of a type and at most 65,535 bytes.
/// Nothing as the introduction: the balancer speaks for itself. Of two addresses of different
/// families the older one is written as the newer one (`::ffff:192.0.2.1`).
pub fn write(introduction: Option<Introduction>, extras: &[(u8, &[u8])], to: &mut Vec<u8>) {
    let start = to.len();
    to.extend(SIGNATURE);
    // The command, the family, and a length that is not known yet.
    match introduction {
        None => to.extend([0x20, 0, 0, 0]),
        Some(Introduction { source, destination }) => {
            let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()];
            match (source.ip(), destination.ip()) {
                (IpAddr::V4(source), IpAddr::V4(destination)) => {
                    to.extend([0x21, 0x11, 0, 0]);
                    to.extend(source.octets());
                    to.extend(destination.octets());
                }
                (source, destination) => {
                    to.extend([0x21, 0x21, 0, 0]);
                    to.extend(newer(source).octets());
                    to.extend(newer(destination).octets());
                }
            }
            to.extend(ports.as_flattened());
        }
    }
    for (kind, bytes) in extras {
        let Ok(length) = u16::try_from(bytes.len()) else { continue };
        to.push(*kind);
        to.extend(length.to_be_bytes());
        to.extend(*bytes);
    }
    let rest = to.len().saturating_sub(start).saturating_sub(FIXED);
    let length = u16::try_from(rest).unwrap_or(u16::MAX).to_be_bytes();
    let field = start.saturating_add(14)..start.saturating_add(FIXED);
    if let Some(field) = to.get_mut(field) {
        field.copy_from_slice(&length);
    }
}

fn newer(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The first extra of this type among [`Header::extras`]; nothing where there is none, or what comes
/// before it is malformed.
#[must_use]
pub fn extra(mut extras: &[u8], kind: u8) -> Option<&[u8]> {
    loop {
        let ([found, high, low], rest) = extras.split_first_chunk::<3>()?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(length)?;
        if *found == kind {
            return Some(value);
        }
        extras = rest;
    }
}
