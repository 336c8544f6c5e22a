//! Closed-loop load over HTTP/1.1: each connection sends its next request once it has the answer to the last one.
//!
//! Every answer is kept with its time, so that a rate can be given over exactly the interval that a recording covers.
//! One thread per connection; nothing here knows what is recorded.

use anyhow::{Context, Result, ensure};
use base::number::real_u64;
use base::stats::{Share, Sorted, quantile};
use base::time::{Stopwatch, calendar};
use serde::Deserialize;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An answer that takes longer counts as an error, and its connection is closed.
const PATIENCE: Duration = Duration::from_secs(4);
/// Answers that one connection remembers; beyond it the load ends with an error.
const MAX_ANSWERS: usize = 4_000_000;
/// The longest header or chunk line that is read.
const MAX_LINE: usize = 16 * 1024;
/// Numbers that `{n}` runs through.
const NUMBERS: u64 = 1000;

/// Connections that ask for the same routes in turn.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    /// Paths; `{n}` becomes a number that changes with each request.
    pub(crate) routes: Vec<String>,
    pub(crate) connections: u32,
    /// Requests per second of the whole group at most; without it as many as are answered.
    pub(crate) pace: Option<f64>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    /// A status other than 2xx, a broken connection, or no answer in time.
    Bad,
}

#[derive(Debug, Clone, Copy)]
struct Answer {
    /// Since the load began.
    end_ns: u64,
    latency_ns: u64,
    /// Index into the load's routes.
    route: usize,
    outcome: Outcome,
}

/// Load that runs until it is finished.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Vec<Answer>>>>,
    routes: Vec<String>,
    begun: SystemTime,
}

/// What one connection does.
struct Client {
    port: u16,
    /// Index of the load's routes, and the path.
    routes: Vec<(usize, String)>,
    /// Shared by all connections, so that they do not ask for the same at once.
    number: Arc<AtomicU64>,
    /// The time from one request to the next.
    interval: Option<Duration>,
    /// Spreads the requests of paced connections.
    first: Duration,
    stop: Arc<AtomicBool>,
    clock: Stopwatch,
}

impl Load {
    /// Starts asking the service at a port of this machine.
    pub(crate) fn start(port: u16, groups: &[Group]) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let number = Arc::new(AtomicU64::new(0));
        let (clock, begun) = (Stopwatch::start(), calendar());
        let mut load = Self { stop: Arc::clone(&stop), threads: Vec::new(), routes: Vec::new(), begun };
        for group in groups {
            let first_route = load.routes.len();
            load.routes.extend(group.routes.iter().cloned());
            let routes: Vec<_> = (first_route..).zip(group.routes.iter().cloned()).collect();
            let interval =
                group.pace.map(|pace| Duration::from_secs_f64(f64::from(group.connections) / pace));
            for at in 0..group.connections {
                let share = f64::from(at) / f64::from(group.connections);
                let client = Client {
                    port,
                    routes: routes.clone(),
                    number: Arc::clone(&number),
                    interval,
                    first: interval.unwrap_or_default().mul_f64(share),
                    stop: Arc::clone(&stop),
                    clock,
                };
                let thread = std::thread::Builder::new().name("client".to_owned()).stack_size(256 * 1024);
                load.threads.push(thread.spawn(move || client.run()).context("cannot start a client")?);
            }
        }
        Ok(load)
    }

    /// Lets no further request be sent.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Ends the load; gives all answers.
    pub(crate) fn finish(mut self) -> Result<Answers> {
        self.stop();
        let mut all = Vec::new();
        for thread in self.threads.drain(..) {
            let answers = thread.join().map_err(|_panic| anyhow::anyhow!("a client of the load panicked"))?;
            all.append(&mut answers?);
        }
        all.sort_unstable_by_key(|answer| answer.end_ns);
        Ok(Answers { all, routes: std::mem::take(&mut self.routes), begun: self.begun })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop();
        for thread in self.threads.drain(..) {
            // Nobody asks for the answers of a load that was given up.
            drop(thread.join());
        }
    }
}

impl Client {
    fn run(&self) -> Result<Vec<Answer>> {
        let mut answers = Vec::new();
        let mut connection = None;
        let mut due = self.first;
        for (route, path) in self.routes.iter().cycle() {
            if !self.wait_until(due) {
                break;
            }
            let number = self.number.fetch_add(1, Ordering::Relaxed) % NUMBERS;
            let path = path.replace("{n}", &number.to_string());
            let begin = self.clock.elapsed();
            let outcome = self.ask(&mut connection, &path);
            let end = self.clock.elapsed();
            answers.push(Answer {
                end_ns: nanos(end),
                latency_ns: nanos(end.saturating_sub(begin)),
                route: *route,
                outcome,
            });
            ensure!(answers.len() < MAX_ANSWERS, "a connection got more than {MAX_ANSWERS} answers");
            // A refused connection must not become a busy loop.
            if outcome == Outcome::Bad && end.saturating_sub(begin) < Duration::from_millis(1) {
                std::thread::sleep(Duration::from_millis(5));
            }
            // A request that is late does not make the next ones earlier.
            due = self.interval.map_or(Duration::ZERO, |interval| (due + interval).max(begin));
        }
        Ok(answers)
    }

    /// Whether the load goes on at that time.
    fn wait_until(&self, due: Duration) -> bool {
        loop {
            if self.stop.load(Ordering::Acquire) {
                return false;
            }
            let left = due.saturating_sub(self.clock.elapsed());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    fn ask(&self, connection: &mut Option<Connection>, path: &str) -> Outcome {
        let mut asked = || -> Result<u16> {
            let mut open = match connection.take() {
                Some(open) => open,
                None => Connection::open(self.port)?,
            };
            let (status, goes_on) = open.ask(path)?;
            if goes_on {
                *connection = Some(open);
            }
            Ok(status)
        };
        if asked().is_ok_and(|status| (200..300).contains(&status)) { Outcome::Good } else { Outcome::Bad }
    }
}

/// Whether a path is answered with a status of 2xx.
pub(crate) fn answers(port: u16, path: &str) -> bool {
    Connection::open(port)
        .and_then(|mut open| open.ask(path))
        .is_ok_and(|(status, _)| (200..300).contains(&status))
}

/// One keep-alive connection.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// What was read and not used yet.
    read: Vec<u8>,
}

impl Connection {
    fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Sends a request and reads its answer; gives the status, and whether the connection stays open.
    fn ask(&mut self, path: &str) -> Result<(u16, bool)> {
        // A service may call itself by the name that it was asked by.
        let host = self.stream.peer_addr()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n");
        self.stream.write_all(request.as_bytes())?;
        let head = self.head()?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
        let (mut length, mut chunked, mut stays) = (0, false, true);
        for line in head.lines().skip(1) {
            let Some((name, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse()?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("connection") {
                stays = !value.eq_ignore_ascii_case("close");
            }
        }
        if !chunked {
            self.skip(length)?;
            return Ok((status, stays));
        }
        loop {
            let line = self.until(b"\r\n")?;
            let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
            self.skip(length.saturating_add(2))?;
            if length == 0 {
                return Ok((status, stays));
            }
        }
    }

    fn head(&mut self) -> Result<String> {
        self.until(b"\r\n\r\n")
    }

    /// The text before an end mark, which is used up too.
    fn until(&mut self, mark: &[u8]) -> Result<String> {
        let mut looked = 0;
        loop {
            let from = looked.min(self.read.len());
            let found =
                self.read.get(from..).and_then(|rest| rest.windows(mark.len()).position(|part| part == mark));
            if let Some(at) = found {
                let text =
                    String::from_utf8_lossy(self.read.get(..from + at).unwrap_or_default()).into_owned();
                self.read.drain(..from + at + mark.len());
                return Ok(text);
            }
            ensure!(self.read.len() < MAX_LINE, "a header of more than {MAX_LINE} bytes");
            looked = self.read.len().saturating_sub(mark.len() - 1);
            self.more()?;
        }
    }

    fn skip(&mut self, mut bytes: usize) -> Result<()> {
        loop {
            let here = bytes.min(self.read.len());
            self.read.drain(..here);
            bytes -= here;
            if bytes == 0 {
                return Ok(());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<()> {
        let mut piece = [0; 16 * 1024];
        let read = self.stream.read(&mut piece)?;
        ensure!(read > 0, "the connection was closed");
        self.read.extend_from_slice(piece.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// All answers of a load, in the order of their ends.
#[derive(Debug)]
pub(crate) struct Answers {
    all: Vec<Answer>,
    routes: Vec<String>,
    begun: SystemTime,
}

/// A part of the calendar's time, half-open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interval {
    pub(crate) from: SystemTime,
    pub(crate) length: Duration,
}

/// What the client saw of one route, or of all.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) route: String,
    pub(crate) count: usize,
    pub(crate) errors: usize,
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Answers {
    /// All requests that were answered, also badly, in an interval.
    pub(crate) fn all_within(&self, interval: Interval) -> Seen {
        self.seen(interval, "all", |_| true)
    }

    /// The same for each route.
    pub(crate) fn routes_within(&self, interval: Interval) -> Vec<Seen> {
        let routes = self.routes.iter().enumerate();
        routes.map(|(at, route)| self.seen(interval, route, |answer| answer.route == at)).collect()
    }

    /// Answers in each whole second of an interval.
    pub(crate) fn each_second(&self, interval: Interval) -> Vec<usize> {
        let second = |at: u32| Interval {
            from: interval.from + Duration::from_secs(u64::from(at)),
            length: Duration::from_secs(1),
        };
        let seconds = u32::try_from(interval.length.as_secs()).unwrap_or(u32::MAX);
        (0..seconds).map(|at| self.within(second(at)).len()).collect()
    }

    fn within(&self, interval: Interval) -> &[Answer] {
        let from = nanos(interval.from.duration_since(self.begun).unwrap_or_default());
        let to = from.saturating_add(nanos(interval.length));
        let first = self.all.partition_point(|answer| answer.end_ns < from);
        let last = self.all.partition_point(|answer| answer.end_ns < to);
        self.all.get(first..last).unwrap_or_default()
    }

    fn seen(&self, interval: Interval, route: &str, wanted: impl Fn(&Answer) -> bool) -> Seen {
        let answers: Vec<&Answer> = self.within(interval).iter().filter(|answer| wanted(answer)).collect();
        let mut latencies: Vec<u64> = answers.iter().map(|answer| answer.latency_ns).collect();
        let sorted = Sorted::new(&mut latencies);
        let at = |per_mille| {
            quantile(&sorted, Share::PerMille(per_mille)).map_or(f64::NAN, |ns| real_u64(ns) / 1e6)
        };
        Seen {
            route: route.to_owned(),
            count: answers.len(),
            errors: answers.iter().filter(|answer| answer.outcome == Outcome::Bad).count(),
            per_second: answers.len() as f64 / interval.length.as_secs_f64(),
            p50_ms: at(500),
            p99_ms: at(990),
            max_ms: at(1000),
        }
    }
}

/// Nanoseconds since 1970, as the tables of events of the back end have them.
pub(crate) fn since_epoch(time: SystemTime) -> u64 {
    nanos(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
