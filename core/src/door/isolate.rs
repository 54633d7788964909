//! What one isolate keeps: a thread where the door is an addon, an instance where it is WASM.

use core::cell::RefCell;
use std::thread::LocalKey;

/// What `act` answers on a value of this isolate.
///
/// `None`, and nothing done, within another call for the same value, which no function of a door
/// makes, and at the end of a thread. A panic there would bring its words into the WASM.
#[inline(always)]
pub fn with<T, R>(kept: &'static LocalKey<RefCell<T>>, act: impl FnOnce(&mut T) -> R) -> Option<R> {
    kept.try_with(|value| value.try_borrow_mut().ok().map(|mut value| act(&mut value))).ok()?
}
