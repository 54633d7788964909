//! The words by which others see what was decided, without a lock and without a call.
//!
//! Each is an `f64` in the bits of an atomic; JavaScript reads them through a `Float64Array`.
//!
//! | word | written by | holds |
//! |---|---|---|
//! | [`SEQUENCE`] | monitor | observations so far; written last |
//! | [`LEVEL`] | monitor | the [`Level`](super::Level) |
//! | [`PRESSURE`] | monitor | 0 to 1 |
//! | [`SIGNAL`] | monitor | the place of the greatest signal, -1 for none |
//! | [`THRESHOLD`] | monitor | levels of priority below are refused; 0: nobody, nor need be asked |
//! | [`DRAIN`] | monitor | for how many ms the pressure is expected to last |
//! | [`OBSERVED`] | monitor | the time of the last observation, in ms of who told it |
//! | [`CLOSE`] | monitor | the share of connections to close after an answer, 0 to 1 |
//! | [`CLOSE_REFUSED`] | monitor | the same after a refusal: less, since a refusal on a new connection is dearer than one on an old |
//! | [`KEEP_ALIVE`] | monitor | the part of its usual time an idle connection is kept, 0 to 1 |
//! | [`SINCE`] | monitor | since when it is on its level, in ms |
//! | [`STALLS`], [`STALL`] | monitor | how often the loop stood still, for how many ms the last time |
//! | [`SHED`] | monitor | requests refused in all |
//! | [`MODE`] | monitor | 1: dry run, 2: maintenance, added up |
//! | [`SURE`] | monitor | how many classes of priority, from the lowest, are refused whoever asks: nobody need ask |
//! | [`RETRY_AT`] and on | monitor | [`RETRIES`] times in s after which to come back, to be told in turns; 0: not known |
//! | [`SIGNALS_AT`] and on | monitor | the latest [`Signals`](super::Signals) |
//! | [`IN_FLIGHT`] | caller | requests under way, NaN: not known |
//! | [`QUEUE`], [`QUEUE_TAG`] | caller | the shortest wait in ms of the requests begun since the observation of that number |
//! | [`REFUSED_AT`] and on | caller | requests refused without asking, by class, since the monitor was made |

use crate::sync::{AtomicU64, Ordering};

/// Words of a board.
pub const WORDS: usize = 64;
/// Observations so far; written last.
pub const SEQUENCE: usize = 0;
/// The level.
pub const LEVEL: usize = 1;
/// The pressure.
pub const PRESSURE: usize = 2;
/// The place of the greatest signal.
pub const SIGNAL: usize = 3;
/// Levels of priority below are refused.
pub const THRESHOLD: usize = 4;
/// For how many milliseconds the pressure is expected to last.
pub const DRAIN: usize = 5;
/// When it was last observed, in ms.
pub const OBSERVED: usize = 6;
/// The share of connections to close after an answer.
pub const CLOSE: usize = 7;
/// The part of its usual time an idle connection is kept.
pub const KEEP_ALIVE: usize = 8;
/// Since when it is on its level, in ms.
pub const SINCE: usize = 9;
/// How often the loop stood still.
pub const STALLS: usize = 10;
/// For how many milliseconds the last time.
pub const STALL: usize = 11;
/// Requests refused in all.
pub const SHED: usize = 12;
/// Dry run and maintenance.
pub const MODE: usize = 13;
/// The share of connections to close after a refusal.
pub const CLOSE_REFUSED: usize = 14;
/// Classes of priority, from the lowest, of which every request is refused.
pub const SURE: usize = 15;
/// Where the times begin after which to come back, in seconds.
pub const RETRY_AT: usize = 16;
/// How many of them there are.
pub const RETRIES: usize = 8;
/// Where the signals begin.
pub const SIGNALS_AT: usize = 32;
/// Requests under way.
pub const IN_FLIGHT: usize = 56;
/// The shortest wait of the requests begun lately, in ms.
pub const QUEUE: usize = 57;
/// The number of the observation since when that holds.
pub const QUEUE_TAG: usize = 58;
/// Where the counts begin of requests refused without asking, by class.
pub const REFUSED_AT: usize = 59;

/// The words; see the [module](self).
#[derive(Debug)]
#[repr(C)]
#[cfg_attr(not(target_family = "wasm"), repr(align(64)))]
pub struct Board([AtomicU64; WORDS]);

#[cfg(not(loom))]
const _: () = assert!(size_of::<Board>() == WORDS * 8);

impl Default for Board {
    fn default() -> Self {
        let board = Self(core::array::from_fn(|_| AtomicU64::new(0)));
        board.set(SIGNAL, -1.0);
        board.set(KEEP_ALIVE, 1.0);
        for word in (SIGNALS_AT..WORDS).take(super::SIGNALS) {
            board.set(word, f64::NAN);
        }
        for word in [IN_FLIGHT, QUEUE, QUEUE_TAG] {
            board.set(word, f64::NAN);
        }
        board
    }
}

impl Board {
    /// The number in a word; 0 for one that is not there.
    #[must_use]
    pub fn get(&self, word: usize) -> f64 {
        self.0.get(word).map_or(0.0, |word| f64::from_bits(word.load(Ordering::Acquire)))
    }

    /// Writes a number into a word.
    pub fn set(&self, word: usize, number: f64) {
        if let Some(word) = self.0.get(word) {
            word.store(number.to_bits(), Ordering::Release);
        }
    }
}
