//! Two numbers and a descriptor, sent to another process over a Unix socket.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

pub(super) type Numbers = [u64; 2];

/// Room for one descriptor beside a message, aligned as its head must be.
#[repr(C)]
union Control {
    _head: libc::cmsghdr,
    bytes: [u8; 64],
}

/// Sends `numbers` with `descriptor`, of which the other side gets its own.
pub(super) fn send(
    to: BorrowedFd<'_>,
    mut numbers: Numbers,
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let mut part =
        libc::iovec { iov_base: (&raw mut numbers).cast(), iov_len: size_of::<Numbers>() };
    let mut control = Control { bytes: [0; 64] };
    // SAFETY: all zeroes is a valid message head.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if let Some(descriptor) = descriptor {
        let size = size_of::<RawFd>() as u32;
        // SAFETY: `control` is large enough for one descriptor and lives until the call below.
        unsafe {
            message.msg_control = (&raw mut control).cast();
            message.msg_controllen = libc::CMSG_SPACE(size) as _;
            let head = libc::CMSG_FIRSTHDR(&raw const message);
            (*head).cmsg_level = libc::SOL_SOCKET;
            (*head).cmsg_type = libc::SCM_RIGHTS;
            (*head).cmsg_len = libc::CMSG_LEN(size) as _;
            ptr::write_unaligned(libc::CMSG_DATA(head).cast::<RawFd>(), descriptor.as_raw_fd());
        }
    }
    // SAFETY: every pointer in `message` points to what lives here.
    let sent = unsafe { libc::sendmsg(to.as_raw_fd(), &raw const message, FLAGS) };
    match usize::try_from(sent) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(sent) if sent == size_of::<Numbers>() => Ok(()),
        Ok(_) => Err(io::Error::from(io::ErrorKind::WriteZero)),
    }
}

/// The next message; `WouldBlock` where there is none, `UnexpectedEof` where there will be none.
pub(super) fn receive(from: BorrowedFd<'_>) -> io::Result<(Numbers, Option<OwnedFd>)> {
    let mut numbers: Numbers = [0; 2];
    let mut part =
        libc::iovec { iov_base: (&raw mut numbers).cast(), iov_len: size_of::<Numbers>() };
    let mut control = Control { bytes: [0; 64] };
    // SAFETY: all zeroes is a valid message head.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: every pointer in `message` points to what lives here.
    let got = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, RECEIVE_FLAGS) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    let descriptor = descriptor_of(&message);
    match got {
        0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        _ if got == size_of::<Numbers>() => Ok((numbers, descriptor)),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "half a message")),
    }
}

fn descriptor_of(message: &libc::msghdr) -> Option<OwnedFd> {
    // SAFETY: the kernel has filled the control buffer, whose length it noted; the descriptor in
    // it was made for this process and belongs to nobody else.
    unsafe {
        let head = libc::CMSG_FIRSTHDR(&raw const *message);
        let head = head.as_ref()?;
        if head.cmsg_level != libc::SOL_SOCKET || head.cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        let descriptor = ptr::read_unaligned(libc::CMSG_DATA(head).cast::<RawFd>());
        let descriptor = OwnedFd::from_raw_fd(descriptor);
        #[cfg(not(target_os = "linux"))]
        libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
        Some(descriptor)
    }
}

#[cfg(target_os = "linux")]
const FLAGS: libc::c_int = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
#[cfg(not(target_os = "linux"))]
const FLAGS: libc::c_int = libc::MSG_DONTWAIT;
#[cfg(target_os = "linux")]
const RECEIVE_FLAGS: libc::c_int = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
#[cfg(not(target_os = "linux"))]
const RECEIVE_FLAGS: libc::c_int = libc::MSG_DONTWAIT;
