//! Ctrl-C, SIGTERM and SIGHUP: what is asked of a command that listens to a process.
//!
//! A thread of its own takes the signals, so that they count whatever the command waits for. A signal that our caller has us
//! ignore, as `nohup` does with SIGHUP, stays ignored, here and in what we start.
//!
//! ```text
//!  first signal   the command is asked to end     a second later   it has nothing to lose: it ends here
//!                                                                  it has: what it waits for is said
//!  second signal  it is asked not to wait         a second later   it ends here; what it wrote can be read
//! ```

use crate::terminal;
use anyhow::Context;
use base::time::Stopwatch;
use recorder::Control;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a command has to end once it was asked to.
const TO_END: Duration = Duration::from_millis(800);
/// How often its end is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What signals ask of the command, and what it does meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    /// What is asked: a first signal stops, a second one abandons.
    pub(crate) control: Control,
    /// Whether the command has something to put in order before it ends.
    keeps: AtomicBool,
    /// Whether the command is done, and others are asked by signals now.
    is_done: AtomicBool,
    waits_for: Mutex<String>,
    /// Gives the terminal back, if the command took it.
    gives_back: Mutex<Option<fn()>>,
}

impl Interrupt {
    /// Catches the signals. SIGUSR1 asks for a copy.
    pub(crate) fn catch() -> anyhow::Result<Arc<Self>> {
        let signals = Signals::new(ending().chain([SIGUSR1])).context("cannot catch signals")?;
        let interrupt = Arc::new(Self::default());
        let shared = Arc::clone(&interrupt);
        let thread = std::thread::Builder::new().name("signals".to_owned());
        thread.spawn(move || shared.watch(signals)).context("cannot start a thread")?;
        Ok(interrupt)
    }

    /// Whether the command was asked to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.control.stop.load(Ordering::Acquire)
    }

    /// Says what the command waits for from now on: the end of "it waits for …".
    pub(crate) fn waits_for(&self, what: &str) {
        what.clone_into(&mut self.waits_for.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on the command has something to put in order before it ends.
    pub(crate) fn keeps(&self) {
        self.keeps.store(true, Ordering::Release);
    }

    /// Has the terminal given back if the command ends where it waits.
    pub(crate) fn gives_back(&self, how: fn()) {
        *self.gives_back.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
    }

    /// The command is done: what comes now is not for it.
    pub(crate) fn done(&self) {
        self.is_done.store(true, Ordering::Release);
    }

    fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Acquire)
    }

    fn watch(&self, mut signals: Signals) {
        // Until the first signal, nothing wakes.
        while let Some(signal) = signals.forever().next() {
            if self.is_done() {
                // Whoever serves pages by now ends on its own.
                std::thread::sleep(TO_END);
                return by_default(signal);
            }
            if signal != SIGUSR1 {
                self.control.stop.store(true, Ordering::Release);
                self.see_it_end(&mut signals, signal);
                continue;
            }
            self.control.copy.store(true, Ordering::Release);
        }
    }

    /// Ends the process unless the command ends itself, or is done.
    fn see_it_end(&self, signals: &mut Signals, mut last: i32) {
        let mut since = Stopwatch::start();
        let mut is_told = false;
        while !self.is_done() {
            std::thread::sleep(LOOK_EVERY);
            for signal in signals.pending() {
                if signal == SIGUSR1 {
                    self.control.copy.store(true, Ordering::Release);
                } else if !self.control.abandon.swap(true, Ordering::AcqRel) {
                    (last, since, is_told) = (signal, Stopwatch::start(), false);
                }
            }
            let is_late = since.elapsed() >= TO_END;
            let has_begun = self.control.begun.load(Ordering::Acquire) || self.keeps.load(Ordering::Acquire);
            if is_late && (!has_begun || self.control.abandon.load(Ordering::Acquire)) {
                return self.end_here(last, has_begun);
            }
            if is_late && !is_told {
                is_told = true;
                tell(&format!("it waits for {}; a second Ctrl-C does not wait", self.waited_for()));
            }
        }
    }

    fn waited_for(&self) -> String {
        self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end_here(&self, signal: i32, has_begun: bool) {
        let what = if has_begun { "what was written until then can be opened" } else { "nothing was begun" };
        let gives_back = *self.gives_back.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gives_back) = gives_back {
            // A terminal that takes nothing must not hold us up.
            drop(std::thread::Builder::new().name("terminal".to_owned()).spawn(gives_back));
            std::thread::sleep(4 * LOOK_EVERY);
        }
        tell(&format!("ended while it waited for {}; {what}", self.waited_for()));
        by_default(signal);
    }
}

/// From now on a signal that ends the process does so after what is not complete was removed: see
/// [`exhibit::remove_unfinished`]. For commands that have nothing else to put in order.
pub(crate) fn remove_unfinished() -> anyhow::Result<()> {
    let mut signals = Signals::new(ending()).context("cannot catch signals")?;
    let thread = std::thread::Builder::new().name("signals".to_owned());
    let watch = move || signals.forever().next().into_iter().for_each(by_default);
    thread.spawn(watch).context("cannot start a thread")?;
    Ok(())
}

/// The signals that end a command: those of them that our caller does not have us ignore.
pub(crate) fn ending() -> impl Iterator<Item = i32> {
    not_ignored([SIGINT, SIGTERM, SIGHUP])
}

/// Those of some signals that our caller does not have us ignore. Asked before any of them is caught.
pub(crate) fn not_ignored(signals: impl IntoIterator<Item = i32>) -> impl Iterator<Item = i32> {
    let ignored = ignored();
    signals.into_iter().filter(move |signal| ignored & (1u64 << (signal.unsigned_abs() - 1)) == 0)
}

/// The signals that our caller has us ignore, as `nohup` does, a bit each; none if the system does not say.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

/// Ends the process as if the signal had not been caught, so that a shell sees what ended it.
fn by_default(signal: i32) {
    exhibit::remove_unfinished();
    drop(signal_hook::low_level::emulate_default_handler(signal));
}

/// Says a sentence on standard error, in place of a line of progress that stands there.
fn tell(text: &str) {
    if terminal::is_stderr() {
        terminal::over("");
    }
    terminal::say(text);
}
