//! Kept connections that a hot worker gives up, so that balance returns by itself.

use super::worker::Load;

/// From which pressure on a worker is hot.
const HOT: f64 = 0.5;
/// How much calmer somebody else must be for a move to be worth it.
const CALMER: f64 = 0.25;
/// Of the difference, which part of the answers ends its connection: half of it would make the
/// other the hot one, before its pressure is seen to rise.
const PART: f64 = 0.2;

/// Which share of its answers on kept connections the worker `index` is to end with
/// `Connection: close`, 0 to 0.2: its clients come back to somebody calmer. Zero while it is not
/// hot, and while nobody else is much calmer, ready and turning.
///
/// ```
/// use seawall::balance::{Load, shed_share};
///
/// let hot = Load { ready: true, pressure: 0.9, ..Load::default() };
/// let calm = Load { ready: true, pressure: 0.1, ..Load::default() };
/// assert!(shed_share(&[hot, calm], 0) > 0.1);
/// assert_eq!(shed_share(&[hot, calm], 1), 0.0);
/// assert_eq!(shed_share(&[hot, hot], 0), 0.0, "nobody is better off elsewhere");
/// ```
#[must_use]
pub fn shed_share(loads: &[Load], index: usize) -> f64 {
    let Some(own) = loads.get(index) else { return 0.0 };
    let able = |load: &&Load| load.ready && load.block_ms <= 50.0;
    let others = loads.iter().enumerate().filter(|(other, _)| *other != index);
    let calmest = others.map(|(_, load)| load).filter(able).map(|load| load.pressure);
    let calmest = calmest.fold(f64::INFINITY, f64::min);
    let pressure = own.pressure.clamp(0.0, 1.0);
    let difference = pressure - calmest.max(0.0);
    if pressure < HOT || difference < CALMER { 0.0 } else { difference * PART }
}
