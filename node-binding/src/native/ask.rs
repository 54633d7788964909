//! Asking a function of JavaScript which worker gets a connection.

use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{IntoRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use napi::Result;
use napi::bindgen_prelude::{Buffer, FnArgs, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;

/// What the function is asked.
pub(super) struct Question {
    pub(super) id: u64,
    pub(super) head: Vec<u8>,
    pub(super) address: SocketAddr,
    /// For how long the head was waited for, in ms.
    pub(super) waited: f64,
    /// The connection itself, where the function is to get it; nothing in it: nobody waits any more.
    pub(super) socket: Option<Lending>,
}

/// A descriptor that whoever comes first takes: the function, or who no longer waits for it.
#[derive(Clone)]
pub(super) struct Lending(Arc<Mutex<Option<Lent>>>);

impl Lending {
    pub(super) fn new(lent: Lent) -> Self {
        Self(Arc::new(Mutex::new(Some(lent))))
    }

    pub(super) fn take(&self) -> Option<Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Question {
    /// That nobody waits for the answer to the question `id` any more.
    pub(super) fn withdrawn(id: u64, address: SocketAddr) -> Self {
        Self { id, head: Vec::new(), address, waited: -1.0, socket: None }
    }
}

/// A descriptor of a connection, beside that of the front.
#[cfg(unix)]
pub(super) type Lent = OwnedFd;
/// There is none that JavaScript could use.
#[cfg(not(unix))]
pub(super) type Lent = std::convert::Infallible;

#[cfg(unix)]
fn number(lent: Lent) -> i32 {
    lent.into_raw_fd()
}

#[cfg(not(unix))]
fn number(lent: Lent) -> i32 {
    match lent {}
}

/// A function that is asked about a connection.
pub(super) type Ask<'a> = Function<'a, FnArgs<(f64, Buffer, String, u32, f64, i32)>, ()>;

/// Tells the thread of JavaScript; false where it cannot.
pub(super) type Tell = Box<dyn Fn(Question) -> bool + Send + Sync>;

/// What becomes of a connection a function of the user's was asked about.
#[derive(Clone, Copy)]
pub(super) enum Choice {
    /// This worker gets it, if it can take it.
    Worker(usize),
    /// Whoever is next.
    Anybody,
    /// It is closed.
    Nobody,
}

impl Choice {
    /// A worker by its number; -2 is anybody, any other number below 0 nobody.
    pub(super) fn from_number(number: i32) -> Self {
        match usize::try_from(number) {
            Ok(worker) => Self::Worker(worker),
            Err(_) if number == -2 => Self::Anybody,
            Err(_) => Self::Nobody,
        }
    }
}

/// A way to ask `ask` from any thread, which does not keep the process alive.
pub(super) fn tell(ask: Ask<'_>) -> Result<Tell> {
    let ask =
        ask.build_threadsafe_function::<Question>().weak::<true>().build_callback(|question| {
            let Question { id, head, address, mut waited, socket } = question.value;
            let host = address.ip().to_string();
            let port = u32::from(address.port());
            let mut descriptor = -1;
            match socket.map(|socket| socket.take()) {
                Some(Some(lent)) => descriptor = number(lent),
                // As one that is withdrawn.
                Some(None) => waited = -1.0,
                None => {}
            }
            Ok(FnArgs::from((id as f64, Buffer::from(head), host, port, waited, descriptor)))
        })?;
    Ok(Box::new(move |question| {
        let status = ask.call(question, ThreadsafeFunctionCallMode::NonBlocking);
        status == napi::Status::Ok
    }))
}
