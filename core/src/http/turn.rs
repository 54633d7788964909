//! Whose turn a request is, and whether it may be sent again.

use core::time::Duration;

use crate::balance::{Balancer, Load, Tried};
use crate::classify::{Facts, Repeat, classify, may_repeat};
use crate::fields::Checks;
use crate::options::Problem;
use crate::{Instant, Rng};

/// How requests are spread over workers, and for how long each part of one may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TurnConfig {
    /// How many requests a worker may have under way. Default 0: as many as come.
    pub max_in_flight: u32,
    /// From which pressure of its own on a worker gets no more while another one has less: above 0, up
    /// to 1. Where all have reached it a share of the requests is refused, the larger the further they
    /// are beyond it. Default 1.
    pub max_pressure: f64,
    /// How many workers a request is tried with. Default 3; at least 1.
    pub tries: u32,
    /// How long the head of a request may take from its first byte on. Default 10 s. Zero: as long
    /// as it takes.
    pub head_for: Duration,
    /// For how long nothing of a body may come, or be taken. Default 30 s. Zero: for ever.
    pub stall_for: Duration,
    /// How long a worker may take before its answer begins. Default zero: as long as it takes.
    pub answer_for: Duration,
    /// For how long a client's connection is kept without a request. Default 65 s. Zero: for ever.
    pub keep_for: Duration,
    /// For how long a connection to a worker is kept without one. Default 4 s: less than the five
    /// after which servers of Node close theirs.
    pub link_for: Duration,
    /// How many connections to a worker are kept without a request. Default 256.
    pub max_idle: u32,
}

impl Default for TurnConfig {
    fn default() -> Self {
        Self {
            max_in_flight: 0,
            max_pressure: 1.0,
            tries: 3,
            head_for: Duration::from_secs(10),
            stall_for: Duration::from_secs(30),
            answer_for: Duration::ZERO,
            keep_for: Duration::from_secs(65),
            link_for: Duration::from_secs(4),
            max_idle: 256,
        }
    }
}

/// The same in plain values; what is left out has the default of [`TurnConfig`].
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase", default))]
pub struct TurnOptions {
    /// How many requests a worker may have under way.
    pub max_in_flight: Option<f64>,
    /// From which pressure on it gets no more than what a share leaves.
    pub max_pressure: Option<f64>,
    /// How many workers a request is tried with.
    pub max_tries: Option<f64>,
    /// How long a head may take, in ms.
    pub head_timeout_ms: Option<f64>,
    /// For how long nothing of a body may move, in ms.
    pub stall_timeout_ms: Option<f64>,
    /// How long a worker may take, in ms.
    pub answer_timeout_ms: Option<f64>,
    /// For how long clients are kept, in ms.
    pub keep_alive_ms: Option<f64>,
    /// For how long connections to workers are kept, in ms.
    pub worker_keep_alive_ms: Option<f64>,
    /// How many of them.
    pub max_idle: Option<f64>,
}

impl TurnOptions {
    /// The configuration they describe.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn build(&self) -> Result<TurnConfig, Problem> {
        let mut checks = Checks::new();
        let default = TurnConfig::default();
        let pressure = self.max_pressure.unwrap_or(default.max_pressure);
        checks.ratio("maxPressure", pressure);
        let config = TurnConfig {
            max_in_flight: checks.whole(
                "maxInFlight",
                self.max_in_flight,
                0.0,
                default.max_in_flight,
            ),
            max_pressure: pressure,
            tries: checks.count("maxTries", self.max_tries, default.tries),
            head_for: checks.millis_or("headTimeoutMs", self.head_timeout_ms, default.head_for),
            stall_for: checks.millis_or("stallTimeoutMs", self.stall_timeout_ms, default.stall_for),
            answer_for: checks.millis_or(
                "answerTimeoutMs",
                self.answer_timeout_ms,
                default.answer_for,
            ),
            keep_for: checks.millis_or("keepAliveMs", self.keep_alive_ms, default.keep_for),
            link_for: checks.millis_or(
                "workerKeepAliveMs",
                self.worker_keep_alive_ms,
                default.link_for,
            ),
            max_idle: checks.whole("maxIdle", self.max_idle, 0.0, default.max_idle),
        };
        checks.finish(config)
    }
}

/// Whose turn a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The worker's with this number.
    Worker(usize),
    /// Nobody's, since all who are ready have as much as they can take, and this one is not of the
    /// share that they get all the same: to be refused at once, for one more that waits would only be
    /// one more.
    Full,
    /// Nobody's yet: none is ready, and somebody may be soon.
    Nobody,
}

/// The largest share of requests that is refused for pressure: the others see whether it is over. What
/// a worker measures may be of the past (memory nobody has cleared away), or the doing of others.
const MOST_REFUSED: f64 = 0.95;

/// The paths of probes: whoever asks there wants to know whether this lives, and ends it if it does
/// not answer.
const PROBES: [&str; 4] = ["/livez", "/readyz", "/startupz", "/healthz"];

/// Whether the target of a request is a path of probes; the target that
/// [`pass_request`](super::pass::pass_request) writes, which has no scheme and no host.
///
/// ```
/// use seawall::http::is_probe;
///
/// assert!(is_probe("/livez") && is_probe("/healthz?verbose"));
/// assert!(!is_probe("/livez/x") && !is_probe("/"));
/// ```
#[must_use]
pub fn is_probe(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    PROBES.contains(&path)
}

impl TurnConfig {
    /// The same where pressure counts for nothing, as for probes. A worker that has as many requests
    /// under way as it may gets no more all the same.
    #[must_use]
    pub fn without_pressure(self) -> Self {
        Self { max_pressure: f64::INFINITY, ..self }
    }

    fn is_full(&self, load: &Load) -> bool {
        self.max_in_flight > 0 && load.in_flight >= self.max_in_flight
    }

    fn is_pressed(&self, load: &Load) -> bool {
        load.pressure >= self.max_pressure
    }

    /// Which share of the requests is refused at this pressure, where nobody has less.
    fn refused(&self, pressure: f64) -> f64 {
        if pressure < self.max_pressure {
            return 0.0;
        }
        let room = 1.0 - self.max_pressure;
        let share = if room > 0.0 { (pressure - self.max_pressure) / room } else { 1.0 };
        share.clamp(0.0, MOST_REFUSED)
    }

    /// Whose turn it is by the loads of this instant, one for each worker; those of `tried` have
    /// had the request, and get it again only where nobody else is there. The one that is `closed` has
    /// ended a kept connection under it: mostly without having read it, but it may be about to die. It counts
    /// as one of them where another one can take it whose event loop turns.
    ///
    /// One under pressure gets it where all the others have had it. Where all are under pressure, a worker
    /// with nothing under way gets it, since it can surely bear that; of the others a share is refused.
    /// One whose event loop does not turn bears nothing, as long as one whose does can take the request: one
    /// that is full or has had it cannot, and a late answer is better than none.
    ///
    /// ```
    /// use seawall::balance::{BalanceConfig, Balancer, Load, Tried};
    /// use seawall::http::{Turn, TurnConfig};
    /// use seawall::{Instant, Rng};
    ///
    /// let config = TurnConfig { max_in_flight: 2, ..TurnConfig::default() };
    /// let mut balancer = Balancer::new(BalanceConfig::default())?;
    /// let (now, mut rng) = (Instant::ZERO, Rng::new(1));
    /// let mut turn = |loads: &[Load], tried: &Tried| {
    ///     config.turn(&mut balancer, loads, tried, None, now, &mut rng)
    /// };
    /// let nobody = Tried::default();
    /// let idle = Load { ready: true, ..Load::default() };
    /// let full = Load { in_flight: 2, ..idle };
    /// assert_eq!(turn(&[full, idle], &nobody), Turn::Worker(1));
    /// assert_eq!(turn(&[full, full], &nobody), Turn::Full);
    /// assert_eq!(turn(&[Load::default()], &nobody), Turn::Nobody);
    ///
    /// let mut first = Tried::default();
    /// first.insert(0);
    /// assert_eq!(turn(&[idle, idle], &first), Turn::Worker(1));
    /// assert_eq!(turn(&[idle, full], &first), Turn::Worker(0));
    ///
    /// let pressed = Load { pressure: 1.0, ..idle };
    /// let busy = Load { in_flight: 1, ..pressed };
    /// assert_eq!(turn(&[pressed, idle], &nobody), Turn::Worker(1));
    /// assert_eq!(turn(&[pressed, busy], &nobody), Turn::Worker(0));
    /// let refused = (0..1000).filter(|_| turn(&[busy, busy], &nobody) == Turn::Full).count();
    /// assert!((920..980).contains(&refused), "all but a few");
    /// # Ok::<(), seawall::options::Problem>(())
    /// ```
    pub fn turn(
        &self,
        balancer: &mut Balancer,
        loads: &[Load],
        tried: &Tried,
        closed: Option<usize>,
        now: Instant,
        rng: &mut Rng,
    ) -> Turn {
        let stuck = balancer.stuck_ms();
        let turns = |load: &Load| !self.is_full(load) && load.turns(stuck);
        let any_but = |tried: &Tried, able: &dyn Fn(&Load) -> bool| {
            let mut those = loads.iter().enumerate();
            those.any(|(index, load)| load.ready && !tried.contains(index) && able(load))
        };
        let with_closed = closed.map(|closed| {
            let mut tried = tried.clone();
            tried.insert(closed);
            tried
        });
        let tried = with_closed.as_ref().filter(|all| any_but(all, &turns)).unwrap_or(tried);
        let mut pick = |able: &dyn Fn(&Load) -> bool, again: bool, rng: &mut Rng| {
            let mut those = loads.to_vec();
            for (index, load) in those.iter_mut().enumerate() {
                load.ready &= able(load) && (again || !tried.contains(index));
            }
            balancer.pick_other(&those, tried, now, rng)
        };
        let any_turns = any_but(tried, &turns);
        // What one that is stuck said of its pressure is as old as its last turn.
        let bears = |load: &Load| !self.is_full(load) && (!any_turns || load.turns(stuck));
        let calm = |load: &Load| bears(load) && !self.is_pressed(load);
        let others = any_but(tried, &bears);
        if let Some(worker) = pick(&calm, !others, rng) {
            return Turn::Worker(worker);
        }
        let ready = || loads.iter().filter(|load| load.ready);
        let least = ready().filter(|load| bears(load)).map(|load| load.pressure).reduce(f64::min);
        if let Some(least) = least {
            if let Some(worker) = pick(&|load| bears(load) && load.in_flight == 0, !others, rng) {
                return Turn::Worker(worker);
            }
            if rng.unit() >= self.refused(least)
                && let Some(worker) = pick(&bears, true, rng)
            {
                return Turn::Worker(worker);
            }
        }
        if ready().next().is_some() { Turn::Full } else { Turn::Nobody }
    }

    /// Whether a request whose worker went away before it answered goes to another.
    ///
    /// ```
    /// use seawall::http::{Attempt, TurnConfig};
    ///
    /// let config = TurnConfig::default();
    /// let get =
    ///     Attempt { method: "GET", sent: true, consumed: false, switching: false, tries: 1 };
    /// assert!(config.sends_again(get));
    /// let post = Attempt { method: "POST", ..get };
    /// assert!(!config.sends_again(post), "it may have been carried out");
    /// assert!(config.sends_again(Attempt { sent: false, ..post }), "it surely was not");
    /// assert!(!config.sends_again(Attempt { consumed: true, ..get }), "its body is gone");
    /// assert!(!config.sends_again(Attempt { switching: true, ..get }), "it may be refused so");
    /// assert!(!config.sends_again(Attempt { tries: 3, ..get }));
    /// ```
    #[must_use]
    pub fn sends_again(&self, attempt: Attempt<'_>) -> bool {
        let Attempt { method, sent, consumed, switching, tries } = attempt;
        let code = if sent { "ECONNRESET" } else { "ECONNREFUSED" };
        let verdict = classify(&Facts { code, ..Facts::default() });
        let repeat = verdict.is_some_and(|verdict| may_repeat(method, verdict, Repeat::default()));
        // To end the connection is how servers refuse such a request, which is an answer.
        let refused = sent && switching;
        repeat && !refused && !consumed && tries < self.tries
    }
}

/// An attempt that came to no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Whether any of it was sent.
    pub sent: bool,
    /// Whether any of its body was, which is not kept.
    pub consumed: bool,
    /// Whether it asked for another protocol or a tunnel.
    pub switching: bool,
    /// How many attempts there have been, with this one.
    pub tries: u32,
}
