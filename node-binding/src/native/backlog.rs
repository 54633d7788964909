//! What the kernel has accepted for a listener and nobody has taken yet: libuv takes one connection
//! in a turn of its loop, and closing the listener resets the rest.

use std::io;

use napi_derive::napi;

/// Takes the connections that wait at the listener with this descriptor, `most` of them at most, and
/// answers with their descriptors, which are the caller's from now on. Empty where none waits, and
/// for what is no listener. Never blocks: listeners of libuv do not.
#[napi]
pub fn accept_backlog(listener: i32, most: u32) -> Vec<i32> {
    (0..most).map_while(|_| accept(listener)).collect()
}

fn accept(listener: i32) -> Option<i32> {
    loop {
        if let Some(accepted) = accept_once(listener) {
            return Some(accepted);
        }
        // A client that left while it waited is no reason to leave the others.
        match io::Error::last_os_error().raw_os_error() {
            Some(libc::EINTR | libc::ECONNABORTED) => {}
            _ => return None,
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn accept_once(listener: i32) -> Option<i32> {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no address is asked for, so nothing is written; any descriptor may be asked.
    let accepted =
        unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), flags) };
    (accepted >= 0).then_some(accepted)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn accept_once(listener: i32) -> Option<i32> {
    // SAFETY: no address is asked for, so nothing is written; any descriptor may be asked.
    let accepted = unsafe { libc::accept(listener, std::ptr::null_mut(), std::ptr::null_mut()) };
    if accepted < 0 {
        return None;
    }
    // SAFETY: the descriptor was just made and is this function's own.
    unsafe {
        libc::fcntl(accepted, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(accepted, libc::F_SETFL, libc::O_NONBLOCK);
    }
    Some(accepted)
}
