//! Waiting with a limit: the one place of the libraries that reads a clock.
//!
//! Whatever waits for another process takes a [`Deadline`], so that nothing hangs. Where somebody may call off the wait
//! before then, it takes [`Patience`].

use std::sync::atomic::{AtomicBool, Ordering};
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

/// How long to wait: until a deadline, or until somebody raises a flag.
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
    /// How often the flag is looked at.
    const LOOK_EVERY: Duration = Duration::from_millis(50);

    /// Waits until the deadline, unless the flag is raised before.
    pub fn unless(called_off: &'a AtomicBool, deadline: Deadline) -> Self {
        Self { deadline, called_off: Some(called_off) }
    }

    /// Whether the flag was raised.
    pub fn is_called_off(self) -> bool {
        self.called_off.is_some_and(|flag| flag.load(Ordering::Acquire))
    }

    /// What is left until the deadline; zero when it has passed, or the wait was called off.
    pub fn left(self) -> Duration {
        if self.is_called_off() { Duration::ZERO } else { self.deadline.left() }
    }

    /// How long to wait before looking again whether anything is left.
    pub fn step(self) -> Duration {
        let left = self.left();
        if self.called_off.is_some() { left.min(Self::LOOK_EVERY) } else { left }
    }

    /// The earlier of this one and the moment that lies so far ahead.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        Self { deadline: self.deadline.within(time), ..self }
    }

    /// Sleeps for a while, but not beyond it. Whether anything is left.
    pub fn pause(self, time: Duration) -> bool {
        std::thread::sleep(time.min(self.step()));
        !self.left().is_zero()
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

    #[test]
    fn a_wait_that_is_called_off_is_not_waited_out() {
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
