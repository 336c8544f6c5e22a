//! A peer that misbehaves in every way that we could think of: every request is accounted for, by kind, and nothing hangs.

#![expect(clippy::unwrap_used, reason = "a test")]

use base::time::Stopwatch;
use load::{Drive, Failure, Plan, Run, Schedule, Target, run};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::thread::Builder;
use std::time::Duration;

/// Requests of a run.
const REQUESTS: f64 = 12.0;

/// A server on this machine that answers each connection with a function. It ends with the test's process.
fn server(answer: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            drop(Builder::new().spawn(move || answer(stream)));
        }
    };
    drop(Builder::new().spawn(serve).unwrap());
    format!("http://{address}/")
}

/// Reads a request without a body. False at the end of the stream.
fn asked(stream: &mut TcpStream) -> bool {
    let (mut seen, mut byte) = (Vec::new(), [0]);
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => seen.extend(byte),
            _ => return false,
        }
    }
    true
}

/// A server that answers each request of a connection with these bytes.
fn saying(bytes: impl Into<Vec<u8>>) -> String {
    let bytes = bytes.into();
    server(move |mut stream| while asked(&mut stream) && stream.write_all(&bytes).is_ok() {})
}

/// A server that answers one request with these bytes and then does something with the connection.
fn saying_once(bytes: &'static [u8], then: fn(TcpStream)) -> String {
    server(move |mut stream| {
        if asked(&mut stream) {
            drop(stream.write_all(bytes));
            then(stream);
        }
    })
}

fn close(stream: TcpStream) {
    drop(stream);
}

fn keep(stream: TcpStream) {
    std::thread::sleep(Duration::from_secs(5));
    drop(stream);
}

/// Ends a connection by a reset instead of a close.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(stream.as_fd(), Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// Writes the same bytes until the peer has enough.
fn endless(mut stream: TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

fn plan(url: &str, body: &[u8]) -> Plan {
    Plan {
        method: if body.is_empty() { "GET" } else { "POST" }.to_owned(),
        body: body.to_vec(),
        drive: Drive::Schedule(Schedule::Constant { rate: REQUESTS * 5.0 }),
        duration: Duration::from_millis(200),
        connections: 12,
        threads: 2,
        timeout: Duration::from_millis(400),
        ..Plan::to(Target::parse(url).unwrap())
    }
}

/// Runs a plan whose time-outs are short. If the machine stops the generator for longer, as one that is busy does, it says nothing
/// about the peer: then it runs again.
fn loaded(plan: &Plan) -> Run {
    for _ in 0..9 {
        let run = loaded_once(plan);
        if run.counts.stopped_ns < STOPPED_NS {
            return run;
        }
    }
    loaded_once(plan)
}

fn loaded_once(plan: &Plan) -> Run {
    let begun = Stopwatch::start();
    let run = run(plan, &AtomicBool::new(false), &mut ()).unwrap();
    // Opening, the schedule, and two time-outs, on a machine that is busy with other tests.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let counts = &run.counts;
    assert_eq!(run.planned, plan.planned().unwrap());
    assert_eq!(
        run.planned,
        counts.responses + counts.failed() + counts.timeouts + counts.unsent,
        "{counts:?}"
    );
    run
}

/// A generator that is stopped for so long may miss a time-out.
const STOPPED_NS: u64 = 100_000_000;

/// What all requests of a run end as.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Status(u16),
    Failed(Failure),
    TimedOut,
}

fn check(what: &str, url: &str, expected: End) {
    check_plan(what, &plan(url, b""), expected);
}

fn check_plan(what: &str, plan: &Plan, expected: End) {
    let run = loaded(plan);
    let counts = &run.counts;
    let found = match expected {
        End::Status(status) => {
            counts.statuses.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count)
        }
        End::Failed(failure) => run.errors().find(|(of, _)| *of == failure).map_or(0, |(_, count)| count),
        End::TimedOut => counts.timeouts,
    };
    assert_eq!(found, run.planned, "{what}: {counts:?}");
}

#[test]
fn a_peer_that_does_not_answer() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check("refused", &format!("http://{unused}/"), End::Failed(Failure::Refused));
    check("unresolvable", "http://nowhere.localhost.invalid:1/", End::Failed(Failure::Resolve));
    check("closed before the answer", &saying_once(b"", close), End::Failed(Failure::Closed));
    check("reset before the answer", &saying_once(b"", reset), End::Failed(Failure::Reset));
    check("silence", &saying_once(b"", keep), End::TimedOut);
    check("silence within the first line", &saying_once(b"HTTP/1.1 2", keep), End::TimedOut);
    check("silence within the head", &saying_once(b"HTTP/1.1 200 OK\r\nA: b\r\n", keep), End::TimedOut);
    check(
        "closed within the head",
        &saying_once(b"HTTP/1.1 200 OK\r\nA: b", close),
        End::Failed(Failure::Closed),
    );
}

#[test]
fn a_peer_whose_body_does_not_end() {
    const SIZED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\nabc";
    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check("closed within the body", &saying_once(SIZED, close), End::Failed(Failure::Closed));
    check(
        "reset within the body",
        &saying_once(SIZED, |stream| {
            std::thread::sleep(Duration::from_millis(50));
            reset(stream);
        }),
        End::Failed(Failure::Reset),
    );
    check("silence within the body", &saying_once(SIZED, keep), End::TimedOut);
    check(
        "an endless sized body",
        &saying_once(SIZED, |stream| endless(stream, &[b'x'; 4096])),
        End::TimedOut,
    );
    check("endless chunks", &saying_once(CHUNKED, |stream| endless(stream, b"4\r\nabcd\r\n")), End::TimedOut);
    check(
        "an endless body until the close",
        &saying_once(b"HTTP/1.1 200 OK\r\n\r\n", |stream| endless(stream, b"abcd")),
        End::TimedOut,
    );
    check(
        "endless trailers",
        &saying_once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", |stream| {
            endless(stream, b"A: b\r\n");
        }),
        End::Failed(Failure::HeadTooLarge),
    );
}

#[test]
fn a_peer_that_contradicts_itself() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\0\n",
        "HTTP/1.1 99 Few\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    ] {
        check(bytes, &saying(bytes), End::Failed(Failure::Malformed));
    }
    check(
        "interim answers without end",
        &saying("HTTP/1.1 100 Continue\r\n\r\n".repeat(40)),
        End::Failed(Failure::Malformed),
    );
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(500));
    check("many headers", &saying(many), End::Failed(Failure::HeadTooLarge));
    check(
        "an endless header",
        &saying_once(b"HTTP/1.1 200 OK\r\nA: ", |stream| endless(stream, b"bbbb")),
        End::Failed(Failure::HeadTooLarge),
    );
}

#[test]
fn a_peer_that_is_odd_and_right() {
    check(
        "a redirect to itself",
        &saying("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
        End::Status(302),
    );
    check(
        "a closed connection after each answer",
        &saying_once(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", close),
        End::Status(200),
    );
    check("HTTP/1.0", &saying_once(b"HTTP/1.0 200 OK\r\n\r\nok", close), End::Status(200));
    check("a body until the close", &saying_once(b"HTTP/1.1 503 No\r\n\r\nno", close), End::Status(503));
    check(
        "a half-closed connection",
        &saying_once(b"HTTP/1.1 200 OK\r\n\r\nok", |stream| drop(stream.shutdown(Shutdown::Write))),
        End::Status(200),
    );
    let slow = server(|mut stream| {
        while asked(&mut stream) {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
                std::thread::sleep(Duration::from_millis(1));
                drop(stream.write_all(&[*byte]));
            }
        }
    });
    check("byte by byte", &slow, End::Status(200));
    let run = loaded(&plan(&saying("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more"), b""));
    assert_eq!((run.counts.responses, run.counts.excess), (run.planned, run.planned));
    let run = loaded(&plan(&saying("HTTP/1.1 204 No Content\r\n\r\nbody"), b""));
    assert_eq!((run.counts.responses, run.counts.excess), (run.planned, run.planned));
}

#[test]
fn a_peer_that_stops_reading_or_answers_too_early() {
    let body = vec![b'x'; 16 << 20];
    let deaf = server(|stream| {
        std::thread::sleep(Duration::from_secs(5));
        drop(stream);
    });
    check_plan("stops reading", &plan(&deaf, &body), End::TimedOut);
    let early = server(|mut stream| {
        if asked(&mut stream) {
            drop(stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"));
            keep(stream);
        }
    });
    check_plan("answers before it has read all", &plan(&early, &body), End::Status(413));
}

#[test]
fn a_peer_that_closes_idle_connections_costs_no_request() {
    let closing = server(|mut stream| {
        if asked(&mut stream) {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    // Each worker asks every 100 ms: long after the close, so that no request crosses it on the way.
    let plan = Plan {
        drive: Drive::Schedule(Schedule::Constant { rate: 20.0 }),
        duration: Duration::from_secs(2),
        ..plan(&closing, b"")
    };
    check_plan("closed while idle", &plan, End::Status(200));
}
