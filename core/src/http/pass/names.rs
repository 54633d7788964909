//! The headers that mean something to who passes a message on.

/// A header by what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    Upgrade,
    Expect,
    /// Which answers a client takes; of its words only `trailers` goes on.
    Te,
    /// Between two neighbours alone: dropped (RFC 9110 section 7.6.1).
    Hop,
    /// Says where a request came from, and is not to be believed of a stranger.
    Forwarded(Forward),
    Other,
}

/// Which of the headers that say where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forward {
    For,
    Proto,
    Host,
    /// RFC 7239.
    Standard,
    /// Others of the kind, which are not written here.
    Else,
}

impl Name {
    pub(super) fn of(name: &str) -> Self {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match name.len() {
            2 if is("te") => Self::Te,
            4 if is("host") => Self::Host,
            6 if is("expect") => Self::Expect,
            7 if is("upgrade") => Self::Upgrade,
            9 if is("forwarded") => Self::Forwarded(Forward::Standard),
            9 if is("x-real-ip") => Self::Forwarded(Forward::Else),
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::Hop,
            14 if is("content-length") => Self::ContentLength,
            14 if is("http2-settings") => Self::Hop,
            15 if is("x-forwarded-for") => Self::Forwarded(Forward::For),
            16 if is("x-forwarded-host") => Self::Forwarded(Forward::Host),
            16 if is("x-forwarded-port") => Self::Forwarded(Forward::Else),
            16 if is("proxy-connection") => Self::Hop,
            17 if is("x-forwarded-proto") => Self::Forwarded(Forward::Proto),
            17 if is("transfer-encoding") => Self::TransferEncoding,
            18 if is("proxy-authenticate") => Self::Hop,
            19 if is("proxy-authorization") => Self::Hop,
            _ => Self::Other,
        }
    }
}

/// What `Connection` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    /// It names headers that are between two neighbours alone.
    pub(super) names: bool,
}

impl Wishes {
    pub(super) fn add(&mut self, value: &[u8]) {
        for word in super::words(value) {
            if word.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if word.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if word.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else {
                self.names = true;
            }
        }
    }

    /// Whether the connection is kept after this message.
    pub(super) const fn keeps(self, minor: u8) -> bool {
        !self.close && (minor > 0 || self.keep_alive)
    }
}

/// Whether a `Connection` among `headers` names the header `name`.
pub(super) fn names(headers: &[httparse::Header<'_>], name: &str) -> bool {
    let connections = headers.iter().filter(|header| Name::of(header.name) == Name::Connection);
    connections
        .flat_map(|header| super::words(header.value))
        .any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
}
