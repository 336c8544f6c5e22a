//! What a server needs from a site.

use crate::request::Request;
use crate::response::Response;

/// What answers requests.
pub trait Site: Send + Sync + 'static {
    /// Answers one request, on a worker thread. If it takes long, it must check [`Request::abandoned`] now and then,
    /// since a thread cannot be stopped from outside. A panic becomes an answer with status 500.
    fn answer(&self, request: &Request) -> Response;

    /// How long an answer may take. Called on the thread of all sockets, so it must not block.
    fn weight(&self, _request: &Request) -> Weight {
        Weight::Heavy
    }
}

/// Which worker threads an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It is ready, such as an asset. It never waits for heavy answers.
    Light,
    /// It must be computed.
    Heavy,
}
