//! What only native code can do: threads that see, answer and end what JavaScript cannot while it
//! is blocked.

#[cfg(unix)]
mod balance;
pub(crate) mod deadline;
#[cfg(unix)]
mod probes;
mod signals;
