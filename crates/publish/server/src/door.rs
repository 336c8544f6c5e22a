//! Who may enter: what all doors have in common.
//!
//! A door decides about a request before the [`Site`](crate::Site) sees it. The server has one door, given to
//! [`serve`](crate::serve); [`LocalDoor`](crate::LocalDoor) is the one for the person who started the program.
//!
//! This module has no checks. The checks that every door needs are in `gate.rs`, which makes them before it asks the
//! door, so that a new door cannot forget one.

use crate::request::Request;
use crate::response::Response;
use hyper::header::HeaderMap;
use hyper::{Method, Uri};

/// Decides which requests reach the site.
///
/// Its methods are called in this order, the later ones only if the earlier let the request through:
///
/// 1. [`is_for_us`](Self::is_for_us). If it says no, or the request does not name exactly one host,
///    [`misdirected`](Self::misdirected) is the answer.
/// 2. [`takes`](Self::takes), for a `POST`. Only if it names a number of bytes is the body read.
/// 3. The server's own checks: the method is `GET` or `HEAD`, or a `POST` that the door takes; there is no body but one
///    that the door takes; path and query are no longer than [`Limits::uri_bytes`](crate::Limits::uri_bytes), and both
///    decode to UTF-8 text.
/// 4. [`decide`](Self::decide).
///
/// **What a door may look at:** the [`Head`] of the request, the decoded [`Request`], and what the door itself holds.
/// It may keep state, for example tokens or counters, behind a lock that is only ever held briefly.
///
/// **What it must not do:** block. It is called on the one thread that has all sockets, so while it works, no other
/// client is served: no file, no network, no database, no sleep, no lock that is held elsewhere during such work. Its
/// answers are small, since they are packed on that thread too. It must not put text of the request into an answer
/// unescaped. A panic lets nobody in: the connection is closed without an answer, and the others go on.
///
/// **Requests from other sites.** The server does not distinguish a link on another site's page from one of its own.
/// A door that lets browsers in by a cookie must refuse such requests itself, as `LocalDoor` does.
///
/// **Headers.** Only code in this crate can put headers such as `Set-Cookie` on a [`Response`], so a door that needs
/// them is a module here. Any other door can be implemented anywhere.
///
/// **Bodies.** A body is for the door alone, in [`Head::body`]; the site does not see it. It arrives within
/// [`Limits::head_time`](crate::Limits::head_time), and until it has, a newer connection may take this one's place.
pub trait Door: 'static {
    /// Whether requests for this host are for this server. `host` is the value of the only `Host` header, in lower
    /// case, with the port if the client sent one. Accepting any name would let a site whose name is rebound to this
    /// address read the pages as if they were its own.
    fn is_for_us(&self, host: &str) -> bool;

    /// The answer to a request for another host, with status 421. It may say where this server does answer.
    fn misdirected(&self) -> Response;

    /// How many bytes of body this door takes with a `POST` to this path, as it was sent. `None` refuses the `POST`.
    fn takes(&self, _path: &str) -> Option<usize> {
        None
    }

    /// Decides about a well-formed request to an accepted host. To let it pass, return `request`, without what is only
    /// for the door.
    fn decide(&self, head: &Head<'_>, request: Request) -> Verdict;
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Verdict {
    /// The site answers.
    Pass(Request),
    /// The door answers, for example with a redirect. The connection stays open.
    Answer(Response),
    /// The door refuses, and this answer says why. The request is counted as refused, and the connection is closed
    /// after the answer.
    Refuse(Response),
}

/// The head of a request, as a door sees it.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// `GET` or `HEAD`, or a `POST` that the door takes.
    pub method: &'a Method,
    /// The host that the door has accepted, as [`Door::is_for_us`] got it.
    pub host: &'a str,
    /// The target as it was sent, not decoded. If it names a host, it is the same one.
    pub uri: &'a Uri,
    /// All headers. Apart from `Host`, none of them is checked.
    pub headers: &'a HeaderMap,
    /// The whole body of a `POST`, no longer than the door takes. Empty with any other method.
    pub body: &'a [u8],
}
