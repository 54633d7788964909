//! Numbers and descriptors, sent to another process over a Unix socket.
//!
//! A message is as long as its reader expects: those with offers are [`Offers`], those with answers
//! are [`Answer`].

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// Connections in one message: one call, one wake-up and one answer for all of them.
pub(super) const MOST: usize = 16;

/// Two numbers: of a worker that comes, its place and its process; of one that has read offers, how
/// many there were, and a bit for the slot of each whose descriptor it did not get.
pub(super) type Answer = [u64; 2];

/// How many connections are offered, and for each its slot and its ticket.
pub(super) type Offers = [u64; 1 + 2 * MOST];

/// Room for the descriptors beside a message, aligned as its head must be.
#[repr(C)]
union Control {
    _head: libc::cmsghdr,
    bytes: [u8; 32 + MOST * size_of::<RawFd>()],
}

const EMPTY: Control = Control { bytes: [0; 32 + MOST * size_of::<RawFd>()] };

/// Sends `numbers` with at most [`MOST`] descriptors, of which the other side gets its own.
pub(super) fn send(
    to: BorrowedFd<'_>,
    numbers: &[u64],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let descriptors = descriptors.get(..descriptors.len().min(MOST)).unwrap_or_default();
    let mut part =
        libc::iovec { iov_base: numbers.as_ptr().cast_mut().cast(), iov_len: size_of_val(numbers) };
    let mut control = EMPTY;
    // SAFETY: all zeroes is a valid message head.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !descriptors.is_empty() {
        let size = size_of_val(descriptors) as u32;
        // SAFETY: `control` is large enough for as many and lives until the call below; a borrowed
        // descriptor is its number.
        unsafe {
            message.msg_control = (&raw mut control).cast();
            message.msg_controllen = libc::CMSG_SPACE(size) as _;
            let head = libc::CMSG_FIRSTHDR(&raw const message);
            (*head).cmsg_level = libc::SOL_SOCKET;
            (*head).cmsg_type = libc::SCM_RIGHTS;
            (*head).cmsg_len = libc::CMSG_LEN(size) as _;
            let data = libc::CMSG_DATA(head).cast::<RawFd>();
            for (place, descriptor) in descriptors.iter().enumerate() {
                ptr::write_unaligned(data.add(place), descriptor.as_raw_fd());
            }
        }
    }
    // SAFETY: every pointer in `message` points to what lives here; the numbers are only read.
    let sent = unsafe { libc::sendmsg(to.as_raw_fd(), &raw const message, FLAGS) };
    match usize::try_from(sent) {
        Err(_) => Err(io::Error::last_os_error()),
        Ok(sent) if sent == size_of_val(numbers) => Ok(()),
        Ok(_) => Err(io::Error::from(io::ErrorKind::WriteZero)),
    }
}

/// The next message, whose descriptors are added to `descriptors`; `WouldBlock` where there is none,
/// `UnexpectedEof` where there will be none.
pub(super) fn receive<const N: usize>(
    from: BorrowedFd<'_>,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<[u64; N]> {
    let mut numbers = [0_u64; N];
    let mut part =
        libc::iovec { iov_base: numbers.as_mut_ptr().cast(), iov_len: size_of_val(&numbers) };
    let mut control = EMPTY;
    // SAFETY: all zeroes is a valid message head.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: every pointer in `message` points to what lives here.
    let got = unsafe { libc::recvmsg(from.as_raw_fd(), &raw mut message, RECEIVE_FLAGS) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    take_descriptors(&message, descriptors);
    match got {
        0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        _ if got == size_of_val(&numbers) => Ok(numbers),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "half a message")),
    }
}

/// The descriptors of a message, in their order. A process that may have no more gets the first of
/// them alone.
fn take_descriptors(message: &libc::msghdr, descriptors: &mut Vec<OwnedFd>) {
    // SAFETY: the kernel has filled the control buffer, whose length it noted; the descriptors in
    // it were made for this process and belong to nobody else.
    unsafe {
        let head = libc::CMSG_FIRSTHDR(&raw const *message);
        let Some(head) = head.as_ref() else { return };
        if head.cmsg_level != libc::SOL_SOCKET || head.cmsg_type != libc::SCM_RIGHTS {
            return;
        }
        #[allow(clippy::unnecessary_cast, reason = "it is narrower on other systems")]
        let bytes = (head.cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
        let data = libc::CMSG_DATA(head).cast::<RawFd>();
        for place in 0..bytes / size_of::<RawFd>() {
            let descriptor = OwnedFd::from_raw_fd(ptr::read_unaligned(data.add(place)));
            #[cfg(not(target_os = "linux"))]
            libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC);
            descriptors.push(descriptor);
        }
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn as_many_descriptors_arrive_as_were_sent_and_in_their_order() {
        let (near, far) = UnixStream::pair().expect("a pair");
        let pipes: Vec<_> = (0..MOST).map(|_| UnixStream::pair().expect("a pair")).collect();
        let descriptors: Vec<_> = pipes.iter().map(|(one, _)| one.as_fd()).collect();
        let mut offers: Offers = [0; 1 + 2 * MOST];
        offers[0] = MOST as u64;
        send(near.as_fd(), &offers, &descriptors).expect("room");
        send(near.as_fd(), &offers, &[]).expect("room");
        let mut got = Vec::new();
        assert_eq!(receive(far.as_fd(), &mut got).expect("a message"), offers);
        assert_eq!(got.len(), MOST);
        for (place, descriptor) in got.into_iter().enumerate() {
            io::Write::write_all(&mut File::from(descriptor), &[place as u8]).expect("open");
            let mut byte = [255];
            (&pipes[place].1).read_exact(&mut byte).expect("written");
            assert_eq!(byte[0] as usize, place);
        }
        let mut none = Vec::new();
        assert_eq!(receive(far.as_fd(), &mut none).expect("a message"), offers);
        assert!(none.is_empty());
        let empty: io::Result<Answer> = receive(far.as_fd(), &mut none);
        assert_eq!(empty.expect_err("nothing").kind(), io::ErrorKind::WouldBlock);
        drop(near);
        let ended: io::Result<Answer> = receive(far.as_fd(), &mut none);
        assert_eq!(ended.expect_err("the end").kind(), io::ErrorKind::UnexpectedEof);
    }
}
