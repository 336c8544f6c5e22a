//! Worker threads behind a bounded queue.
//!
//! ```text
//!  offer ─▶ [ job, job, (gone), job ] ─▶ thread ─▶ job runs, or is dropped if nobody waits for it
//! ```
//!
//! A job that nobody waits for any more gives up its place in the queue, so that users who reload do not wait behind
//! their own earlier requests. A running job cannot be stopped, but it can see that it is abandoned.

use crate::error::Error;
use crate::request::Gone;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Something to do on a worker thread.
pub(crate) struct Job {
    /// Set once nobody waits for it any more.
    pub(crate) gone: Gone,
    pub(crate) work: Box<dyn FnOnce() + Send>,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("gone", &self.gone).finish_non_exhaustive()
    }
}

/// Threads that take jobs from one queue.
#[derive(Debug)]
pub(crate) struct Lane {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes threads for a job or the end, and `close` when a thread has ended.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Job>,
    running: Vec<Gone>,
    closed: bool,
    threads: usize,
}

impl Lane {
    /// Starts the threads; at least one.
    pub(crate) fn start(name: &str, threads: usize) -> Result<Self, Error> {
        let mut lane = Self { shared: Arc::default(), threads: Vec::new() };
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&lane.shared);
            lane.shared.lock().threads = number.saturating_add(1);
            let thread = Builder::new().name(format!("{name}-{number}")).spawn(move || shared.work());
            match thread {
                Ok(thread) => lane.threads.push(thread),
                Err(cause) => {
                    lane.shared.lock().threads = number;
                    lane.close(Duration::MAX);
                    return Err(Error::Threads { what: "thread for answers", cause });
                }
            }
        }
        Ok(lane)
    }

    /// Puts a job into the queue, unless `waiting` others are in it. Jobs that nobody waits for do not count. Returns
    /// whether it was put in.
    pub(crate) fn offer(&self, job: Job, waiting: usize) -> bool {
        let mut state = self.shared.lock();
        if state.queue.len() >= waiting {
            state.queue.retain(|job| !job.gone.is_set());
        }
        if state.queue.len() >= waiting || state.closed {
            return false;
        }
        state.queue.push_back(job);
        drop(state);
        self.shared.changed.notify_all();
        true
    }

    /// Takes no more jobs, drops the waiting ones, marks the running ones as abandoned, and ends the threads. Returns
    /// how many threads still work after `patience`; they end with their job.
    pub(crate) fn close(self, patience: Duration) -> usize {
        let mut state = self.shared.lock();
        state.closed = true;
        state.queue.clear();
        for gone in &state.running {
            gone.set();
        }
        self.shared.changed.notify_all();
        let waited = self.shared.changed.wait_timeout_while(state, patience, |state| state.threads > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let left = state.threads;
        drop(state);
        if left == 0 {
            for thread in self.threads {
                // Panics of jobs are caught where they run, so this cannot fail.
                thread.join().ok();
            }
        }
        left
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            let gone = job.gone;
            // After a panic, the waiting request gets no answer and so learns of it.
            catch_unwind(AssertUnwindSafe(job.work)).ok();
            self.lock().running.retain(|running| !running.is_same(&gone));
        }
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for a job that is not abandoned. `None` once the lane is closed.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            match state.queue.pop_front() {
                Some(job) if job.gone.is_set() => {}
                Some(job) => {
                    state.running.push(job.gone.clone());
                    return Some(job);
                }
                None if state.closed => return None,
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    fn job(gone: &Gone, work: impl FnOnce() + Send + 'static) -> Job {
        Job { gone: gone.clone(), work: Box::new(work) }
    }

    /// Keeps the lane's only thread busy until the sender is dropped.
    fn occupied(lane: &Lane, gone: &Gone) -> SyncSender<()> {
        let (release, released): (_, Receiver<()>) = sync_channel(0);
        let (start, started) = sync_channel(1);
        let work = move || {
            start.send(()).unwrap();
            released.recv().unwrap_err();
        };
        assert!(lane.offer(job(gone, work), 1));
        started.recv().unwrap();
        release
    }

    #[test]
    fn the_queue_is_bounded_and_those_who_left_make_place() {
        let lane = Lane::start("test", 1).unwrap();
        let (first, second, third) = (Gone::default(), Gone::default(), Gone::default());
        let release = occupied(&lane, &first);
        let (done, results) = sync_channel(4);
        let say = |number: u32| {
            let done = done.clone();
            move || done.send(number).unwrap()
        };
        assert!(lane.offer(job(&second, say(2)), 1));
        assert!(!lane.offer(job(&third, say(3)), 1));
        second.set();
        assert!(lane.offer(job(&third, say(4)), 1));
        drop(release);
        assert_eq!(results.recv(), Ok(4));
        assert_eq!(lane.close(Duration::from_mins(1)), 0);
    }

    #[test]
    fn a_panic_does_not_take_the_thread_away() {
        let lane = Lane::start("test", 1).unwrap();
        assert!(lane.offer(job(&Gone::default(), || panic!("a test's own panic")), 9));
        let (done, results) = sync_channel(1);
        assert!(lane.offer(job(&Gone::default(), move || done.send(()).unwrap()), 9));
        assert_eq!(results.recv(), Ok(()));
        assert_eq!(lane.close(Duration::from_mins(1)), 0);
    }

    #[test]
    fn a_job_that_does_not_end_can_see_the_end_and_is_counted() {
        let lane = Lane::start("test", 1).unwrap();
        let gone = Gone::default();
        let release = occupied(&lane, &gone);
        assert_eq!(lane.close(Duration::ZERO), 1);
        assert!(gone.is_set());
        drop(release);
    }
}
