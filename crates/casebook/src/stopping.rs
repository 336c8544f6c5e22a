//! The end of a session that a command reads itself: it is asked for on a thread of its own, since the runtime streams what
//! it holds before it answers. A session that cannot be told to end must not be left to sample the process.

use anyhow::{Context, anyhow};
use base::time::{Deadline, Stopwatch};
use dotnet_ipc::session::Session;
use recorder::Reserve;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a session may take to end by itself if the runtime could not be told: its process may have ended.
const NOT_TOLD: Duration = Duration::from_millis(300);

/// A stop that is on its way.
pub(crate) struct Stopping {
    since: Stopwatch,
    pub(crate) deadline: Deadline,
    thread: Option<JoinHandle<Result<(), dotnet_ipc::Error>>>,
}

/// Descriptors for the stop, taken before the session begins: whoever cannot end it does not begin it.
pub(crate) fn reserve() -> anyhow::Result<Reserve> {
    Reserve::take().context("no session was begun: it could not be told to end, see `ulimit -n`")
}

/// Asks the runtime to end the session.
pub(crate) fn stop(session: &Session, reserve: Reserve, deadline: Deadline) -> anyhow::Result<Stopping> {
    let stopper = session.stopper();
    drop(reserve);
    let stop = move || stopper.stop(deadline);
    let thread =
        std::thread::Builder::new().name("stop".to_owned()).spawn(stop).context("cannot start a thread")?;
    Ok(Stopping { since: Stopwatch::start(), deadline, thread: Some(thread) })
}

impl Stopping {
    /// Fails if the runtime could not be told. The caller then closes the session's connection, which ends it.
    pub(crate) fn ensure_told(&mut self) -> anyhow::Result<()> {
        if self.since.elapsed() < NOT_TOLD {
            return Ok(());
        }
        let Some(thread) = self.thread.take_if(|thread| thread.is_finished()) else { return Ok(()) };
        match thread.join() {
            // The end of the stream shows whether it worked: the answer adds nothing.
            Ok(Ok(()) | Err(dotnet_ipc::Error::Silent(_) | dotnet_ipc::Error::Closed)) | Err(_) => Ok(()),
            Ok(Err(error)) => Err(anyhow!(
                "the runtime could not be told to end the session ({error}): its connection was closed, which ends it"
            )),
        }
    }

    /// Waits for the answer, which comes right behind the end of the stream: a socket of ours stays there until nobody
    /// uses it.
    pub(crate) fn wait(self) {
        let deadline = self.deadline.within(Duration::from_secs(1));
        let is_there = || self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        while is_there() && deadline.pause(Duration::from_millis(5)) {}
    }
}
