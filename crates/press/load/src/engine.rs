//! One worker: its connections, and when it does what.
//!
//! ```text
//! due? ─► an idle connection, or a new one ─► sent ─► answered, failed or timed out ─► recorded
//!   │                                                      │
//!   └── none is free: the request waits, and its time from the schedule grows ◄────────┘ a connection is free
//! ```
//!
//! Everything happens on one thread, between two waits of an epoll. A timer wakes it when the next request is due, and at least
//! a hundred times per second: if it then runs much later than the timer said, the process was stopped or its core is taken,
//! and the time until then counts as stopped. Such a time is measured and reported, and never subtracted from a latency.

use crate::clock::{Alarm, Clock, thread_cpu_ns};
use crate::course::{Course, HEARTBEAT_NS, Next, OPENING_NS};
use crate::http1::{Progress, ResponseReader};
use crate::linked::LinkedNumbers;
use crate::outcome::{Failure, Outcome};
use crate::prepared::Outgoing;
use crate::record::{Ended, Interval};
use crate::scenario::Flow;
use crate::socket::Moved;
use crate::wire::Wire;
use crate::work::{Used, Work};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::sync::atomic::Ordering;

/// Bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;
/// Events that are taken at once.
const EVENTS: usize = 512;
/// The number of the timer among the events.
const ALARM: u64 = u64::MAX;

/// A request under way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    due_ns: u64,
    sent_ns: u64,
    /// How many of its bytes are written.
    written: usize,
    /// When the first byte of the response came.
    first_byte_ns: Option<u64>,
    /// Bytes of the response that came.
    bytes: u64,
}

#[derive(Debug)]
struct Connection {
    wire: Option<Wire>,
    /// Whether the socket is connected. With TLS, a handshake follows.
    is_connected: bool,
    /// Whether requests can be sent.
    is_open: bool,
    /// Whether epoll says when the socket can be written to: while it connects, and while the peer does not take more.
    listens_to_write: bool,
    reader: ResponseReader,
    pending: Option<Pending>,
    outgoing: Outgoing,
    /// The flow whose request it is, in a scenario.
    flow: Option<Flow>,
    /// Which address it tries.
    address: usize,
}

/// Runs a worker until everything is accounted for.
pub(crate) fn run<F: FnMut(Interval)>(work: &Work<'_>, course: Course<'_, F>) -> Result<Used, Errno> {
    // Nobody waits for a worker that could not be set up.
    let (worker, connections) = match Worker::new(work, course) {
        Ok(mut worker) => {
            let opened = if work.keeps_alive { worker.open_all() } else { Ok(0) };
            (Ok(worker), opened)
        }
        Err(error) => (Err(error), Ok(0)),
    };
    let clock = work.gate.wait();
    let (mut worker, connections) = (worker?, connections?);
    worker.begin(clock);
    let cpu = thread_cpu_ns();
    worker.run()?;
    let cpu_ns = thread_cpu_ns().saturating_sub(cpu);
    Ok(Used { connections, cpu_ns, wall_ns: clock.now_ns(), tally: worker.course.into_tally() })
}

struct Worker<'a, F> {
    work: &'a Work<'a>,
    course: Course<'a, F>,
    epoll: OwnedFd,
    alarm: Alarm,
    connections: Vec<Connection>,
    /// Connections that can take a request, the one that was free first at the front.
    idle: LinkedNumbers,
    /// Connections without a socket.
    closed: Vec<u32>,
    busy: LinkedNumbers,
    buffer: Vec<u8>,
}

impl<'a, F: FnMut(Interval)> Worker<'a, F> {
    fn new(work: &'a Work<'a>, course: Course<'a, F>) -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let alarm = Alarm::new(course.clock)?;
        alarm.wake(&epoll, ALARM)?;
        let connection = |_| Connection {
            wire: None,
            is_connected: false,
            is_open: false,
            listens_to_write: false,
            reader: ResponseReader::new(false),
            pending: None,
            outgoing: Outgoing::default(),
            flow: None,
            address: 0,
        };
        Ok(Self {
            course,
            epoll,
            alarm,
            connections: (0..work.connections).map(connection).collect(),
            idle: LinkedNumbers::new(work.connections),
            closed: (0..work.connections).rev().collect(),
            busy: LinkedNumbers::new(work.connections),
            buffer: vec![0; READ_BYTES],
            work,
        })
    }

    /// Opens all connections before the run begins, so that its first requests do not pay for them. Returns how many are open.
    ///
    /// A connection that cannot be opened counts nowhere: the request that needs it will try again, and fail.
    fn open_all(&mut self) -> Result<u64, Errno> {
        let until = self.course.clock.now_ns().saturating_add(self.work.timeout_ns.min(OPENING_NS));
        for number in std::mem::take(&mut self.closed) {
            if self.connect(number).is_err() {
                self.closed.push(number);
            }
        }
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        let is_opening = |of: &Connection| of.wire.is_some() && !of.is_open;
        while self.connections.iter().any(is_opening)
            && self.course.clock.now_ns() < until
            && !self.work.interrupt.load(Ordering::Relaxed)
        {
            self.alarm.set(self.course.clock.now_ns().saturating_add(HEARTBEAT_NS))?;
            self.wait(&mut events)?;
            for event in &events {
                match u32::try_from(event.data.u64()) {
                    Ok(number) => self.handle(number, event.flags),
                    Err(_) => self.alarm.forget(),
                }
            }
        }
        // What is still opening has no request, and is given up.
        for number in 0..self.work.connections {
            if self.connections.get(number as usize).is_some_and(is_opening) {
                self.close(number);
            }
        }
        Ok(base::number::wide(self.connections.iter().filter(|of| of.is_open).count()))
    }

    /// Counts time from now on by the clock that all workers share.
    fn begin(&mut self, clock: Clock) {
        self.course.begin(clock);
        self.alarm.begin(clock);
    }

    /// Waits for events.
    fn wait(&self, events: &mut Vec<epoll::Event>) -> Result<(), Errno> {
        events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn run(&mut self) -> Result<(), Errno> {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS);
        let mut woken = self.course.clock.now_ns();
        loop {
            let now = self.course.clock.now_ns();
            // It may also be stopped while it handles events.
            self.course.ran(woken, now);
            self.course.turn(now);
            self.expire(now);
            self.issue();
            if self.course.is_over(now) {
                break;
            }
            let wake = self.next_wake(now);
            self.alarm.set(wake)?;
            self.wait(&mut events)?;
            woken = self.course.clock.now_ns();
            self.course.ran(wake, woken);
            for event in &events {
                match event.data.u64() {
                    ALARM => self.alarm.forget(),
                    number => self.handle(u32::try_from(number).unwrap_or(u32::MAX), event.flags),
                }
            }
        }
        self.finish();
        Ok(())
    }

    /// When there is something to do again, if nothing comes before.
    fn next_wake(&mut self, now_ns: u64) -> u64 {
        let mut wake = now_ns.saturating_add(HEARTBEAT_NS);
        if let Some(first) = self.busy.first()
            && let Some(pending) = self.connections.get(first as usize).and_then(|of| of.pending)
        {
            wake = wake.min(pending.sent_ns.saturating_add(self.work.timeout_ns));
        }
        // Without a free connection, only an answer or a time-out helps.
        if self.has_free()
            && let Some(due) = self.course.next_due(now_ns)
        {
            wake = wake.min(due);
        }
        wake
    }

    fn has_free(&self) -> bool {
        self.idle.first().is_some() || !self.closed.is_empty()
    }

    /// Sends what is due, as long as there are connections. All events are handled before, so that no request goes to a connection that
    /// is known to be closed.
    fn issue(&mut self) {
        let mut now_ns = self.course.clock.now_ns();
        while let Some(due_ns) = self.course.next_due(now_ns) {
            if due_ns > now_ns || !self.has_free() {
                return;
            }
            if let Some(next) = self.course.take(due_ns, now_ns) {
                self.send(due_ns, now_ns, next);
            }
            now_ns = self.course.clock.now_ns();
        }
    }

    /// Sends a request on an idle connection, or on a new one.
    fn send(&mut self, due_ns: u64, now_ns: u64, next: Next<'a>) {
        let pending = Pending { due_ns, sent_ns: now_ns, written: 0, first_byte_ns: None, bytes: 0 };
        self.course.sent(next.flow.as_ref(), due_ns, now_ns);
        let number = match self.idle.first() {
            Some(number) => {
                self.idle.remove(number);
                number
            }
            None => self.closed.pop().unwrap_or(u32::MAX),
        };
        self.busy.push(number);
        let Some(connection) = self.connections.get_mut(number as usize) else { return };
        connection.pending = Some(pending);
        let Next { flow, request, parts } = next;
        let is_head = self.work.prepared.prepare(request, parts.as_ref(), &mut connection.outgoing);
        connection.reader.expect(is_head, self.work.prepared.wanted(request).answer());
        connection.flow = flow;
        let began = if connection.wire.is_some() { Ok(()) } else { self.connect(number) };
        if let Err(failure) = began.and_then(|()| self.write(number)) {
            self.fail(number, failure);
        }
    }

    /// Opens the socket of a connection.
    fn connect(&mut self, number: u32) -> Result<(), Failure> {
        let Some(connection) = self.connections.get_mut(number as usize) else { return Err(Failure::Other) };
        let addresses = self.work.addresses;
        let address = addresses.get(connection.address % addresses.len().max(1)).ok_or(Failure::Resolve)?;
        let wire = Wire::open(address, self.work.tls)?;
        let data = EventData::new_u64(u64::from(number));
        epoll::add(&self.epoll, &wire, data, EventFlags::OUT).map_err(Failure::of)?;
        connection.wire = Some(wire);
        (connection.is_connected, connection.is_open, connection.listens_to_write) = (false, false, true);
        self.course.interval.counts.connections += 1;
        Ok(())
    }

    /// Writes what is left of a connection's request, if requests can be sent.
    fn write(&mut self, number: u32) -> Result<(), Failure> {
        let Some(connection) = self.connections.get_mut(number as usize) else { return Ok(()) };
        let (Some(wire), Some(pending)) = (&mut connection.wire, &mut connection.pending) else {
            return Ok(());
        };
        if !connection.is_open {
            return Ok(());
        }
        let mut waits = !wire.flush()?;
        let bytes = self.work.prepared.bytes(&connection.outgoing);
        while let Some(rest) = bytes.get(pending.written..).filter(|rest| !rest.is_empty()) {
            match wire.write(rest)? {
                Moved::Bytes(written) => pending.written += written,
                Moved::Later | Moved::End => {
                    waits = true;
                    break;
                }
            }
        }
        waits = waits || !wire.flush()?;
        self.listen(number, waits)
    }

    /// Asks epoll for what a connection waits for: to read, and to write if the peer does not take more now.
    fn listen(&mut self, number: u32, waits: bool) -> Result<(), Failure> {
        let Some(connection) = self.connections.get_mut(number as usize) else { return Ok(()) };
        let Some(wire) = &connection.wire else { return Ok(()) };
        if connection.listens_to_write == waits {
            return Ok(());
        }
        connection.listens_to_write = waits;
        let mut flags = EventFlags::IN | EventFlags::RDHUP;
        flags.set(EventFlags::OUT, waits);
        epoll::modify(&self.epoll, wire, EventData::new_u64(u64::from(number)), flags).map_err(Failure::of)
    }

    /// Handles what epoll says of a connection. It says it again until all is read, so that no peer can keep us from the others.
    fn handle(&mut self, number: u32, flags: EventFlags) {
        match self.open(number, flags) {
            Ok(true) => {}
            Ok(false) => return,
            Err(failure) => return self.fail(number, failure),
        }
        if flags.contains(EventFlags::OUT) {
            let has_request = self.connections.get(number as usize).is_some_and(|of| of.pending.is_some());
            let written = if has_request { self.write(number) } else { self.listen(number, false) };
            if let Err(failure) = written {
                return self.fail(number, failure);
            }
        }
        if flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            let is_closing = flags.intersects(EventFlags::RDHUP | EventFlags::HUP);
            self.read(number, is_closing);
            // What TLS has decrypted already, epoll does not know of.
            while self.holds_bytes(number) {
                self.read(number, is_closing);
            }
        }
    }

    fn holds_bytes(&mut self, number: u32) -> bool {
        let connection = self.connections.get_mut(number as usize).filter(|of| of.pending.is_some());
        connection.and_then(|of| of.wire.as_mut()).is_some_and(Wire::holds_bytes)
    }

    /// Goes on with opening a connection. Returns whether requests can be sent.
    fn open(&mut self, number: u32, flags: EventFlags) -> Result<bool, Failure> {
        let Some(connection) = self.connections.get_mut(number as usize) else { return Ok(false) };
        let Some(wire) = &mut connection.wire else { return Ok(false) };
        if connection.is_open {
            return Ok(true);
        }
        if !connection.is_connected {
            if !flags.intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP) {
                return Ok(false);
            }
            if let Err(failure) = wire.connected() {
                // The next request tries the next address.
                connection.address = connection.address.wrapping_add(1);
                return Err(failure);
            }
            connection.is_connected = true;
        }
        if !wire.handshake()? {
            let is_sent = wire.flush()?;
            self.listen(number, !is_sent)?;
            return Ok(false);
        }
        connection.is_open = true;
        if connection.pending.is_none() {
            self.idle.push(number);
            return self.listen(number, false).map(|()| true);
        }
        self.write(number).map(|()| true)
    }

    /// Reads a piece. `is_closing` says that the peer sends no more than what is there.
    fn read(&mut self, number: u32, is_closing: bool) {
        let Some(connection) = self.connections.get_mut(number as usize) else { return };
        let Some(wire) = &mut connection.wire else { return };
        let moved = wire.read(&mut self.buffer);
        let now_ns = self.course.clock.now_ns();
        let Some(pending) = &mut connection.pending else {
            // A peer that closes an idle connection, or says something unasked: the connection is of no use.
            if moved != Ok(Moved::Later) {
                self.course.interval.counts.excess += u64::from(matches!(moved, Ok(Moved::Bytes(_))));
                self.close(number);
            }
            return;
        };
        let progress = match moved {
            Ok(Moved::Later) => return,
            Ok(Moved::End) => connection.reader.close().map(|progress| (0, 0, progress)),
            Ok(Moved::Bytes(len)) => {
                self.course.interval.counts.bytes += base::number::wide(len);
                pending.bytes += base::number::wide(len);
                pending.first_byte_ns.get_or_insert(now_ns);
                let bytes = self.buffer.get(..len).unwrap_or_default();
                connection.reader.take(bytes).map(|(used, progress)| (len, used, progress))
            }
            Err(failure) => Err(failure),
        };
        match progress {
            Err(failure) => self.fail(number, failure),
            Ok((_, _, Progress::More)) => {}
            Ok((len, used, Progress::Done { status, keeps_alive })) => {
                let is_excess = used < len;
                self.course.interval.counts.excess += u64::from(is_excess);
                // An answer before the whole request was sent leaves the rest of it unsent.
                let is_whole = pending.written >= self.work.prepared.bytes(&connection.outgoing).len();
                let is_kept = keeps_alive && self.work.keeps_alive && !is_closing && !is_excess && is_whole;
                self.answered(number, status, is_kept, now_ns);
            }
        }
    }

    /// Records an answer, and frees the connection.
    fn answered(&mut self, number: u32, status: u16, is_kept: bool, now_ns: u64) {
        self.end(number, Outcome::Response(status), now_ns);
        if !is_kept {
            return self.close(number);
        }
        self.free(now_ns);
        self.idle.push(number);
    }

    /// Records a failure, and closes the connection.
    fn fail(&mut self, number: u32, failure: Failure) {
        let now_ns = self.course.clock.now_ns();
        self.end(number, Outcome::Failed(failure), now_ns);
        self.close(number);
    }

    /// Records what became of a connection's request.
    fn end(&mut self, number: u32, outcome: Outcome, now_ns: u64) {
        let Some(connection) = self.connections.get_mut(number as usize) else { return };
        let Some(Pending { due_ns, sent_ns, first_byte_ns, bytes, .. }) = connection.pending.take() else {
            return;
        };
        self.busy.remove(number);
        let (flow, answer) = (connection.flow.take(), connection.reader.answer());
        let ended =
            Ended { due_ns, sent_ns, first_byte_ns, end_ns: now_ns, connection: number, bytes, outcome };
        self.course.end(&ended, flow, answer.as_deref());
    }

    /// A connection becomes free.
    fn free(&mut self, now_ns: u64) {
        if !self.has_free() {
            self.course.free(now_ns);
        }
    }

    /// Closes a connection. It may be opened again.
    fn close(&mut self, number: u32) {
        self.free(self.course.clock.now_ns());
        self.idle.remove(number);
        let Some(connection) = self.connections.get_mut(number as usize) else { return };
        // Closing its only descriptor takes a socket out of the epoll.
        (connection.wire, connection.is_connected, connection.is_open) = (None, false, false);
        self.closed.push(number);
    }

    /// Ends the requests whose time is over.
    fn expire(&mut self, now_ns: u64) {
        while let Some(first) = self.busy.first() {
            let pending = self.connections.get(first as usize).and_then(|of| of.pending);
            let is_over = |of: Pending| now_ns >= of.sent_ns.saturating_add(self.work.timeout_ns);
            if !pending.is_none_or(is_over) {
                return;
            }
            self.busy.remove(first);
            self.end(first, Outcome::TimedOut, now_ns);
            self.close(first);
        }
    }

    /// Accounts for what is left.
    fn finish(&mut self) {
        let left = self.connections.iter_mut().zip(0..).filter_map(|(of, connection)| {
            let Pending { due_ns, sent_ns, first_byte_ns, bytes, .. } = of.pending.take()?;
            let outcome = Outcome::Failed(Failure::Interrupted);
            let ended = Ended { due_ns, sent_ns, first_byte_ns, end_ns: sent_ns, connection, bytes, outcome };
            Some((ended, of.flow.take()))
        });
        self.course.finish(left);
    }
}
