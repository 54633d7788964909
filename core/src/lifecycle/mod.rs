//! From "please stop" to the end of a process, without losing what was begun.

pub mod drain;
pub mod reconnect;
