//! How the tables of this module are written: words or numbers by what they mean.
//!
//! A group is one byte of verdict and a list of words in one string. The compiler packs a table
//! into one piece of bytes, which takes half the room in WASM. A search is linear; it runs on
//! failures only.

use super::text::holds_bytes;
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
    is_among(list.as_bytes(), word)
}

fn is_among(list: &[u8], word: &str) -> bool {
    list.split(|byte| *byte == b' ').any(|entry| entry == word.as_bytes())
}

/// Above all ASCII: with the bits of a verdict added, it stands before each packed group.
const MARK: u8 = 0x80;
/// The same before packed numbers. No error has a number from here to `-2`, taken as a `u16`.
const NUMBER_MARK: u16 = 0xff00;

/// How long [`pack`] makes a table.
pub(crate) const fn packed_len(groups: &[Words]) -> usize {
    let (mut len, mut rest) = (groups.len(), groups);
    while let [(_, words), after @ ..] = rest {
        len = len.saturating_add(words.len());
        rest = after;
    }
    len
}

/// A table in one piece, without the 12 bytes that each group of it takes in WASM.
#[allow(clippy::indexing_slicing, reason = "runs in the compiler")]
pub(crate) const fn pack<const N: usize>(groups: &[Words]) -> [u8; N] {
    let (mut packed, mut at, mut rest) = ([0; N], 0usize, groups);
    while let [(bits, words), after @ ..] = rest {
        packed[at] = MARK | *bits;
        at = at.saturating_add(1);
        let mut words = words.as_bytes();
        while let [byte, after @ ..] = words {
            assert!(byte.is_ascii());
            packed[at] = *byte;
            at = at.saturating_add(1);
            words = after;
        }
        rest = after;
    }
    packed
}

/// How long [`pack_numbers`] makes a table.
pub(crate) const fn packed_numbers_len(groups: &[Numbers]) -> usize {
    let (mut len, mut rest) = (groups.len(), groups);
    while let [(_, numbers), after @ ..] = rest {
        len = len.saturating_add(numbers.len());
        rest = after;
    }
    len
}

/// [`pack`] for numbers, in two bytes each.
#[allow(clippy::indexing_slicing, reason = "runs in the compiler")]
pub(crate) const fn pack_numbers<const N: usize>(groups: &[Numbers]) -> [u16; N] {
    let (mut packed, mut at, mut rest) = ([0; N], 0usize, groups);
    while let [(bits, numbers), after @ ..] = rest {
        packed[at] = NUMBER_MARK | *bits as u16;
        at = at.saturating_add(1);
        let mut numbers = *numbers;
        while let [number, after @ ..] = numbers {
            assert!(is_listable(*number));
            packed[at] = *number as u16;
            at = at.saturating_add(1);
            numbers = after;
        }
        rest = after;
    }
    packed
}

const fn is_listable(number: i32) -> bool {
    -2 <= number && number < NUMBER_MARK as i32
}

/// The meaning of the first group of a packed table that fits.
fn find(packed: &[u8], fits: impl Fn(&[u8]) -> bool) -> Option<Bits> {
    let mut rest = packed;
    while let [mark, after @ ..] = rest {
        let end = after.iter().position(|byte| !byte.is_ascii()).unwrap_or(after.len());
        let (words, next) = after.split_at_checked(end)?;
        if fits(words) {
            return Some(mark ^ MARK);
        }
        rest = next;
    }
    None
}

pub(crate) fn find_word(packed: &[u8], word: &str) -> Option<Bits> {
    find(packed, |words| is_among(words, word))
}

pub(crate) fn find_start(packed: &[u8], text: &str) -> Option<Bits> {
    find(packed, |start| {
        let mut parts = start.split(|byte| *byte == b'|');
        parts.next().is_some_and(|start| text.as_bytes().starts_with(start))
            && parts.all(|part| holds_bytes(text.as_bytes(), part))
    })
}

pub(crate) fn find_number(packed: &[u16], number: i32) -> Option<Bits> {
    let mut bits = None;
    for &entry in packed {
        if entry & NUMBER_MARK == NUMBER_MARK && entry < u16::MAX.wrapping_sub(1) {
            bits = Some(entry as Bits);
        } else if entry == number as u16 && is_listable(number) {
            return bits;
        }
    }
    None
}

/// The meaning of a word, if a group of a constant table holds it.
macro_rules! by_word {
    ($groups:ident, $word:expr) => {{
        const PACKED: &[u8] = &$crate::classify::table::pack::<
            { $crate::classify::table::packed_len($groups) },
        >($groups);
        $crate::classify::table::find_word(PACKED, $word)
    }};
}
/// The meaning of a text, if it begins as a group of a constant table says; what follows a `|` in
/// the group stands anywhere in the text.
macro_rules! by_start {
    ($groups:ident, $text:expr) => {{
        const PACKED: &[u8] = &$crate::classify::table::pack::<
            { $crate::classify::table::packed_len($groups) },
        >($groups);
        $crate::classify::table::find_start(PACKED, $text)
    }};
}
/// The meaning of a number, if a group of a constant table holds it.
macro_rules! by_number {
    ($groups:ident, $number:expr) => {{
        const PACKED: &[u16] = &$crate::classify::table::pack_numbers::<
            { $crate::classify::table::packed_numbers_len($groups) },
        >($groups);
        $crate::classify::table::find_number(PACKED, $number)
    }};
}
pub(crate) use {by_number, by_start, by_word};

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

    #[test]
    fn the_first_group_that_fits() {
        const WORDS: &[Words] = &[(LOST, "A BC"), (UNSENT, "D"), (CUT, "BC E")];
        let meant = |word| by_word!(WORDS, word);
        assert_eq!(
            [meant("A"), meant("BC"), meant("D"), meant("E")].map(Option::unwrap),
            [LOST, LOST, UNSENT, CUT]
        );
        assert_eq!([meant(""), meant("B"), meant("A BC"), meant("\u{85}")], [None; 4]);

        const STARTS: &[Words] = &[(LOST, "no|b c"), (UNSENT, "no"), (CUT, "|x")];
        let meant = |text| by_start!(STARTS, text);
        assert_eq!(
            [meant("no a b c"), meant("no b"), meant("wax"), meant("b c")],
            [Some(LOST), Some(UNSENT), Some(CUT), None]
        );

        const NUMBERS: &[Numbers] = &[(LOST, &[-1, 5]), (UNSENT, &[-2, 49_920])];
        let meant = |number| by_number!(NUMBERS, number);
        assert_eq!(
            [-1, 5, -2, 49_920].map(meant).map(Option::unwrap),
            [LOST, LOST, UNSENT, UNSENT]
        );
        let mark = i32::from(NUMBER_MARK | u16::from(LOST));
        for number in [0, mark, mark - 65_536, 5 + 65_536, 65_535, -3, i32::MAX, i32::MIN] {
            assert_eq!(meant(number), None, "{number}");
        }
    }
}
