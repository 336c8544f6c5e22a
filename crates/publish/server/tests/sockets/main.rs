//! The server on real sockets: who gets in, the shape of answers, and clients that are broken, slow or hostile.

#![expect(clippy::unwrap_used, reason = "a test")]

mod bytes;
mod client;
mod doors;
mod handed;
mod hostile;
mod keys;
mod lab;
mod shape;
