//! What only native code can do: threads that see, answer and end what JavaScript cannot while it
//! is blocked.

mod clock;
mod record;
mod routes;
pub(crate) mod sampler;
mod stack;
mod stalls;
mod turns;
mod uv;
mod watch;
