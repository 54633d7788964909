//! What JavaScript tells without a call: it writes the number of the route it enters into a word, and
//! into others how full its heap is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use napi::bindgen_prelude::ArrayBuffer;
use napi::{Env, Result};

/// More routes than a service has; those past it have no name.
const MOST: usize = 10_000;

/// The words that JavaScript and the hook of one loop write.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Entered {
    /// The number of the route entered in this turn as an `f64`, 0 for none: written by JavaScript,
    /// cleared by the hook, which run on one thread.
    word: AtomicU64,
    /// The last one entered before this turn.
    before: AtomicU64,
    /// Bytes of the heap in use and its limit as `f64`s, NaN for not known.
    heap: [AtomicU64; 2],
}

impl Default for Entered {
    fn default() -> Self {
        let unknown = || AtomicU64::new(f64::NAN.to_bits());
        let (word, before) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { word, before, heap: [unknown(), unknown()] }
    }
}

/// A route, and whether it was entered in the turn that is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) name: Arc<str>,
    pub(crate) during: bool,
}

impl Entered {
    /// A turn ends: what was entered in it is from before the next.
    pub(super) fn turn(&self) {
        let route = self.word.load(Ordering::Relaxed);
        if route != 0 {
            self.before.store(route, Ordering::Relaxed);
            self.word.store(0, Ordering::Relaxed);
        }
    }

    /// The last route entered.
    pub(super) fn last(&self) -> Route {
        let now = self.word.load(Ordering::Relaxed);
        let during = now != 0;
        let number = if during { now } else { self.before.load(Ordering::Relaxed) };
        Route { name: name(f64::from_bits(number) as usize), during }
    }

    /// Bytes of the heap in use and its limit.
    pub(super) fn heap(&self) -> (f64, f64) {
        let [used, limit] = &self.heap;
        let value = |word: &AtomicU64| f64::from_bits(word.load(Ordering::Relaxed));
        (value(used), value(limit))
    }

    /// The words as JavaScript's memory.
    pub(super) fn memory(self: Arc<Self>, env: &Env) -> Result<ArrayBuffer<'static>> {
        let data = Arc::as_ptr(&self).cast::<u8>().cast_mut();
        // SAFETY: the `Arc` given as the hint keeps the words, which never move, for as long as the
        // buffer lives. Each is an atomic, so that both sides may write while another reads.
        unsafe { ArrayBuffer::from_external(env, data, size_of::<Self>(), self, |_, it| drop(it)) }
    }
}

#[derive(Default)]
struct Names {
    numbers: HashMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
}

/// The names of all isolates: a route has one number in the process.
fn names<R>(act: impl FnOnce(&mut Names) -> R) -> R {
    static NAMES: OnceLock<Mutex<Names>> = OnceLock::new();
    let names = NAMES.get_or_init(Mutex::default);
    act(&mut names.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The number of a route, from 1 on; 0 where there are too many.
pub(super) fn number(route: &str) -> usize {
    names(|all| {
        if let Some(number) = all.numbers.get(route) {
            return *number;
        }
        if all.names.len() >= MOST {
            return 0;
        }
        let route: Arc<str> = route.into();
        all.names.push(Arc::clone(&route));
        all.numbers.insert(route, all.names.len());
        all.names.len()
    })
}

fn name(number: usize) -> Arc<str> {
    let index = number.checked_sub(1);
    names(|all| index.and_then(|index| all.names.get(index).cloned())).unwrap_or_default()
}
