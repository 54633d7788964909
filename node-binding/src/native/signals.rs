//! Signals, noticed while JavaScript is blocked.
//!
//! A `uv_signal_t` on a libuv loop of its own, in a thread of its own, lives beside the listeners
//! of Node: each loop that watches a signal gets it. `sigaction` would be undone by the next
//! listener that is added or removed, and `sigwait` would hide the signal from Node.
//!
//! libuv's functions and sizes are asked of the process itself, so one build fits every Node.

#[cfg(unix)]
mod uv {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::cell::Cell;
    use std::ffi::{c_int, c_void};
    use std::sync::atomic::{AtomicPtr, Ordering};
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Mutex, PoisonError};
    use std::thread;

    use crate::native::deadline;
    use crate::native::uv::function;

    /// `uv_handle_type` of libuv 1.
    const ASYNC: c_int = 1;
    const SIGNAL: c_int = 16;
    const RUN_DEFAULT: c_int = 0;

    type Handle = *mut c_void;
    type Callback = extern "C" fn(Handle);
    type SignalCallback = extern "C" fn(Handle, c_int);

    /// The functions of libuv that are needed.
    #[derive(Clone, Copy)]
    struct Uv {
        loop_size: unsafe extern "C" fn() -> usize,
        handle_size: unsafe extern "C" fn(c_int) -> usize,
        loop_init: unsafe extern "C" fn(Handle) -> c_int,
        loop_close: unsafe extern "C" fn(Handle) -> c_int,
        run: unsafe extern "C" fn(Handle, c_int) -> c_int,
        stop: unsafe extern "C" fn(Handle),
        close: unsafe extern "C" fn(Handle, Option<Callback>),
        signal_init: unsafe extern "C" fn(Handle, Handle) -> c_int,
        signal_start: unsafe extern "C" fn(Handle, SignalCallback, c_int) -> c_int,
        async_init: unsafe extern "C" fn(Handle, Handle, Callback) -> c_int,
        async_send: unsafe extern "C" fn(Handle) -> c_int,
    }

    impl Uv {
        fn load() -> Option<Self> {
            Some(Self {
                loop_size: function!(c"uv_loop_size"),
                handle_size: function!(c"uv_handle_size"),
                loop_init: function!(c"uv_loop_init"),
                loop_close: function!(c"uv_loop_close"),
                run: function!(c"uv_run"),
                stop: function!(c"uv_stop"),
                close: function!(c"uv_close"),
                signal_init: function!(c"uv_signal_init"),
                signal_start: function!(c"uv_signal_start"),
                async_init: function!(c"uv_async_init"),
                async_send: function!(c"uv_async_send"),
            })
        }
    }

    /// Memory for one of libuv's structs, whose size only it knows.
    struct Block(Handle, Layout);

    impl Block {
        fn new(size: usize) -> Option<Self> {
            let layout = Layout::from_size_align(size.max(16), 16).ok()?;
            // SAFETY: the layout has a size above zero.
            let memory: Handle = unsafe { alloc_zeroed(layout) }.cast();
            (!memory.is_null()).then_some(Self(memory, layout))
        }
    }

    impl Drop for Block {
        fn drop(&mut self) {
            // SAFETY: allocated with this layout.
            unsafe { dealloc(self.0.cast(), self.1) };
        }
    }

    type Caught = Box<dyn Fn(u32, u32) + Send>;

    static CAUGHT: Mutex<Option<Caught>> = Mutex::new(None);
    static UV: Mutex<Option<Uv>> = Mutex::new(None);
    /// The handle that wakes the loop in order to end it, while there is one.
    static STOP: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

    thread_local! {
        /// The loop of this thread.
        static LOOP: Cell<Option<(Uv, Handle)>> = const { Cell::new(None) };
    }

    /// Watches these signals instead of those before; false where that cannot be done.
    pub(super) fn start(signals: &[u32], caught: Caught) -> bool {
        let Some(uv) = Uv::load() else { return false };
        let (started, ready) = channel();
        let signals: Vec<c_int> = signals.iter().map(|number| *number as c_int).collect();
        let before = STOP.swap(std::ptr::null_mut(), Ordering::AcqRel);
        *CAUGHT.lock().unwrap_or_else(PoisonError::into_inner) = Some(caught);
        *UV.lock().unwrap_or_else(PoisonError::into_inner) = Some(uv);
        let thread = thread::Builder::new().name("seawall-signals".into()).stack_size(128 * 1024);
        let spawned = thread.spawn(move || watch(uv, &signals, &started)).is_ok();
        let watches = spawned && ready.recv().unwrap_or(false);
        // Only now, so that there is no moment at which a signal finds nobody.
        send_stop(before);
        watches
    }

    /// Watches no signals any more.
    pub(super) fn stop() {
        send_stop(STOP.swap(std::ptr::null_mut(), Ordering::AcqRel));
        *CAUGHT.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn send_stop(handle: Handle) {
        let uv = *UV.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(uv), false) = (uv, handle.is_null()) {
            // SAFETY: whoever takes the handle out of `STOP` is the only one to use it, and its
            // loop goes on, and keeps its memory, until this has been sent.
            unsafe { (uv.async_send)(handle) };
        }
    }

    /// The thread: a loop that sleeps until a signal comes.
    fn watch(uv: Uv, signals: &[c_int], started: &Sender<bool>) {
        // SAFETY: libuv says how big its structs are; each is used on this thread alone, but for
        // `uv_async_send`, which any may call; a handle is freed after its loop has closed it.
        unsafe {
            let Some(event_loop) = Block::new((uv.loop_size)()) else { return };
            if (uv.loop_init)(event_loop.0) != 0 {
                return;
            }
            LOOP.set(Some((uv, event_loop.0)));
            let Some(stop) = Block::new((uv.handle_size)(ASYNC)) else { return };
            let mut blocks = vec![stop];
            let mut good = (uv.async_init)(event_loop.0, blocks[0].0, on_stop) == 0;
            let mut open = usize::from(good);
            for signal in signals {
                let Some(block) = Block::new((uv.handle_size)(SIGNAL)) else { break };
                if !good || (uv.signal_init)(event_loop.0, block.0) != 0 {
                    good = false;
                    break;
                }
                good = (uv.signal_start)(block.0, on_signal, *signal) == 0;
                blocks.push(block);
                open += 1;
            }
            good &= open == signals.len() + 1;
            if good {
                let before = STOP.swap(blocks[0].0, Ordering::AcqRel);
                send_stop(before);
            }
            let _ = started.send(good);
            if good {
                // Until `on_stop`.
                (uv.run)(event_loop.0, RUN_DEFAULT);
            }
            for block in blocks.iter().take(open) {
                (uv.close)(block.0, None);
            }
            (uv.run)(event_loop.0, RUN_DEFAULT);
            (uv.loop_close)(event_loop.0);
        }
    }

    extern "C" fn on_signal(_handle: Handle, number: c_int) {
        let number = number as u32;
        // Before JavaScript hears of it: the deadline holds even if it never does.
        let Some(repeat) = deadline::signal(number as u8) else { return };
        if let Some(caught) = &*CAUGHT.lock().unwrap_or_else(PoisonError::into_inner) {
            caught(repeat as u32, number);
        }
    }

    extern "C" fn on_stop(_handle: Handle) {
        if let Some((uv, event_loop)) = LOOP.get() {
            // SAFETY: the loop that calls this, on its thread.
            unsafe { (uv.stop)(event_loop) };
        }
    }
}

use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

/// Catches signals on a loop of its own.
#[napi]
pub fn lifecycle_catch(
    signals: Vec<u32>,
    caught: Function<'_, FnArgs<(u32, u32)>, ()>,
) -> napi::Result<bool> {
    // Weak: what waits for signals keeps no process alive.
    let caught = caught.build_threadsafe_function::<FnArgs<(u32, u32)>>().weak::<true>().build()?;
    let tell = move |repeat, number| {
        caught.call((repeat, number).into(), ThreadsafeFunctionCallMode::NonBlocking);
    };
    #[cfg(unix)]
    return Ok(uv::start(&signals, Box::new(tell)));
    #[cfg(not(unix))]
    {
        drop((signals, tell));
        Ok(false)
    }
}

/// Catches none any more.
pub(crate) fn stop() {
    #[cfg(unix)]
    uv::stop();
}
