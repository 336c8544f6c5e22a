//! Another door than the local one, made of nothing but what the crate offers: only this file knows of it.

use crate::client::{Answer, Client, ask};
use crate::lab::Lab;
use server::{Door, Head, Limits, Request, Response, ServerOptions, StatusCode, Verdict, bind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TEXT: &str = "text/plain; charset=utf-8";

/// Lets everybody in under one host name: no key, no cookie, and other sites may ask.
struct OneName {
    /// Requests that it decided about.
    decided: Arc<AtomicUsize>,
}

impl Door for OneName {
    fn is_for_us(&self, host: &str) -> bool {
        host == "notes.example"
    }

    fn misdirected(&self) -> Response {
        Response::new(StatusCode::MISDIRECTED_REQUEST, TEXT, "try notes.example")
    }

    fn decide(&self, head: &Head<'_>, mut request: Request) -> Verdict {
        self.decided.fetch_add(1, Ordering::SeqCst);
        request.query.retain(|(name, _)| name != "from");
        match request.path.as_str() {
            "/about" => {
                Verdict::Answer(Response::new(StatusCode::OK, TEXT, format!("door of {}", head.host)))
            }
            "/private" => Verdict::Refuse(Response::new(StatusCode::NOT_FOUND, TEXT, "not here")),
            "/panic-at-the-door" => panic!("a test's own panic"),
            _ => Verdict::Pass(request),
        }
    }
}

fn lab() -> (Lab, Arc<AtomicUsize>) {
    let decided = Arc::default();
    let limits = Limits { uri_bytes: 100, ..Limits::of_one_user() };
    let bound =
        bind(ServerOptions { program: "lab", host: Some(std::net::Ipv4Addr::LOCALHOST), port: 0, limits })
            .unwrap();
    (Lab::behind(OneName { decided: Arc::clone(&decided) }, bound), decided)
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: Notes.Example\r\n{headers}\r\n")
}

fn seen(answer: &Answer) -> (u16, &str, Option<&str>) {
    (answer.status, answer.text(), answer.header("connection"))
}

#[test]
fn a_door_that_asks_for_no_key_lets_everybody_in_under_its_name() {
    let (lab, _) = lab();
    let check = |target: &str, headers: &str, expected: &str| {
        assert_eq!(seen(&ask(lab.port, get(target, headers))), (200, expected, None), "{target} {headers}");
    };
    check("/a?b=c", "", "\"/a\" [(\"b\", \"c\")]");
    check("/a", "Sec-Fetch-Site: cross-site\r\nOrigin: https://news.example\r\n", "\"/a\" []");
    // Only the local door knows tokens.
    check("/a?token=x&from=feed", "", "\"/a\" [(\"token\", \"x\")]");
    assert_eq!(lab.asked(), 3);
    check("/about", "", "door of notes.example");
    assert_eq!(lab.asked(), 3);
}

#[test]
fn a_door_uses_its_own_words_and_refusals_close_the_connection() {
    let (lab, _) = lab();
    assert_eq!(seen(&ask(lab.port, get("/private", ""))), (404, "not here", Some("close")));
    let elsewhere = ask(lab.port, crate::client::get(lab.port, "/", ""));
    assert_eq!(seen(&elsewhere), (421, "try notes.example", Some("close")));
    assert!(elsewhere.header("content-security-policy").is_some());
    assert_eq!(lab.asked(), 0);
    assert_eq!(lab.end().refused, 2);
}

#[test]
fn no_door_hears_of_a_request_that_is_wrong_in_form() {
    let (lab, decided) = lab();
    let check = |request: String, expected: u16| {
        assert_eq!(ask(lab.port, &request).status, expected, "{request:?}");
    };
    check(get("/", "").replacen("GET", "POST", 1), 405);
    check(get("/", "Content-Length: 3\r\n") + "a=b", 413);
    check(get(&format!("/{}", "a".repeat(100)), ""), 414);
    check(get("/%ff", ""), 400);
    check(get("/", "Host: notes.example\r\n"), 421);
    check(get("http://evil.example/", ""), 421);
    check(get("https://notes.example/", ""), 421);
    assert_eq!(decided.load(Ordering::SeqCst), 0);
    check(get("http://notes.example/", ""), 200);
    assert_eq!(decided.load(Ordering::SeqCst), 1);
}

#[test]
fn a_door_that_panics_lets_nobody_in_and_costs_one_connection() {
    let (lab, _) = lab();
    let mut client = Client::new(lab.port);
    client.send(get("/panic-at-the-door", ""));
    assert!(client.read(false).is_none());
    assert_eq!(ask(lab.port, get("/x", "")).status, 200);
    assert_eq!(lab.asked(), 1);
}
