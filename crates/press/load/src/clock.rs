//! Time in nanoseconds since a run began, and a timer that keeps it.

use rustix::event::epoll;
use rustix::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

/// The monotonic clock, from when a run began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start_ns: u64,
}

impl Clock {
    /// Begins now.
    pub(crate) fn start() -> Self {
        Self { start_ns: nanoseconds(clock_gettime(ClockId::Monotonic)) }
    }

    /// The beginning, as the machine's monotonic clock counts.
    pub(crate) fn start_ns(self) -> u64 {
        self.start_ns
    }

    /// Nanoseconds since the beginning.
    #[inline]
    pub(crate) fn now_ns(self) -> u64 {
        nanoseconds(clock_gettime(ClockId::Monotonic)).saturating_sub(self.start_ns)
    }
}

/// How much CPU time the thread has used, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::ThreadCPUTime))
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// A timer that wakes an epoll at a time. Unlike the time-out of a wait, it is not rounded to milliseconds, and the kernel does not
/// delay it to save power (timerfd_create(2), PR_SET_TIMERSLACK in prctl(2)).
#[derive(Debug)]
pub(crate) struct Alarm {
    timer: OwnedFd,
    clock: Clock,
    armed_ns: Option<u64>,
}

impl Alarm {
    /// Creates a timer.
    pub(crate) fn new(clock: Clock) -> Result<Self, Errno> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self { timer: timerfd_create(TimerfdClockId::Monotonic, flags)?, clock, armed_ns: None })
    }

    /// Adds it to an epoll under a number. Edge-triggered, it need not be read: setting it again makes it ready again.
    pub(crate) fn wake(&self, epoll: impl AsFd, number: u64) -> Result<(), Errno> {
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(epoll, &self.timer, epoll::EventData::new_u64(number), flags)
    }

    /// Sets the time. One that is past wakes at once.
    #[inline]
    pub(crate) fn set(&mut self, at_ns: u64) -> Result<(), Errno> {
        if self.armed_ns == Some(at_ns) {
            return Ok(());
        }
        let at = self.clock.start_ns.saturating_add(at_ns).max(1);
        let it_value = Timespec {
            tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(at % 1_000_000_000).unwrap_or(0),
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)?;
        self.armed_ns = Some(at_ns);
        Ok(())
    }

    /// Counts by another clock from now on.
    pub(crate) fn begin(&mut self, clock: Clock) {
        self.clock = clock;
        self.armed_ns = None;
    }

    /// The timer rang, or its time is of no interest any more.
    #[inline]
    pub(crate) fn forget(&mut self) {
        self.armed_ns = None;
    }
}

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.timer.as_raw_fd()
    }
}
