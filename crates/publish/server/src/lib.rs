//! Pages over HTTP on loopback.
//!
//! A [`Site`] knows what is on the pages, a [`Door`] decides who may see them. This crate knows nothing about the
//! site. It has the socket, the checks and limits that hold for every door, and a door for local use: [`LocalDoor`]
//! lets in the person who started the program. A slow, broken or hostile client costs a bounded amount and is
//! disconnected.
//!
//! ```text
//!             one thread, all sockets                            few threads, bounded queues
//!  browser ──▶ connection ──▶ gate ──────▶ Door ─────▶ serve ──▶ lane "light" ──▶ Site::answer
//!              (limits of      (form and    (who may    (time    lane "heavy"        │
//!               time, size)     length)      enter)      limit)                      ▼
//!          ◀── bytes ◀───────── answers ◀─── answers ◀────────── wire (headers, ETag, gzip)
//! ```
//!
//! **Modules.** `listen.rs` opens the socket and `serve.rs` runs everything; `connection.rs` and `course.rs` limit a
//! client's time. `gate.rs` makes the checks that hold for every door: exactly one host, `GET` or `HEAD`, no body
//! unless the door takes it, a target that is short enough and is text. Then it asks the door. `door.rs` is the
//! trait; `local.rs` is the local door, with its tokens and cookie (`local/keys.rs`), the page that hands a token
//! over (`local/handover.rs`), the recognition of other sites (`local/asker.rs`) and the pages that refuse
//! (`local/reason.rs`). A new door is one implementation of the trait, passed to [`serve`].
//!
//! **Whom the local door lets in.** Other people on the machine, other sites in the same browser and host names that
//! are rebound to this machine get nothing. [`LinkMaker::url`] contains a token of 128 random bits
//! that works once. The browser that brings it gets a cookie with another secret. The cookie is valid only in a
//! folder with a secret name, and the browser is sent to the same page in that folder, without the token, so that the
//! token is in no history. Any request to the folder with the cookie gets in, so other tabs and a reload work.
//! [`LinkMaker::hand_over`] makes a token for a browser that the program opens itself. That token is posted by a page in
//! a file, because every user of the machine can read an address in the arguments of `xdg-open`.
//!
//! What a browser or a desktop does before its user asks does not use the token up: `HEAD` and prefetching
//! (`Sec-Purpose`, `Purpose`, `X-Moz`) are refused and change nothing, and a browser drops a refused prefetch and
//! asks again when the user follows the link. A link that someone else used first gets 403 and a page that says so
//! and what to do.
//!
//! Behind the local door, no other site gets an answer of [`Site`]. A link on another site's page (a terminal in the
//! browser, a chat) works if its token does; without one, the reader is asked whether they meant to come.
//!
//! **What the local door does not keep out:** programs of the same user and of root. A terminal that opens a clicked
//! link may pass it on in the arguments of a program. There every user of the machine can read the token until the
//! browser has used it; if another user is faster, the user sees only that the link no longer works. And at an
//! address that others can foresee (127.0.0.1 with a chosen port), a service worker that an earlier server left there
//! can read along. Other ports of the same address learn nothing: every user of the machine sees where we listen and
//! can listen beside us, and that is why the folder is secret.
//!
//! The server does no TLS, listens only on loopback, takes no body except the token of such a page, and opens no file
//! and no browser. hyper answers what is not HTTP at all, with 400 or 431 and no content.

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
mod site;
mod target;
mod wire;

pub use door::{Door, Head, Verdict};
pub use error::Error;
pub use hyper::body::Bytes;
pub use hyper::{HeaderMap, Method, StatusCode, Uri};
pub use limits::Limits;
pub use listen::{Bound, ServerOptions, bind};
pub use local::{Handover, LinkMaker, LocalDoor};
pub use request::Request;
pub use response::Response;
pub use serve::{Served, Stop, serve};
pub use site::{Site, Weight};
