//! The end of a body that comes in chunks (RFC 9112 section 7.1), read strictly.

use super::Fault;

/// Bytes after the size of a chunk and in trailers that are read, of one body.
const MOST_BESIDES: u32 = 16_384;

/// What the next bytes of a body are; so many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What is sent.
    Data(usize),
    /// What says how long it is. Zero where there are no bytes.
    Frame(usize),
    /// The same, and with it the body has ended.
    End(usize),
}

impl Part {
    /// How many bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Data(count) | Self::Frame(count) | Self::End(count) => count,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// At the first digit of a size.
    #[default]
    Size,
    Digits,
    /// What may follow a size and means nothing to anybody.
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataLine,
    /// At the beginning of a trailer, or of the empty line that ends all.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    LastEnd,
    Ended,
}

/// A body in chunks, on its way.
///
/// ```
/// use seawall::http::pass::{Chunks, Fault, Part};
///
/// let mut chunks = Chunks::default();
/// let bytes = b"3\r\nabc\r\n0\r\n\r\n";
/// assert_eq!(chunks.next(bytes), Ok(Part::Frame(3)));
/// assert_eq!(chunks.next(&bytes[3..]), Ok(Part::Data(3)));
/// assert_eq!(chunks.next(&bytes[6..]), Ok(Part::End(7)));
/// assert_eq!(Chunks::default().next(b"3\n"), Err(Fault::Bad));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Chunks {
    state: State,
    left: u64,
    digits: u8,
    besides: u32,
}

impl Chunks {
    /// What the next of `bytes` are. To be asked again for the rest of them, and for more, until
    /// the end; after that nothing more belongs to the body.
    ///
    /// # Errors
    ///
    /// Something that can be read in two ways, or too many bytes that are no data.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Part, Fault> {
        if self.state == State::Data {
            let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            self.left = self.left.saturating_sub(count as u64);
            if self.left == 0 {
                self.state = State::DataEnd;
            }
            return Ok(Part::Data(count));
        }
        let mut count: usize = 0;
        for byte in bytes {
            match self.state {
                State::Data => return Ok(Part::Frame(count)),
                State::Ended => break,
                _ => self.state = self.step(*byte)?,
            }
            count = count.saturating_add(1);
        }
        Ok(if self.state == State::Ended { Part::End(count) } else { Part::Frame(count) })
    }

    fn step(&mut self, byte: u8) -> Result<State, Fault> {
        Ok(match (self.state, byte) {
            (State::Size | State::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                self.digit(byte)?;
                State::Digits
            }
            (State::Digits, b'\r') => State::SizeEnd,
            (State::Digits, b';') => State::Extension,
            (State::Extension, b'\r') => State::SizeEnd,
            (State::Extension, _) => self.beside(byte, State::Extension)?,
            (State::SizeEnd, b'\n') => {
                self.digits = 0;
                if self.left == 0 { State::Trailer } else { State::Data }
            }
            (State::DataEnd, b'\r') => State::DataLine,
            (State::DataLine, b'\n') => State::Size,
            (State::Trailer, b'\r') => State::LastEnd,
            (State::LastEnd, b'\n') => State::Ended,
            (State::Trailer | State::TrailerName, _) if is_token(byte) => {
                self.beside(byte, State::TrailerName)?
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerEnd,
            (State::TrailerValue, _) => self.beside(byte, State::TrailerValue)?,
            (State::TrailerEnd, b'\n') => State::Trailer,
            _ => return Err(Fault::Bad),
        })
    }

    fn digit(&mut self, byte: u8) -> Result<(), Fault> {
        // More would not fit, and nobody needs them.
        if self.digits >= 15 {
            return Err(Fault::Bad);
        }
        self.digits = self.digits.saturating_add(1);
        let digit = char::from(byte).to_digit(16).ok_or(Fault::Bad)?;
        let before = if self.digits == 1 { 0 } else { self.left };
        self.left = before.saturating_mul(16).saturating_add(u64::from(digit));
        Ok(())
    }

    fn beside(&mut self, byte: u8, next: State) -> Result<State, Fault> {
        self.besides = self.besides.saturating_add(1);
        let readable = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        if readable && self.besides <= MOST_BESIDES { Ok(next) } else { Err(Fault::Bad) }
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
