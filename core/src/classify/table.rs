//! How the tables of this module are written: words or numbers by what they mean.
//!
//! A group is one byte of verdict and a list of words in one string, which takes a third of the
//! room of a slice of `&str` in WASM. A search is linear; it runs on failures only.

use super::verdict::{Processed, Scope, Verdict};

/// A verdict without a wait, as [`Verdict::to_bits`] writes it: what is passed on until it is
/// certain, and a tenth of the size.
pub(crate) type Bits = u8;
/// Words of one meaning, separated by single spaces; or the beginning of a message.
pub(crate) type Words = (Bits, &'static str);
/// Numbers of one meaning.
pub(crate) type Numbers = (Bits, &'static [i32]);

const fn bits(transient: bool, processed: Processed, scope: Scope, throttled: bool) -> Bits {
    Verdict { transient, processed, scope, throttled, retry_after: None }.to_bits() as Bits
}

/// It never reached the other side: try again on a new connection.
pub(crate) const UNSENT: Bits = bits(true, Processed::No, Scope::Connection, false);
/// The connection broke while an answer was due.
pub(crate) const LOST: Bits = bits(true, Processed::Maybe, Scope::Connection, false);
/// No room for another connection.
pub(crate) const CROWDED: Bits = bits(true, Processed::No, Scope::Connection, true);
/// This side, or its way out, cannot work at all until somebody mends it.
pub(crate) const UNREACHABLE: Bits = bits(false, Processed::No, Scope::Connection, false);
/// The connection is gone for good, and nobody knows what became of the request.
pub(crate) const CUT: Bits = bits(false, Processed::Maybe, Scope::Connection, false);

/// The transaction was rolled back and may succeed when repeated.
pub(crate) const ROLLED_BACK: Bits = bits(true, Processed::No, Scope::Transaction, false);
/// Whether the transaction was committed is not known.
pub(crate) const UNDECIDED: Bits = bits(true, Processed::Maybe, Scope::Transaction, false);
/// As [`ROLLED_BACK`], for want of memory or disk.
pub(crate) const EXHAUSTED: Bits = bits(true, Processed::No, Scope::Transaction, true);
/// Refused, with the transaction around it.
pub(crate) const REFUSED_TRANSACTION: Bits = bits(false, Processed::No, Scope::Transaction, false);

/// The statement alone was rolled back and may succeed when repeated.
pub(crate) const STATEMENT: Bits = bits(true, Processed::No, Scope::Statement, false);
/// As [`STATEMENT`], but it may have been carried out.
pub(crate) const STATEMENT_MAYBE: Bits = bits(true, Processed::Maybe, Scope::Statement, false);
/// As [`STATEMENT`], for want of memory.
pub(crate) const STATEMENT_BUSY: Bits = bits(true, Processed::No, Scope::Statement, true);
/// Refused; the transaction around it lives.
pub(crate) const REFUSED_STATEMENT: Bits = bits(false, Processed::No, Scope::Statement, false);

/// The request was turned away and may be repeated as it is.
pub(crate) const TURNED_AWAY: Bits = bits(true, Processed::No, Scope::Request, false);
/// The request was turned away because there are too many.
pub(crate) const THROTTLED: Bits = bits(true, Processed::No, Scope::Request, true);
/// The request failed over there, in a way that may pass.
pub(crate) const FAILED: Bits = bits(true, Processed::Maybe, Scope::Request, false);
/// As [`FAILED`], because there is too much to do.
pub(crate) const FAILED_BUSY: Bits = bits(true, Processed::Maybe, Scope::Request, true);
/// The request was answered: no.
pub(crate) const ANSWERED: Bits = bits(false, Processed::Yes, Scope::Request, false);
/// The request was not made, and making it again will not help.
pub(crate) const REFUSED: Bits = bits(false, Processed::No, Scope::Request, false);
/// The request was given up, or failed for good, with an unknown effect.
pub(crate) const ABANDONED: Bits = bits(false, Processed::Maybe, Scope::Request, false);

/// The verdict written as `bits`.
pub(crate) const fn verdict(bits: Bits) -> Verdict {
    Verdict::from_bits(bits as u32, None)
}

/// The same of a request that was surely not processed.
pub(crate) const fn unprocessed(bits: Bits) -> Bits {
    bits & !(3 << 2)
}

/// Whether `list`, words separated by single spaces, holds `word`.
pub(crate) fn holds(list: &str, word: &str) -> bool {
    let word = word.as_bytes();
    list.as_bytes().split(|byte| *byte == b' ').any(|entry| entry == word)
}

/// The meaning of `word`, if a group holds it.
pub(crate) fn by_word(groups: &[Words], word: &str) -> Option<Bits> {
    let group = groups.iter().find(|group| holds(group.1, word))?;
    Some(group.0)
}

/// The meaning of `text`, if it begins as a group says.
pub(crate) fn by_start(groups: &[Words], text: &str) -> Option<Bits> {
    let group = groups.iter().find(|group| text.starts_with(group.1))?;
    Some(group.0)
}

/// The meaning of `number`, if a group holds it.
pub(crate) fn by_number(groups: &[Numbers], number: i32) -> Option<Bits> {
    let group = groups.iter().find(|group| group.1.contains(&number))?;
    Some(group.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole() {
        assert!(holds("A BC", "BC"));
        assert!(!holds("A BC", "B"));
        assert!(!holds("A BC", ""));
        assert!(!holds("A BC", "A BC"));
    }
}
