//! The back end that the services call: an HTTP server on loopback that answers `/delay/MS` after so many milliseconds,
//! and keeps the time of each answer, so that outgoing calls can be counted from the other side.

use super::load::{Interval, since_epoch};
use anyhow::{Context, Result, ensure};
use base::time::calendar;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Connections at once; more are closed again.
const MAX_CONNECTIONS: usize = 2000;
/// Answers whose times are kept; later ones are answered and not counted.
const MAX_ANSWERS: usize = 20_000_000;
/// The longest request head.
const MAX_HEAD: usize = 16 * 1024;
const MAX_DELAY: u64 = 10_000;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nanswered";

/// The times of answers, in nanoseconds since 1970.
type Times = Arc<Mutex<Vec<u64>>>;

/// A back end that answers until this program ends.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) port: u16,
    times: Times,
}

impl Backend {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot open the back end's port")?;
        let port = listener.local_addr()?.port();
        let times = Times::default();
        let backend = Self { port, times: Arc::clone(&times) };
        named().spawn(move || listen(&listener, &times)).context("cannot start the back end")?;
        Ok(backend)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Calls per second that were answered in an interval.
    pub(crate) fn rate_within(&self, interval: Interval) -> f64 {
        let (from, to) = (since_epoch(interval.from), since_epoch(interval.from + interval.length));
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let count = times.iter().filter(|&&time| (from..to).contains(&time)).count();
        count as f64 / interval.length.as_secs_f64()
    }
}

fn named() -> std::thread::Builder {
    std::thread::Builder::new().name("back end".to_owned()).stack_size(256 * 1024)
}

fn listen(listener: &TcpListener, times: &Times) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        if open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (times, still_open) = (Arc::clone(times), Arc::clone(&open));
        let started = named().spawn(move || {
            // The peer leaves whenever it likes; that is the end of the connection and nothing else.
            drop(answer(stream, &times));
            still_open.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn answer(mut stream: TcpStream, times: &Times) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::new();
    loop {
        while !head.windows(4).any(|part| part == b"\r\n\r\n") {
            let mut piece = [0; 2048];
            let read = stream.read(&mut piece)?;
            ensure!(read > 0 && head.len() < MAX_HEAD, "the request ended, or has no end");
            head.extend_from_slice(piece.get(..read).unwrap_or_default());
        }
        std::thread::sleep(delay(&String::from_utf8_lossy(&head)));
        head.clear();
        let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() < MAX_ANSWERS {
            times.push(since_epoch(calendar()));
        }
        drop(times);
        stream.write_all(ANSWER)?;
    }
}

/// The delay that a request asks for; none if it asks for something else.
fn delay(head: &str) -> Duration {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let number = path.strip_prefix("/delay/").and_then(|rest| rest.split(['?', '/']).next());
    let millis = number.and_then(|number| number.parse().ok()).unwrap_or(0);
    Duration::from_millis(MAX_DELAY.min(millis))
}

#[cfg(test)]
mod tests {
    use super::delay;
    use std::time::Duration;

    #[test]
    fn a_delay_is_read_from_the_path() {
        let check = |path: &str, expected| {
            assert_eq!(
                delay(&format!("GET {path} HTTP/1.1\r\n\r\n")),
                Duration::from_millis(expected),
                "{path}"
            );
        };
        check("/delay/80?parcel=3", 80);
        check("/delay/5", 5);
        check("/delay/99999999", 10_000);
        check("/", 0);
    }
}
