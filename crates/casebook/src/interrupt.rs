//! Ctrl-C, SIGTERM and SIGHUP: how a command ends that listens to a process, serves pages or writes a file.
//!
//! Signals are taken by a thread of their own, so they count whatever the command waits for. A signal that our caller
//! ignores, as `nohup` does with SIGHUP, stays ignored, here and in the programs that we start.
//!
//! ```text
//!                                                  0.8 s later, if the command has not ended by then
//!  first signal    asks the command to end         nothing to save: the process ends here
//!                                                  something to save: a message says what it waits for
//!  second signal   asks it not to wait             the process ends here; what it wrote can be opened
//! ```

use crate::{terminal, threads};
use anyhow::Context;
use base::time::Stopwatch;
use recorder::Control;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGUSR1};
use signal_hook::iterator::Signals;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a command has to end after it was asked to.
const TO_END: Duration = Duration::from_millis(800);
/// How often to look whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What signals ask of a command, and what the command is doing.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    /// What signals ask: the first one to stop, the second one to abandon.
    pub(crate) control: Control,
    /// Whether the command has something to put in order before it ends.
    keeps: AtomicBool,
    /// Whether the command is done. Signals are then for whatever runs after it.
    is_done: AtomicBool,
    waits_for: Mutex<String>,
    /// Restores the terminal, if the command shows a page on it.
    restore_terminal: Mutex<Option<fn()>>,
}

impl Interrupt {
    /// Takes the signals from now on. SIGUSR1 asks for a copy of what is kept.
    pub(crate) fn catch() -> anyhow::Result<Arc<Self>> {
        let interrupt = Arc::new(Self::default());
        let shared = Arc::clone(&interrupt);
        watch(ending().chain([SIGUSR1]), move |signals| shared.obey(signals))?;
        Ok(interrupt)
    }

    /// Whether the command was asked to end.
    pub(crate) fn is_raised(&self) -> bool {
        self.control.stop.load(Ordering::Acquire)
    }

    /// Asks the command to end, as the first signal does, and the second time not to wait.
    pub(crate) fn ask(&self) {
        if self.control.stop.swap(true, Ordering::AcqRel) {
            self.control.abandon.store(true, Ordering::Release);
        }
    }

    /// Whether the command was asked not to wait any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.control.abandon.load(Ordering::Acquire)
    }

    /// Notes what the command waits for from now on, for the message "it waits for …".
    pub(crate) fn waits_for(&self, what: &str) {
        what.clone_into(&mut self.waits_for.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// From now on the command has something to put in order before it ends.
    pub(crate) fn keeps(&self) {
        self.keeps.store(true, Ordering::Release);
    }

    /// Notes how to restore the terminal if the process ends while the command waits.
    pub(crate) fn restores_terminal(&self, how: fn()) {
        *self.restore_terminal.lock().unwrap_or_else(PoisonError::into_inner) = Some(how);
    }

    /// The command is done: later signals are not for it.
    pub(crate) fn done(&self) {
        self.is_done.store(true, Ordering::Release);
    }

    fn is_done(&self) -> bool {
        self.is_done.load(Ordering::Acquire)
    }

    /// Does what the signals ask.
    fn obey(&self, mut signals: Signals) {
        while let Some(signal) = signals.forever().next() {
            if self.is_done() {
                // The demo may serve pages by now. It ends on its own.
                std::thread::sleep(TO_END);
                return by_default(signal);
            }
            if signal == SIGUSR1 {
                self.control.copy.store(true, Ordering::Release);
            } else {
                self.control.stop.store(true, Ordering::Release);
                self.see_it_end(&mut signals, signal);
            }
        }
    }

    /// Waits until the command is done. Ends the process if that takes too long.
    fn see_it_end(&self, signals: &mut Signals, mut last: i32) {
        let mut since = Stopwatch::start();
        let mut is_said = false;
        while !self.is_done() {
            std::thread::sleep(LOOK_EVERY);
            for signal in signals.pending() {
                if signal == SIGUSR1 {
                    self.control.copy.store(true, Ordering::Release);
                } else if !self.control.abandon.swap(true, Ordering::AcqRel) {
                    // The second signal: the command gets the time once more.
                    (last, since, is_said) = (signal, Stopwatch::start(), false);
                }
            }
            if since.elapsed() < TO_END {
                continue;
            }
            let has_begun = self.control.begun.load(Ordering::Acquire) || self.keeps.load(Ordering::Acquire);
            if !has_begun || self.is_abandoned() {
                return self.end_here(last, has_begun);
            }
            if !is_said {
                is_said = true;
                let what = self.waited_for();
                terminal::say(&format!("it waits for {what}; press Ctrl-C again to end it now"));
            }
        }
    }

    fn waited_for(&self) -> String {
        self.waits_for.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end_here(&self, signal: i32, has_begun: bool) {
        let restore = *self.restore_terminal.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(restore) = restore {
            // On a thread of its own: a terminal that is blocked must not keep us from ending.
            drop(threads::start("terminal", restore));
            std::thread::sleep(4 * LOOK_EVERY);
        }
        let left = if has_begun { "what it wrote can be opened" } else { "it had not started yet" };
        terminal::say(&format!("ended while it waited for {}; {left}", self.waited_for()));
        by_default(signal);
    }
}

/// Calls `act` with the first signal that asks the command to end. For commands that need nothing else of signals.
pub(crate) fn on_first(act: impl FnOnce(i32) + Send + 'static) -> anyhow::Result<()> {
    watch(ending(), move |mut signals| {
        if let Some(signal) = signals.forever().next() {
            act(signal);
        }
    })
}

/// Calls `act` each time before Ctrl-Z stops the process, so that the shell finds its terminal as it was.
pub(crate) fn before_stop(act: fn()) -> anyhow::Result<()> {
    watch(not_ignored([SIGTSTP]), move |mut signals| {
        while let Some(signal) = signals.forever().next() {
            act();
            drop(signal_hook::low_level::emulate_default_handler(signal));
        }
    })
}

/// From now on a signal that ends the process first removes incomplete files: see [`exhibit::remove_unfinished`].
pub(crate) fn remove_unfinished() -> anyhow::Result<()> {
    on_first(by_default)
}

/// Hands signals to a thread of their own: a signal handler itself may do almost nothing.
fn watch(
    signals: impl IntoIterator<Item = i32>,
    run: impl FnOnce(Signals) + Send + 'static,
) -> anyhow::Result<()> {
    let signals = Signals::new(signals).context("cannot catch signals")?;
    threads::start("signals", move || run(signals))?;
    Ok(())
}

/// Catches signals and does nothing. Programs that we start do not inherit that, as they would an ignored signal.
pub(crate) fn survive(signals: impl IntoIterator<Item = i32>) {
    for signal in signals {
        // A signal that cannot be caught keeps its usual effect.
        drop(signal_hook::flag::register(signal, Arc::default()));
    }
}

/// The signals that end a command, without those that our caller ignores.
fn ending() -> impl Iterator<Item = i32> {
    not_ignored([SIGINT, SIGTERM, SIGHUP])
}

/// Leaves out the signals that our caller ignores. Must be asked before any of them is caught.
pub(crate) fn not_ignored(signals: impl IntoIterator<Item = i32>) -> impl Iterator<Item = i32> {
    let ignored = ignored();
    signals.into_iter().filter(move |signal| ignored & (1u64 << (signal.unsigned_abs() - 1)) == 0)
}

/// The signals that our caller ignores, one bit each.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Systems without this file: Ctrl-C has to work, so no signal counts as ignored.
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

/// Ends the process as if the signal had not been caught, so that a shell sees which signal it was.
fn by_default(signal: i32) {
    exhibit::remove_unfinished();
    drop(signal_hook::low_level::emulate_default_handler(signal));
}
