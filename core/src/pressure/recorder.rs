//! A flight recorder: the last minute of a process, in bytes that outlive it.
//!
//! **Why.** What a process knew before it was killed is what one wants to know then. A [`Recorder`]
//! writes fixed records into bytes of the caller's: plain memory, or a file mapped into memory, whose
//! pages the operating system keeps when the process is gone.
//!
//! **The bytes** (version 1, little-endian). A header of 64: `seawall\n`, then as 32 bits the version,
//! the size of the header, the size of a record, how many there is room for, the number of signals in
//! a record and the id of the process; as a float of 64 bits the wall clock, in ms since 1970, at the
//! origin of the records' clock; at byte 60 the CRC-32 of the 60 bytes before. A record of 256: the
//! CRC-32 of the other 252, the level (1 byte), the kind (1), the length of the route (2), its number
//! from 1 on (8), its time in ms as a float (8), the pressure as a float of 32 bits, 4 bytes of zero,
//! the signals as 24 floats of 32 bits, and 128 bytes of the route. Record `n` is at place `n - 1`
//! modulo the room. One that was being written when the process ended has a wrong CRC, and is left
//! out by [`Recording::read`].
//!
//! ```
//! use seawall::Instant;
//! use seawall::pressure::{Signal, Signals};
//! use seawall::pressure::recorder::{Entry, Kind, Recorder, Recording, size};
//!
//! let mut recorder = Recorder::new(vec![0; size(600)], 4711, 1_700_000_000_000.0).ok_or("too short")?;
//! let mut signals = Signals::default();
//! signals.set(Signal::Block, 320.0);
//! let now = Instant::from_millis(5000.0);
//! recorder.record(&Entry { now, kind: Kind::Stall, level: 4, pressure: 1.0, signals, route: "GET /" });
//!
//! let recording = Recording::read(recorder.bytes()).ok_or("no recording")?;
//! assert_eq!(recording.process, 4711);
//! assert_eq!(recording.records[0].route, "GET /");
//! assert_eq!(recording.records[0].signals.get(Signal::Block), Some(320.0));
//! # Ok::<(), &str>(())
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use super::signals::{SIGNALS, Signals};
use crate::time::Instant;

const MAGIC: [u8; 8] = *b"seawall\n";
const VERSION: u32 = 1;
const HEADER: usize = 64;
const RECORD: usize = 256;
const PLACES: usize = 24;
const ROUTE_AT: usize = 128;
const ROUTE: usize = RECORD - ROUTE_AT;

// Signals begin at byte 32.
const _: () = assert!(SIGNALS <= PLACES && 32 + PLACES * 4 == ROUTE_AT);

/// How many bytes a recorder takes that keeps so many records.
#[must_use]
pub const fn size(records: usize) -> usize {
    records.saturating_mul(RECORD).saturating_add(HEADER)
}

/// What a record tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The state at an instant.
    Sample = 0,
    /// The state while the loop stands still.
    Stall = 1,
    /// A stall that is over; [`Signal::Block`](super::Signal::Block) is its length.
    StallEnd = 2,
}

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry<'a> {
    /// When.
    pub now: Instant,
    /// What of.
    pub kind: Kind,
    /// The level of pressure as its number.
    pub level: u8,
    /// The pressure, 0 to 1.
    pub pressure: f64,
    /// What was measured, kept with seven digits.
    pub signals: Signals,
    /// The last route entered; what is longer than 128 bytes is cut off.
    pub route: &'a str,
}

/// Writes records into `bytes`, over the oldest where they are full.
#[derive(Debug)]
pub struct Recorder<B> {
    bytes: B,
    room: usize,
    written: u64,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Recorder<B> {
    /// Begins a recording of the process with the id `process`; `wall_ms` is what the wall clock shows
    /// at the origin of the clock of [`Entry::now`]. Nothing where there is no room for a record.
    #[must_use]
    pub fn new(mut bytes: B, process: u32, wall_ms: f64) -> Option<Self> {
        let all = bytes.as_mut();
        let room = all.len().checked_sub(HEADER)?.checked_div(RECORD).filter(|room| *room > 0)?;
        all.fill(0);
        let mut header = [0; HEADER];
        let mut put = Put(&mut header);
        put.bytes(&MAGIC);
        let sizes = [HEADER, RECORD, room, PLACES].map(|size| u32::try_from(size).unwrap_or(0));
        put.bytes(&VERSION.to_le_bytes());
        sizes.iter().for_each(|size| put.bytes(&size.to_le_bytes()));
        put.bytes(&process.to_le_bytes());
        put.bytes(&wall_ms.to_le_bytes());
        let sum = crc(header.get(..60)?).to_le_bytes();
        header.get_mut(60..)?.copy_from_slice(&sum);
        all.get_mut(..HEADER)?.copy_from_slice(&header);
        Some(Self { bytes, room, written: 0 })
    }

    /// Adds a record.
    pub fn record(&mut self, entry: &Entry<'_>) {
        self.written = self.written.saturating_add(1);
        if let Some(place) = slot(self.written, self.room) {
            let record = encoded(entry, self.written);
            if let Some(target) = self.bytes.as_mut().get_mut(place..place.saturating_add(RECORD)) {
                target.copy_from_slice(&record);
            }
        }
    }

    /// The bytes, as [`Recording::read`] takes them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// What is recorded until now.
    #[must_use]
    pub fn snapshot(&self) -> Recording {
        Recording::read(self.bytes()).unwrap_or_default()
    }
}

/// Where the record of a number lies.
fn slot(number: u64, room: usize) -> Option<usize> {
    let place = number.checked_sub(1)?.checked_rem(room as u64)?;
    usize::try_from(place).ok()?.checked_mul(RECORD)?.checked_add(HEADER)
}

fn encoded(entry: &Entry<'_>, number: u64) -> [u8; RECORD] {
    let mut cut = entry.route.len().min(ROUTE);
    while !entry.route.is_char_boundary(cut) {
        cut = cut.saturating_sub(1);
    }
    let route = entry.route.as_bytes().get(..cut).unwrap_or_default();
    let mut record = [0; RECORD];
    let mut put = Put(record.get_mut(4..).unwrap_or_default());
    put.bytes(&[entry.level, entry.kind as u8]);
    put.bytes(&u16::try_from(cut).unwrap_or(0).to_le_bytes());
    put.bytes(&number.to_le_bytes());
    put.bytes(&entry.now.as_millis().to_le_bytes());
    put.bytes(&(entry.pressure as f32).to_le_bytes());
    put.bytes(&[0; 4]);
    let unknown = core::iter::repeat(f64::NAN);
    for signal in entry.signals.0.into_iter().chain(unknown).take(PLACES) {
        put.bytes(&(signal as f32).to_le_bytes());
    }
    put.bytes(route);
    let sum = crc(record.get(4..).unwrap_or_default()).to_le_bytes();
    if let Some(place) = record.get_mut(..4) {
        place.copy_from_slice(&sum);
    }
    record
}

/// What a recorder wrote, the oldest record first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recording {
    /// The id of the process.
    pub process: u32,
    /// What the wall clock showed at the origin of the records' clock, in ms since 1970.
    pub wall_ms: f64,
    /// The records that are whole.
    pub records: Vec<Record>,
    /// How many are not: those being written when the process ended, or damaged later.
    pub torn: usize,
}

/// One record; see [`Entry`].
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Counted from 1.
    pub number: u64,
    /// When, by the clock of the recorder.
    pub at: Instant,
    /// What of.
    pub kind: Kind,
    /// The level of pressure as its number.
    pub level: u8,
    /// The pressure, 0 to 1.
    pub pressure: f64,
    /// What was measured.
    pub signals: Signals,
    /// The last route entered.
    pub route: String,
}

impl Recording {
    /// Reads a recording; nothing where `bytes` are none, or of a version that is not known.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let mut get = Get(header);
        let sound = get.array()? == MAGIC && get.number()? == VERSION;
        let sizes = [get.number()?, get.number()?, get.number()?, get.number()?];
        let process = get.number()?;
        let wall_ms = f64::from_le_bytes(get.array()?);
        let sum = Get(header.get(60..)?).number()?;
        let [head, each, room, places] = sizes.map(|size| size as usize);
        let known = head == HEADER && each == RECORD && places == PLACES;
        if !sound || !known || sum != crc(header.get(..60)?) {
            return None;
        }
        let (slots, _) = bytes.get(HEADER..)?.as_chunks::<RECORD>();
        let used = slots.iter().take(room).enumerate();
        let mut recording = Self { process, wall_ms, ..Self::default() };
        for (place, slot) in used.filter(|(_, slot)| slot.iter().any(|byte| *byte != 0)) {
            match decoded(slot).filter(|record| is_at(record.number, room, place)) {
                Some(record) => recording.records.push(record),
                None => recording.torn = recording.torn.saturating_add(1),
            }
        }
        recording.records.sort_unstable_by_key(|record| record.number);
        // A page that never reached the disk holds records of an earlier round.
        let newest = recording.records.last().map_or(0, |record| record.number);
        let oldest = newest.saturating_sub(room as u64);
        recording.records.retain(|record| record.number > oldest);
        Some(recording)
    }
}

fn is_at(number: u64, room: usize, place: usize) -> bool {
    number.checked_sub(1).and_then(|number| number.checked_rem(room as u64)) == Some(place as u64)
}

fn decoded(slot: &[u8; RECORD]) -> Option<Record> {
    let mut get = Get(slot);
    if get.number()? != crc(slot.get(4..)?) {
        return None;
    }
    let [level, kind] = get.array()?;
    let length = usize::from(u16::from_le_bytes(get.array()?));
    let number = u64::from_le_bytes(get.array()?);
    let at = Instant::from_millis(f64::from_le_bytes(get.array()?));
    let pressure = f64::from(f32::from_le_bytes(get.array()?));
    get.array::<4>()?;
    let mut signals = Signals::default();
    for value in &mut signals.0 {
        *value = f64::from(f32::from_le_bytes(get.array()?));
    }
    let kind = match kind {
        0 => Kind::Sample,
        1 => Kind::Stall,
        2 => Kind::StallEnd,
        _ => return None,
    };
    let route = slot.get(ROUTE_AT..ROUTE_AT.saturating_add(length))?;
    let route = core::str::from_utf8(route).ok()?.into();
    Some(Record { number, at, kind, level, pressure, signals, route })
}

/// Writes one after the other.
struct Put<'a>(&'a mut [u8]);

impl Put<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some((target, rest)) = core::mem::take(&mut self.0).split_at_mut_checked(bytes.len())
        {
            target.copy_from_slice(bytes);
            self.0 = rest;
        }
    }
}

/// Reads one after the other.
struct Get<'a>(&'a [u8]);

impl Get<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
}

/// The CRC-32 of zip and Ethernet, by half bytes: a table of 64 bytes is enough at ten records a second.
fn crc(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = table();
    let step = |sum: u32, half: u32| {
        let index = ((sum ^ half) & 15) as usize;
        (sum >> 4) ^ TABLE.get(index).copied().unwrap_or(0)
    };
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        let byte = u32::from(*byte);
        step(step(sum, byte), byte >> 4)
    })
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "done when compiled")]
const fn table() -> [u32; 16] {
    let mut table = [0; 16];
    let mut index = 0;
    while index < 16 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 { 0xEDB8_8320 ^ (value >> 1) } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_usual_one() {
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }
}
