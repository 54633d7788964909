//! Waits for many descriptors of which few do anything: by epoll where there is one, so that those
//! that are silent cost nothing.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

#[cfg(not(target_os = "linux"))]
use super::super::threads;

/// How many descriptors are told of at once.
const AT_ONCE: usize = 128;

#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    use super::*;

    pub(in super::super) struct Waiter {
        epoll: OwnedFd,
        events: Vec<libc::epoll_event>,
    }

    impl Waiter {
        pub(in super::super) fn new() -> io::Result<Self> {
            // SAFETY: makes a descriptor, which is this function's own.
            let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
            if epoll < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: the system has just made it, for this caller alone.
            let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
            Ok(Self { epoll, events: vec![libc::epoll_event { events: 0, u64: 0 }; AT_ONCE] })
        }

        /// Waits for `descriptor` too, which is told of as `key`.
        pub(in super::super) fn add(&mut self, descriptor: RawFd, key: u64) -> io::Result<()> {
            let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key };
            self.control(libc::EPOLL_CTL_ADD, descriptor, &raw mut event)
        }

        /// No longer. One that is closed need not be said.
        pub(in super::super) fn remove(&mut self, descriptor: RawFd) {
            let _ = self.control(libc::EPOLL_CTL_DEL, descriptor, std::ptr::null_mut());
        }

        pub(in super::super) const fn closed(&mut self, _descriptor: RawFd) {}

        fn control(
            &self,
            what: libc::c_int,
            descriptor: RawFd,
            event: *mut libc::epoll_event,
        ) -> io::Result<()> {
            // SAFETY: the event, where there is one, outlives the call.
            let done = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), what, descriptor, event) };
            if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        }

        /// Waits for so long at most, without a time until something happens; writes the keys of what
        /// has something to say into `ready`.
        pub(in super::super) fn wait(&mut self, left: Option<Duration>, ready: &mut Vec<u64>) {
            ready.clear();
            let ms = left.map_or(-1, |left| i32::try_from(left.as_millis()).unwrap_or(60_000));
            let (events, most) = (self.events.as_mut_ptr(), AT_ONCE as libc::c_int);
            // SAFETY: the pointer and the count are those of a list that outlives the call.
            let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events, most, ms) };
            let count = usize::try_from(count).unwrap_or(0);
            ready.extend(self.events.iter().take(count).map(|event| event.u64));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::*;

    pub(in super::super) struct Waiter {
        places: Vec<libc::pollfd>,
        keys: Vec<u64>,
    }

    impl Waiter {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self { places: Vec::with_capacity(AT_ONCE), keys: Vec::with_capacity(AT_ONCE) })
        }

        /// Waits for `descriptor` too, which is told of as `key`.
        pub(in super::super) fn add(&mut self, descriptor: RawFd, key: u64) -> io::Result<()> {
            self.places.push(libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 });
            self.keys.push(key);
            Ok(())
        }

        /// No longer.
        pub(in super::super) fn remove(&mut self, descriptor: RawFd) {
            if let Some(place) = self.places.iter().position(|place| place.fd == descriptor) {
                self.places.swap_remove(place);
                self.keys.swap_remove(place);
            }
        }

        pub(in super::super) fn closed(&mut self, descriptor: RawFd) {
            self.remove(descriptor);
        }

        /// Waits for so long at most, without a time until something happens; writes the keys of what
        /// has something to say into `ready`.
        pub(in super::super) fn wait(&mut self, left: Option<Duration>, ready: &mut Vec<u64>) {
            ready.clear();
            threads::wait(&mut self.places, left);
            let told = self.places.iter().zip(&self.keys).filter(|(place, _)| place.revents != 0);
            ready.extend(told.map(|(_, key)| *key));
        }
    }
}

pub(super) use system::Waiter;
