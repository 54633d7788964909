//! Answers that no worker gives.

use seawall::http::pass::Fault;

/// Why a request gets no answer of a worker's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It cannot be read, or in two ways.
    Fault(Fault),
    /// Its head or its body took too long.
    Late,
    /// Every worker has as much as it can take.
    Full,
    /// None became ready in time.
    Nobody,
    /// The one that had it went away.
    Lost,
    /// It took too long.
    Slow,
}

impl Refusal {
    const fn status(self) -> (u16, &'static str) {
        match self {
            Self::Fault(fault) => match fault {
                Fault::Bad => (400, "Bad Request"),
                Fault::Expectation => (417, "Expectation Failed"),
                Fault::HeadTooLong => (431, "Request Header Fields Too Large"),
                Fault::Coding => (501, "Not Implemented"),
                Fault::Version => (505, "HTTP Version Not Supported"),
            },
            Self::Late => (408, "Request Timeout"),
            Self::Full | Self::Nobody => (503, "Service Unavailable"),
            Self::Lost => (502, "Bad Gateway"),
            Self::Slow => (504, "Gateway Timeout"),
        }
    }

    /// The whole answer; `keep`: another request may follow.
    pub(super) fn answer(self, retry_after: u64, keep: bool, is_head: bool) -> String {
        let (status, reason) = self.status();
        let connection = if keep { "keep-alive" } else { "close" };
        let retry = match self {
            Self::Full | Self::Nobody => format!("Retry-After: {retry_after}\r\n"),
            _ => String::new(),
        };
        let body = if is_head { "" } else { reason };
        format!(
            "HTTP/1.1 {status} {reason}\r\nConnection: {connection}\r\n{retry}\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            reason.len()
        )
    }
}
