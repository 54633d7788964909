//! The loop of an isolate under watch: what its hook writes at each turn, and what is made of it.
//!
//! The hook runs when the loop is about to wait for work. A turn lasts from one such moment to the
//! next, less what the loop then waited: libuv measures that (`uv_metrics_idle_time`), so that one
//! hook is enough, also for work that libuv does while it polls. While the loop waits, its idle time
//! grows with the clock and the turn does not age.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use napi::bindgen_prelude::{FunctionRef, JsObjectValue, Object};
use napi::{Env, Result, sys};
use seawall::Instant;
use seawall::pressure::recorder::{Entry, Kind, Recorder};
use seawall::pressure::{Delays, Monitor, Signal, Signals, Utilization, board};

use super::cpu::ThreadClock;
use super::record::Bytes;
use super::routes::{Entered, Route};
use super::stack::Interruptible;
use super::stalls::Stalls;
use super::turns::{Turn, Turns};
use super::uv::{Loop, OnTurn, Prepare, Uv};
use super::{clock, record, sampler};

/// How often the state is recorded.
const RECORD_EVERY: Duration = Duration::from_millis(100);

/// One loop, shared by its isolate and the native thread.
pub(crate) struct Watched {
    /// Of all that the process ever watched.
    pub(crate) id: u64,
    /// The one that runs it.
    pub(super) thread: ThreadId,
    /// Nanoseconds from the clock of the native threads to that of the isolate.
    origin: i64,
    turns: Turns,
    delays: Delays,
    cpu: ThreadClock,
    pub(super) entered: Arc<Entered>,
    /// A copy of the limit of `stalls`, in ns, for the hook.
    stall_limit: AtomicU64,
    stalls: Mutex<Stalls>,
    monitors: Mutex<Vec<(u32, Arc<Monitor>)>>,
    recorder: Mutex<Option<Recorder<Bytes>>>,
    open: Mutex<Option<Open>>,
    ended: AtomicBool,
    /// The signals of the last look.
    latest: Mutex<Signals>,
    /// Told at each look for how long the present turn has lasted.
    on_look: Mutex<Option<OnLook>>,
}

/// What is told the age of a turn, by the thread that looks.
pub(super) type OnLook = Box<dyn Fn(Duration) + Send>;

/// What may be asked from another thread until the isolate ends.
struct Open {
    uv: &'static Uv,
    on: *mut Loop,
    isolate: Option<Interruptible>,
}

// SAFETY: libuv allows any thread to ask a loop for its idle time, and nothing else is done with it.
unsafe impl Send for Open {}

/// What a look at a loop found.
pub(crate) struct Look {
    pub(crate) signals: Signals,
    /// For how long the present turn has lasted; while the loop waits, how long it took to get there.
    pub(crate) age: Duration,
    turn: Turn,
}

/// What the native thread keeps of a loop from look to look.
#[derive(Default)]
pub(super) struct Memory {
    utilization: Utilization,
    turn: u64,
    recorded: Option<Instant>,
    stalls_recorded: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watched {
    pub(super) fn stalls(&self) -> MutexGuard<'_, Stalls> {
        locked(&self.stalls)
    }

    pub(super) fn recorder(&self) -> MutexGuard<'_, Option<Recorder<Bytes>>> {
        locked(&self.recorder)
    }

    pub(super) fn latest(&self) -> Signals {
        *locked(&self.latest)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub(super) fn set_stalls(&self, limit: Duration, stacks: bool) {
        let mut stalls = self.stalls();
        stalls.limit = limit;
        stalls.stacks = stacks;
        self.stall_limit.store(Instant::from(limit).as_nanos(), Ordering::Relaxed);
    }

    /// `at` by the clock of the isolate, `performance.now()`.
    pub(super) fn isolate_time(&self, at: Instant) -> Instant {
        at.shifted(self.origin)
    }

    pub(super) fn is_seen_by(&self, monitor: &Arc<Monitor>) -> bool {
        locked(&self.monitors).iter().any(|(_, other)| Arc::ptr_eq(other, monitor))
    }

    /// The last route entered.
    pub(crate) fn route(&self) -> Route {
        self.entered.last()
    }

    /// The state at the present; nothing where the loop has ended. `common` is what all loops share.
    pub(super) fn look(
        self: &Arc<Self>,
        memory: &mut Memory,
        common: &Signals,
    ) -> Option<(Instant, Look)> {
        let open = locked(&self.open);
        let live = open.as_ref()?;
        // Before the turn, so that what it has used is not taken for what was used before it.
        let used = self.cpu.nanos();
        let turn = self.turns.present();
        // SAFETY: the loop is open as long as this lock is held and says so.
        let idle = Duration::from_nanos(unsafe { live.uv.idle_time(live.on) });
        let now = clock::now();
        let age = now.since(turn.at).saturating_sub(idle.saturating_sub(turn.idle));
        let worked = self.cpu.worked(age, now, used);
        self.blame(live, turn, age);
        drop(open);
        let mut signals = *common;
        // What is told of stalls is what was; nobody is refused for what others had of the processor.
        signals.set(Signal::Block, Instant::from(worked).as_millis());
        self.delays.over(worked, now).put(&mut signals);
        if let Some((last, smooth)) = memory.utilization.observe(now, idle) {
            signals.set(Signal::Utilization, last);
            signals.set(Signal::UtilizationSmooth, smooth);
        }
        let (used, limit) = self.entered.heap();
        signals.set(Signal::HeapUsed, used);
        signals.set(Signal::HeapLimit, limit);
        *locked(&self.latest) = signals;
        Some((now, Look { signals, age, turn }))
    }

    /// Notes a stall under way, and asks for the stack where that is wanted.
    fn blame(self: &Arc<Self>, live: &Open, turn: Turn, age: Duration) {
        let mut stalls = self.stalls();
        if age < stalls.limit {
            return;
        }
        let first = stalls.see(turn, age, || self.route());
        let asked = live.isolate.filter(|_| first && stalls.stacks);
        drop(stalls);
        if let Some(isolate) = asked {
            // SAFETY: the lock of `open` is held, which the clean-up takes before the isolate ends.
            unsafe { isolate.ask(self, turn.number) };
        }
    }

    /// Tells the monitors and the recorder. Whether the loop did anything since the last time, and
    /// how soon it is to be looked at again for its stall to be seen in time.
    pub(super) fn tell(&self, memory: &mut Memory, now: Instant, look: &Look) -> Option<Duration> {
        let monitors = locked(&self.monitors);
        for (_, monitor) in monitors.iter() {
            monitor.observe(self.isolate_time(now), &look.signals);
        }
        let board = monitors.first().map(|(_, monitor)| Arc::clone(monitor.board()));
        drop(monitors);
        if let Some(told) = &*locked(&self.on_look) {
            told(look.age);
        }
        let limit = self.stalls().limit;
        let word = |word| board.as_ref().map_or(0.0, |board| board.get(word));
        self.keep(memory, now, look, look.age >= limit, word);
        let same = look.turn.number == memory.turn;
        memory.turn = look.turn.number;
        // A loop that waits has aged by nothing worth the name. One that was late is soon found to be
        // in time again.
        let late = look.signals.get(Signal::DelayMax).is_some_and(|ms| ms > 0.0);
        if same && !late && look.age < Duration::from_millis(1) {
            return None;
        }
        Some(limit.checked_sub(look.age).filter(|left| !left.is_zero()).unwrap_or(Duration::MAX))
    }

    fn keep(
        &self,
        memory: &mut Memory,
        now: Instant,
        look: &Look,
        stalled: bool,
        word: impl Fn(usize) -> f64,
    ) {
        let mut recorder = self.recorder();
        let Some(recorder) = recorder.as_mut() else { return };
        let due = memory.recorded.is_none_or(|at| now.since(at) >= RECORD_EVERY);
        let new: Vec<_> = self.stalls().after(memory.stalls_recorded).cloned().collect();
        if !due && new.is_empty() {
            return;
        }
        let (level, pressure) = (word(board::LEVEL) as u8, word(board::PRESSURE));
        for stall in new {
            memory.stalls_recorded = stall.number;
            let mut signals = look.signals;
            signals.set(Signal::Block, Instant::from(stall.length).as_millis());
            let (kind, route) = (Kind::StallEnd, &*stall.route.name);
            let now = stall.began.after(stall.length);
            recorder.record(&Entry { now, kind, level, pressure, signals, route });
        }
        if due {
            memory.recorded = Some(now);
            let kind = if stalled { Kind::Stall } else { Kind::Sample };
            let route = &*self.route().name;
            let signals = look.signals;
            recorder.record(&Entry { now, kind, level, pressure, signals, route });
        }
    }
}

/// The side of the loop's own thread.
pub(super) struct Hook {
    pub(super) watched: Arc<Watched>,
    uv: &'static Uv,
    on: *mut Loop,
    env: sys::napi_env,
    /// When the present turn began, and for how long the loop had been idle by then, in ns.
    at: Cell<Instant>,
    idle: Cell<u64>,
    on_stall: RefCell<Option<FunctionRef<(), ()>>>,
    prepare: RefCell<Option<Prepare>>,
}

thread_local! {
    static HOOK: RefCell<Option<Rc<Hook>>> = const { RefCell::new(None) };
    static CLEANED_UP: Cell<bool> = const { Cell::new(false) };
}

/// The hook of this isolate, if it is watched.
pub(super) fn hook() -> Option<Rc<Hook>> {
    HOOK.with_borrow(Clone::clone)
}

/// Has this isolate's loop watched for `monitor`; false where there is no libuv.
pub(super) fn watch(env: &Env, handle: u32, monitor: Arc<Monitor>) -> Result<bool> {
    let Some(hook) = hook().map_or_else(|| begin(env), |hook| Ok(Some(hook)))? else {
        return Ok(false);
    };
    let mut monitors = locked(&hook.watched.monitors);
    monitors.retain(|(other, _)| *other != handle);
    monitors.push((handle, monitor));
    Ok(true)
}

/// No longer for that monitor; without any, the loop is left alone.
pub(super) fn unwatch(handle: u32) {
    let Some(hook) = hook() else { return };
    let none_left = {
        let mut monitors = locked(&hook.watched.monitors);
        monitors.retain(|(other, _)| *other != handle);
        monitors.is_empty()
    };
    if none_left {
        end();
    }
}

/// Tells `told` of this isolate's loop for as long as it is watched; false where it is not.
pub(super) fn on_look(told: OnLook) -> bool {
    let Some(hook) = hook() else { return false };
    *locked(&hook.watched.on_look) = Some(told);
    true
}

fn begin(env: &Env) -> Result<Option<Rc<Hook>>> {
    let Some(uv) = Uv::get() else { return Ok(None) };
    let on: *mut Loop = env.get_uv_event_loop()?.cast();
    let isolate_now = Instant::from_millis(isolate_now(env)?);
    let now = clock::now();
    let origin = i64::try_from(isolate_now.as_nanos())
        .unwrap_or(i64::MAX)
        .saturating_sub_unsigned(now.as_nanos());
    let watched = Arc::new(Watched {
        id: sampler::next_id(),
        thread: std::thread::current().id(),
        origin,
        turns: Turns::default(),
        delays: Delays::default(),
        cpu: ThreadClock::of_this_thread(),
        entered: Arc::default(),
        stall_limit: AtomicU64::new(0),
        stalls: Mutex::default(),
        monitors: Mutex::default(),
        recorder: Mutex::new(record::in_memory()),
        open: Mutex::new(Some(Open { uv, on, isolate: Interruptible::of(env.raw()) })),
        ended: AtomicBool::new(false),
        latest: Mutex::default(),
        on_look: Mutex::default(),
    });
    let limit = watched.stalls().limit;
    watched.set_stalls(limit, false);
    // SAFETY: Node hands out the open loop of this thread.
    let idle = unsafe { uv.idle_time(on) };
    watched.turns.begin(now, idle);
    let hook = Rc::new(Hook {
        watched: Arc::clone(&watched),
        uv,
        on,
        env: env.raw(),
        at: Cell::new(now),
        idle: Cell::new(idle),
        on_stall: RefCell::new(None),
        prepare: RefCell::new(None),
    });
    if !CLEANED_UP.replace(true) {
        // Ends it before Node closes the loop and frees the isolate.
        env.add_env_cleanup_hook((), |()| end())?;
    }
    // SAFETY: the loop of this thread; Node runs it once more after the clean-up hooks.
    let Some(prepare) = (unsafe { Prepare::start(uv, on, Rc::clone(&hook) as Rc<dyn OnTurn>) })
    else {
        return Ok(None);
    };
    hook.prepare.replace(Some(prepare));
    HOOK.set(Some(Rc::clone(&hook)));
    if !sampler::add(watched) {
        end();
        return Ok(None);
    }
    Ok(Some(hook))
}

/// Leaves this isolate's loop alone. When this returns, the native thread has let go of it.
fn end() {
    let Some(hook) = HOOK.take() else { return };
    hook.watched.ended.store(true, Ordering::Release);
    *locked(&hook.watched.open) = None;
    locked(&hook.watched.monitors).clear();
    // Whoever reads it from then on must not see a loop that blocks for ever.
    if let Some(told) = locked(&hook.watched.on_look).take() {
        told(Duration::ZERO);
    }
    sampler::remove(&hook.watched);
    drop((hook.prepare.take(), hook.on_stall.take()));
}

/// What `performance.now()` shows.
fn isolate_now(env: &Env) -> Result<f64> {
    let performance: Object = env.get_global()?.get_named_property("performance")?;
    let now: napi::bindgen_prelude::Function<(), f64> = performance.get_named_property("now")?;
    now.apply(performance, ())
}

impl OnTurn for Hook {
    fn turn(&self) {
        // SAFETY: the loop that calls this is open.
        let idle = unsafe { self.uv.idle_time(self.on) };
        let now = clock::now();
        let before = Turn {
            number: 0,
            at: self.at.replace(now),
            idle: Duration::from_nanos(self.idle.replace(idle)),
        };
        let waited = Duration::from_nanos(idle).saturating_sub(before.idle);
        let busy = now.since(before.at).saturating_sub(waited);
        self.watched.delays.record(self.watched.cpu.worked_last(busy, now), now);
        if Instant::from(busy).as_nanos() >= self.watched.stall_limit.load(Ordering::Relaxed) {
            self.stalled(busy, now, idle);
        } else {
            self.watched.entered.turn();
            self.watched.turns.begin(now, idle);
        }
    }
}

impl Hook {
    #[cold]
    fn stalled(&self, busy: Duration, now: Instant, idle: u64) {
        let watched = &self.watched;
        let turn = watched.turns.present();
        let route = watched.route();
        watched.entered.turn();
        watched.turns.begin(now, idle);
        watched.stalls().end(turn, busy, now, route);
        self.with_scope(|env| {
            let on_stall = self.on_stall.borrow();
            on_stall.as_ref().map(|function| function.borrow_back(env)?.call(()))
        });
    }

    /// Calls into JavaScript from the loop. What it throws is the listener's business: the package
    /// hands over functions that do not throw.
    fn with_scope(&self, act: impl FnOnce(&Env) -> Option<Result<()>>) {
        let mut scope = std::ptr::null_mut();
        // SAFETY: on the thread of the environment, which is alive: its clean-up closes the handle
        // that leads here.
        unsafe {
            if sys::napi_open_handle_scope(self.env, &mut scope) == sys::Status::napi_ok {
                _ = act(&Env::from_raw(self.env));
                sys::napi_close_handle_scope(self.env, scope);
            }
        }
    }

    pub(super) fn set_on_stall(&self, function: Option<FunctionRef<(), ()>>) {
        self.on_stall.replace(function);
    }
}
