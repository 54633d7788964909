//! How much of what was read belongs to a body.

use seawall::http::pass::{Body, Chunks, Fault, Part};

/// A body on its way.
pub(super) enum Measure {
    Ended,
    Left(u64),
    Chunks(Chunks),
    UntilClose,
}

impl Measure {
    pub(super) fn new(body: Body) -> Self {
        match body {
            Body::None => Self::Ended,
            Body::Length(length) => Self::Left(length),
            Body::Chunked => Self::Chunks(Chunks::default()),
            Body::UntilClose => Self::UntilClose,
        }
    }

    pub(super) const fn has_ended(&self) -> bool {
        matches!(self, Self::Ended)
    }

    /// How many of `bytes` are the body's; with `data`, what is in chunks goes there.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut data: Option<&mut Vec<u8>>,
    ) -> Result<usize, Fault> {
        match self {
            Self::Ended => Ok(0),
            Self::UntilClose => Ok(bytes.len()),
            Self::Left(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= count as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
                Ok(count)
            }
            Self::Chunks(chunks) => {
                let mut taken = 0;
                while taken < bytes.len() {
                    let part = chunks.next(&bytes[taken..])?;
                    if let (Part::Data(count), Some(data)) = (part, &mut data) {
                        data.extend_from_slice(&bytes[taken..taken + count]);
                    }
                    taken += part.len();
                    if matches!(part, Part::End(_)) {
                        *self = Self::Ended;
                        break;
                    }
                }
                Ok(taken)
            }
        }
    }
}
