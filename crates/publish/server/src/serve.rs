//! Answers requests until it is stopped.
//!
//! One thread, the caller's, has all sockets; it never waits for the site. When it stops, idle connections are closed
//! and answers under way have a short time to finish. Afterwards no socket is left, and no thread unless an answer
//! would not end.

use crate::connection::Guarded;
use crate::course::Phase;
use crate::door::{Door, Verdict};
use crate::error::Error;
use crate::gate;
use crate::lane::{Job, Lane};
use crate::limits::Limits;
use crate::listen::{Bound, ServerOptions};
use crate::refusal::Failure;
use crate::request::{Gone, Request};
use crate::response::Response;
use crate::site::{Site, Weight};
use crate::wire::{self, Sendable, Wants};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{AbortHandle, JoinSet, LocalSet, yield_now};
use tokio::time::{sleep, timeout};

/// How long to wait if the system has no more sockets, or all of ours are busy. Trying again at once would only burn
/// CPU time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The smallest buffer that hyper accepts.
const MIN_BUFFER: usize = 8192;

/// Stops a server, from any thread. All clones stop the same one; stopping it again changes nothing.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// A switch that is not used yet.
    #[expect(clippy::new_without_default, reason = "each server has its own, so there is no usual value")]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Stops the server, even if it begins only later. It takes a lock, so it must not be called in a signal handler.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    async fn stopped(&self) {
        // The sender lives as long as `self`, so waiting for its value cannot fail.
        self.0.subscribe().wait_for(|is_stopped| *is_stopped).await.ok();
    }
}

/// What a server has done, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// Accepted connections.
    pub connections: u64,
    /// Requests with complete and well-formed headers.
    pub requests: u64,
    /// Requests that did not reach the site: for another host, malformed, too long, or refused by the door.
    pub refused: u64,
    /// Answers that panicked or cannot be sent.
    pub broken: u64,
    /// Answers that took too long.
    pub overtime: u64,
    /// Requests that were refused because too many waited.
    pub busy: u64,
    /// Connections that were closed because the client took too long.
    pub slow: u64,
    /// Connections that were closed before their next request, to make room for newer ones.
    pub displaced: u64,
    /// Connections that ended before their answer for another reason: malformed requests, or the client left.
    pub broken_off: u64,
    /// How often the system could not accept a connection.
    pub not_accepted: u64,
    /// Worker threads that still work at the end; they end with their answer.
    pub unfinished: usize,
}

/// Answers the requests that the door lets pass, until `stop` is used. It blocks the calling thread, which must not
/// belong to another tokio runtime.
///
/// Answers that are still under way when [`Limits::farewell_time`] is over are cut off.
pub fn serve(bound: Bound, door: impl Door, site: Arc<impl Site>, stop: &Stop) -> Result<Served, Error> {
    let Bound { listener, options, .. } = bound;
    let queue = |cause| Error::Threads { what: "event queue", cause };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(queue)?;
    let listener = {
        let _context = runtime.enter();
        TcpListener::from_std(listener).map_err(queue)?
    };
    let light = Lane::start("server-light", 1)?;
    let heavy = Lane::start("server-heavy", options.limits.heavy_threads)?;
    let server = Rc::new(Server { door, options, site, light, heavy, report: RefCell::default() });
    LocalSet::new().block_on(&runtime, run(&server, listener, stop));
    drop(runtime);
    let mut report = *server.report.borrow();
    if let Some(server) = Rc::into_inner(server) {
        let light = server.light.close(options.limits.farewell_time);
        report.unfinished = light.saturating_add(server.heavy.close(options.limits.farewell_time));
    }
    Ok(report)
}

/// What all connections share. It stays on one thread.
#[derive(Debug)]
struct Server<D, S> {
    door: D,
    options: ServerOptions,
    site: Arc<S>,
    light: Lane,
    heavy: Lane,
    report: RefCell<Served>,
}

/// An open connection, seen from outside.
struct Standing {
    task: AbortHandle,
    phase: Rc<Cell<Phase>>,
}

async fn run<D: Door, S: Site>(server: &Rc<Server<D, S>>, listener: TcpListener, stop: &Stop) {
    let limits = server.options.limits;
    let mut connections = JoinSet::new();
    // The oldest first.
    let mut standing: Vec<Standing> = Vec::new();
    loop {
        let is_full = standing.len() >= limits.connections.max(1);
        let place = || standing.iter().position(|of| !of.phase.get().owes());
        tokio::select! {
            biased;
            () = stop.stopped() => break,
            Some(_) = connections.join_next() => standing.retain(|of| !of.task.is_finished()),
            socket = server.accept(&listener), if !is_full || place().is_some() => {
                // Searched again: a connection that was idle a moment ago may have a request by now.
                if let Some(place) = place().filter(|_| is_full) {
                    standing.remove(place).task.abort();
                    server.count(|report| &mut report.displaced);
                }
                server.count(|report| &mut report.connections);
                let phase = Rc::new(Cell::new(Phase::Idle));
                let connection = connection(Rc::clone(server), socket, Rc::clone(&phase), stop.clone());
                standing.push(Standing { task: connections.spawn_local(connection), phase });
                // Lets it read a request before a newer connection can displace it.
                yield_now().await;
            }
            // Connections do not notify this loop when they become idle, so it looks from time to time.
            () = sleep(ACCEPT_PAUSE), if is_full => {}
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    timeout(limits.farewell_time, all).await.ok();
    connections.shutdown().await;
}

/// One connection from its first byte to its end.
async fn connection<D: Door, S: Site>(
    server: Rc<Server<D, S>>,
    socket: TcpStream,
    phase: Rc<Cell<Phase>>,
    stop: Stop,
) {
    // Otherwise small answers wait for acknowledgements. A socket that refuses the option still works.
    socket.set_nodelay(true).ok();
    let limits = server.options.limits;
    let socket = TokioIo::new(Guarded::new(socket, limits, Rc::clone(&phase)));
    let service = service_fn(async |request: hyper::Request<Incoming>| {
        let (head, body) = request.into_parts();
        // A body that does not arrive is treated like a head that does not: its time ends, and its place may be taken.
        phase.set(Phase::Head);
        let body = server.read(&head, body).await;
        phase.set(Phase::Answering);
        let response = server.respond(&head, &body).await;
        phase.set(Phase::Sending);
        Ok::<_, Infallible>(response)
    });
    let mut connection = pin!(http(&limits).serve_connection(socket, service));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.stopped() => {
            if !phase.get().owes() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    match outcome {
        Ok(()) => {}
        Err(error) if is_timeout(&error) => server.count(|report| &mut report.slow),
        Err(_) => server.count(|report| &mut report.broken_off),
    }
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(MIN_BUFFER));
    http
}

fn is_timeout(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

impl<D: Door, S: Site> Server<D, S> {
    /// The next connection. Dropping the future loses no connection.
    async fn accept(&self, listener: &TcpListener) -> TcpStream {
        loop {
            if let Ok((socket, _)) = listener.accept().await {
                return socket;
            }
            self.count(|report| &mut report.not_accepted);
            sleep(ACCEPT_PAUSE).await;
        }
    }

    fn count(&self, which: impl Fn(&mut Served) -> &mut u64) {
        let mut report = self.report.borrow_mut();
        let count = which(&mut report);
        *count = count.saturating_add(1);
    }

    /// Reads the body if the door takes it.
    async fn read(&self, head: &Parts, body: Incoming) -> gate::Body {
        let Some(most) = gate::takes(&self.door, head) else {
            return if body.is_end_stream() { gate::Body::Empty } else { gate::Body::Unwanted };
        };
        // If the head already announces too many bytes, nothing is read.
        let is_too_long =
            usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > most);
        let whole = if is_too_long { None } else { Limited::new(body, most).collect().await.ok() };
        whole.map_or(gate::Body::Unwanted, |whole| gate::Body::Taken(whole.to_bytes()))
    }

    /// The answer to one request. Dropping the future, as when the client leaves, tells the site that it is abandoned.
    async fn respond(&self, head: &Parts, body: &gate::Body) -> Sendable {
        self.count(|report| &mut report.requests);
        let wants = Wants::of(&head.headers);
        match gate::decide(&self.door, head, body, &self.options) {
            Verdict::Pass(request) => self.answer(request, wants).await,
            Verdict::Answer(response) => self.render(response, &wants),
            Verdict::Refuse(response) => {
                self.count(|report| &mut report.refused);
                let mut sendable = self.render(response, &wants);
                // A refused client gets one small answer per connection, so that it cannot keep its place by not
                // reading.
                sendable.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                sendable
            }
        }
    }

    async fn answer(&self, request: Request, wants: Wants) -> Sendable {
        let shape = wants.clone();
        let limits = &self.options.limits;
        let guard = SetOnDrop(request.gone.clone());
        let (send, receive) = oneshot::channel();
        // A panic in the site ends only this answer. Whether its state is still good, the site must know.
        let weight = catch_unwind(AssertUnwindSafe(|| self.site.weight(&request)));
        let lane = match weight {
            Ok(Weight::Light) => &self.light,
            Ok(Weight::Heavy) => &self.heavy,
            Err(_) => return self.fail(Failure::Broken, &wants),
        };
        let site = Arc::clone(&self.site);
        let work = move || {
            let answer = catch_unwind(AssertUnwindSafe(|| wire::render(site.answer(&request), &shape)));
            // If the client has left, nobody receives it.
            send.send(answer.unwrap_or(None)).ok();
        };
        if !lane.offer(Job { gone: guard.0.clone(), work: Box::new(work) }, limits.waiting) {
            return self.fail(Failure::Busy, &wants);
        }
        match timeout(limits.answer_time, receive).await {
            Ok(Ok(Some(sendable))) => sendable,
            Ok(_) => self.fail(Failure::Broken, &wants),
            Err(_) => self.fail(Failure::Overtime, &wants),
        }
    }

    fn fail(&self, failure: Failure, wants: &Wants) -> Sendable {
        self.count(|report| match failure {
            Failure::Busy => &mut report.busy,
            Failure::Overtime => &mut report.overtime,
            Failure::Broken => &mut report.broken,
        });
        self.render(failure.response(self.options.program), wants)
    }

    fn render(&self, response: Response, wants: &Wants) -> Sendable {
        wire::render(response, wants).unwrap_or_else(|| {
            // Only answers of the gate and the door get here. The local door's would fail only if a target had bytes
            // that headers cannot have, and the parser refuses those.
            self.count(|report| &mut report.broken);
            let mut empty = Sendable::default();
            *empty.status_mut() = Failure::Broken.status();
            empty
        })
    }
}

/// Sets the flag when it is dropped, for whatever reason.
#[derive(Debug)]
struct SetOnDrop(Gone);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}
