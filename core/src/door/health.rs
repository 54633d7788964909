//! What happens to a set of checks, by number: one function instead of a dozen.

use crate::Instant;
use crate::health::{Expiry, HealthSet, Run};
use crate::time::millis;

/// Tells `set` of an event, and answers a number of it. `subject` is a check, or the code of a run.
///
/// | event | subject | answer |
/// |---|---|---|
/// | 0 take a check out | check | -1 |
/// | 1 when the next check wants to run | | ms, -1 for never |
/// | 2 begin a run that is due | | run, -1 for none |
/// | 3 begin a run | check | run, -1 for none |
/// | 4 begin a run if it needs one | check | run, -1 for none |
/// | 5 the time of a run is up | run | 1 if it has failed, 0 if that does not matter any more, else minus the ms it is given |
/// | 6 a run has failed | run | 1 if that counts, else 0 |
/// | 7 a run has passed | run | the same |
/// | 8, 9 work is wanted, is not wanted | | -1 |
/// | 10, 11 the process can, cannot recover | | -1 |
/// | 12 begin a run if it needs one or is due | check | run, -1 for none |
#[must_use]
pub fn tell(set: &mut HealthSet, event: u32, subject: f64, now: Instant) -> f64 {
    let run = Run::from_code(subject);
    let counts = match event {
        0 => {
            set.remove(subject as u32, now);
            return -1.0;
        }
        1 => return set.due().map_or(-1.0, Instant::as_millis),
        2..=4 | 12 => {
            let run = match event {
                2 => set.take(now),
                3 => set.begin(subject as u32, now),
                12 => set.begin_due(subject as u32, now),
                _ => set.refresh(subject as u32, now),
            };
            return run.map_or(-1.0, Run::to_code);
        }
        5 => {
            return match set.expire(run, now) {
                Expiry::Ignored => 0.0,
                Expiry::Failed => 1.0,
                Expiry::Wait(more) => -millis(more),
            };
        }
        6 | 7 => set.settle(run, event == 7, now),
        8 | 9 => {
            set.set_draining(event == 9, now);
            return -1.0;
        }
        _ => {
            set.set_unrecoverable(event == 11, now);
            return -1.0;
        }
    };
    f64::from(u8::from(counts))
}
