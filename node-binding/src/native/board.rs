//! What a worker says of itself, in memory it shares with the primary.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
#[cfg(unix)]
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;
use seawall::balance::Load;
use seawall::balance::claim::Slot;

/// Offers that may be open at a time; far more than the credit of a worker.
pub(super) const SLOTS: usize = 64;

/// Words JavaScript writes, each the bits of a float. Their places are the package's too.
#[repr(usize)]
#[derive(Clone, Copy)]
pub(super) enum Word {
    Ready = 0,
    Connections = 1,
    InFlight = 2,
    Pressure = 3,
    CpuPercent = 4,
    Heap = 5,
    /// For how many milliseconds the loop has not turned, where a thread watches it.
    Block = 6,
    /// Which share of its answers is to end their connection; written by the primary.
    Shed = 7,
    /// Connections a front that stays between has with it; written by the primary.
    Open = 8,
    /// How long its slowest answer took since the primary has looked, in ms.
    Slowest = 9,
    /// How many answers it has timed.
    Answers = 10,
    /// How often the primary has looked at the two; written by the primary, as the next.
    Looked = 11,
    /// How long its answers take, by what the balancer remembers, in ms.
    Latency = 12,
}

pub(super) const WORDS: usize = 16;

/// The page itself. All zeroes is a worker that is not ready.
#[repr(C)]
struct Page {
    words: [AtomicU64; WORDS],
    slots: [Slot; SLOTS],
}

/// A page that is mapped. The worker has made it, the primary got its descriptor.
pub(super) struct Board {
    map: MmapRaw,
}

impl Board {
    /// A page of zeroes in a file without a name.
    #[cfg(unix)]
    pub(super) fn create() -> io::Result<(Self, File)> {
        let file = nameless_file()?;
        Ok((Self::fill(&file)?, file))
    }

    /// A page of zeroes in a new file at `path`.
    pub(super) fn create_at(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self::fill(&options.open(path)?)
    }

    /// The page in the file at `path`.
    pub(super) fn map_at(path: &Path) -> io::Result<Self> {
        Self::map(&OpenOptions::new().read(true).write(true).open(path)?)
    }

    fn fill(mut file: &File) -> io::Result<Self> {
        // Written, not only given a length: where there is no room for it, that is an error here,
        // and the end of the process at the first touch.
        file.write_all(&vec![0; size_of::<Page>()])?;
        Self::map(file)
    }

    /// The page in a file that another process made.
    pub(super) fn map(file: &File) -> io::Result<Self> {
        // Shorter than a page, reading it would end this process.
        if file.metadata()?.len() < size_of::<Page>() as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the shared page is too short"));
        }
        Ok(Self { map: memmap2::MmapOptions::new().len(size_of::<Page>()).map_raw(file)? })
    }

    fn page(&self) -> &Page {
        // SAFETY: the mapping is as long as a page, which is made of atomics alone, for which any
        // bits are valid; mappings begin at the boundary of a page of memory.
        unsafe { &*self.map.as_ptr().cast::<Page>() }
    }

    pub(super) fn slot(&self, index: usize) -> Option<&Slot> {
        self.page().slots.get(index)
    }

    /// Where JavaScript's words begin.
    pub(super) fn words(&self) -> *mut u8 {
        self.page().words.as_ptr().cast::<u8>().cast_mut()
    }

    pub(super) fn word(&self, word: Word) -> f64 {
        let bits = self.page().words.get(word as usize).map_or(0, |w| w.load(Ordering::Relaxed));
        f64::from_bits(bits)
    }

    /// Writes a word of the native side.
    pub(super) fn set(&self, word: Word, value: f64) {
        if let Some(place) = self.page().words.get(word as usize) {
            place.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// Adds to a word of the native side, which only this writes: in one step, so that what several
    /// threads add and take away is there whichever of them is first.
    pub(super) fn add(&self, word: Word, by: f64) {
        if let Some(place) = self.page().words.get(word as usize) {
            let more = |bits| Some((f64::from_bits(bits) + by).to_bits());
            let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    /// What the worker says of itself.
    pub(super) fn load(&self, unanswered: usize) -> Load {
        let count = |word| self.word(word) as u32;
        Load {
            ready: self.word(Word::Ready) > 0.0,
            connections: count(Word::Connections),
            in_flight: count(Word::InFlight),
            unanswered: u32::try_from(unanswered).unwrap_or(u32::MAX),
            block_ms: self.word(Word::Block),
            pressure: self.word(Word::Pressure),
            cpu_percent: self.word(Word::CpuPercent),
            heap: self.word(Word::Heap),
        }
    }
}

#[cfg(target_os = "linux")]
fn nameless_file() -> io::Result<File> {
    // SAFETY: the name is a string that ends with a zero.
    let descriptor = unsafe { libc::memfd_create(c"seawall".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}

#[cfg(all(unix, not(target_os = "linux")))]
fn nameless_file() -> io::Result<File> {
    let mut path =
        std::env::temp_dir().join("seawall-XXXXXX").into_os_string().into_encoded_bytes();
    path.push(0);
    // SAFETY: the template ends with a zero and is writable.
    let descriptor = unsafe { libc::mkstemp(path.as_mut_ptr().cast()) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the template now is the path of the file just made.
    unsafe { libc::unlink(path.as_ptr().cast()) };
    // SAFETY: the descriptor was just made and belongs to nobody else.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(descriptor) }))
}
