//! Limits on what one client, and all of them together, may cost.

use std::time::Duration;

/// Limits on everything that a client can make grow or wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's first line and headers together. Beyond it, the answer is 431.
    pub header_bytes: usize,
    /// Bytes of path and query together. Beyond it, the answer is 414.
    pub uri_bytes: usize,
    /// Connections at once. A further one replaces the oldest that waits for its client. If all are being answered,
    /// it waits in the system's queue.
    pub connections: usize,
    /// Time from the first byte of a request to the end of its headers.
    pub head_time: Duration,
    /// Time without a request, on a new connection and between two requests.
    pub idle_time: Duration,
    /// Time from a request to its answer, including the wait for a thread. Beyond it, the answer is 503.
    pub answer_time: Duration,
    /// Time for a slow client to take one whole answer.
    pub take_time: Duration,
    /// Time for answers under way when the server stops, and then the same time again for the threads that compute
    /// them.
    pub farewell_time: Duration,
    /// Threads for heavy answers. Light ones have their own thread.
    pub heavy_threads: usize,
    /// Requests of one weight that may wait for a thread. A further one gets 503 at once.
    pub waiting: usize,
}

impl Limits {
    /// Limits for one person's browser, on the same machine or behind a slow tunnel.
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
