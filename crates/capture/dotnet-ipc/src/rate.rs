//! How fast sessions of a runtime are read.
//!
//! A peer that writes as fast as a socket takes it would fill a disk, and keep one of our CPU cores busy, at gigabytes per
//! second. It is read no faster than a limit that no runtime reaches; what does not fit waits at its side of the socket,
//! where a runtime drops events that its buffer does not hold, and says so in the stream.
//!
//! ```text
//!  allowance  ▲ MOST_AT_ONCE ──────╲             ╱─────
//!             │                     ╲   ╱╲   ╱╲ ╱          refilled at a steady rate, spent by what is read
//!             │                      ╲ ╱  ╲ ╱  ╲
//!             └───────────────────────▼────▼────────▶ time   at nothing: reading is held back
//! ```

use base::time::Stopwatch;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes per second of all sessions of a recording. A service that uses all its CPU cores for events writes up to
/// 100 MB/s.
pub const MOST_PER_SECOND: u64 = 256 << 20;
/// What may come at once, however fast: a runtime whose buffer filled up while a disk was slow sends it in one go.
const AT_ONCE: Duration = Duration::from_millis(250);
/// Less than this is not read at once, unless the whole allowance is less: each read has its price.
const LEAST: u64 = 16 << 10;

/// The allowance that sessions share.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bytes that may be read now.
    left: u64,
    refilled: Stopwatch,
    /// How long reading was held back so far.
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

    /// Sets aside so many bytes, or fewer; none if reading is held back for now.
    pub(crate) fn reserve(&self, wanted: usize) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let most = bytes_in(AT_ONCE, self.per_second);
        let since = state.refilled.elapsed();
        let fresh = bytes_in(since, self.per_second);
        if fresh > 0 {
            state.refilled = Stopwatch::start();
            state.left = state.left.saturating_add(fresh).min(most);
        }
        let wanted = wanted as u64;
        if state.left < wanted.min(LEAST).min(most) {
            return 0;
        }
        let reserved = wanted.min(state.left);
        state.left = state.left.saturating_sub(reserved);
        usize::try_from(reserved).unwrap_or(usize::MAX)
    }

    /// Gives back what was set aside and not read.
    pub(crate) fn give_back(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left = state.left.saturating_add(bytes as u64);
    }

    /// Waits for a while, since reading is held back.
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
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_the_rate_and_what_is_not_read_is_not_lost() {
        let rate = Rate::new(4_000_000);
        let watch = Stopwatch::start();
        // A quarter of a second's worth at once, then nothing for the moment.
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
        // 0.8 MB above the allowance take a fifth of a second.
        assert!(watch.elapsed() >= Duration::from_millis(180), "{:?}", watch.elapsed());
        assert!(rate.held_back() > Duration::ZERO);
    }

    #[test]
    fn a_rate_below_the_least_read_still_goes_on() {
        let rate = Rate::new(4_000);
        assert_eq!(rate.reserve(1 << 20), 1_000);
        assert_eq!(rate.reserve(1 << 20), 0);
    }
}
