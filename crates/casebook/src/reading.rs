//! Opening an exhibit, with progress on a terminal's standard error once it lasts over a second.

use crate::terminal;
use import::{Found, Options, Process, Progress};
use model::{Evidence, Trace};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reading that ends sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// Which process, for commands that read a recording.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Whose {
    /// Read only this process of a recording that holds several
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u64>,
}

impl Whose {
    /// The process that was chosen, else all: for commands that show rows.
    pub(crate) fn or_all(self) -> Process {
        self.pid.map_or(Process::All, Process::Only)
    }

    /// The process that was chosen, else the one with most samples: for commands that speak of one service.
    pub(crate) fn or_most_sampled(self) -> Process {
        self.pid.map_or(Process::MostSampled, Process::Only)
    }
}

/// Which process of two recordings, for commands that compare.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WhoseTwo {
    /// Read only this process of recordings that hold several; two numbers are of the one before and the one after
    #[arg(long, value_name = "PID[,PID]", value_delimiter = ',')]
    pid: Vec<u64>,
}

impl WhoseTwo {
    /// The processes of the recording before and of the one after.
    pub(crate) fn before_and_after(&self) -> anyhow::Result<[Process; 2]> {
        match self.pid.as_slice() {
            [] => Ok([Process::MostSampled; 2]),
            [both] => Ok([Process::Only(*both); 2]),
            [before, after] => Ok([Process::Only(*before), Process::Only(*after)]),
            more => anyhow::bail!("expected --pid PID or --pid BEFORE,AFTER, found {} numbers", more.len()),
        }
    }
}

/// Opens a trace, for a command that is about traces alone.
pub(crate) fn open_trace(path: &Path, payloads: bool, process: Process) -> anyhow::Result<Arc<Trace>> {
    let evidence = open(path, payloads, process)?;
    let kind = evidence.kind();
    evidence.into_trace().ok_or_else(|| {
        anyhow::anyhow!("{} is a {}: this needs a trace (.nettrace)", path.display(), kind.title())
    })
}

/// What there is at a path: one exhibit, or several in sub-folders.
pub(crate) fn find(path: &Path) -> anyhow::Result<Vec<Found>> {
    refuse_standard_input(path)?;
    Ok(import::find(path, &mut |what| terminal::say(&what))?)
}

fn refuse_standard_input(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        path != Path::new("-") || path.exists(),
        "a recording is read from a file, not from standard input: save it to a file first"
    );
    Ok(())
}

/// Opens an exhibit of any kind; payloads are kept only for callers that read `events.fields`.
pub(crate) fn open(path: &Path, payloads: bool, process: Process) -> anyhow::Result<Evidence> {
    refuse_standard_input(path)?;
    let options = Options { payloads, threads: 2 };
    if !terminal::is_stderr() {
        return Ok(import::open_process(path, options, process, &mut |_| {})?);
    }
    let mut meter = Meter::new();
    let opened = import::open_process(path, options, process, &mut |progress| meter.tell(progress));
    meter.clear();
    Ok(opened?)
}

/// A line on the terminal that is written over.
struct Meter {
    begun: Instant,
    shown: Option<Instant>,
}

impl Meter {
    fn new() -> Self {
        Self { begun: now(), shown: None }
    }

    fn tell(&mut self, progress: Progress) {
        let now = now();
        let lasted = now.saturating_duration_since(self.begun);
        let fresh = self.shown.is_some_and(|shown| now.saturating_duration_since(shown) < EVERY);
        if lasted < PATIENCE || fresh {
            return;
        }
        self.shown = Some(now);
        terminal::over(&text::progress::reading(progress.read, progress.total, lasted));
    }

    fn clear(&self) {
        if self.shown.is_some() {
            terminal::over("");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program reads the clock, for progress alone")]
fn now() -> Instant {
    Instant::now()
}
