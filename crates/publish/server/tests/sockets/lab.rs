//! A server with a site that does what its tests need.

use crate::client::{Answer, PATIENCE, ask, get};
use base::time::Deadline;
use server::{
    Bound, Door, Handover, Limits, LinkMaker, LocalDoor, Request, Response, Served, ServerOptions, Site,
    StatusCode, Stop, Weight, bind, serve,
};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that no buffer of the system holds.
pub(crate) const LARGE: usize = 24 << 20;

/// What happened in the site, seen by the tests.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Requests that the site was asked.
    pub(crate) asked: AtomicUsize,
    /// Heavy answers that have begun.
    pub(crate) begun: AtomicUsize,
    /// Heavy answers that saw that nobody waits for them.
    pub(crate) abandoned: AtomicUsize,
    /// Lets heavy answers end.
    pub(crate) released: AtomicBool,
}

impl Site for Seen {
    fn answer(&self, request: &Request) -> Response {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let text = "text/plain; charset=utf-8";
        match request.path.as_str() {
            "/asset" => Response::asset("text/css; charset=utf-8", "p { color: red }\n".repeat(200)),
            "/large" => Response::new(StatusCode::OK, text, vec![b'a'; LARGE]),
            "/picture" => Response::new(StatusCode::OK, "image/png", vec![b'a'; 4096]),
            "/wait" => self.wait(request),
            "/deaf" => {
                self.begun.fetch_add(1, Ordering::SeqCst);
                until("the deaf answer is released", || self.released.load(Ordering::SeqCst));
                Response::new(StatusCode::OK, text, "late")
            }
            "/panic" => panic!("a test's own panic"),
            "/unsendable" => Response::new(StatusCode::SWITCHING_PROTOCOLS, text, ""),
            "/nothing" => Response::new(StatusCode::NOT_FOUND, text, "nothing here"),
            path => Response::new(StatusCode::OK, text, format!("{path:?} {:?}", request.query)),
        }
    }

    fn weight(&self, request: &Request) -> Weight {
        match request.path.as_str() {
            "/wait" | "/deaf" | "/large" => Weight::Heavy,
            "/panic-before" => panic!("a test's own panic"),
            _ => Weight::Light,
        }
    }
}

impl Seen {
    /// An answer that takes until it is released or abandoned.
    fn wait(&self, request: &Request) -> Response {
        self.begun.fetch_add(1, Ordering::SeqCst);
        until("a heavy answer ends", || request.abandoned() || self.released.load(Ordering::SeqCst));
        if request.abandoned() {
            self.abandoned.fetch_add(1, Ordering::SeqCst);
        }
        Response::new(StatusCode::OK, "text/plain; charset=utf-8", "waited")
    }
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Deadline::after(PATIENCE);
    while !is_so() {
        assert!(deadline.pause(Duration::from_millis(1)), "waited for: {what}");
    }
}

/// A server that answers until it is ended.
pub(crate) struct Lab {
    pub(crate) port: u16,
    /// The secret folder, once a link was followed, without a slash at its end.
    folder: OnceLock<String>,
    /// What follows `http://127.0.0.1:PORT` in a link that works once. Empty behind another door than the local one.
    pub(crate) link: String,
    /// Another such link.
    pub(crate) second_link: String,
    /// What makes more links. `None` behind another door than the local one.
    pub(crate) links: Option<LinkMaker>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) stop: Stop,
    thread: Option<JoinHandle<Served>>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(Limits::of_one_user())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        let bound =
            bind(ServerOptions { program: "lab", host: Some(Ipv4Addr::LOCALHOST), port: 0, limits }).unwrap();
        let door = LocalDoor::new(&bound).unwrap();
        let start = format!("http://127.0.0.1:{}", bound.port());
        let links = door.links();
        let link = || links.url().unwrap().strip_prefix(&start).unwrap().to_owned();
        let (first, second) = (link(), link());
        let mut lab = Self::behind(door, bound);
        (lab.link, lab.second_link, lab.links) = (first, second, Some(links));
        lab
    }

    /// A server behind any door.
    pub(crate) fn behind(door: impl Door + Send, bound: Bound) -> Self {
        let port = bound.port();
        let (seen, stop) = (Arc::new(Seen::default()), Stop::new());
        let (site, switch) = (Arc::clone(&seen), stop.clone());
        let serving = move || serve(bound, door, site, &switch).unwrap();
        let thread = std::thread::Builder::new().name("server".into()).spawn(serving).unwrap();
        let [link, second_link] = [String::new(), String::new()];
        Self {
            port,
            folder: OnceLock::new(),
            link,
            second_link,
            links: None,
            seen,
            stop,
            thread: Some(thread),
        }
    }

    /// A new token for a file.
    pub(crate) fn hand_over(&self) -> Handover {
        self.links.as_ref().unwrap().hand_over().unwrap()
    }

    /// The header line with the cookie that a link is exchanged for.
    pub(crate) fn cookie(&self) -> String {
        let answer = ask(self.port, get(self.port, &self.link, ""));
        self.admitted(&answer)
    }

    /// The header line with the cookie of an answer that lets a browser in. Its folder is that of [`Self::get`] then.
    pub(crate) fn admitted(&self, answer: &Answer) -> String {
        let cookie = answer.header("set-cookie").unwrap();
        let folder = cookie.rsplit("Path=").next().unwrap().trim_end_matches('/');
        self.folder.get_or_init(|| folder.to_owned());
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    }

    /// The secret folder.
    pub(crate) fn folder(&self) -> &str {
        self.folder.get().expect("nobody was let in")
    }

    /// A `GET` of a page in the secret folder.
    pub(crate) fn get(&self, target: &str, headers: &str) -> String {
        get(self.port, &format!("{}{target}", self.folder()), headers)
    }

    pub(crate) fn asked(&self) -> usize {
        self.seen.asked.load(Ordering::SeqCst)
    }

    /// Waits until so many heavy answers have begun.
    pub(crate) fn until_begun(&self, count: usize) {
        until("heavy answers begin", || self.seen.begun.load(Ordering::SeqCst) >= count);
    }

    pub(crate) fn release(&self) {
        self.seen.released.store(true, Ordering::SeqCst);
    }

    /// Stops the server and returns what it counted.
    pub(crate) fn end(mut self) -> Served {
        self.stop.stop();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.release();
        self.stop.stop();
    }
}
