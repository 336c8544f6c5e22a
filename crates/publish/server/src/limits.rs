//! What one client, and all of them together, may cost.

use std::time::Duration;

/// Limits on everything that a peer can make grow, or make us wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's first line and headers together; a longer one is answered 431.
    pub header_bytes: usize,
    /// Bytes of path and query; a longer one is answered 414.
    pub uri_bytes: usize,
    /// Connections at once. A further one takes the place of the oldest that waits for its client; where all are
    /// being answered, it waits in the system's queue, and meanwhile no connection is kept for a next request.
    pub connections: usize,
    /// Time from the first byte of a request to the end of its headers.
    pub head_time: Duration,
    /// Time without a request, of a fresh connection and between two requests.
    pub idle_time: Duration,
    /// Time from a request to its answer, waiting for a worker included; then it is answered 503.
    pub answer_time: Duration,
    /// Time for a reader that is slower than we are to take one whole answer.
    pub take_time: Duration,
    /// Time, when the server stops, for answers under way, and then for the threads that compute them.
    pub farewell_time: Duration,
    /// Threads for heavy answers. Light ones have their own thread.
    pub heavy_threads: usize,
    /// Answers of one weight that wait for a thread; a further one is answered 503 at once.
    pub waiting: usize,
}

impl Limits {
    /// What fits one person's browser on the same machine, or at the other end of a slow tunnel.
    pub const fn of_one_user() -> Self {
        Self {
            header_bytes: 32 * 1024,
            uri_bytes: 16 * 1024,
            connections: 128,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_mins(1),
            answer_time: Duration::from_mins(2),
            take_time: Duration::from_mins(5),
            farewell_time: Duration::from_millis(300),
            heavy_threads: 4,
            waiting: 64,
        }
    }
}
