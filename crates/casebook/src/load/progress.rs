//! How a run is shown while it goes on: a block of lines on a terminal, and elsewhere a line now and then.

use crate::progress::{self, Form};
use crate::terminal;
use load::{Latencies, Plan, Second};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use text::Width;
use text::load::Live;

/// After how many seconds a line is written if there is no terminal.
const EACH: u64 = 10;
const SECOND_NS: u64 = 1_000_000_000;

/// Shows a run second by second.
pub(super) struct Progress<'a> {
    live: Live<'a>,
    /// The CPU time of this process at the end of the last second.
    cpu: Duration,
}

impl<'a> Progress<'a> {
    /// Of a run that begins now. `what` names it.
    pub(super) fn new(what: &'static str, plan: &'a Plan) -> Self {
        Self { live: Live::new(what, plan), cpu: cpu_time() }
    }

    /// Shows what happened in the last second.
    pub(super) fn show(&mut self, second: &Second, latencies: &Latencies) {
        let cpu = cpu_time();
        let used = cpu.saturating_sub(std::mem::replace(&mut self.cpu, cpu));
        let seconds = Duration::from_nanos(second.dur_ns).as_secs_f64();
        let share = (seconds > 0.0).then(|| used.as_secs_f64() / seconds);
        self.live.add(second, latencies, share);
        if progress::form() != Form::Text {
            return;
        }
        let end_ns = second.ts_ns.saturating_add(second.dur_ns);
        if terminal::is_stderr() {
            let width = terminal::stderr_columns().map_or_else(Width::default, Width::of);
            terminal::show_block(&self.live.lines(width));
        } else if end_ns.is_multiple_of(EACH * SECOND_NS) {
            terminal::say(&self.live.line());
        }
    }
}

/// The CPU time that this process has used.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}
