//! Asking a function of JavaScript which worker gets a connection.

use std::net::SocketAddr;

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
}

/// A function that is asked about a connection.
pub(super) type Ask<'a> = Function<'a, FnArgs<(f64, Buffer, String, u32, f64)>, ()>;

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
            let Question { id, head, address, waited } = question.value;
            let host = address.ip().to_string();
            let port = u32::from(address.port());
            Ok(FnArgs::from((id as f64, Buffer::from(head), host, port, waited)))
        })?;
    Ok(Box::new(move |question| {
        let status = ask.call(question, ThreadsafeFunctionCallMode::NonBlocking);
        status == napi::Status::Ok
    }))
}
