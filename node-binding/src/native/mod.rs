//! What only native code can do: threads that see, answer and end what JavaScript cannot while it
//! is blocked.

#[cfg(unix)]
mod backlog;
#[cfg(unix)]
mod balance;
mod clock;
pub(crate) mod deadline;
#[cfg(unix)]
mod probes;
mod record;
mod routes;
pub(crate) mod sampler;
mod signals;
mod stack;
mod stalls;
mod turns;
mod uv;
mod watch;
