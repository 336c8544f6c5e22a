//! Waiting with a limit: the one place of the libraries that reads a clock.
//!
//! Whatever waits for another process takes a [`Deadline`], so that nothing hangs.

use std::time::{Duration, Instant, SystemTime};

/// A moment up to which something is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// The moment that lies so far ahead.
    pub fn after(time: Duration) -> Self {
        let now = now();
        // A time that no clock reaches is as good as a day.
        Self(now.checked_add(time).or(now.checked_add(Duration::from_hours(24))).unwrap_or(now))
    }

    /// What is left until then; zero when it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Whether it has passed.
    pub fn is_past(self) -> bool {
        self.left().is_zero()
    }

    /// The earlier of this one and the moment that lies so far ahead.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        self.min(Self::after(time))
    }

    /// Sleeps for a while, but not beyond it. Whether there is time left.
    pub fn pause(self, time: Duration) -> bool {
        std::thread::sleep(time.min(self.left()));
        !self.is_past()
    }
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    pub fn start() -> Self {
        Self(now())
    }

    /// The time since the start.
    pub fn elapsed(self) -> Duration {
        now().saturating_duration_since(self.0)
    }
}

/// The time of the calendar, for what is written down.
#[expect(clippy::disallowed_methods, reason = "every other library reads the clock through this module")]
pub fn calendar() -> SystemTime {
    SystemTime::now()
}

#[expect(clippy::disallowed_methods, reason = "every other library waits through this module")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_ends_and_the_earlier_one_counts() {
        let far = Deadline::after(Duration::from_hours(1));
        assert!(!far.is_past());
        assert!(Deadline::after(Duration::ZERO).is_past());
        assert!(far.within(Duration::ZERO).is_past());
        assert!(Deadline::after(Duration::MAX) > far);
        assert!(!far.within(Duration::from_millis(1)).pause(Duration::from_secs(5)));
    }
}
