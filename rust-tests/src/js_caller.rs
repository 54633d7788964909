//! A caller that knows a breaker by the words of its cell, as JavaScript does.
//!
//! It follows the table in the documentation of [`seawall::breaker::cell`] by byte offsets, on
//! memory that the breaker attached, and calls the breaker only where a word tells it to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use seawall::breaker::cell::{Block, CELL_BYTES, Gate};
use seawall::breaker::{CircuitBreaker, RawPermit, Reason, Rejection, Settled, State};
use seawall::{Instant, Outcome};

const GATE: usize = 0;
const SUCCESSES: usize = 4;
const ASK_AT: usize = 8;
const REFUSED: usize = 12;
const FROM: usize = 16;
const UNTIL: usize = 24;

/// One isolate's view of a breaker.
#[derive(Debug)]
pub struct JsCaller {
    breaker: Arc<CircuitBreaker>,
    block: Arc<Block>,
    index: u32,
    /// How often it had to ask.
    pub crossings: u64,
}

/// A call under way: the permit, and the gate that let it through where the gate did.
#[derive(Debug, Clone, Copy)]
pub struct JsCall {
    permit: RawPermit,
    gate: Option<u32>,
}

impl JsCaller {
    /// A caller on cell `index` of `block`.
    #[must_use]
    pub fn attach(breaker: &Arc<CircuitBreaker>, block: &Arc<Block>, index: u32) -> Self {
        breaker.attach(Arc::clone(block), index, 0);
        Self { breaker: Arc::clone(breaker), block: Arc::clone(block), index, crossings: 0 }
    }

    /// A caller with a block of its own.
    #[must_use]
    pub fn new(breaker: &Arc<CircuitBreaker>) -> Self {
        Self::attach(breaker, &Arc::new(Block::new(1)), 0)
    }

    /// The state as the gate shows it.
    #[must_use]
    pub fn state(&self) -> State {
        match (self.gate() >> 2) & 7 {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::Recovering,
            _ => State::Isolated,
        }
    }

    /// Whether a call may run at `now` ms.
    ///
    /// # Errors
    /// The refusal.
    pub fn acquire(&mut self, now: f64) -> Result<JsCall, Rejection> {
        let gate = self.gate();
        if gate & 3 == Gate::ADMIT {
            let permit = RawPermit::from_code(f64::from(gate >> 5) * f64::from(1 << 20));
            return Ok(JsCall { permit, gate: Some(gate) });
        }
        if gate & 3 == Gate::REFUSE && self.holds_at(now) {
            self.add_one(REFUSED);
            return Err(Rejection {
                reason: Reason::Open,
                retry_after: Some(Duration::from_secs_f64((self.float(UNTIL) - now) / 1000.0)),
                generation: gate >> 5,
            });
        }
        self.crossings += 1;
        let permit = self.breaker.acquire(Instant::from_millis(now))?;
        let gate = self.gate();
        let lets_all = gate & 3 == Gate::ADMIT && !permit.is_probe();
        Ok(JsCall { permit, gate: lets_all.then_some(gate) })
    }

    /// The end of a call at `now` ms.
    pub fn settle(&mut self, call: JsCall, settled: Settled, now: f64) {
        let plain = settled.outcome == Outcome::Success
            && !settled.slow
            && settled.open_for.is_none()
            && call.gate == Some(self.gate())
            && self.holds_at(now);
        if !plain {
            self.crossings += 1;
            return self.breaker.record(call.permit, settled, Instant::from_millis(now));
        }
        let successes = self.add_one(SUCCESSES);
        let ask_at = self.word(ASK_AT).load(Ordering::Relaxed);
        if successes.wrapping_sub(ask_at).cast_signed() >= 0 {
            self.crossings += 1;
            self.breaker.check(Instant::from_millis(now));
        }
    }

    fn gate(&self) -> u32 {
        self.word(GATE).load(Ordering::Acquire)
    }

    fn holds_at(&self, now: f64) -> bool {
        now >= self.float(FROM) && now < self.float(UNTIL)
    }

    /// Adds one to a counter of which this is the only writer.
    fn add_one(&self, offset: usize) -> u32 {
        let word = self.word(offset);
        let sum = word.load(Ordering::Relaxed).wrapping_add(1);
        word.store(sum, Ordering::Relaxed);
        sum
    }

    fn float(&self, offset: usize) -> f64 {
        // SAFETY: as for `word`; the offsets of floats are multiples of 8 and cells are aligned so.
        let word = unsafe { &*self.at(offset).cast::<AtomicU64>() };
        f64::from_bits(word.load(Ordering::Relaxed))
    }

    fn word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: `at` points into the block, which lives as long as `self`; the cell is made of
        // atomics with interior mutability, in the layout that its documentation promises.
        unsafe { &*self.at(offset).cast::<AtomicU32>() }
    }

    fn at(&self, offset: usize) -> *const u8 {
        assert!(offset < CELL_BYTES);
        let cell = &self.block.cells()[self.index as usize];
        std::ptr::from_ref(cell).cast::<u8>().wrapping_add(offset)
    }
}

impl Drop for JsCaller {
    fn drop(&mut self) {
        self.breaker.detach(&self.block, self.index);
    }
}
