//! Opens exhibits. A terminal shows the progress of what takes more than a second; with --progress json it is written from the
//! beginning.

use crate::duration::nanos;
use crate::progress::{self, Event, Form};
use crate::terminal;
use import::{FoundExhibit, Options, ProcessChoice, Progress};
use model::{Evidence, Kind, Load, Trace};
use runtime::MyCode;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long reading may take before it shows its progress.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the progress is updated.
const EVERY: Duration = Duration::from_millis(200);

/// Which process of a recording, for commands that read one.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Whose {
    /// Read only this process, if the recording holds several
    #[arg(long, value_name = "PID", value_parser = crate::target::pid::<u64>)]
    pub(crate) pid: Option<u64>,
}

impl Whose {
    /// The chosen process, else all of them: for commands that show rows.
    pub(crate) fn or_all(self) -> ProcessChoice {
        self.pid.map_or(ProcessChoice::All, ProcessChoice::Only)
    }

    /// The chosen process, else the one with the most samples: for commands that are about one service.
    pub(crate) fn or_most_sampled(self) -> ProcessChoice {
        self.pid.map_or(ProcessChoice::MostSampled, ProcessChoice::Only)
    }
}

/// Which process of two recordings, for commands that compare.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WhoseTwo {
    /// Read only this process, if the recordings hold several; two numbers are for the recording before and the one after
    #[arg(long, value_name = "PID[,PID]", value_delimiter = ',', value_parser = crate::target::pid::<u64>)]
    pid: Vec<u64>,
}

impl WhoseTwo {
    /// The process to read of the recording before, and of the one after.
    pub(crate) fn before_and_after(&self) -> anyhow::Result<[ProcessChoice; 2]> {
        match self.pid.as_slice() {
            [] => Ok([ProcessChoice::MostSampled; 2]),
            [both] => Ok([ProcessChoice::Only(*both); 2]),
            [before, after] => Ok([ProcessChoice::Only(*before), ProcessChoice::Only(*after)]),
            more => anyhow::bail!("expected --pid PID or --pid BEFORE,AFTER, found {} numbers", more.len()),
        }
    }
}

/// Opens a trace. Any other kind is an error.
pub(crate) fn open_trace(path: &Path, payloads: bool, process: ProcessChoice) -> anyhow::Result<Arc<Trace>> {
    let evidence = open(path, payloads, process)?;
    let kind = evidence.kind();
    evidence.into_trace().ok_or_else(|| {
        anyhow::anyhow!("{} is a {}: this needs a trace (.nettrace)", path.display(), kind.title())
    })
}

/// A load run and the trace that was recorded during it, on one clock.
#[derive(Debug)]
pub(crate) struct RecordedRun {
    /// What each is called within the folder.
    pub(crate) names: [String; 2],
    pub(crate) load: Arc<Load>,
    pub(crate) trace: Arc<Trace>,
}

impl RecordedRun {
    /// Both, the load run first.
    pub(crate) fn evidence(&self) -> [Evidence; 2] {
        [Evidence::Load(Arc::clone(&self.load)), Evidence::Trace(Arc::clone(&self.trace))]
    }

    /// Both as pages.
    pub(crate) fn pages(&self, path: &Path, mine: &MyCode) -> page::Together {
        let own = path.canonicalize().ok();
        let name = own.as_deref().unwrap_or(path).file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        page::Together::new(&name, &self.load, &self.trace, mine)
    }
}

/// Opens the load run and the trace of a folder that holds exactly these two. `None` if it holds anything else.
pub(crate) fn open_run(
    path: &Path,
    payloads: bool,
    process: ProcessChoice,
) -> anyhow::Result<Option<RecordedRun>> {
    let Some([of_load, of_trace]) = run_of(path) else { return Ok(None) };
    let mut load = open(&of_load.path, payloads, ProcessChoice::All)?;
    let mut trace = open(&of_trace.path, payloads, process)?;
    let names = [&of_load, &of_trace].map(|of| of.name.clone().unwrap_or_default());
    import::set_on_one_clock([(&of_load, &mut load), (&of_trace, &mut trace)].into_iter());
    Ok(match (load, trace) {
        (Evidence::Load(load), Evidence::Trace(trace)) => Some(RecordedRun { names, load, trace }),
        _ => None,
    })
}

fn run_of(path: &Path) -> Option<[FoundExhibit; 2]> {
    if !path.is_dir() {
        return None;
    }
    // Anything else is opened as one exhibit, which says what is wrong and what is left out.
    let mut left_out = Vec::new();
    let found = import::find(path, &mut |what| left_out.push(what)).ok()?;
    let [one, other] = <[FoundExhibit; 2]>::try_from(found).ok()?;
    let pair = match (one.kind, other.kind) {
        (Kind::Load, Kind::Trace) => [one, other],
        (Kind::Trace, Kind::Load) => [other, one],
        _ => return None,
    };
    for what in &left_out {
        terminal::say(what);
    }
    Some(pair)
}

/// The exhibits at a path: one, or several in sub-folders.
pub(crate) fn find(path: &Path) -> anyhow::Result<Vec<FoundExhibit>> {
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

/// Refuses to write to a file that is read as (part of) one of the exhibits at these paths.
pub(crate) fn ensure_not_read<'a>(
    output: &Path,
    mut inputs: impl Iterator<Item = &'a Path>,
) -> anyhow::Result<()> {
    let is_read = |input: &Path| import::files(input).iter().any(|file| exhibit::same_file(file, output));
    anyhow::ensure!(
        !inputs.any(is_read),
        "{} is a recording that is read here, and writing would destroy it: choose another file",
        output.display()
    );
    Ok(())
}

/// Refuses to write under a name that only recordings have: it would replace one, or pass for one.
pub(crate) fn ensure_not_recording(output: &Path) -> anyhow::Result<()> {
    let name = output.to_string_lossy().to_ascii_lowercase();
    let bare = [".zst", ".gz", ".zip"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    anyhow::ensure!(
        ![".nettrace", ".netperf"].iter().any(|ending| bare.ends_with(ending)),
        "{} has the name of a recording: choose another one",
        output.display()
    );
    Ok(())
}

/// Opens an exhibit of any kind. Payloads take much memory, and only `events.fields` needs them.
pub(crate) fn open(path: &Path, payloads: bool, process: ProcessChoice) -> anyhow::Result<Evidence> {
    refuse_standard_input(path)?;
    let options = Options { payloads, threads: 2 };
    let form = progress::form();
    if form == Form::None || form == Form::Text && !terminal::is_stderr() {
        return Ok(import::open_process(path, options, process, &mut |_| {})?);
    }
    let mut meter = Meter::new(path, form == Form::Json);
    let opened = import::open_process(path, options, process, &mut |progress| meter.show(progress));
    terminal::clear_progress();
    Ok(opened?)
}

/// Says if an exhibit is incomplete, since its rows alone do not show it.
pub(crate) fn warn_of_losses(evidence: &Evidence) {
    let has_lost_events = matches!(evidence, Evidence::Trace(trace) if trace.missing.events > 0);
    let what = if evidence.lost().is_damaged() {
        "is damaged, or parts of it were left out"
    } else if has_lost_events {
        "has lost events"
    } else {
        return;
    };
    terminal::say(&format!("{} {what}: see `casebook explain`", evidence.exhibit().file));
}

/// Decides when to show progress.
struct Meter<'a> {
    path: &'a Path,
    is_json: bool,
    begun: Instant,
    shown: Option<Instant>,
}

impl<'a> Meter<'a> {
    fn new(path: &'a Path, is_json: bool) -> Self {
        Self { path, is_json, begun: now(), shown: None }
    }

    fn show(&mut self, progress: Progress) {
        let now = now();
        let lasted = now.saturating_duration_since(self.begun);
        let fresh = self.shown.is_some_and(|shown| now.saturating_duration_since(shown) < EVERY);
        // A program may want to know at once which file is being read; a person would only see a flash.
        if fresh || lasted < PATIENCE && !self.is_json {
            return;
        }
        self.shown = Some(now);
        let Progress { read, total } = progress;
        if self.is_json {
            terminal::put_event(&Event::Reading {
                file: self.path.display().to_string(),
                elapsed_ns: nanos(lasted),
                // What is read is counted in blocks, of which the last one may be longer than the rest of the file.
                bytes: total.map_or(read, |total| read.min(total)),
                total_bytes: total,
            });
        } else {
            terminal::show_progress(&text::progress::reading(read, total, lasted));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program reads the clock, for progress alone")]
fn now() -> Instant {
    Instant::now()
}
