//! What a worker is told of the client it does not see.

use alloc::vec::Vec;

use super::names::Forward;
use super::write_line;

/// Which headers say where a request came from, and whether a client may say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarding {
    /// Whether what the client says is kept and added to. Default false: it is dropped, because
    /// anybody can say anything. True where clients are proxies of one's own.
    pub trust: bool,
    /// Whether `X-Forwarded-For`, `-Proto` and `-Host` are written. Default true.
    pub x_forwarded: bool,
    /// Whether `Forwarded` is written (RFC 7239). Default false.
    pub standard: bool,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self { trust: false, x_forwarded: true, standard: false }
    }
}

/// Who sends a request.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Its address, without a port.
    pub address: &'a str,
    /// What is told of it.
    pub forwarding: Forwarding,
}

impl Client<'_> {
    /// Writes what is told of it; `said` is what the client itself sent, where it is trusted.
    pub(super) fn write(&self, host: &[u8], said: &Said<'_>, out: &mut Vec<u8>) {
        let Forwarding { x_forwarded, standard, .. } = self.forwarding;
        if x_forwarded {
            out.extend_from_slice(b"X-Forwarded-For: ");
            said.add(Forward::For, out);
            out.extend_from_slice(self.address.as_bytes());
            out.extend_from_slice(b"\r\n");
            if !said.has(Forward::Proto) {
                write_line(out, "X-Forwarded-Proto", b"http");
            }
            if !said.has(Forward::Host) && !host.is_empty() {
                write_line(out, "X-Forwarded-Host", host);
            }
        }
        if standard {
            out.extend_from_slice(b"Forwarded: ");
            said.add(Forward::Standard, out);
            let quoted = self.address.contains(':');
            let (before, after): (&[u8], &[u8]) =
                if quoted { (b"\"[", b"]\"") } else { (b"", b"") };
            for part in [b"for=", before, self.address.as_bytes(), after, b";proto=http"] {
                out.extend_from_slice(part);
            }
            if !host.is_empty() {
                // A host has no quotation marks in it: one that has was refused.
                for part in [b";host=\"", host, b"\""] {
                    out.extend_from_slice(part);
                }
            }
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Whether a header of the client's goes on as it is.
    pub(super) const fn keeps(&self, forward: Forward) -> bool {
        let Forwarding { trust, x_forwarded, standard } = self.forwarding;
        trust
            && match forward {
                // What is added to is written where all of it is.
                Forward::For => !x_forwarded,
                Forward::Standard => !standard,
                Forward::Proto | Forward::Host | Forward::Else => true,
            }
    }
}

/// What a client that is trusted says of where its request came from.
pub(super) struct Said<'a> {
    pub(super) headers: &'a [httparse::Header<'a>],
    pub(super) trust: bool,
}

impl Said<'_> {
    fn all(&self, forward: Forward) -> impl Iterator<Item = &[u8]> {
        let headers = if self.trust { self.headers } else { &[] };
        let same = move |header: &&httparse::Header<'_>| {
            super::names::Name::of(header.name) == super::names::Name::Forwarded(forward)
        };
        headers.iter().filter(same).map(|header| header.value.trim_ascii())
    }

    fn has(&self, forward: Forward) -> bool {
        self.all(forward).next().is_some()
    }

    fn add(&self, forward: Forward, out: &mut Vec<u8>) {
        for value in self.all(forward).filter(|value| !value.is_empty()) {
            out.extend_from_slice(value);
            out.extend_from_slice(b", ");
        }
    }
}
