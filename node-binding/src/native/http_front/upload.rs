//! The way from the client to the worker, and who notices that the client is gone.

use std::sync::atomic::{AtomicBool, Ordering};

use seawall::http::pass::Fault;

use super::Front;
use super::buffer::Buffer;
use super::measure::Measure;
use super::stream::{Stream, end, read, write};
use super::timing::Timing;
use super::watch::Watch;

/// How much of the next requests is read while one is answered.
const MOST_AHEAD: usize = 16 * 1024;

/// Why nothing more comes from the client.
pub(super) enum Up {
    Gone,
    /// It sent nothing for too long.
    Late,
    Fault(Fault),
    /// The worker takes no more.
    WorkerGone,
}

pub(super) struct Upload<'a, W, C> {
    pub(super) client: &'a C,
    pub(super) buffer: &'a mut Buffer,
    pub(super) worker: &'a W,
    pub(super) measure: &'a mut Measure,
    pub(super) watch: &'a Watch,
    pub(super) front: &'a Front,
    /// Whether the answer has begun.
    pub(super) begun: &'a AtomicBool,
    /// Whether the whole body was passed on.
    pub(super) uploaded: &'a AtomicBool,
    pub(super) timing: Option<&'a Timing<'a>>,
    /// How many bytes of the buffer are a body that was sent, and is kept until it is answered.
    pub(super) held: usize,
    /// Whether the client has ended its half.
    pub(super) ended: &'a AtomicBool,
}

impl<W: Stream, C: Stream> Upload<'_, W, C> {
    /// Passes the body on, and then waits for the client to go.
    pub(super) async fn run(mut self) -> Up {
        if let Err(end) = self.body().await {
            return end;
        }
        self.uploaded.store(true, Ordering::Relaxed);
        if let Some(timing) = self.timing {
            timing.asked();
        }
        // From now on the worker is waited for.
        if !self.begun.load(Ordering::Relaxed) {
            let wait = self.front.config.answer_for;
            self.watch.down.aim(self.worker.descriptor(), libc::SHUT_RDWR, wait);
        }
        while self.buffer.len() < self.held + MOST_AHEAD {
            match read(self.client, self.buffer).await {
                // What that means is the application's to say, as it is without a front.
                Ok(0) if self.front.half_open => {
                    if self.buffer.len() == self.held {
                        self.ended.store(true, Ordering::Relaxed);
                        end(self.worker);
                    }
                    break;
                }
                Ok(0) | Err(_) => return Up::Gone,
                Ok(_) => {}
            }
        }
        std::future::pending().await
    }

    async fn body(&mut self) -> Result<(), Up> {
        let (mark, stall_for) = (&self.watch.up, self.front.config.stall_for);
        while !self.measure.has_ended() {
            let count = self.measure.take(self.buffer.filled(), None).map_err(Up::Fault)?;
            mark.aim(self.worker.descriptor(), libc::SHUT_RDWR, stall_for);
            let written = write(self.worker, &self.buffer.filled()[..count], &[]).await;
            mark.clear();
            if written.is_err() {
                return Err(Up::WorkerGone);
            }
            self.buffer.consume(count);
            if self.measure.has_ended() {
                break;
            }
            mark.aim(self.client.descriptor(), libc::SHUT_RD, stall_for);
            let count = read(self.client, self.buffer).await;
            mark.clear();
            match count {
                Ok(0) if mark.was_late() => return Err(Up::Late),
                Ok(0) | Err(_) => return Err(Up::Gone),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}
