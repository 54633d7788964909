//! The small policies of this isolate by number.
//!
//! One table for all kinds of a part, reached through functions that are compiled once: a table for
//! each kind made the WASM engine several kilobytes bigger.

use std::cell::RefCell;
use std::thread::LocalKey;

use seawall::door::{Slab, isolate};
use seawall::options::Checks;

use crate::options::refused;

/// The policies of a part; `None` while one is out.
pub(crate) type Table<P> = RefCell<Slab<Option<Box<P>>>>;

/// What a handle of a part stands for.
pub(crate) trait Kept: Sized + 'static {
    /// All that there are in this isolate.
    const TABLE: &'static LocalKey<Table<Self>>;
}

/// The handle of a policy, or -1 where its options were refused.
#[inline(never)]
pub(crate) fn keep<P: Kept>(policy: P, checks: Checks) -> f64 {
    if let Err(problem) = checks.passed() {
        return refused(&problem);
    }
    let policy = Some(Box::new(policy));
    isolate::with(P::TABLE, |slab| slab.insert(policy)).map_or(-1.0, f64::from)
}

/// 0, or -1 where the options were refused, so that nothing is to be changed.
#[inline(never)]
pub(crate) fn accept(checks: Checks) -> f64 {
    checks.passed().map_or_else(|problem| refused(&problem), |()| 0.0)
}

/// What `act` answers on the policy of `handle`, if there is one.
#[inline(always)]
pub(crate) fn on<P: Kept, R>(handle: u32, act: impl FnOnce(&mut P) -> Option<R>) -> Option<R> {
    let mut policy = take(handle)?;
    let answer = act(&mut policy);
    put(handle, policy);
    answer
}

#[inline(never)]
fn take<P: Kept>(handle: u32) -> Option<Box<P>> {
    isolate::with(P::TABLE, |slab| slab.get_mut(handle)?.take())?
}

#[inline(never)]
fn put<P: Kept>(handle: u32, policy: Box<P>) {
    isolate::with(P::TABLE, |slab| slab.get_mut(handle).map(|place| *place = Some(policy)));
}

/// Gives the handle back.
#[inline(never)]
pub(crate) fn free<P: Kept>(handle: u32) {
    isolate::with(P::TABLE, |slab| slab.remove(handle));
}
