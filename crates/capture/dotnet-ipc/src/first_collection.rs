//! When a session of meters can be stopped without a deadlock in the process.
//!
//! When a runtime stops such a session, it holds the lock of all event sources and waits for the thread that collects the
//! meters' values. If that thread writes its very first event at this moment, it creates the event source of tasks, which
//! needs the same lock. Both wait forever: no session can end any more, and the process never exits (seen with .NET
//! 10.0.12, in a process that had not used tasks). So no session is stopped around its first collection. The collection is
//! over when the description of the event `CollectionStop` arrives, which is in the stream right before the event itself.

use crate::request::Provider;
use base::time::{Deadline, Stopwatch};
use memchr::memmem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const METRICS: &str = "System.Diagnostics.Metrics";
const INTERVAL: &str = "RefreshInterval=";
/// What the runtime uses if the provider's arguments have no valid interval.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// The event's name, as it is encoded in the event's description.
const MARK: &[u8; 28] = b"C\0o\0l\0l\0e\0c\0t\0i\0o\0n\0S\0t\0o\0p\0";
/// A session can be stopped at once if its first collection is at least this far away.
const BEFORE: Duration = Duration::from_secs(1);
/// How long a late first collection is waited for. A runtime without meters never has one.
const AFTER: Duration = Duration::from_secs(2);
const CHECK_EVERY: Duration = Duration::from_millis(20);

/// Whether and when a session has its first collection.
#[derive(Debug)]
pub(crate) struct FirstCollection {
    session_started: Stopwatch,
    interval: Duration,
    is_over: AtomicBool,
    /// The last bytes of the stream, fewer than [`MARK`] has: it may be split between two reads.
    tail: Mutex<Vec<u8>>,
}

impl FirstCollection {
    /// `None` for a session that asks for no meters.
    pub(crate) fn of(providers: &[Provider]) -> Option<Self> {
        let metrics = providers.iter().find(|provider| provider.name == METRICS)?;
        let interval = metrics.arguments.split(';').find_map(|argument| argument.strip_prefix(INTERVAL));
        let interval = interval.and_then(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok());
        Some(Self {
            session_started: Stopwatch::start(),
            interval: interval.unwrap_or(DEFAULT_INTERVAL),
            is_over: AtomicBool::new(false),
            tail: Mutex::new(Vec::new()),
        })
    }

    /// Searches the next bytes of the stream for the end of the first collection, until it is found.
    pub(crate) fn scan(&self, bytes: &[u8]) {
        if self.is_over.load(Ordering::Acquire) {
            return;
        }
        // The mark may begin in an earlier read. With the first bytes of this one, the tail holds all of it.
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(bytes.get(..MARK.len()).unwrap_or(bytes));
        if memmem::find(&tail, MARK).is_some() || memmem::find(bytes, MARK).is_some() {
            self.is_over.store(true, Ordering::Release);
        }
        // Keeps the last bytes of all that was read, one fewer than the mark has.
        let kept = MARK.len().saturating_sub(1);
        if let Some(last) = bytes.len().checked_sub(kept).and_then(|from| bytes.get(from..)) {
            tail.clear();
            tail.extend_from_slice(last);
        }
        let old = tail.len().saturating_sub(kept);
        tail.drain(..old);
    }

    /// Waits until the session can be stopped, or until the deadline.
    pub(crate) fn wait_until_safe_to_stop(&self, deadline: Deadline) {
        let is_far_away = || self.session_started.elapsed().saturating_add(BEFORE) < self.interval;
        let never_comes = || self.session_started.elapsed() > self.interval.saturating_add(AFTER);
        while !self.is_over.load(Ordering::Acquire) && !is_far_away() && !never_comes() {
            if !deadline.pause(CHECK_EVERY) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, arguments: &str) -> Option<FirstCollection> {
        let (name, arguments) = (name.to_owned(), arguments.to_owned());
        FirstCollection::of(&[Provider { name, keywords: 2, level: 4, arguments }])
    }

    #[test]
    fn the_first_collection_is_found_however_the_stream_is_split() {
        let stream = [&b"abc"[..], MARK, b"def"].concat();
        for piece in 1..stream.len() {
            let collection = of(METRICS, "RefreshInterval=1").unwrap();
            stream.chunks(piece).for_each(|bytes| collection.scan(bytes));
            assert!(collection.is_over.load(Ordering::Acquire), "{piece}");
            collection.wait_until_safe_to_stop(Deadline::after(Duration::from_mins(1)));
        }
        let without = of(METRICS, "RefreshInterval=1").unwrap();
        without.scan(&[7; 4096]);
        assert!(!without.is_over.load(Ordering::Acquire));
    }

    #[test]
    fn only_a_session_of_meters_just_before_its_first_collection_waits() {
        assert!(of("System.Runtime", "").is_none());
        let slow = of(METRICS, "SessionId=SHARED;RefreshInterval=60;MaxHistograms=5").unwrap();
        assert_eq!(slow.interval, Duration::from_mins(1));
        // Its first collection is far away, so this returns at once.
        slow.wait_until_safe_to_stop(Deadline::after(Duration::from_mins(1)));
    }
}
