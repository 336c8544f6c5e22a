//! The main session, in one piece or, if only the end of a recording is kept, in segments.

use crate::budget::DiskBudget;
use crate::error::Error;
use crate::file::{TraceFile, Written};
use crate::pump::{End, Gauge, Reader, SessionFacts, pump, stop};
use base::time::{Deadline, Patience};
use dotnet_ipc::session::{NAMES_RUNDOWN, Provider, Request, Session, Starter};
use exhibit::Folder;
use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a session of method names may take to begin.
const BEGIN: Duration = Duration::from_secs(10);

/// A session that is being written to a file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) gauge: Arc<Gauge>,
    stopper: dotnet_ipc::session::Stopper,
    thread: Option<JoinHandle<SegmentEnd>>,
}

/// How a session ended.
#[derive(Debug)]
pub(crate) struct SegmentEnd {
    pub(crate) end: Result<End, Error>,
    pub(crate) facts: SessionFacts,
    pub(crate) bytes: u64,
    /// The file, unless its end could not be written. What was written before can be read in any case.
    pub(crate) written: Option<Written>,
}

impl Segment {
    /// Reads a session into a file, on a thread of its own.
    pub(crate) fn begin(
        session: Session,
        folder: &Folder,
        name: &OsStr,
        budget: &Arc<DiskBudget>,
        reader: Box<dyn Reader>,
    ) -> Result<Self, Error> {
        Self::into_file(session, TraceFile::create(folder, name, budget)?, reader)
    }

    /// Reads a session into a file that was created before the session began.
    pub(crate) fn into_file(
        session: Session,
        mut file: TraceFile,
        mut reader: Box<dyn Reader>,
    ) -> Result<Self, Error> {
        let gauge = Arc::new(Gauge::default());
        let stopper = session.stopper();
        let shared = Arc::clone(&gauge);
        let thread = std::thread::Builder::new().name("session".to_owned());
        let thread = thread.spawn(move || {
            let path = file.path().to_path_buf();
            let end = pump(session, reader.as_mut(), &mut file, &shared);
            let finished = file.finish();
            // If reading failed too, that is the error to report.
            let (end, written) = match finished {
                Ok(written) => (end, Some(written)),
                Err(cause) => (end.and(Err(Error::Write { path, cause })), None),
            };
            let bytes = shared.bytes.load(Ordering::Relaxed);
            shared.ended.store(true, Ordering::Release);
            SegmentEnd { end, facts: reader.facts(), bytes, written }
        });
        Ok(Self { gauge, stopper, thread: Some(thread.map_err(Error::Thread)?) })
    }

    /// Asks the runtime to end it.
    pub(crate) fn stop(&self) -> Result<(), Error> {
        stop(&self.stopper, &self.gauge)
    }

    /// Stops reading it, whatever the runtime does.
    pub(crate) fn abandon(&self) {
        self.gauge.abandon.store(true, Ordering::Release);
    }

    /// Waits for its end, which must be near. `None` if it was waited for before.
    pub(crate) fn join(&mut self) -> Option<SegmentEnd> {
        let panicked = |_panic| SegmentEnd {
            end: Err(Error::Thread(std::io::Error::other("the thread that wrote the session panicked"))),
            facts: SessionFacts::default(),
            bytes: 0,
            written: None,
        };
        Some(self.thread.take()?.join().unwrap_or_else(panicked))
    }
}

/// The file that a session is written to.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) name: &'a str,
    pub(crate) budget: &'a Arc<DiskBudget>,
}

/// Takes the names of all methods now, by a session that asks for no events and is stopped at once: its rundown has the
/// names. `called_off` is set once nobody waits for it to begin.
pub(crate) fn take_names(
    starter: &Starter,
    buffer_megabytes: u32,
    to: &Destination<'_>,
    called_off: &AtomicBool,
    reader: Box<dyn Reader>,
) -> Result<Segment, Error> {
    let nothing = Provider {
        name: "Microsoft-DotNETCore-EventPipe".to_owned(),
        keywords: 0,
        level: 1,
        arguments: String::new(),
    };
    let request = Request { providers: vec![nothing], buffer_megabytes, rundown: NAMES_RUNDOWN };
    let session = starter.start(&request, Patience::unless(called_off, Deadline::after(BEGIN)))?;
    let segment = Segment::begin(session, to.folder, to.name.as_ref(), to.budget, reader)?;
    segment.stop()?;
    Ok(segment)
}

/// The length of a segment: a quarter of what is kept, so that no more than five quarters are on the disk.
pub(crate) fn segment_length(keep: Duration) -> Duration {
    keep.checked_div(4).unwrap_or(keep).max(Duration::from_secs(2))
}
