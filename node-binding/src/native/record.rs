//! Where a flight recorder keeps its bytes.

use std::fs::OpenOptions;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapMut;
use seawall::pressure::recorder::{Recorder, size};

use super::clock;

/// Ten a second, for a minute, and some more for the ends of stalls.
const RECORDS: usize = 640;

/// Memory of the process, or of a file, which outlives it.
pub(super) enum Bytes {
    Memory(Vec<u8>),
    File(MmapMut),
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(map) => map,
        }
    }
}

impl AsMut<[u8]> for Bytes {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::File(map) => map,
        }
    }
}

/// A recorder in memory.
pub(super) fn in_memory() -> Option<Recorder<Bytes>> {
    begin(Bytes::Memory(vec![0; size(RECORDS)]))
}

/// What a recording is called after another has taken its place.
const PREVIOUS: &str = "previous";

/// A recorder in a new file, which takes the place of one of that path: a service that is started
/// again after a crash must not lose what led to it, so that one is then called `<path>.previous`.
///
/// The old one is never cut: another process that still records into it would be ended by that
/// (SIGBUS). It goes on in the file of the other name, or of none.
pub(super) fn in_file(path: &str) -> io::Result<Recorder<Bytes>> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let made = format!("{path}.{}-{number}.new", std::process::id());
    let recorder = in_new_file(&made).and_then(|recorder| {
        match std::fs::rename(path, format!("{path}.{PREVIOUS}")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::fs::rename(&made, path)?,
        }
        Ok(recorder)
    });
    if recorder.is_err() {
        // It may not have come so far.
        _ = std::fs::remove_file(&made);
    }
    recorder
}

fn in_new_file(path: &str) -> io::Result<Recorder<Bytes>> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    reserve(&file, size(RECORDS) as u64)?;
    // SAFETY: a file that others cut would end the process (SIGBUS): it is this process's own, as the
    // option says, and what others write into it is nothing that the recorder reads.
    let map = unsafe { MmapMut::map_mut(&file)? };
    begin(Bytes::File(map)).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn begin(bytes: Bytes) -> Option<Recorder<Bytes>> {
    let origin = clock::wall_ms() - clock::now().as_millis();
    Recorder::new(bytes, std::process::id(), origin)
}

/// Takes the room on the disk now: writing to a mapped page there is no room for would end the process.
#[cfg(target_os = "linux")]
fn reserve(file: &std::fs::File, bytes: u64) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let bytes = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `file` is borrowed.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes) } {
        0 => Ok(()),
        // Some file systems cannot, and not every C library then does as below.
        libc::EOPNOTSUPP | libc::EINVAL => fill(file, bytes as u64),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(not(target_os = "linux"))]
fn reserve(file: &std::fs::File, bytes: u64) -> io::Result<()> {
    fill(file, bytes)
}

fn fill(mut file: &std::fs::File, bytes: u64) -> io::Result<()> {
    use std::io::Write;
    file.write_all(&vec![0; usize::try_from(bytes).map_err(io::Error::other)?])
}
