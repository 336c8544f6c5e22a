//! The limit on how fast sessions are read.
//!
//! A peer that writes as fast as it can, at gigabytes per second, would fill the disk and keep one of our CPU cores busy.
//! So sessions are read no faster than a limit that no runtime reaches. The rest waits on the peer's side of the socket; a
//! runtime whose buffer is full drops events, and reports that in the stream.
//!
//! ```text
//!  allowance  ▲ AT_ONCE ───────────╲             ╱─────
//!             │                     ╲   ╱╲   ╱╲ ╱          refilled at a steady rate, spent by reading
//!             │                      ╲ ╱  ╲ ╱  ╲
//!             └───────────────────────▼────▼────────▶ time   empty: reading is held back
//! ```

use base::time::Stopwatch;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Limit on the bytes per second of all sessions of a recording. A service that spends all its CPU cores on events
/// writes up to 100 MB/s.
pub const MAX_PER_SECOND: u64 = 256 << 20;
/// The allowance never exceeds what accrues in this time. It lets a runtime send a full buffer at once, for example after
/// our disk was slow.
const AT_ONCE: Duration = Duration::from_millis(250);
/// Reads wait until this many bytes are allowed, because each read has a cost. If the maximum allowance is lower, they wait
/// until it is full.
const MIN_READ: u64 = 16 << 10;

/// The allowance, which sessions share.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bytes that can be read now.
    left: u64,
    refilled: Stopwatch,
    /// How long reading has been held back so far.
    held_back: Duration,
}

impl Rate {
    pub(crate) fn new(per_second: u64) -> Self {
        let state = State {
            left: bytes_in(AT_ONCE, per_second),
            refilled: Stopwatch::start(),
            held_back: Duration::ZERO,
        };
        Self { per_second, state: Mutex::new(state) }
    }

    /// Reserves up to `wanted` bytes of the allowance. Returns how many; 0 means that the caller must hold back.
    pub(crate) fn reserve(&self, wanted: usize) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let max = bytes_in(AT_ONCE, self.per_second);
        let since = state.refilled.elapsed();
        let fresh = bytes_in(since, self.per_second);
        // `refilled` stays until at least one byte has accrued, so that no time is lost.
        if fresh > 0 {
            state.refilled = Stopwatch::start();
            state.left = state.left.saturating_add(fresh).min(max);
        }
        let wanted = wanted as u64;
        if state.left < wanted.min(MIN_READ).min(max) {
            return 0;
        }
        let reserved = wanted.min(state.left);
        state.left = state.left.saturating_sub(reserved);
        // Always fits: it is no more than `wanted`, which was a `usize`.
        usize::try_from(reserved).unwrap_or(usize::MAX)
    }

    /// Returns bytes that were reserved but not read.
    pub(crate) fn give_back(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left = state.left.saturating_add(bytes as u64);
    }

    /// Sleeps, and counts the time as held back.
    pub(crate) fn hold_back(&self, time: Duration) {
        std::thread::sleep(time);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.held_back = state.held_back.saturating_add(time);
    }

    pub(crate) fn held_back(&self) -> Duration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).held_back
    }
}

fn bytes_in(time: Duration, per_second: u64) -> u64 {
    let bytes = u128::from(per_second).saturating_mul(time.as_micros()) / 1_000_000;
    // A number that does not fit is more than can ever be read.
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stays_within_the_rate_and_unread_bytes_are_not_lost() {
        let rate = Rate::new(4_000_000);
        let watch = Stopwatch::start();
        // The bytes of 250 ms at once, then nothing for the moment.
        let at_once = rate.reserve(usize::MAX);
        assert!((1_000_000..1_100_000).contains(&at_once), "{at_once}");
        rate.give_back(500_000);
        let mut read = at_once - 500_000;
        while read < 1_800_000 {
            let reserved = rate.reserve(64 << 10);
            if reserved == 0 {
                rate.hold_back(Duration::from_millis(1));
            }
            read += reserved;
        }
        // 0.8 MB above the allowance take 200 ms.
        assert!(watch.elapsed() >= Duration::from_millis(180), "{:?}", watch.elapsed());
        assert!(rate.held_back() > Duration::ZERO);
    }

    #[test]
    fn a_rate_below_the_minimum_read_still_progresses() {
        let rate = Rate::new(4_000);
        assert_eq!(rate.reserve(1 << 20), 1_000);
        assert_eq!(rate.reserve(1 << 20), 0);
    }
}
