//! What only native code can do: threads that see, answer and end what JavaScript cannot while it
//! is blocked.

mod address;
mod ask;
#[cfg(unix)]
mod backlog;
#[cfg(unix)]
mod balance;
mod balancing;
mod board;
mod clock;
mod cpu;
pub(crate) mod deadline;
mod failed;
mod frozen;
mod head;
#[cfg(unix)]
mod http_front;
#[cfg(unix)]
mod probes;
mod proxy;
mod record;
#[cfg(unix)]
pub(crate) mod refusals;
mod relay;
mod routes;
pub(crate) mod sampler;
mod signals;
mod stack;
mod stalls;
mod threads;
mod turns;
mod unavailable;
mod uv;
mod version;
mod watch;
