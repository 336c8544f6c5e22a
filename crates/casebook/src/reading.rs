//! Opening an exhibit, with progress on a terminal's standard error once it lasts over a second.

use import::{Found, Options, Progress};
use model::{Evidence, Trace};
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reading that ends sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// Opens a trace, for a command that is about traces alone.
pub(crate) fn open_trace(path: &Path, payloads: bool) -> anyhow::Result<Arc<Trace>> {
    let evidence = open(path, payloads)?;
    let kind = evidence.kind();
    evidence.into_trace().ok_or_else(|| {
        anyhow::anyhow!("{} is a {}: this needs a trace (.nettrace)", path.display(), kind.title())
    })
}

/// What there is at a path: one exhibit, or several in sub-folders.
pub(crate) fn find(path: &Path) -> anyhow::Result<Vec<Found>> {
    refuse_standard_input(path)?;
    Ok(import::find(path)?)
}

fn refuse_standard_input(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(
        path != Path::new("-") || path.exists(),
        "a recording is read from a file, not from standard input: save it to a file first"
    );
    Ok(())
}

/// Opens an exhibit of any kind; payloads are kept only for callers that read `events.fields`.
pub(crate) fn open(path: &Path, payloads: bool) -> anyhow::Result<Evidence> {
    refuse_standard_input(path)?;
    let options = Options { payloads, threads: 2 };
    if !std::io::stderr().is_terminal() {
        return Ok(import::open(path, options)?);
    }
    let mut meter = Meter::new();
    let opened = import::open_with_progress(path, options, &mut |progress| meter.tell(progress));
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
        // Progress is a courtesy: a terminal that refuses it stops nothing.
        let line = text::progress::reading(progress.read, progress.total, lasted);
        drop(write!(std::io::stderr(), "\r\x1b[K{line}"));
    }

    fn clear(&self) {
        if self.shown.is_some() {
            drop(write!(std::io::stderr(), "\r\x1b[K"));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program reads the clock, for progress alone")]
fn now() -> Instant {
    Instant::now()
}
