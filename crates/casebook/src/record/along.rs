//! Reads a session while it is recorded.

use import::Alongside;
use recorder::{Reader, SessionFacts};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Reads a session while it is recorded, for its counts and for the event of --stop-on.
pub(super) struct Along {
    pub(super) reader: Alongside,
    /// Set once any session has an event of the provider that --stop-on names.
    pub(super) heard: Arc<AtomicBool>,
}

impl Reader for Along {
    fn take(&mut self, bytes: &[u8]) {
        self.reader.take(bytes);
        if self.reader.along().kinds_of_provider > 0 {
            self.heard.store(true, Ordering::Release);
        }
    }

    fn end(&mut self) {
        self.reader.end();
    }

    fn facts(&self) -> SessionFacts {
        let along = self.reader.along();
        SessionFacts {
            start_ns: along.start_ns,
            events: along.events,
            lost: along.lost,
            sampler_stopped_ns: along.sampler_stopped_ns,
            samples: along.samples,
            ends: along.ends,
            is_not_a_trace: along.is_no_trace,
            is_whole: along.is_whole,
        }
    }
}
