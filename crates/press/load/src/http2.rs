//! One worker that speaks HTTP/2 (RFC 9113): connections that each carry several requests at once, as streams.
//!
//! A place is a stream that may be in use: every connection has as many as the plan says. A request takes the place that has been
//! free for longest, so that all connections get their part.
//!
//! ```text
//! due? ─► a free place ─► its connection is open? ─ yes ─► exchange ─► answered, failed or timed out ─► recorded
//!                                    └─ no ─► opened ──────────┘
//! ```
//!
//! Everything happens on one thread. `h2` reads and writes the frames; this module decides when what is sent, and measures.

use crate::clock::{Alarm, Clock, thread_cpu_ns};
use crate::course::{Course, HEARTBEAT_NS, Next, OPENING_NS};
use crate::outcome::{Failure, Outcome};
use crate::parts::Message;
use crate::record::{Ended, Interval};
use crate::scenario::{Answer, Flow, Wanted};
use crate::stream::Stream;
use crate::work::{Used, Work};
use bytes::Bytes;
use h2::Reason;
use h2::client::{Builder, SendRequest};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::unix::AsyncFd;
use tokio::task::{AbortHandle, JoinSet, LocalSet};

/// How much of a body a peer may send before we have taken it: as much as fits into a fast network's delay.
const STREAM_WINDOW: u32 = 1 << 20;
/// The same for all bodies of a connection.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// The longest head of a response, in bytes.
const MAX_HEAD: u32 = 64 * 1024;

/// Runs a worker until everything is accounted for, as [`crate::engine::run`] does, with so many streams on each connection.
pub(crate) fn run<F: FnMut(Interval)>(
    work: &Work<'_>,
    streams: u32,
    course: Course<'_, F>,
) -> io::Result<Used> {
    match tokio::runtime::Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime.block_on(LocalSet::new().run_until(whole(work, streams, course))),
        Err(error) => {
            work.gate.wait();
            Err(error)
        }
    }
}

async fn whole<F: FnMut(Interval)>(work: &Work<'_>, streams: u32, course: Course<'_, F>) -> io::Result<Used> {
    let set_up = async {
        let mut worker = Worker::new(work, streams, course)?;
        let connections = worker.open_all().await?;
        Ok::<_, io::Error>((worker, connections))
    };
    let set_up = set_up.await;
    // Nobody waits for a worker that could not be set up.
    let clock = work.gate.wait();
    let (mut worker, connections) = set_up?;
    worker.begin(clock);
    let cpu = thread_cpu_ns();
    worker.run().await?;
    let cpu_ns = thread_cpu_ns().saturating_sub(cpu);
    Ok(Used { connections, cpu_ns, wall_ns: clock.now_ns(), tally: worker.course.into_tally() })
}

/// What has come of a response.
#[derive(Debug, Default)]
struct Received {
    first_byte_ns: Cell<Option<u64>>,
    /// Bytes of its body.
    bytes: Cell<u64>,
}

/// A request under way.
#[derive(Debug)]
struct Pending {
    due_ns: u64,
    sent_ns: u64,
    /// Its number, since its place is used again.
    number: u64,
    message: Message,
    wanted: Wanted,
    /// The flow whose request it is, in a scenario.
    flow: Option<Flow>,
    received: Rc<Received>,
    /// What is done for it now. `None` while its connection is opened.
    exchange: Option<AbortHandle>,
    /// Whether it was sent once on a connection that took no more requests.
    is_again: bool,
}

impl Pending {
    fn ended(&self, connection: usize, outcome: Outcome, end_ns: u64) -> Ended {
        Ended {
            due_ns: self.due_ns,
            sent_ns: self.sent_ns,
            first_byte_ns: self.received.first_byte_ns.get(),
            end_ns,
            connection: u32::try_from(connection).unwrap_or(u32::MAX),
            bytes: self.received.bytes.get(),
            outcome,
        }
    }
}

#[derive(Debug, Default)]
struct Connection {
    sender: Option<SendRequest<Bytes>>,
    /// How often it was opened.
    generation: u64,
    /// What opens it.
    opening: Option<AbortHandle>,
    /// Places whose requests wait until it is open.
    waiting: Vec<usize>,
    /// How many of its places are in use.
    active: u32,
    /// Free places that cannot be used, since the peer allows fewer streams.
    parked: Vec<usize>,
    /// Which address it tries.
    address: usize,
}

/// What a task has done.
#[derive(Debug)]
enum Done {
    Opened {
        connection: usize,
        generation: u64,
        sender: Result<SendRequest<Bytes>, Failure>,
    },
    Exchanged {
        place: usize,
        number: u64,
        generation: u64,
        end_ns: u64,
        end: Exchanged,
        answer: Option<Box<Answer>>,
    },
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exchanged {
    Response(u16),
    Failed(Failure),
    /// The connection takes no more requests, for this reason, and has not processed this one.
    Refused(Failure),
}

struct Worker<'a, F> {
    work: &'a Work<'a>,
    streams: usize,
    course: Course<'a, F>,
    alarm: AsyncFd<Alarm>,
    connections: Vec<Connection>,
    /// What each place has under way.
    places: Vec<Option<Pending>>,
    /// Places without a request, the one that was free first at the front.
    free: VecDeque<usize>,
    /// Places in the order in which their requests were sent, with the requests' numbers.
    sent: VecDeque<(usize, u64)>,
    tasks: JoinSet<Done>,
    requests: u64,
    /// Bytes that were received and not counted yet.
    bytes: Rc<Cell<u64>>,
}

impl<'a, F: FnMut(Interval)> Worker<'a, F> {
    fn new(work: &'a Work<'a>, streams: u32, course: Course<'a, F>) -> io::Result<Self> {
        let (count, streams) = (number(work.connections), number(streams.max(1)));
        #[expect(deprecated, reason = "its descriptor is its own, and always the same")]
        let alarm = AsyncFd::new(Alarm::new(course.clock)?)?;
        // Each connection's first stream comes before any one's second.
        let free = (0..streams).flat_map(|stream| (0..count).map(move |of| of * streams + stream));
        Ok(Self {
            streams,
            course,
            alarm,
            connections: (0..count).map(|_| Connection::default()).collect(),
            places: (0..count * streams).map(|_| None).collect(),
            free: free.collect(),
            sent: VecDeque::new(),
            tasks: JoinSet::new(),
            requests: 0,
            bytes: Rc::default(),
            work,
        })
    }

    /// Opens all connections before the run begins, so that its first requests do not pay for them. Returns how many are open.
    async fn open_all(&mut self) -> io::Result<u64> {
        let until = self.course.clock.now_ns().saturating_add(self.work.timeout_ns.min(OPENING_NS));
        (0..self.connections.len()).for_each(|connection| self.open(connection));
        while self.connections.iter().any(|of| of.opening.is_some())
            && self.course.clock.now_ns() < until
            && !self.work.interrupt.load(std::sync::atomic::Ordering::Relaxed)
        {
            self.wait(self.course.clock.now_ns().saturating_add(HEARTBEAT_NS)).await?;
        }
        self.connections.iter_mut().filter_map(|of| of.opening.take()).for_each(|opening| opening.abort());
        Ok(base::number::wide(self.connections.iter().filter(|of| of.sender.is_some()).count()))
    }

    fn begin(&mut self, clock: Clock) {
        self.course.begin(clock);
        self.alarm.get_mut().begin(clock);
        self.bytes.set(0);
    }

    async fn run(&mut self) -> io::Result<()> {
        let mut woken = self.course.clock.now_ns();
        loop {
            let now = self.course.clock.now_ns();
            // It may also be stopped while it handles what was done.
            self.course.ran(woken, now);
            self.course.interval.counts.bytes += self.bytes.take();
            self.course.turn(now);
            self.expire(now);
            self.issue();
            if self.course.is_over(now) {
                break;
            }
            let wake = self.next_wake(now);
            self.wait(wake).await?;
            woken = self.course.clock.now_ns();
            self.course.ran(wake, woken);
        }
        self.course.interval.counts.bytes += self.bytes.take();
        let streams = self.streams;
        let left = self.places.iter_mut().enumerate().filter_map(|(place, of)| {
            let pending = of.take()?;
            let ended =
                pending.ended(place / streams, Outcome::Failed(Failure::Interrupted), pending.sent_ns);
            Some((ended, pending.flow))
        });
        self.course.finish(left);
        Ok(())
    }

    /// Waits until a time, or until a task is done. Takes all that is done then.
    async fn wait(&mut self, until_ns: u64) -> io::Result<()> {
        self.alarm.get_mut().set(until_ns)?;
        let done = tokio::select! {
            done = self.tasks.join_next(), if !self.tasks.is_empty() => done,
            rung = self.alarm.readable() => {
                rung?.clear_ready();
                self.alarm.get_mut().forget();
                None
            }
        };
        let mut next = done;
        while let Some(done) = next {
            // A task that was aborted has nothing to say.
            if let Ok(done) = done {
                self.done(done);
            }
            next = self.tasks.try_join_next();
        }
        Ok(())
    }

    fn next_wake(&mut self, now_ns: u64) -> u64 {
        let mut wake = now_ns.saturating_add(HEARTBEAT_NS);
        if let Some(first_ns) = self.first_sent() {
            wake = wake.min(first_ns.saturating_add(self.work.timeout_ns));
        }
        // Without a free place, only an answer or a time-out helps.
        if self.has_free()
            && let Some(due) = self.course.next_due(now_ns)
        {
            wake = wake.min(due);
        }
        wake
    }

    /// When the oldest request that is under way was sent.
    fn first_sent(&mut self) -> Option<u64> {
        while let Some((place, number)) = self.sent.front() {
            match self.places.get(*place) {
                Some(Some(pending)) if pending.number == *number => return Some(pending.sent_ns),
                _ => drop(self.sent.pop_front()),
            }
        }
        None
    }

    /// Whether a request can be sent. Puts places aside whose connection may have no more streams.
    fn has_free(&mut self) -> bool {
        while let Some(place) = self.free.front() {
            let Some(connection) = self.connections.get_mut(place / self.streams) else { return false };
            let limit = connection.sender.as_ref().map_or(usize::MAX, SendRequest::current_max_send_streams);
            if number(connection.active) < limit {
                return true;
            }
            connection.parked.extend(self.free.pop_front());
        }
        false
    }

    /// Sends what is due, as long as there are places.
    fn issue(&mut self) {
        let mut now_ns = self.course.clock.now_ns();
        while let Some(due_ns) = self.course.next_due(now_ns) {
            if due_ns > now_ns || !self.has_free() {
                return;
            }
            let Some(place) = self.free.pop_front() else { return };
            self.requests += 1;
            let number = self.requests;
            let Some(pending) = self.next(due_ns, now_ns, number) else {
                self.free.push_front(place);
                continue;
            };
            if let Some(of) = self.places.get_mut(place) {
                *of = Some(pending);
            }
            if let Some(connection) = self.connections.get_mut(place / self.streams) {
                connection.active += 1;
            }
            self.sent.push_back((place, number));
            self.exchange(place);
            now_ns = self.course.clock.now_ns();
        }
    }

    /// Takes the next request, and counts it as sent. `None` if it cannot be sent.
    fn next(&mut self, due_ns: u64, now_ns: u64, number: u64) -> Option<Pending> {
        let Next { flow, request, parts } = self.course.take(due_ns, now_ns)?;
        let Ok(message) = self.work.prepared.message(request, parts.as_ref()) else {
            self.course.refuse(flow, due_ns, now_ns);
            return None;
        };
        self.course.sent(flow.as_ref(), due_ns, now_ns);
        let wanted = self.work.prepared.wanted(request);
        Some(Pending {
            due_ns,
            sent_ns: now_ns,
            number,
            message,
            wanted,
            flow,
            received: Rc::default(),
            exchange: None,
            is_again: false,
        })
    }

    /// Begins the exchange of a place's request, or opens its connection before.
    fn exchange(&mut self, place: usize) {
        let at = place / self.streams;
        let Some(connection) = self.connections.get_mut(at) else { return };
        let Some(Some(pending)) = self.places.get_mut(place) else { return };
        let Some(sender) = connection.sender.clone() else {
            connection.waiting.push(place);
            return self.open(at);
        };
        let (number, generation, clock) = (pending.number, connection.generation, self.course.clock);
        let (message, mut answer) = (pending.message.clone(), pending.wanted.answer());
        let received = Rc::clone(&pending.received);
        pending.exchange = Some(self.tasks.spawn_local(async move {
            let end = exchange(sender, message, (&received, clock), answer.as_deref_mut()).await;
            Done::Exchanged { place, number, generation, end_ns: clock.now_ns(), end, answer }
        }));
    }

    /// Begins to open a connection, unless that is under way.
    fn open(&mut self, at: usize) {
        let Some(connection) = self.connections.get_mut(at) else { return };
        if connection.opening.is_some() {
            return;
        }
        connection.generation += 1;
        let generation = connection.generation;
        let addresses = self.work.addresses;
        let address = addresses.get(connection.address % addresses.len().max(1)).copied();
        let (tls, bytes) = (self.work.tls.cloned(), Rc::clone(&self.bytes));
        self.course.interval.counts.connections += u64::from(address.is_some());
        connection.opening = Some(self.tasks.spawn_local(async move {
            let sender = match address {
                Some(address) => open(address, tls.as_ref(), bytes).await,
                None => Err(Failure::Resolve),
            };
            Done::Opened { connection: at, generation, sender }
        }));
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Opened { connection: at, generation, sender } => {
                let Some(connection) = self.connections.get_mut(at) else { return };
                if connection.generation != generation || connection.opening.take().is_none() {
                    return;
                }
                let waiting = std::mem::take(&mut connection.waiting);
                match sender {
                    Ok(sender) => {
                        connection.sender = Some(sender);
                        for place in waiting {
                            self.exchange(place);
                        }
                    }
                    Err(failure) => {
                        // The next request tries the next address.
                        connection.address = connection.address.wrapping_add(1);
                        let end_ns = self.course.clock.now_ns();
                        for place in waiting {
                            self.end(place, Outcome::Failed(failure), end_ns, None);
                        }
                    }
                }
            }
            Done::Exchanged { place, number, generation, end_ns, end, answer } => {
                let pending = self.places.get_mut(place).and_then(Option::as_mut);
                let Some(pending) = pending.filter(|of| of.number == number) else { return };
                let Some(connection) = self.connections.get_mut(place / self.streams) else { return };
                if matches!(end, Exchanged::Refused(_)) && connection.generation == generation {
                    connection.sender = None;
                }
                match end {
                    Exchanged::Response(status) => {
                        self.end(place, Outcome::Response(status), end_ns, answer.as_deref());
                    }
                    // It may be sent again, once (RFC 9113, section 8.7).
                    Exchanged::Refused(_) if !pending.is_again => {
                        pending.is_again = true;
                        self.exchange(place);
                    }
                    Exchanged::Failed(failure) | Exchanged::Refused(failure) => {
                        self.end(place, Outcome::Failed(failure), end_ns, None);
                    }
                }
            }
        }
    }

    /// Records what became of a place's request, and frees the place.
    fn end(&mut self, place: usize, outcome: Outcome, end_ns: u64, answer: Option<&Answer>) {
        let Some(pending) = self.places.get_mut(place).and_then(Option::take) else { return };
        self.course.end(&pending.ended(place / self.streams, outcome, end_ns), pending.flow, answer);
        if !self.has_free() {
            self.course.free(end_ns);
        }
        self.free.push_back(place);
        if let Some(connection) = self.connections.get_mut(place / self.streams) {
            connection.active -= 1;
            self.free.extend(connection.parked.pop());
        }
    }

    /// Ends the requests whose time is over. Their streams are reset; the connection stays.
    fn expire(&mut self, now_ns: u64) {
        while self.first_sent().is_some_and(|sent_ns| now_ns >= sent_ns.saturating_add(self.work.timeout_ns))
        {
            let Some((place, _)) = self.sent.pop_front() else { return };
            if let Some(exchange) =
                self.places.get_mut(place).and_then(Option::as_mut).and_then(|of| of.exchange.take())
            {
                exchange.abort();
            }
            if let Some(connection) = self.connections.get_mut(place / self.streams) {
                let waited = connection.waiting.len();
                connection.waiting.retain(|of| *of != place);
                // A connection that nobody waits for any more has taken too long to open.
                if waited > 0 && connection.waiting.is_empty() {
                    connection.opening.take().inspect(AbortHandle::abort);
                    connection.address = connection.address.wrapping_add(1);
                }
            }
            self.end(place, Outcome::TimedOut, now_ns, None);
        }
    }
}

fn number(of: u32) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}

/// Opens a connection, and has its frames read and written until it is closed.
async fn open(
    address: SocketAddr,
    tls: Option<&crate::tls::Client>,
    bytes: Rc<Cell<u64>>,
) -> Result<SendRequest<Bytes>, Failure> {
    let stream = Stream::open(address, tls, bytes).await?;
    let handshake = Builder::new()
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .handshake(stream)
        .await;
    let (sender, connection) = handshake.map_err(|error| failure(&error))?;
    // Its error reaches all its requests.
    tokio::task::spawn_local(async move { drop(connection.await) });
    Ok(sender)
}

/// Sends a request, and reads its response to the end.
async fn exchange(
    sender: SendRequest<Bytes>,
    message: Message,
    received: (&Received, Clock),
    answer: Option<&mut Answer>,
) -> Exchanged {
    let mut sender = match sender.ready().await {
        Ok(sender) => sender,
        Err(error) => return Exchanged::Refused(failure(&error)),
    };
    let Message { head, body } = message;
    let (response, mut stream) = match sender.send_request(head, body.is_empty()) {
        Ok(sent) => sent,
        Err(error) => return Exchanged::Refused(failure(&error)),
    };
    if !body.is_empty() {
        // If the peer does not want the body, its response says why.
        drop(stream.send_data(body, true));
    }
    match read(response, received, answer).await {
        Ok(status) => Exchanged::Response(status),
        Err(error) if is_unprocessed(&error) => Exchanged::Refused(failure(&error)),
        Err(error) => Exchanged::Failed(failure(&error)),
    }
}

/// Whether the peer says that it has not processed the request: it may be sent again (RFC 9113, section 8.7).
fn is_unprocessed(error: &h2::Error) -> bool {
    let of_connection = error.is_go_away() && error.reason() == Some(Reason::NO_ERROR);
    let of_stream = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (of_connection || of_stream)
}

async fn read(
    response: h2::client::ResponseFuture,
    (received, clock): (&Received, Clock),
    mut answer: Option<&mut Answer>,
) -> Result<u16, h2::Error> {
    let (head, mut body) = response.await?.into_parts();
    received.first_byte_ns.set(Some(clock.now_ns()));
    if let Some(answer) = &mut answer {
        for (name, value) in &head.headers {
            answer.add_header(name.as_str(), value.as_bytes());
        }
    }
    while let Some(piece) = body.data().await {
        let piece = piece?;
        received.bytes.set(received.bytes.get() + base::number::wide(piece.len()));
        body.flow_control().release_capacity(piece.len())?;
        if let Some(answer) = &mut answer {
            answer.add_body(&piece);
        }
    }
    body.trailers().await?;
    Ok(head.status.as_u16())
}

/// What an error of the protocol means.
fn failure(error: &h2::Error) -> Failure {
    if let Some(error) = error.get_io() {
        return Failure::of_io(error);
    }
    if !error.is_remote() {
        // `h2` refuses a head that is too long as it refuses one that is not valid.
        Failure::Malformed
    } else if error.is_reset() {
        Failure::Reset
    } else {
        Failure::Closed
    }
}
