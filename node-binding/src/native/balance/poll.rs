//! Waiting for several descriptors at once.

use std::io;
use std::os::fd::RawFd;

/// What is waited for, filled anew for each wait and kept for its memory.
#[derive(Default)]
pub(super) struct Poll {
    entries: Vec<libc::pollfd>,
}

impl Poll {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// How many descriptors are waited for.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Waits also until `descriptor` can be read; answers its place.
    pub(super) fn readable(&mut self, descriptor: RawFd) -> usize {
        let place = self.entries.len();
        self.entries.push(libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 });
        place
    }

    /// Whether something has happened at `place`.
    pub(super) fn happened(&self, place: usize) -> bool {
        self.entries.get(place).is_some_and(|entry| entry.revents != 0)
    }

    /// Waits at most `nanos`; for ever where there is no limit.
    pub(super) fn wait(&mut self, nanos: Option<u64>) -> io::Result<()> {
        // Rounded up: a wait that ends too early would be begun again and again.
        let ms = nanos.map_or(-1, |nanos| {
            libc::c_int::try_from(nanos.div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
        });
        let count = self.entries.len();
        // SAFETY: the pointer and the count are those of the list.
        let done = unsafe { libc::poll(self.entries.as_mut_ptr(), count as libc::nfds_t, ms) };
        if done < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        Ok(())
    }
}
