//! A thread that interrupts queries whose time is over.
//!
//! One thread watches all of them. It repeats itself, since SQLite forgets an interruption that comes before the first
//! step of a statement.

use base::time::Deadline;
use rusqlite::InterruptHandle;
use std::collections::BTreeMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a query that was interrupted has to end before it is interrupted again.
const AGAIN: Duration = Duration::from_millis(20);
/// How long the thread sleeps when nothing is to be watched; a new query wakes it.
const IDLE: Duration = Duration::from_hours(1);

/// A query that is watched; dropping it ends that.
#[derive(Debug)]
pub(crate) struct Watched(Key);

type Key = (Deadline, u64);

#[derive(Default)]
struct Watcher {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queries: BTreeMap<Key, InterruptHandle>,
    next: u64,
    /// Until when the thread sleeps; `None` before it is started.
    sleeps: Option<Deadline>,
}

static WATCHER: LazyLock<Watcher> = LazyLock::new(Watcher::default);

/// Interrupts a query from the deadline on, until what is returned is dropped.
pub(crate) fn watch(deadline: Deadline, handle: InterruptHandle) -> Result<Watched, std::io::Error> {
    let mut state = WATCHER.lock();
    let key = (deadline, state.next);
    state.next = state.next.wrapping_add(1);
    match state.sleeps {
        None => {
            std::thread::Builder::new().name("sql-watch".to_owned()).spawn(|| WATCHER.run())?;
            state.sleeps = Some(deadline);
        }
        // It is asleep for longer than this query may take: most queries come while it sleeps for an earlier one.
        Some(until) if deadline < until => WATCHER.changed.notify_one(),
        Some(_) => {}
    }
    state.queries.insert(key, handle);
    drop(state);
    Ok(Watched(key))
}

impl Drop for Watched {
    fn drop(&mut self) {
        WATCHER.lock().queries.remove(&self.0);
    }
}

impl Watcher {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            let first = state.queries.first_key_value().map(|((deadline, _), _)| *deadline);
            let until = match first {
                Some(deadline) if deadline.is_past() => {
                    let over = state.queries.iter().take_while(|((deadline, _), _)| deadline.is_past());
                    over.for_each(|(_, handle)| handle.interrupt());
                    Deadline::after(AGAIN)
                }
                Some(deadline) => deadline,
                None => Deadline::after(IDLE),
            };
            state.sleeps = Some(until);
            let waited = self.changed.wait_timeout(state, until.left());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
