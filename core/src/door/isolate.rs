//! What one isolate keeps: a thread where the door is an addon, an instance where it is WASM.

use core::cell::RefCell;
use std::thread::LocalKey;

use super::slab::Slab;

/// A value of each isolate.
pub type Kept<T> = LocalKey<RefCell<T>>;

/// What `act` answers on the value of this isolate.
///
/// `None`, and nothing done, within another call for the same value, which no function of a door
/// makes, and at the end of a thread. To panic there would take 3 KB of WASM.
pub fn with<T, R>(kept: &'static Kept<T>, act: impl FnOnce(&mut T) -> R) -> Option<R> {
    kept.try_with(|value| value.try_borrow_mut().ok().map(|mut value| act(&mut value))).ok()?
}

/// What `act` answers on the value of that number; `None` where there is none.
pub fn entry<T, R>(
    kept: &'static Kept<Slab<T>>,
    number: u32,
    act: impl FnOnce(&mut T) -> R,
) -> Option<R> {
    with(kept, |slab| slab.get_mut(number).map(act))?
}

/// Keeps `value` and answers its number.
pub fn insert<T>(kept: &'static Kept<Slab<T>>, value: T) -> f64 {
    with(kept, |slab| slab.insert(value)).map_or(-1.0, f64::from)
}

/// Lets the value of that number go.
pub fn remove<T>(kept: &'static Kept<Slab<T>>, number: u32) {
    with(kept, |slab| slab.remove(number));
}
