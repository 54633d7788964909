//! What only native code can do: threads that see, answer and end what JavaScript cannot while it
//! is blocked.

#[cfg(unix)]
mod backlog;
#[cfg(unix)]
mod balance;
mod clock;
mod cpu;
pub(crate) mod deadline;
#[cfg(unix)]
mod probes;
mod record;
#[cfg(unix)]
pub(crate) mod refusals;
mod routes;
pub(crate) mod sampler;
mod signals;
mod stack;
mod stalls;
mod threads;
mod turns;
mod uv;
mod watch;
