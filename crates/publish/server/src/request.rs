//! A request, as a site sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A `GET` that the door has let pass, or a `HEAD`, which a site answers like a `GET`.
#[derive(Debug)]
pub struct Request {
    /// The decoded path. It begins with a slash and may contain anything else, even `..` and control characters.
    pub path: String,
    /// The decoded pairs of the query, in order, without those that are only for the door, such as a token.
    pub query: Vec<(String, String)>,
    pub(crate) gone: Gone,
}

impl Request {
    /// Whether nobody waits for the answer any more: the client left, the time is over, or the server stops.
    pub fn abandoned(&self) -> bool {
        self.gone.is_set()
    }
}

/// Whether nobody waits for an answer any more. All clones share the flag.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gone(Arc<AtomicBool>);

impl Gone {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
