//! Clients that are slow, broken, many or gone; sites that take long or panic; the end.

use crate::client::{Client, PATIENCE, ask, get};
use crate::lab::{LARGE, Lab, until};
use base::time::{Deadline, Stopwatch};
use server::Limits;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Long enough for a test, too short for a person.
const SHORT: Duration = Duration::from_millis(100);

/// The server still answers who has the cookie.
fn assert_alive(lab: &Lab, cookie: &str) {
    assert_eq!(ask(lab.port, lab.get("/alive", cookie)).status, 200);
}

#[test]
fn a_flood_of_headers_is_cut_off() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let many = ask(lab.port, get(lab.port, "/", &"a: b\r\n".repeat(1000)));
    assert_eq!(many.status, 431);
    let one = ask(lab.port, get(lab.port, "/", &format!("a: {}\r\n", "b".repeat(40_000))));
    assert_eq!(one.status, 431);
    // One without an end is not read to its end.
    let mut client = Client::new(lab.port);
    client.send(get(lab.port, "/", "").trim_end());
    let piece = "a".repeat(1 << 20);
    let taken = (0..64).take_while(|_| client.send(&piece)).count();
    assert!(taken < 64, "{taken} MB of headers were taken");
    assert_alive(&lab, &cookie);
}

#[test]
fn headers_that_come_a_byte_at_a_time_do_not_hold_a_connection() {
    let lab = Lab::with(Limits { head_time: SHORT, ..Limits::of_one_user() });
    let mut client = Client::new(lab.port);
    client.send("GET / HTTP/1.1\r\na: ");
    // Each byte comes in time; their sum does not.
    let deadline = Deadline::after(PATIENCE);
    while client.send("b") && deadline.pause(SHORT / 10) {}
    assert!(!deadline.is_past());
    assert!(client.is_closed());
    assert_eq!(lab.end().slow, 1);
}

#[test]
fn a_connection_without_a_request_is_let_go() {
    let lab = Lab::with(Limits { idle_time: SHORT, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let mut silent = Client::new(lab.port);
    assert!(silent.is_closed());
    let mut between = Client::new(lab.port);
    between.send(lab.get("/", &cookie));
    assert_eq!(between.read(false).unwrap().status, 200);
    assert!(between.is_closed());
}

#[test]
fn a_client_that_never_reads_is_cut_off_and_nobody_waits_for_it() {
    let lab = Lab::with(Limits { take_time: SHORT, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let mut client = Client::new(lab.port);
    client.send(lab.get("/large", &cookie));
    until("the site answers", || lab.asked() > 0);
    assert_alive(&lab, &cookie);
    // Sending shows the cut without reading: the other end answers that it is closed.
    let deadline = Deadline::after(PATIENCE);
    while client.send("x") && deadline.pause(SHORT) {}
    assert!(!deadline.is_past());
    assert!(client.read(false).is_none());
    assert_eq!(lab.end().slow, 1);
}

#[test]
fn a_reader_has_its_time_for_each_answer_anew() {
    let take_time = Duration::from_secs(3);
    let lab = Lab::with(Limits { take_time, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let mut client = Client::new(lab.port);
    for _ in 0..2 {
        client.send(lab.get("/large", &cookie));
        assert_eq!(client.read(false).unwrap().body.len(), LARGE);
        // Thinking about an answer is not taking the next one.
        assert!(Deadline::after(PATIENCE).pause(take_time.saturating_add(SHORT)));
    }
    client.send(lab.get("/x", &cookie));
    assert_eq!(client.read(false).unwrap().status, 200);
}

#[test]
fn who_has_no_key_gets_one_answer_a_connection() {
    let lab = Lab::new();
    let mut client = Client::new(lab.port);
    client.send(get(lab.port, "/", "").repeat(50));
    let first = client.read(false).unwrap();
    assert_eq!((first.status, first.header("connection")), (403, Some("close")));
    assert!(client.rest().is_empty());
    assert_eq!(lab.end().requests, 1);
}

#[test]
fn five_hundred_idle_connections_keep_nobody_out() {
    let lab = Lab::new();
    let mut idle: Vec<Client> = (0..500).map(|_| Client::new(lab.port)).collect();
    let cookie = lab.cookie();
    let mut client = Client::new(lab.port);
    for _ in 0..3 {
        client.send(lab.get("/", &cookie));
        assert_eq!(client.read(false).unwrap().status, 200);
    }
    // The oldest gave their places away, and the newest wait on.
    assert!(idle[..300].iter_mut().all(Client::is_closed));
    let report = lab.end();
    assert!(report.displaced > 300, "{report:?}");
}

#[test]
fn connections_that_wait_for_an_answer_are_not_displaced() {
    let lab = Lab::with(Limits { connections: 2, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let mut busy: Vec<Client> = (0..2).map(|_| Client::new(lab.port)).collect();
    for client in &mut busy {
        client.send(lab.get("/wait", &cookie));
    }
    lab.until_begun(2);
    let mut third = Client::new(lab.port);
    third.send(lab.get("/x", &cookie));
    lab.release();
    for client in &mut busy {
        assert_eq!(client.read(false).unwrap().text(), "waited");
    }
    // The first two stay open until now, so the third has the place of one.
    assert_eq!(third.read(false).unwrap().status, 200);
}

#[test]
fn a_site_sees_that_the_browser_left() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let mut client = Client::new(lab.port);
    client.send(lab.get("/wait", &cookie));
    lab.until_begun(1);
    drop(client);
    until("the site sees it", || lab.seen.abandoned.load(Ordering::SeqCst) == 1);
    assert_alive(&lab, &cookie);
    assert_eq!(lab.end().broken_off, 1);
}

#[test]
fn light_answers_do_not_wait_for_heavy_ones_and_too_many_heavy_ones_are_turned_away() {
    let lab = Lab::with(Limits { heavy_threads: 1, waiting: 1, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let heavy = || {
        let mut client = Client::new(lab.port);
        client.send(lab.get("/wait", &cookie));
        client
    };
    let mut first = heavy();
    lab.until_begun(1);
    let mut two = [heavy(), heavy()];
    for _ in 0..20 {
        assert_alive(&lab, &cookie);
    }
    lab.release();
    assert_eq!(first.read(false).unwrap().status, 200);
    // One of the two found the only place in the queue, whichever came first.
    let mut answers: Vec<_> = two.iter_mut().map(|client| client.read(false).unwrap()).collect();
    answers.sort_by_key(|answer| answer.status);
    assert_eq!((answers[0].status, answers[1].status), (200, 503));
    assert_eq!(answers[1].header("retry-after"), Some("5"));
    assert_eq!(lab.end().busy, 1);
}

#[test]
fn an_answer_that_takes_too_long_is_given_up() {
    let lab = Lab::with(Limits { answer_time: SHORT, heavy_threads: 1, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    assert_eq!(ask(lab.port, lab.get("/wait", &cookie)).status, 503);
    until("the site sees it", || lab.seen.abandoned.load(Ordering::SeqCst) == 1);
    until("its thread begins another one", || {
        assert_eq!(ask(lab.port, lab.get("/wait", &cookie)).status, 503);
        lab.seen.begun.load(Ordering::SeqCst) > 1
    });
    assert!(lab.end().overtime > 1);
}

#[test]
fn a_site_that_panics_answers_the_next_request_on_the_same_connection() {
    let lab = Lab::with(Limits { heavy_threads: 1, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let mut client = Client::new(lab.port);
    for target in ["/panic", "/panic-before", "/unsendable", "/panic"] {
        client.send(lab.get(target, &cookie));
        let answer = client.read(false).unwrap();
        assert_eq!(answer.status, 500, "{target}");
        assert!(answer.text().contains("lab has a defect here"), "{}", answer.text());
        client.send(lab.get("/x", &cookie));
        assert_eq!(client.read(false).unwrap().status, 200);
    }
    assert_eq!(lab.end().broken, 4);
}

#[test]
fn it_ends_at_once_and_leaves_no_connection() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let port = lab.port;
    let mut idle: Vec<Client> = (0..50).map(|_| Client::new(port)).collect();
    idle[0].send("GET / HTTP/1.1\r\n");
    idle[1].send(lab.get("/", &cookie));
    assert_eq!(idle[1].read(false).unwrap().status, 200);
    idle[2].send(lab.get("/wait", &cookie));
    idle[3].send(lab.get("/large", &cookie));
    lab.until_begun(1);
    let taking = Stopwatch::start();
    let seen = std::sync::Arc::clone(&lab.seen);
    lab.end();
    assert!(taking.elapsed() < Duration::from_secs(5), "{:?}", taking.elapsed());
    until("the site sees it", || seen.abandoned.load(Ordering::SeqCst) == 1);
    for mut client in idle {
        client.rest();
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_site_that_does_not_listen_keeps_nobody_from_ending() {
    let lab = Lab::new();
    let cookie = lab.cookie();
    let mut client = Client::new(lab.port);
    client.send(lab.get("/deaf", &cookie));
    lab.until_begun(1);
    let (taking, seen) = (Stopwatch::start(), std::sync::Arc::clone(&lab.seen));
    assert_eq!(lab.end().unfinished, 1);
    assert!(taking.elapsed() < Duration::from_secs(5), "{:?}", taking.elapsed());
    assert!(client.read(false).is_none());
    seen.released.store(true, Ordering::SeqCst);
}

#[test]
fn an_answer_under_way_arrives_whole_though_the_server_ends() {
    let lab = Lab::with(Limits { farewell_time: PATIENCE, ..Limits::of_one_user() });
    let cookie = lab.cookie();
    let (mut client, mut idle) = (Client::new(lab.port), Client::new(lab.port));
    client.send(lab.get("/wait", &cookie));
    lab.until_begun(1);
    lab.stop.stop();
    assert!(idle.is_closed());
    lab.release();
    assert_eq!(client.read(false).unwrap().text(), "waited");
    assert!(client.is_closed());
    assert_eq!(lab.end().broken_off, 0);
}

#[test]
fn a_stop_before_the_beginning_counts() {
    let limits = Limits { farewell_time: PATIENCE, ..Limits::of_one_user() };
    let bound = server::bind(server::ServerOptions { program: "lab", host: None, port: 0, limits }).unwrap();
    let door = server::LocalDoor::new(&bound).unwrap();
    let stop = server::Stop::new();
    stop.stop();
    let report = server::serve(bound, door, std::sync::Arc::<crate::lab::Seen>::default(), &stop).unwrap();
    assert_eq!(report, server::Served::default());
}
