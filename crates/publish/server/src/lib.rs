//! Pages over HTTP on loopback.
//!
//! A [`Site`] says what is on the pages, a [`Door`] says who may see them. This crate knows nothing of the site. It brings
//! the socket, the checks and limits that hold for every door, and a door for local use: [`LocalDoor`] lets in the
//! person who started the program. A slow, broken or hostile client costs a bounded amount and is disconnected.
//!
//! ```text
//!             one thread, all sockets                            few threads, bounded queues
//!  browser ──▶ connection ──▶ gate ──────▶ Door ─────▶ serve ──▶ lane "light" ──▶ Site::answer
//!              (limits of      (form and    (who may    (time    lane "heavy"        │
//!               time, size)     length)      enter)      limit)                      ▼
//!          ◀── bytes ◀───────── answers ◀─── answers ◀────────── wire (headers, ETag, gzip)
//! ```
//!
//! **How it is cut.** `listen.rs` opens the socket, `serve.rs` runs everything, `connection.rs` and `course.rs` limit a
//! client's time. `gate.rs` decides what holds whatever the door: exactly one host, `GET` or `HEAD`, no body unless the
//! door takes it, a target that is short enough and is text. Then it asks the door. `door.rs` is the trait; `local.rs` is
//! the local door, with its tokens and cookie (`local/keys.rs`), the page that hands a token over (`local/handover.rs`),
//! how it recognises other sites (`local/asker.rs`) and what it tells those that it refuses (`local/reason.rs`). A new
//! door is one implementation of the trait, passed to [`serve`].
//!
//! **Whom the local door lets in.** Other people on the machine, other sites in the same browser and host names that are
//! rebound to this machine get nothing. [`Links::url`] contains a token of 128 random bits that works once. Whoever
//! brings it gets a cookie with another secret, which goes to a folder with a secret name alone, and is sent to the same
//! page in there without the token, so that the token is in no history. [`Links::hand_over`] makes a token for a browser that the program opens itself: a page in a file, which
//! posts the token, since an address in the arguments of `xdg-open` can be read by every user of the machine.
//! Any request to the folder with the cookie gets in, so a second tab and a reload work. What a browser or a desktop does ahead of its user does not use the token up: `HEAD` and prefetching
//! (`Sec-Purpose`, `Purpose`, `X-Moz`) are refused and change nothing, and a browser drops a refused prefetch and asks
//! again when the user really goes there. A link that someone else used first answers 403 with a page that says so and
//! what to do.
//!
//! Behind the local door, nothing of another site gets an answer of [`Site`]. A link on another site's page (a terminal
//! in the browser, a chat) works if its token does; without one, the reader is asked whether they meant to come.
//!
//! **What the local door does not keep out:** programs of the same user and of root. A terminal that opens a link when it
//! is clicked may pass it on in the arguments of a program, where every user of the machine can read the token until
//! the browser has used it; if another user is faster, all that the user sees is that the link no longer works. And
//! where the address is one that others can foresee (127.0.0.1 with a port that was chosen), a service worker that a
//! server left there reads along. Other ports of the same address learn nothing: every user of the machine sees where
//! we listen and can listen beside us, and that is why the folder is secret.
//!
//! The server does no TLS, listens at no address but one of loopback, takes no bodies (`GET` and `HEAD` only) but the
//! token of such a page, opens no file and no browser. What is not HTTP at all is answered by hyper, with 400 or 431 and no content.

#![warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod connection;
mod course;
mod door;
mod error;
mod gate;
mod lane;
mod limits;
mod listen;
mod local;
mod refusal;
mod request;
mod response;
mod serve;
mod target;
mod wire;

pub use door::{Door, Head, Verdict};
pub use error::Error;
pub use hyper::body::Bytes;
pub use hyper::{HeaderMap, Method, StatusCode, Uri};
pub use limits::Limits;
pub use listen::{Bound, Options, bind};
pub use local::{Handover, Links, LocalDoor};
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
