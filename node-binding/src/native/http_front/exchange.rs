//! One request and its answer.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use seawall::http::Attempt;
use seawall::http::pass::{Asked, Body, Limits, PassedRequest, PassedResponse, pass_response};

use super::super::relay::Worker;
use super::Front;
use super::answer::Refusal;
use super::buffer::Buffer;
use super::client::{Client, End};
use super::counters::{UnderWay, add};
use super::links::{self, Link};
use super::measure::Measure;
use super::search::Search;
use super::stream::{Stream, read, reset_at_close, write};
use super::timing::Timing;
use super::tunnel::tunnel;
use super::upload::{Up, Upload};
use super::watch::Mark;

/// How long the head of an answer may be: workers are trusted, but not with all of the memory.
const MOST_OF_AN_ANSWER: Limits = Limits { head: 256 * 1024 };

/// What one worker made of a request.
enum Outcome {
    Ended(End),
    Refused(Refusal),
    /// It went away before it answered. `consumed`: with bytes of the body that are not kept.
    Lost {
        sent: bool,
        consumed: bool,
    },
}

/// How an answer ended.
enum Down {
    Whole(PassedResponse),
    Tunnel,
    /// Nothing of it came.
    Lost,
    /// It cannot be read.
    Bad,
    /// It did not begin in time.
    Slow,
    /// It broke off.
    Broken,
    ClientGone,
}

impl Client<'_> {
    /// Has the request whose head was read answered.
    pub(super) async fn exchange(&mut self, request: PassedRequest) -> End {
        let front = self.front;
        add(&front.counters.requests);
        self.under_way = Some(UnderWay::new(&front.counters.in_flight));
        let (mut tries, mut bytes) = (1, request.bytes);
        let mut search = Search::new(bytes);
        let switching = request.upgrade || request.connect;
        loop {
            // One that was kept may be closed already, and such a request is not sent again.
            let anew = tries > 1 || switching;
            let reached = self.reach(&mut search, anew).await;
            self.buffer.consume(bytes);
            bytes = 0;
            let (counted, link) = match reached {
                Ok(reached) => reached,
                Err(refusal) => return self.give_up(refusal, &request).await,
            };
            let worker = counted.worker();
            let fresh = !link.used;
            match self.attempt(worker, link, &request).await {
                Outcome::Ended(end) => {
                    self.shared.workers.succeeded(worker);
                    return end;
                }
                Outcome::Refused(refusal) => return self.give_up(refusal, &request).await,
                Outcome::Lost { sent, consumed } => {
                    // Who has read the request may have ended it on purpose.
                    if fresh && !sent {
                        self.shared.workers.failed(worker);
                    }
                    if fresh {
                        search.tried.insert(worker.place);
                    } else {
                        search.closed = Some(worker.place);
                    }
                    let method = method(&self.head);
                    let attempt = Attempt { method, sent, consumed, switching, tries };
                    if !front.config.sends_again(attempt) {
                        return self.give_up(Refusal::Lost, &request).await;
                    }
                    add(&front.counters.retried);
                    tries += 1;
                }
            }
        }
    }

    async fn give_up(&mut self, refusal: Refusal, request: &PassedRequest) -> End {
        let counters = &self.front.counters;
        add(match refusal {
            Refusal::Full => &counters.shed,
            Refusal::Nobody => &counters.unavailable,
            Refusal::Lost | Refusal::Slow => &counters.failed,
            Refusal::Late => &counters.late,
            Refusal::Fault(_) => &counters.malformed,
        });
        self.refuse(refusal, Some(request)).await
    }

    async fn attempt(
        &mut self,
        worker: &Arc<Worker>,
        mut link: Link,
        request: &PassedRequest,
    ) -> Outcome {
        let front = self.front;
        let asked = Asked { request: *request, keep_alive: request.keep_alive };
        let mut measure = Measure::new(request.body);
        let mut part = 0;
        // Who waits for `100 Continue` has sent nothing, or is not believed to have.
        if !request.expects {
            part = match measure.take(self.buffer.filled(), None) {
                Ok(part) => part,
                Err(fault) => return Outcome::Refused(Refusal::Fault(fault)),
            };
        }
        let stall_for = front.config.stall_for;
        self.watch.up.aim(link.socket.descriptor(), libc::SHUT_RDWR, stall_for);
        let sent = write(&link.socket, &self.head, &self.buffer.filled()[..part]).await;
        self.watch.up.clear();
        if let Err((0, _)) = sent {
            return Outcome::Lost { sent: false, consumed: false };
        }
        // A body that came as a whole is kept until the answer begins.
        let consumed = !measure.has_ended();
        if consumed {
            self.buffer.consume(part);
            part = 0;
        }
        self.answer.clear();
        let (begun, continued) = (AtomicBool::new(false), AtomicBool::new(!request.expects));
        let uploaded = AtomicBool::new(measure.has_ended());
        let ended = AtomicBool::new(false);
        let timing = Timing::new(&self.shared.workers, worker);
        let socket = &link.socket;
        let (down_end, up_end) = {
            let mut up = pin!(
                Upload {
                    client: &self.stream,
                    buffer: &mut self.buffer,
                    worker: socket,
                    measure: &mut measure,
                    watch: &self.watch,
                    front,
                    begun: &begun,
                    uploaded: &uploaded,
                    timing: timing.as_ref(),
                    held: part,
                    ended: &ended,
                }
                .run()
            );
            let mut down = pin!(
                Download {
                    worker: socket,
                    buffer: &mut link.buffer,
                    client: &self.stream,
                    out: &mut self.answer,
                    asked,
                    front,
                    mark: &self.watch.down,
                    begun: &begun,
                    uploaded: &uploaded,
                    continued: &continued,
                    timing: timing.as_ref(),
                }
                .run()
            );
            let (mut up_end, mut down_end) = (None, None);
            poll_fn(|context| {
                if down_end.is_none()
                    && let Poll::Ready(end) = down.as_mut().poll(context)
                {
                    down_end = Some(end);
                }
                if up_end.is_none()
                    && let Poll::Ready(end) = up.as_mut().poll(context)
                {
                    up_end = Some(end);
                }
                let is_done = match (&down_end, &up_end) {
                    // What the client still sends is read by who has answered already.
                    (Some(Down::Whole(response)), None) => {
                        uploaded.load(Ordering::Relaxed)
                            || !continued.load(Ordering::Relaxed)
                            || !response.keeps
                    }
                    (Some(_), _) => true,
                    // It may have answered before it went.
                    (None, Some(Up::WorkerGone)) | (None, None) => false,
                    (None, Some(_)) => true,
                };
                if is_done { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            (down_end, up_end)
        };
        self.watch.up.clear();
        self.watch.down.clear();
        let begun = begun.into_inner();
        let uploaded = uploaded.into_inner();
        let ended = ended.into_inner();
        let cut = |client: &Self, counter| {
            add(counter);
            reset_at_close(&client.stream);
            Outcome::Ended(End::Close)
        };
        let counters = &front.counters;
        let Some(down) = down_end else {
            return match up_end {
                Some(Up::Fault(fault)) if !begun => Outcome::Refused(Refusal::Fault(fault)),
                Some(Up::Late) if !begun => Outcome::Refused(Refusal::Late),
                _ => cut(self, &counters.aborted),
            };
        };
        match down {
            Down::Whole(response) => {
                add(&counters.answered);
                self.buffer.consume(part);
                if response.keeps && uploaded && !ended {
                    links::keep(worker, link, front.config.max_idle);
                }
                Outcome::Ended(match (response.client_keeps && uploaded, up_end) {
                    (true, None) => End::Keep,
                    (false, None) if !uploaded => End::Linger,
                    (_, Some(Up::Gone)) => End::Close,
                    (_, Some(_)) => End::Linger,
                    (false, None) => End::Close,
                })
            }
            Down::Tunnel => {
                add(&counters.answered);
                add(&counters.tunnels);
                self.under_way = None;
                self.buffer.consume(part);
                let Link { socket, buffer, .. } = &mut link;
                tunnel(&self.stream, &mut self.buffer, socket, buffer, front.half_open, true).await;
                Outcome::Ended(End::Close)
            }
            // Who has ended its half may be gone, and then nobody answers.
            Down::Lost if ended => {
                add(&counters.aborted);
                Outcome::Ended(End::Close)
            }
            Down::Lost => Outcome::Lost { sent: true, consumed },
            Down::Bad => Outcome::Refused(Refusal::Lost),
            Down::Slow => Outcome::Refused(Refusal::Slow),
            Down::Broken => cut(self, &counters.failed),
            Down::ClientGone => cut(self, &counters.aborted),
        }
    }
}

/// The first word of a head.
fn method(head: &[u8]) -> &str {
    let word = head.split(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(word).unwrap_or_default()
}

/// The way from the worker to the client.
struct Download<'a, W, C> {
    worker: &'a W,
    buffer: &'a mut Buffer,
    client: &'a C,
    out: &'a mut Vec<u8>,
    asked: Asked,
    front: &'a Front,
    mark: &'a Mark,
    /// Whether the client has got anything of the answer.
    begun: &'a AtomicBool,
    /// Whether the whole body was passed on.
    uploaded: &'a AtomicBool,
    /// Whether the client was told to send its body.
    continued: &'a AtomicBool,
    timing: Option<&'a Timing<'a>>,
}

impl<W: Stream, C: Stream> Download<'_, W, C> {
    async fn run(mut self) -> Down {
        let response = match self.head().await {
            Ok(response) => response,
            Err(down) => {
                if matches!(down, Down::Slow) {
                    self.answered();
                }
                return down;
            }
        };
        self.answered();
        self.begun.store(true, Ordering::Relaxed);
        if response.tunnel {
            return if self.write(0).await { Down::Tunnel } else { Down::ClientGone };
        }
        let mut measure = Measure::new(response.body);
        loop {
            let data = response.unwrap.then_some(&mut *self.out);
            let Ok(count) = measure.take(self.buffer.filled(), data) else { return Down::Broken };
            let direct = if response.unwrap { 0 } else { count };
            if !self.write(direct).await {
                return Down::ClientGone;
            }
            self.buffer.consume(count);
            if measure.has_ended() {
                return Down::Whole(response);
            }
            match read(self.worker, self.buffer).await {
                Ok(0) if response.body == Body::UntilClose => return Down::Whole(response),
                Ok(0) | Err(_) => return Down::Broken,
                Ok(_) => {}
            }
        }
    }

    fn answered(&self) {
        if let Some(timing) = self.timing {
            timing.answered();
        }
    }

    /// Reads heads up to that of the answer, which is then in `out`.
    async fn head(&mut self) -> Result<PassedResponse, Down> {
        loop {
            if !self.buffer.is_empty() {
                // Whose body nobody wants may send it all the same, or another request.
                self.asked.keep_alive &=
                    self.continued.load(Ordering::Relaxed) || self.is_interim();
                // Asked now: the end may have come since the request.
                self.asked.keep_alive &= !self.front.stopping.load(Ordering::Relaxed);
                match pass_response(self.buffer.filled(), &self.asked, MOST_OF_AN_ANSWER, self.out)
                {
                    Ok(Some(response)) => {
                        self.buffer.consume(response.bytes);
                        if !response.interim {
                            self.mark.clear();
                            return Ok(response);
                        }
                        if response.status == 100 {
                            self.continued.store(true, Ordering::Relaxed);
                        }
                        if !self.write(0).await {
                            return Err(Down::ClientGone);
                        }
                        // The answer itself is still waited for.
                        if self.uploaded.load(Ordering::Relaxed) {
                            let wait = self.front.config.answer_for;
                            self.mark.aim(self.worker.descriptor(), libc::SHUT_RDWR, wait);
                        }
                        continue;
                    }
                    Ok(None) => {}
                    Err(_) => return Err(Down::Bad),
                }
            }
            match read(self.worker, self.buffer).await {
                Ok(0) | Err(_) if self.mark.was_late() => return Err(Down::Slow),
                Ok(0) | Err(_) if self.buffer.is_empty() => return Err(Down::Lost),
                Ok(0) | Err(_) => return Err(Down::Bad),
                Ok(_) => {}
            }
        }
    }

    /// Whether the head in the buffer is that of no answer yet.
    fn is_interim(&self) -> bool {
        self.buffer.filled().starts_with(b"HTTP/1.1 1")
    }

    /// Writes what is in `out` and the next `count` bytes of the worker's; false where nobody reads.
    async fn write(&mut self, count: usize) -> bool {
        if self.out.is_empty() && count == 0 {
            return true;
        }
        self.mark.aim(self.client.descriptor(), libc::SHUT_RDWR, self.front.config.stall_for);
        let written = write(self.client, self.out, &self.buffer.filled()[..count]).await;
        self.mark.clear();
        self.out.clear();
        written.is_ok()
    }
}
