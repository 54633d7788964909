//! What is known of a process at one instant, by the names both doors share.

/// One thing that can be measured of a process.
///
/// The discriminants are places in [`Signals`] and cross to JavaScript: a new signal is added at
/// the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Signal {
    /// For how many milliseconds the event loop has not turned until now; 0 while it waits for work.
    Block = 0,
    /// Median of the loop's delays over the last second, in milliseconds.
    DelayP50 = 1,
    /// 99th percentile of the loop's delays over the last second, in milliseconds.
    DelayP99 = 2,
    /// The longest of the loop's delays over the last second, in milliseconds.
    DelayMax = 3,
    /// Which part of the last second the loop worked, 0 to 1.
    Utilization = 4,
    /// [`Signal::Utilization`], smoothed over 10 s.
    UtilizationSmooth = 5,
    /// Bytes of the heap in use.
    HeapUsed = 6,
    /// Bytes to which the heap may grow.
    HeapLimit = 7,
    /// Bytes of the process that are resident in memory.
    Rss = 8,
    /// Bytes of memory that count against the container's limit, page cache that can go left out;
    /// without a limit, those in use on the machine.
    MemoryUsed = 9,
    /// The container's limit of memory in bytes; not known where it has none.
    MemoryLimit = 10,
    /// Which part of the last scheduler periods the container was throttled in, 0 to 1.
    CpuThrottled = 11,
    /// Which part of the time some task waited for a processor, 0 to 1 (PSI `some`).
    CpuStall = 12,
    /// Which part of the time all tasks waited for memory, 0 to 1 (PSI `full`).
    MemoryStall = 13,
    /// Which part of the time all tasks waited for disks, 0 to 1 (PSI `full`).
    IoStall = 14,
    /// Requests under way.
    InFlight = 15,
    /// For how many milliseconds requests waited before they were begun.
    Queue = 16,
}

/// How many signals there are.
pub const SIGNALS: usize = 17;

impl Signal {
    /// All of them, each at its place.
    pub const ALL: [Self; SIGNALS] = [
        Self::Block,
        Self::DelayP50,
        Self::DelayP99,
        Self::DelayMax,
        Self::Utilization,
        Self::UtilizationSmooth,
        Self::HeapUsed,
        Self::HeapLimit,
        Self::Rss,
        Self::MemoryUsed,
        Self::MemoryLimit,
        Self::CpuThrottled,
        Self::CpuStall,
        Self::MemoryStall,
        Self::IoStall,
        Self::InFlight,
        Self::Queue,
    ];

    /// The signal of that place.
    #[must_use]
    pub fn at(place: usize) -> Option<Self> {
        Self::ALL.get(place).copied()
    }
}

/// One value for each [`Signal`]; NaN where it is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signals(pub [f64; SIGNALS]);

impl Default for Signals {
    /// Nothing is known.
    fn default() -> Self {
        Self([f64::NAN; SIGNALS])
    }
}

impl Signals {
    /// From a list of numbers by their places; what is missing at the end is not known.
    #[must_use]
    pub fn from_numbers(numbers: &[f64]) -> Self {
        let mut signals = Self::default();
        for (place, number) in signals.0.iter_mut().zip(numbers) {
            *place = *number;
        }
        signals
    }

    /// The value of `signal`, nothing where it is not known.
    #[must_use]
    pub fn get(&self, signal: Signal) -> Option<f64> {
        self.0.get(signal as usize).copied().filter(|value| !value.is_nan())
    }

    /// Notes that `signal` is `value`; NaN: not known.
    pub fn set(&mut self, signal: Signal, value: f64) {
        if let Some(place) = self.0.get_mut(signal as usize) {
            *place = value;
        }
    }
}
