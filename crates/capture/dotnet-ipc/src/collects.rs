//! When a session of meters may be ended without harm to the process.
//!
//! When a runtime ends such a session, it holds the lock of all event sources and waits for the thread that collects the
//! meters' values. If that thread writes its very first event at this moment, it creates the event source of tasks, which needs
//! the same lock. Both wait forever: no session can end any more, and the process never exits (seen with .NET 10.0.12, in a
//! process that had not used tasks). So no session is ended around its first collection. That collection is over when the
//! description of the event `CollectionStop` arrives; the stream has it right before the event itself.

use crate::session::Provider;
use base::time::{Deadline, Stopwatch};
use memchr::memmem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const METRICS: &str = "System.Diagnostics.Metrics";
const INTERVAL: &str = "RefreshInterval=";
/// The event's name as descriptions have it.
const MARK: &[u8; 28] = b"C\0o\0l\0l\0e\0c\0t\0i\0o\0n\0S\0t\0o\0p\0";
/// A session can be ended at once if its first collection is at least this far away.
const BEFORE: Duration = Duration::from_secs(1);
/// How long the first collection may be late. A runtime without meters never has one.
const AFTER: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is known of a session's first collection.
#[derive(Debug)]
pub(crate) struct Collects {
    began: Stopwatch,
    interval: Duration,
    has_collected: AtomicBool,
    /// The last bytes of the stream, shorter than [`MARK`]: it may be cut.
    tail: Mutex<Vec<u8>>,
}

impl Collects {
    /// `None` for a session that asks for no meters.
    pub(crate) fn of(providers: &[Provider]) -> Option<Self> {
        let metrics = providers.iter().find(|provider| provider.name == METRICS)?;
        let interval = metrics.arguments.split(';').find_map(|argument| argument.strip_prefix(INTERVAL));
        let seconds = interval.and_then(|text| text.parse().ok()).unwrap_or(1.0);
        Some(Self {
            began: Stopwatch::start(),
            interval: Duration::try_from_secs_f64(seconds).unwrap_or(Duration::from_secs(1)),
            has_collected: AtomicBool::new(false),
            tail: Mutex::new(Vec::new()),
        })
    }

    /// Looks at the next bytes of the stream, until the first collection has ended.
    pub(crate) fn look(&self, bytes: &[u8]) {
        if self.has_collected.load(Ordering::Acquire) {
            return;
        }
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(bytes.get(..MARK.len()).unwrap_or(bytes));
        if memmem::find(&tail, MARK).is_some() || memmem::find(bytes, MARK).is_some() {
            self.has_collected.store(true, Ordering::Release);
        }
        let kept = MARK.len().saturating_sub(1);
        if let Some(last) = bytes.len().checked_sub(kept).and_then(|from| bytes.get(from..)) {
            tail.clear();
            tail.extend_from_slice(last);
        }
        let old = tail.len().saturating_sub(kept);
        tail.drain(..old);
    }

    /// Waits until the session may be ended.
    pub(crate) fn wait(&self, deadline: Deadline) {
        let is_early = || self.began.elapsed().saturating_add(BEFORE) < self.interval;
        let is_over = || self.began.elapsed() > self.interval.saturating_add(AFTER);
        while !self.has_collected.load(Ordering::Acquire) && !is_early() && !is_over() {
            if !deadline.pause(LOOK_EVERY) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collects(name: &str, arguments: &str) -> Option<Collects> {
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        Collects::of(&[Provider { name, keywords: 2, level: 4, arguments }])
    }

    #[test]
    fn the_first_collection_is_seen_however_the_stream_is_cut() {
        let stream = [&b"abc"[..], MARK, b"def"].concat();
        for piece in 1..stream.len() {
            let collects = collects(METRICS, "RefreshInterval=1").unwrap();
            stream.chunks(piece).for_each(|bytes| collects.look(bytes));
            assert!(collects.has_collected.load(Ordering::Acquire), "{piece}");
            collects.wait(Deadline::after(Duration::from_mins(1)));
        }
        let without = collects(METRICS, "RefreshInterval=1").unwrap();
        without.look(&[7; 4096]);
        assert!(!without.has_collected.load(Ordering::Acquire));
    }

    #[test]
    fn only_a_session_of_meters_that_is_about_to_collect_waits() {
        assert!(collects("System.Runtime", "").is_none());
        let slow = collects(METRICS, "SessionId=SHARED;RefreshInterval=60;MaxHistograms=5").unwrap();
        assert_eq!(slow.interval, Duration::from_mins(1));
        // Long before its first collection it does not wait, or this test would.
        slow.wait(Deadline::after(Duration::from_mins(1)));
    }
}
