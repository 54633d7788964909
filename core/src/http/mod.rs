//! Requests over HTTP: which may be sent again, what an answer says about the other side, which
//! of several instances is next, and what a repeated idempotency key means.
//!
//! [`judge`] decides about one attempt, [`Instances`] where the next one goes. [`Idempotency`] is
//! the other end: what a server does with a key it may have seen before.

#[cfg(feature = "http-head")]
mod head;
mod idempotency;
mod instances;
mod leave;
mod networks;
#[cfg(feature = "http-head")]
pub mod pass;
pub mod proxy_protocol;
mod request;
mod turn;

#[cfg(feature = "http-head")]
pub use head::{Head, is_whole, latin1, server_name};
pub use idempotency::{
    Found, Idempotency, IdempotencyOptions, Step, is_kept_header, is_kept_status, is_key,
};
pub use instances::Instances;
pub use leave::{SETTLE_FOR, links_for};
pub use networks::Networks;
pub use request::{Judgement, Request, judge, outcome};
pub use turn::{Attempt, Turn, TurnConfig, TurnOptions, is_probe};
