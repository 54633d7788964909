//! The worker's end: claims what is offered, on the loop, and gives it to JavaScript.

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use napi::sys;
use seawall::balance::claim::Ticket;

use super::super::board::Board;
use super::uv::{self, PollHandle, READABLE, Uv};
use super::wire::{self, Answer, MOST, Offers};

/// A worker's end of the control socket, watched by its loop.
pub(super) struct Back {
    uv: Uv,
    handle: *mut PollHandle,
}

/// What the loop's callback works on.
struct Watched {
    stream: UnixStream,
    board: Arc<Board>,
    env: sys::napi_env,
    /// The function of JavaScript, called with the descriptors of one turn.
    adopt: sys::napi_ref,
    context: sys::napi_async_context,
    uv: Uv,
    claimed: Vec<i32>,
    /// Kept so that a message needs no memory of its own.
    received: Vec<OwnedFd>,
}

impl Back {
    /// Connects to the primary and says which worker this is.
    ///
    /// # Safety
    ///
    /// On the thread of `env`, with a reference to a function and an async context of it.
    pub(super) unsafe fn join(
        control: &Path,
        index: u64,
        env: sys::napi_env,
        adopt: sys::napi_ref,
        context: sys::napi_async_context,
    ) -> io::Result<(Self, Arc<Board>)> {
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let uv = Uv::find().ok_or_else(unsupported)?;
        let stream = UnixStream::connect(control)?;
        let (board, file) = Board::create()?;
        let greeting: Answer = [index, u64::from(std::process::id())];
        wire::send(stream.as_fd(), &greeting, &[file.as_fd()])?;
        stream.set_nonblocking(true)?;
        let board = Arc::new(board);
        let descriptor = stream.as_raw_fd();
        let mut event_loop = ptr::null_mut();
        // SAFETY: this is the thread of `env`.
        if unsafe { sys::napi_get_uv_event_loop(env, &raw mut event_loop) } != sys::Status::napi_ok
        {
            return Err(unsupported());
        }
        let watched = Watched {
            stream,
            board: Arc::clone(&board),
            env,
            adopt,
            context,
            uv,
            claimed: Vec::new(),
            received: Vec::new(),
        };
        let handle = uv.allocate();
        if handle.is_null() {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        // SAFETY: the handle has the size libuv asked for, the loop is that of this thread, and
        // `data` is freed in `closed`, after the last callback.
        unsafe {
            if (uv.init)(event_loop.cast(), handle, descriptor) != 0 {
                uv::free(handle);
                return Err(unsupported());
            }
            (*handle).data = Box::into_raw(Box::new(watched)).cast::<c_void>();
            (uv.start)(handle, READABLE, offered);
        }
        Ok((Self { uv, handle }, board))
    }

    /// Whether waiting for connections keeps the process alive. It does at first.
    pub(super) fn hold(&self, held: bool) {
        let change = if held { self.uv.hold } else { self.uv.release };
        // SAFETY: the handle is open until this is dropped.
        unsafe { change(self.handle) };
    }
}

impl Drop for Back {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and closed once; `closed` frees it.
        unsafe {
            (self.uv.stop)(self.handle);
            (self.uv.close)(self.handle, closed);
        }
    }
}

unsafe extern "C" fn closed(handle: *mut PollHandle) {
    // SAFETY: `data` was made by `join`; no callback comes after this one.
    unsafe {
        drop(Box::from_raw((*handle).data.cast::<Watched>()));
        uv::free(handle);
    }
}

unsafe extern "C" fn offered(handle: *mut PollHandle, _status: c_int, _events: c_int) {
    // SAFETY: `data` was made by `join` and lives until `closed`; callbacks of a loop do not nest.
    let watched = unsafe { &mut *(*handle).data.cast::<Watched>() };
    let open = watched.claim();
    if !open {
        // The primary is gone; what it offered before was claimed above.
        // SAFETY: the handle is open.
        unsafe { (watched.uv.stop)(handle) };
    }
    if !watched.claimed.is_empty() || !open {
        // SAFETY: this is the thread of the environment, in a callback of its loop. `watched` is
        // not used while JavaScript runs, which may close the handle.
        unsafe { watched.call(open) };
    }
}

impl Watched {
    /// Claims what has been offered; false where the primary is gone.
    fn claim(&mut self) -> bool {
        let (mut seen, mut untaken) = (0, 0);
        let open = loop {
            match wire::receive::<{ size_of::<Offers>() / size_of::<u64>() }>(
                self.stream.as_fd(),
                &mut self.received,
            ) {
                Ok(offers) => {
                    seen += 1;
                    untaken |= self.take(&offers);
                    // One that is not full is nearly always the last; else the loop comes again.
                    if offers[0] < MOST as u64 {
                        break true;
                    }
                }
                Err(error) => break error.kind() == io::ErrorKind::WouldBlock,
            }
        };
        if seen > 0 {
            // The primary lets go of its descriptors: without that a client would not see the end.
            let _ = wire::send(self.stream.as_fd(), &[seen, untaken], &[]);
        }
        open
    }

    /// Claims the connections of one message; answers a bit for each slot without a descriptor.
    fn take(&mut self, offers: &Offers) -> u64 {
        let count = usize::try_from(offers[0]).map_or(0, |count| count.min(MOST));
        let mut untaken = 0;
        let mut descriptors = self.received.drain(..);
        for offer in offers[1..=2 * count].chunks_exact(2) {
            let (number, ticket) = (offer[0], Ticket::from_bits(offer[1]));
            let Some(descriptor) = descriptors.next() else {
                // This process may have no more descriptors; the connection is the primary's still.
                untaken |= 1_u64.checked_shl(number as u32).unwrap_or(0);
                continue;
            };
            let slot = usize::try_from(number).ok().and_then(|slot| self.board.slot(slot));
            // Not where it was too late: then it is another's.
            if slot.is_some_and(|slot| slot.claim(ticket)) {
                self.claimed.push(descriptor.into_raw_fd());
            }
        }
        untaken
    }

    /// Gives what was claimed to JavaScript; an error it throws is an uncaught one, as of any
    /// listener.
    unsafe fn call(&mut self, open: bool) {
        let claimed = std::mem::take(&mut self.claimed);
        let (env, adopt, context) = (self.env, self.adopt, self.context);
        let mut scope = ptr::null_mut();
        // SAFETY: as the caller says; every value is made and used within the scope.
        unsafe {
            if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
                return;
            }
            let mut function = ptr::null_mut();
            sys::napi_get_reference_value(env, adopt, &raw mut function);
            let mut list = ptr::null_mut();
            sys::napi_create_array_with_length(env, claimed.len(), &raw mut list);
            for (index, descriptor) in claimed.iter().enumerate() {
                let mut number = ptr::null_mut();
                sys::napi_create_int32(env, *descriptor, &raw mut number);
                sys::napi_set_element(env, list, index as u32, number);
            }
            let mut is_open = ptr::null_mut();
            sys::napi_get_boolean(env, open, &raw mut is_open);
            let mut this = ptr::null_mut();
            sys::napi_get_global(env, &raw mut this);
            let arguments = [list, is_open];
            let mut result = ptr::null_mut();
            let status = sys::napi_make_callback(
                env,
                context,
                this,
                function,
                arguments.len(),
                arguments.as_ptr(),
                &raw mut result,
            );
            if status == sys::Status::napi_pending_exception {
                let mut error = ptr::null_mut();
                sys::napi_get_and_clear_last_exception(env, &raw mut error);
                sys::napi_fatal_exception(env, error);
            }
            sys::napi_close_handle_scope(env, scope);
        }
    }
}
