//! Pages over HTTP on loopback, for the person who started the program and nobody else.
//!
//! A [`Site`] says what stands on the pages; this crate knows nothing of it. It brings the socket and what a local
//! server owes its user: other people on the machine, other sites in the same browser and names that are rebound to
//! 127.0.0.1 get nothing; a slow, broken or hostile client costs a bounded amount and is let go.
//!
//! ```text
//!             one thread, all sockets                    few threads, bounded queues
//!  browser ──▶ connection ──▶ gate ─────▶ answering ──▶ lane "light" ──▶ Site::answer
//!              (limits of      (host,      (time for     lane "heavy"        │
//!               time, size)     site,       an answer)                       ▼
//!          ◀── bytes ◀───────── key) ◀──────────────── wire (headers, ETag, gzip)
//! ```
//!
//! **Who gets in.** [`Bound::url`] carries a token of 128 random bits that works once. Whoever brings it gets a
//! cookie with another secret and is sent to the same page without the token, so that the token stands in no history.
//! Whatever has the cookie gets in, so a second tab, a reload and a second fetch of the link by the same browser
//! work. What a browser or a desktop does ahead of its user does not use the token up: `HEAD` and prefetching
//! (`Sec-Purpose`, `Purpose`, `X-Moz`) are refused without a trace, and a browser drops a refused prefetch and asks
//! again in earnest. A link that someone else used up first answers 403 with a page that says so and what to do.
//!
//! Nothing of another site gets an answer of [`Site`]. A link on such a page (a terminal in the browser, a chat)
//! works if it has a token that works; without one the reader is asked whether he meant to come.
//!
//! **What this does not keep off:** programs of the same user and of root. A token in the arguments of a program such
//! as `xdg-open` can be read by every user of the machine until the browser has used it up; that he was too late is
//! all that the user sees. And browsers send a cookie of 127.0.0.1 to all its ports, so whatever page the user opens
//! at another port of 127.0.0.1 learns it.
//!
//! It does no TLS, listens at no other address, takes no bodies (`GET` and `HEAD` only), opens no file and no
//! browser. What is no HTTP at all is answered by hyper, with 400 or 431 and no content.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod connection;
mod course;
mod error;
mod gate;
mod keys;
mod lane;
mod limits;
mod listen;
mod refusal;
mod request;
mod response;
mod serve;
mod target;
mod wire;

pub use error::Error;
pub use hyper::StatusCode;
pub use hyper::body::Bytes;
pub use limits::Limits;
pub use listen::{Bound, Options, bind};
pub use request::Request;
pub use response::Response;
pub use serve::{Report, Stop, serve};

/// What answers requests.
pub trait Site: Send + Sync + 'static {
    /// Answers one request. Called on a worker thread and may take long; then it looks at [`Request::abandoned`] now
    /// and then, since a thread cannot be stopped from outside. A panic becomes an answer with status 500.
    fn answer(&self, request: &Request) -> Response;

    /// How long an answer may take. Called on the thread of all sockets, so it only looks at the request.
    fn weight(&self, _request: &Request) -> Weight {
        Weight::Heavy
    }
}

/// Which worker threads an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is at hand, as an asset is; it never waits for heavy ones.
    Light,
    /// It is computed.
    Heavy,
}
