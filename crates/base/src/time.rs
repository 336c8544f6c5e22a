//! Waiting with a limit. No other library module reads a clock.
//!
//! Whatever waits for another process takes a [`Deadline`], so that nothing hangs, or a [`Patience`] if another thread can
//! also call off the wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// When a wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline this far from now.
    pub fn after(time: Duration) -> Self {
        let now = now();
        // A time too far ahead for the clock becomes a day. If even a day overflows, the wait must still end.
        Self(now.checked_add(time).or(now.checked_add(Duration::from_hours(24))).unwrap_or(now))
    }

    /// The time left; zero once it has passed.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(now())
    }

    /// Whether it has passed.
    pub fn is_past(self) -> bool {
        self.left().is_zero()
    }

    /// The earlier of this deadline and one this far from now.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        self.min(Self::after(time))
    }

    /// Sleeps for this time, but no longer than until the deadline. Returns whether any time is left.
    pub fn pause(self, time: Duration) -> bool {
        std::thread::sleep(time.min(self.left()));
        !self.is_past()
    }
}

/// How long to wait: until a deadline, or until another thread sets a flag.
#[derive(Debug, Clone, Copy)]
pub struct Patience<'a> {
    deadline: Deadline,
    called_off: Option<&'a AtomicBool>,
}

impl From<Deadline> for Patience<'_> {
    fn from(deadline: Deadline) -> Self {
        Self { deadline, called_off: None }
    }
}

impl<'a> Patience<'a> {
    /// How often the flag is checked.
    const LOOK_EVERY: Duration = Duration::from_millis(50);

    /// Until the deadline, unless the flag is set before.
    pub fn unless(called_off: &'a AtomicBool, deadline: Deadline) -> Self {
        Self { deadline, called_off: Some(called_off) }
    }

    /// Whether the flag is set.
    pub fn is_called_off(self) -> bool {
        self.called_off.is_some_and(|flag| flag.load(Ordering::Acquire))
    }

    /// The time left until the deadline; zero once it has passed or the wait was called off.
    pub fn left(self) -> Duration {
        if self.is_called_off() { Duration::ZERO } else { self.deadline.left() }
    }

    /// How long to wait before checking again whether time is left.
    pub fn step(self) -> Duration {
        let left = self.left();
        if self.called_off.is_some() { left.min(Self::LOOK_EVERY) } else { left }
    }

    /// The same, but no longer than this time from now.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { deadline: self.deadline.within(time), ..self }
    }

    /// Sleeps for this time, but not past the deadline, and only briefly if there is a flag. Returns whether any time is
    /// left.
    pub fn pause(self, time: Duration) -> bool {
        std::thread::sleep(time.min(self.step()));
        !self.left().is_zero()
    }
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(now())
    }

    /// The time since the start.
    pub fn elapsed(self) -> Duration {
        now().saturating_duration_since(self.0)
    }
}

/// The calendar time, for timestamps in what is written.
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
    fn the_earlier_deadline_counts() {
        let far = Deadline::after(Duration::from_hours(1));
        assert!(!far.is_past());
        assert!(Deadline::after(Duration::ZERO).is_past());
        assert!(far.within(Duration::ZERO).is_past());
        assert!(Deadline::after(Duration::MAX) > far);
        assert!(!far.within(Duration::from_millis(1)).pause(Duration::from_secs(5)));
    }

    #[test]
    fn a_wait_that_is_called_off_ends_early() {
        let flag = AtomicBool::new(false);
        let far = Deadline::after(Duration::from_hours(1));
        let patience = Patience::unless(&flag, far);
        assert!(patience.left() > Duration::from_mins(59) && patience.step() <= Patience::LOOK_EVERY);
        assert!(patience.pause(Duration::from_millis(1)));
        flag.store(true, Ordering::Release);
        assert!(patience.is_called_off() && patience.left().is_zero());
        assert!(!patience.pause(Duration::from_hours(1)));
        let deadline_alone = Patience::from(far);
        assert!(deadline_alone.step() > Duration::from_mins(59) && !deadline_alone.is_called_off());
    }
}
