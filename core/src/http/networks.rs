//! Ranges of addresses: who is listened to when a connection says who its client is.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use crate::options::{Problem, Rule};

/// How many bits an older address has within a newer one (`::ffff:192.0.2.1`), before its own.
const BEFORE: u32 = 96;
const ALL: u32 = 128;

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    first: u128,
    bits: u32,
}

/// Ranges of addresses. An address of IPv4 written as one of IPv6 (`::ffff:192.0.2.1`) is that of IPv4,
/// and no range of IPv6 contains it.
///
/// ```
/// use seawall::http::Networks;
///
/// let inside = Networks::parse(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"], "from")?;
/// assert!(inside.contains("10.1.2.3".parse()?));
/// assert!(inside.contains("::ffff:10.1.2.3".parse()?));
/// assert!(inside.contains("2001:db8::1".parse()?));
/// assert!(!inside.contains("192.0.2.8".parse()?));
/// assert!(!Networks::parse(["::/0"], "from")?.contains("192.0.2.8".parse()?));
/// let problem = Networks::parse(["10.0.0.0/33"], "from");
/// assert_eq!(problem.map_err(|problem| problem.field), Err("from"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

impl Networks {
    /// From addresses and ranges as `10.0.0.0/8`; the bits beyond the range are of no meaning.
    ///
    /// # Errors
    ///
    /// With `field` as the option, where one of them is neither, or there is none.
    pub fn parse<'a>(
        texts: impl IntoIterator<Item = &'a str>,
        field: &'static str,
    ) -> Result<Self, Problem> {
        let all: Option<Vec<Network>> = texts.into_iter().map(Network::parse).collect();
        all.filter(|all| !all.is_empty())
            .map(Self)
            .ok_or_else(|| Problem::new(field, Rule::Networks))
    }

    /// Whether `address` is in one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (number, is_older) = number(address);
        self.0.iter().any(|network| {
            network.is_older() == is_older && kept(number, network.bits) == network.first
        })
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (before, all) = if address.is_ipv4() { (BEFORE, 32) } else { (0, ALL) };
        let bits = match bits {
            // No sign, and no zeroes in front.
            Some(bits) if bits != "0" && !bits.starts_with(|digit| matches!(digit, '1'..='9')) => {
                return None;
            }
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= all)?,
            None => all,
        };
        let bits = bits.saturating_add(before);
        let (number, _) = number(address);
        Some(Self { first: kept(number, bits), bits })
    }

    /// Whether its addresses are those of IPv4.
    fn is_older(&self) -> bool {
        self.bits >= BEFORE && is_older(self.first)
    }
}

fn number(address: IpAddr) -> (u128, bool) {
    let number = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits();
    (number, is_older(number))
}

fn is_older(number: u128) -> bool {
    Ipv6Addr::from_bits(number).to_ipv4_mapped().is_some()
}

/// The first `bits` of a number, and zeroes.
fn kept(number: u128, bits: u32) -> u128 {
    let mask = u128::MAX.checked_shl(ALL.saturating_sub(bits)).unwrap_or(0);
    number & mask
}
