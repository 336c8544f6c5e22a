//! Ending a session whose stream a command reads itself.
//!
//! The runtime streams the rest of its events before it answers the stop, so the stop waits on a thread of its own while
//! the command reads on. A session that cannot be stopped must not go on sampling the process: closing its connection
//! ends it too.

use crate::threads;
use anyhow::{Context, anyhow};
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::session::Session;
use recorder::Reserve;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the stream may take to end after the stop failed. If the process has ended, both happen, in any order.
const STREAM_END: Duration = Duration::from_millis(300);

/// A stop that was requested.
pub(crate) struct Stopping {
    since: Stopwatch,
    pub(crate) deadline: Deadline,
    /// `None` once its answer was looked at.
    request: Option<JoinHandle<Result<(), dotnet_ipc::Error>>>,
}

/// Reserves the file descriptors that the stop needs. Called before the session begins: without them it could not be ended.
pub(crate) fn reserve() -> anyhow::Result<Reserve> {
    Reserve::take().context("no session was begun, because it could not be ended: see `ulimit -n`")
}

/// Asks the runtime to end the session.
pub(crate) fn stop(session: &Session, reserve: Reserve, deadline: Deadline) -> anyhow::Result<Stopping> {
    let stopper = session.stopper();
    drop(reserve);
    let request = threads::start("stop", move || stopper.stop(deadline))?;
    Ok(Stopping { since: Stopwatch::start(), deadline, request: Some(request) })
}

impl Stopping {
    /// Fails if the stop did not reach the runtime. The caller then closes the session's connection, which ends it.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        if self.since.elapsed() < STREAM_END {
            return Ok(());
        }
        let Some(request) = self.request.take_if(|request| request.is_finished()) else { return Ok(()) };
        match request.join() {
            // Whether the session ended shows in its stream.
            Ok(Ok(()) | Err(dotnet_ipc::Error::Silent(_) | dotnet_ipc::Error::Closed)) | Err(_) => Ok(()),
            Ok(Err(error)) => Err(anyhow!(
                "the runtime could not be asked to end the session ({error}): its connection was closed, which ends it"
            )),
        }
    }

    /// Waits for the answer, which follows the end of the stream. Until then the runtime's socket may still be in use.
    pub(crate) fn wait(self) {
        let deadline = self.deadline.within(Duration::from_secs(1));
        let is_pending = || self.request.as_ref().is_some_and(|request| !request.is_finished());
        while is_pending() && deadline.pause(Duration::from_millis(5)) {}
    }
}
