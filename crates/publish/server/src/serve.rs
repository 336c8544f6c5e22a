//! Answering, until it is told to stop.
//!
//! One thread, the caller's, has all sockets; it waits for no site. When it stops, idle connections are closed, what
//! is under way has a short time to end, and no thread and no socket of a server that ended in order is left.

use crate::connection::Guarded;
use crate::course::Phase;
use crate::door::{Door, Verdict};
use crate::gate;
use crate::lane::{Job, Lane};
use crate::listen::{Bound, Options};
use crate::refusal::Failure;
use crate::request::{Gone, Request};
use crate::wire::{self, Sendable, Wants};
use crate::{Error, Limits, Response, Site, Weight};
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

/// How long to wait where the system has no more sockets, or all of ours are busy; trying at once would only burn the
/// processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The least that hyper takes for its buffers.
const LEAST_BUFFER: usize = 8192;

/// Tells a server to stop, from any thread. All clones tell the same one, and telling again changes nothing.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// One that nobody has told yet.
    #[expect(clippy::new_without_default, reason = "there is no usual stop")]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Stops the server, also one that begins later. Not for a signal handler itself: it takes a lock.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    async fn told(&self) {
        // The sender lives as long as this, so waiting for its value does not fail.
        self.0.subscribe().wait_for(|told| *told).await.ok();
    }
}

/// What a server did, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Connections that were taken.
    pub connections: u64,
    /// Requests whose headers came whole and were no nonsense.
    pub requests: u64,
    /// Requests that did not reach the site: another host, a wrong form, too long, or refused by the door.
    pub refused: u64,
    /// Answers that ended in a panic or cannot be sent.
    pub broken: u64,
    /// Answers that took longer than their time.
    pub overtime: u64,
    /// Requests that were turned away since too many waited.
    pub busy: u64,
    /// Connections that were cut since the client took too long.
    pub slow: u64,
    /// Connections that gave their place to a newer one before they asked anything.
    pub displaced: u64,
    /// Connections that ended otherwise before their answer: nonsense, or the client left.
    pub broken_off: u64,
    /// Times that the system could give no connection.
    pub not_accepted: u64,
    /// Worker threads still at work at the end; they end with their answer.
    pub unfinished: usize,
}

/// Answers the requests that the door lets pass with a site, until `stop` is told. It takes the calling thread, which
/// must not belong to another tokio runtime.
///
/// What is under way when the time for farewells is over is cut in the middle.
pub fn serve(bound: Bound, door: impl Door, site: Arc<impl Site>, stop: &Stop) -> Result<Report, Error> {
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
    options: Options,
    site: Arc<S>,
    light: Lane,
    heavy: Lane,
    report: RefCell<Report>,
}

/// A connection that is open, seen from outside.
struct Standing {
    task: AbortHandle,
    phase: Rc<Cell<Phase>>,
}

async fn run<D: Door, S: Site>(server: &Rc<Server<D, S>>, listener: TcpListener, stop: &Stop) {
    let limits = server.options.limits;
    let mut connections = JoinSet::new();
    // In the order of their coming.
    let mut standing: Vec<Standing> = Vec::new();
    loop {
        let is_full = standing.len() >= limits.connections.max(1);
        let place = || standing.iter().position(|of| !of.phase.get().owes());
        tokio::select! {
            biased;
            () = stop.told() => break,
            Some(_) = connections.join_next() => standing.retain(|of| !of.task.is_finished()),
            socket = server.accept(&listener), if !is_full || place().is_some() => {
                // Looked for once more: what waited for its client a moment ago may have been asked since.
                if let Some(place) = place().filter(|_| is_full) {
                    standing.remove(place).task.abort();
                    server.count(|report| &mut report.displaced);
                }
                server.count(|report| &mut report.connections);
                let phase = Rc::new(Cell::new(Phase::Idle));
                let connection = connection(Rc::clone(server), socket, Rc::clone(&phase), stop.clone());
                standing.push(Standing { task: connections.spawn_local(connection), phase });
                // So that it may ask before it is displaced itself.
                yield_now().await;
            }
            // Connections do not tell this loop when they are idle again.
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
    // Without it, small answers wait for acknowledgements; a socket that cannot do it works anyway.
    socket.set_nodelay(true).ok();
    let limits = server.options.limits;
    let socket = TokioIo::new(Guarded::new(socket, limits, Rc::clone(&phase)));
    let service = service_fn(async |request: hyper::Request<Incoming>| {
        let (head, body) = request.into_parts();
        // A body that does not come is as a head that does not: its time ends, and its place may be taken.
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
        () = stop.told() => {
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
        .max_buf_size(limits.header_bytes.max(LEAST_BUFFER));
    http
}

fn is_timeout(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::TimedOut)
}

impl<D: Door, S: Site> Server<D, S> {
    /// The next connection. Dropping the future loses none.
    async fn accept(&self, listener: &TcpListener) -> TcpStream {
        loop {
            if let Ok((socket, _)) = listener.accept().await {
                return socket;
            }
            self.count(|report| &mut report.not_accepted);
            sleep(ACCEPT_PAUSE).await;
        }
    }

    fn count(&self, which: impl Fn(&mut Report) -> &mut u64) {
        let mut report = self.report.borrow_mut();
        let count = which(&mut report);
        *count = count.saturating_add(1);
    }

    /// Reads a body that the door takes, and no other.
    async fn read(&self, head: &Parts, body: Incoming) -> gate::Body {
        let Some(most) = gate::takes(&self.door, head) else {
            return if body.is_end_stream() { gate::Body::Empty } else { gate::Body::Unwanted };
        };
        // A length that is too large is told in the head; then nothing is read.
        let is_too_long = body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX);
        let whole = if is_too_long { None } else { Limited::new(body, most).collect().await.ok() };
        whole.map_or(gate::Body::Unwanted, |whole| gate::Body::Taken(whole.to_bytes()))
    }

    /// The answer to one request. Dropping the future, as when the client leaves, lets the site see that it is
    /// abandoned.
    async fn respond(&self, head: &Parts, body: &gate::Body) -> Sendable {
        self.count(|report| &mut report.requests);
        let wants = Wants::of(&head.headers);
        match gate::decide(&self.door, head, body, &self.options) {
            Verdict::Pass(request) => self.answer(request, wants).await,
            Verdict::Answer(response) => self.render(response, &wants),
            Verdict::Refuse(response) => {
                self.count(|report| &mut report.refused);
                let mut sendable = self.render(response, &wants);
                // One small answer per connection, so that a client that is not let in cannot hold a place by not
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
        // A panic in the site ends one answer only; what it leaves behind is the site's own matter.
        let weight = catch_unwind(AssertUnwindSafe(|| self.site.weight(&request)));
        let lane = match weight {
            Ok(Weight::Light) => &self.light,
            Ok(Weight::Heavy) => &self.heavy,
            Err(_) => return self.fail(Failure::Broken, &wants),
        };
        let site = Arc::clone(&self.site);
        let work = move || {
            let answer = catch_unwind(AssertUnwindSafe(|| wire::render(site.answer(&request), &shape)));
            // Nobody receives it where the client left.
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
            // Only answers of the gate and the door get here. The local door's could fail only if a target had bytes
            // that no header can have, and the parser lets none of those through.
            self.count(|report| &mut report.broken);
            let mut empty = Sendable::default();
            *empty.status_mut() = Failure::Broken.status();
            empty
        })
    }
}

/// Sets what it holds when it goes, however it goes.
#[derive(Debug)]
struct SetOnDrop(Gone);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}
