//! `casebook counters`: live values of a process's counters and meters.
//!
//! A session streams into a [`CounterFeed`]. Its values go to a page that is refreshed on the terminal, or as rows to a file
//! or another program. Every wait has a limit, and the terminal is restored however the command ends.

use crate::interrupt::Interrupt;
use crate::outputs::{MaxSize, Outputs, Waiting, is_stdout};
use crate::stopping::{self, Stopping};
use crate::target::Target;
use crate::terminal::Size;
use crate::{duration, spreadsheet, target, terminal};
use anyhow::{Context, ensure};
use ask::{Choice, Named, Wanted};
use base::time::{Deadline, Patience, Stopwatch};
use dotnet_ipc::session::{Received, Request, Session};
use import::CounterFeed;
use jiff::Timestamp;
use keys::{Key, Keys};
use live::{Frozen, Live};
use notes::{Notes, Place};
use recorder::{Reserve, Subject};
use screen::Screen;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use stream::{Form, Stream};
use text::counters::{Frame, Reading, Table};

mod ask;
mod keys;
mod live;
mod notes;
mod screen;
mod stream;

/// How long the runtime has to start a session, or to resume.
const BEGIN: Duration = Duration::from_secs(10);
/// How long the runtime has to end the session when the time is over.
const END: Duration = Duration::from_secs(4);
/// The same after a signal: less than [`Interrupt`] allows before it says that we wait.
const END_ASKED: Duration = Duration::from_millis(700);
/// How late the first values of meters may come after their interval.
const COLLECTION: Duration = Duration::from_secs(1);
/// How often to look at signals, the terminal's size and the time.
const LOOK: Duration = Duration::from_millis(100);
/// The same if keys are read, which should be obeyed at once.
const LOOK_AT_KEYS: Duration = Duration::from_millis(30);
/// How often the page is refreshed if no value comes.
const REFRESH: Duration = Duration::from_secs(1);
/// How long to collect values before the page shows them, so that those of one interval appear together.
const SETTLE: Duration = Duration::from_millis(300);
/// The shortest interval at which the runtime publishes meters.
const SHORTEST: Duration = Duration::from_millis(100);
/// How much memory the runtime may use for events that are not read yet. The event of a counter has a few hundred bytes.
const BUFFER_MEGABYTES: u32 = 16;
/// How many bytes of the session to read per second. The most that we ask a runtime for is 1,000 series every 100 ms, which
/// is 5 MB.
const MAX_PER_SECOND: u64 = 16 << 20;
/// How often to look whether the disk is full that rows are written to.
const LOOK_AT_DISK: Duration = Duration::from_secs(1);
/// The width of a table that is not on a terminal, if nothing says how wide it is to be.
const WIDTH: usize = 160;

const AFTER_HELP: &str = "\
Examples:
  casebook counters -p 4711                             # until Ctrl-C
  casebook counters --name Orders -d 1m -o orders.csv   # also into a file
  casebook counters -p 4711 \\
    --counters 'System.Runtime[dotnet.gc.pause.time],MyCompany.Orders'
  casebook counters -p 4711 --format json \\
    | jq -c 'select(.name == \"dotnet.exceptions\")'
  casebook counters -p 4711 -d 30s --format text        # the last values, once";

/// Watch the live counters and meters of a process
///
/// On a terminal it refreshes a page in place: a counter as its rate and total, a gauge as its value, a histogram as its rate
/// with p50, p95 and p99 of the last interval, and a sparkline for each. Keys: q quits, space pauses, s or ←→ sorts, r reverses,
/// ↑↓, PgUp, PgDn, Home and End scroll. Otherwise it prints one CSV row per value: ts,
/// provider, name, unit, kind, value, tags.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// How long to watch: 500ms, 10s, 2m or 1h; a number alone is in seconds [default: until Ctrl-C]
    #[arg(short, long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Which counters: PROVIDER[name,name],PROVIDER,… A provider is a meter or an event source [default: the runtime, ASP.NET
    /// Core, Kestrel, HttpClient, Npgsql]
    #[arg(long, value_name = "PROVIDERS", value_parser = ask::parse)]
    counters: Option<Named>,
    /// How often the process publishes values
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    interval: Duration,
    /// How to print [default: text on a terminal, else csv]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the rows to a file as they come, in place of what is there: as JSON if its name ends in .json, .jsonl or .ndjson, else as CSV
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    size: MaxSize,
    #[command(flatten)]
    csv: spreadsheet::Raw,
}

impl Args {
    /// The file of -o, unless that is standard output.
    fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| !is_stdout(path))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A page, refreshed in place on a terminal and otherwise printed once, at the end
    #[value(alias = "table")]
    Text,
    /// One line per value
    Csv,
    /// One JSON object per line
    Json,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        args.interval >= SHORTEST,
        "--interval is {} ms, but a runtime publishes values every 100 ms or less often",
        args.interval.as_millis()
    );
    let interrupt = Interrupt::catch()?;
    interrupt.waits_for("the runtime to say what it is");
    let subject = args.target.find(args.outputs.rules(), &|| !interrupt.is_raised())?;
    let output = Output::of(args)?;
    let wanted =
        args.counters.clone().map_or_else(|| ask::usual(subject.runtime.as_deref()), |named| named.0);
    interrupt.waits_for("the runtime to begin a session");
    let reserve = stopping::reserve()?;
    let session = start(args, &subject, &wanted, &interrupt)?;
    interrupt.keeps();
    let mut watch = Watch::new(args, &subject, wanted, output, &interrupt);
    let ended = watch.run(session, reserve)?;
    watch.close(ended)?;
    interrupt.done();
    // A signal before the first value is not a failure: its sender saw that there were none.
    Ok(if watch.values > 0 || interrupt.is_raised() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn start(
    args: &Args,
    subject: &Subject,
    wanted: &[Wanted],
    interrupt: &Interrupt,
) -> anyhow::Result<Session> {
    let patience = || Patience::unless(&interrupt.control.stop, Deadline::after(BEGIN));
    let providers = ask::providers(wanted, args.interval);
    let request = Request { providers, buffer_megabytes: BUFFER_MEGABYTES, rundown: 0 };
    let session = Session::start_at_rate(&subject.endpoint, &request, MAX_PER_SECOND, patience())
        .with_context(|| format!("cannot watch {}", named(subject)))?;
    if subject.suspended {
        dotnet_ipc::process::resume(&subject.endpoint, patience())
            .with_context(|| format!("cannot resume {}, which waits at its start", named(subject)))?;
    }
    Ok(session)
}

fn named(subject: &Subject) -> String {
    target::process(subject).named()
}

/// A value as the table takes it.
fn reading(of: &import::CounterReading) -> Reading<'_> {
    Reading {
        ts_ns: of.ts_ns,
        provider: &of.provider,
        name: &of.name,
        unit: &of.unit,
        kind: &of.kind,
        value: of.value,
        tags: &of.tags,
        is_change: of.is_change,
    }
}

/// What is shown of the values, apart from their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// A page that is refreshed on the terminal.
    Refreshed,
    /// The same page, once at the end.
    Once,
}

/// Where the values go.
struct Output {
    rows: Option<Stream>,
    shown: Shown,
}

impl Output {
    fn of(args: &Args) -> anyhow::Result<Self> {
        let is_terminal = screen::can_refresh();
        let page = if is_terminal { Shown::Refreshed } else { Shown::Nothing };
        let form = match args.format {
            Some(Format::Csv) => Some(Form::Csv),
            Some(Format::Json) => Some(Form::Json),
            Some(Format::Text) | None => None,
        };
        if let Some(path) = args.file() {
            let waiting = Waiting::for_reader(path)?;
            crate::reading::ensure_not_recording(path)?;
            let out = exhibit::create_growing(path, args.size.rules(args.outputs))?;
            drop(waiting);
            let rows = Stream::new(Box::new(out), form.unwrap_or_else(|| form_of(path)), args.csv);
            let shown = if args.format == Some(Format::Text) && !is_terminal { Shown::Once } else { page };
            return Ok(Self { rows: Some(rows), shown });
        }
        let stream = |form| {
            let out = if form == Form::Json { terminal::json() } else { terminal::rows() };
            Some(Stream::new(Box::new(out), form, args.csv))
        };
        Ok(match (args.format, form) {
            (_, Some(form)) => Self { rows: stream(form), shown: Shown::Nothing },
            (Some(_), None) => Self { rows: None, shown: if is_terminal { page } else { Shown::Once } },
            (None, None) if is_terminal && args.output.is_none() => Self { rows: None, shown: page },
            (None, None) => Self { rows: stream(Form::Csv), shown: Shown::Nothing },
        })
    }
}

/// The form of rows by the ending of the file's name.
fn form_of(path: &Path) -> Form {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json" | "jsonl" | "ndjson") => Form::Json,
        _ => Form::Csv,
    }
}

/// Why watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// We ended it: the time was over, or a signal came.
    Asked,
    /// The same, but the runtime did not end its session in time.
    Unanswered,
    /// The process or its runtime ended it.
    Subject,
}

/// A session, from its start to its end.
struct Watch<'a> {
    args: &'a Args,
    subject: &'a Subject,
    interrupt: &'a Interrupt,
    output: Output,
    feed: CounterFeed,
    choice: Choice,
    table: Table,
    notes: Notes,
    since: Stopwatch,
    looked_at_disk: Stopwatch,
    /// How many values were passed on.
    values: u64,
    page: Page,
    live: Live,
    /// When the last bytes came.
    received: Stopwatch,
}

/// When the page on the terminal was drawn. Times are since the session's start.
#[derive(Debug, Default)]
struct Page {
    drawn: Option<Drawn>,
    /// When the first value came that the page does not show yet.
    changed: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Drawn {
    at: Duration,
    size: Size,
}

impl Page {
    /// Whether it is time to draw the page. `quiet` means that no value is coming at the moment.
    fn is_due(&self, now: Duration, size: Size, quiet: bool) -> bool {
        let Some(drawn) = self.drawn else { return true };
        let settled = self.changed.is_some_and(|changed| quiet || now.saturating_sub(changed) >= SETTLE);
        settled || drawn.size != size || now.saturating_sub(drawn.at) >= REFRESH
    }
}

impl<'a> Watch<'a> {
    fn new(
        args: &'a Args,
        subject: &'a Subject,
        wanted: Vec<Wanted>,
        output: Output,
        interrupt: &'a Interrupt,
    ) -> Self {
        let names = wanted.iter().map(|of| of.provider.clone()).collect();
        let place = if output.shown == Shown::Refreshed { Place::Page } else { Place::StandardError };
        let notes = Notes::new(names, args.counters.is_some(), place);
        Self {
            args,
            subject,
            interrupt,
            output,
            feed: CounterFeed::new(),
            choice: Choice::new(wanted, args.interval),
            table: Table::new(ask::nanos(args.interval)),
            notes,
            since: Stopwatch::start(),
            looked_at_disk: Stopwatch::start(),
            values: 0,
            page: Page::default(),
            live: Live::default(),
            received: Stopwatch::start(),
        }
    }

    fn run(&mut self, mut session: Session, reserve: Reserve) -> anyhow::Result<Ended> {
        let mut reserve = Some(reserve);
        let screen = match self.output.shown {
            Shown::Refreshed => {
                self.interrupt.restores_terminal(screen::restore);
                Some(Screen::new()?)
            }
            Shown::Nothing | Shown::Once => None,
        };
        let mut keys = None;
        // Writes the header, so that a reader sees at once that the session runs.
        if let Some(rows) = &mut self.output.rows {
            rows.write(&[], 0)?;
        }
        let mut buffer = vec![0; 1 << 16];
        let mut stopping: Option<Stopping> = None;
        loop {
            if let Some(screen) = &screen {
                let shown = screen.take()?;
                if shown == screen::Shown::Empty {
                    self.live.is_changed = true;
                }
                // Started in the background, it has the keyboard once it is in the foreground.
                keys = keys.or_else(|| (shown != screen::Shown::Other).then(Keys::enter).flatten());
                self.live.has_keys = keys.is_some();
            }
            let look = if keys.is_some() { LOOK_AT_KEYS } else { LOOK };
            match session.read(&mut buffer, look)? {
                Received::Bytes(len) => {
                    self.received = Stopwatch::start();
                    self.feed.take(buffer.get(..len).unwrap_or_default())?;
                }
                Received::Nothing => {}
                Received::End => break,
            }
            self.take_values()?;
            if let Some(keys) = &mut keys {
                keys.pressed(|key| self.press(key));
            }
            let asked = self.interrupt.is_raised();
            let is_over = self.args.duration.is_some_and(|of| self.since.elapsed() >= of);
            match &mut stopping {
                Some(stopping) if self.interrupt.is_abandoned() || stopping.deadline.is_past() => {
                    return self.end(Ended::Unanswered);
                }
                Some(stopping) => stopping.check()?,
                None if asked || is_over || self.is_disk_full() => {
                    self.interrupt.waits_for("the runtime to end its session");
                    // A session that ends while the runtime collects meters for the first time can leave the process unable
                    // to exit. The stop waits until that is over, so it needs a longer deadline: after the deadline the
                    // connection is closed, whatever the runtime is doing.
                    let collects = self.since.elapsed() < self.args.interval.saturating_add(COLLECTION);
                    let deadline = Deadline::after(if asked && !collects { END_ASKED } else { END });
                    let reserve = reserve.take().map_or_else(stopping::reserve, Ok)?;
                    stopping = Some(stopping::stop(&session, reserve, deadline)?);
                }
                None => {}
            }
            if let Some(screen) = &screen {
                self.live.is_ending = stopping.is_some();
                self.show(screen)?;
            }
        }
        let Some(stopping) = stopping else { return self.end(Ended::Subject) };
        stopping.wait();
        self.end(Ended::Asked)
    }

    /// Whether the disk that rows are written to is full. Says so if it is.
    fn is_disk_full(&mut self) -> bool {
        let Some(path) = self.args.file() else { return false };
        if self.looked_at_disk.elapsed() < LOOK_AT_DISK {
            return false;
        }
        self.looked_at_disk = Stopwatch::start();
        let full = recorder::disk_full(path);
        if let Some(full) = full {
            terminal::say(&format!("ends early: {}", full.words()));
        }
        full.is_some()
    }

    /// Passes on the values that came, and the notes about them.
    fn take_values(&mut self) -> anyhow::Result<()> {
        let readings = self.feed.readings();
        if !readings.is_empty() {
            self.notes.heard_any();
        }
        // Also values that are held until it is clear whether a meter of the same name answers.
        for of in readings.iter().filter(|of| self.choice.wants(of)) {
            self.notes.heard(&of.provider);
        }
        let shown = self.choice.pass(readings);
        self.pass_on(&shown)?;
        for note in self.feed.notes() {
            self.notes.add(&note);
        }
        // The first values come one interval after the session began.
        let silence = self.args.interval.saturating_mul(2).saturating_add(SETTLE);
        self.notes.look_for_silence(self.since.elapsed() >= silence);
        Ok(())
    }

    fn pass_on(&mut self, readings: &[import::CounterReading]) -> anyhow::Result<()> {
        if readings.is_empty() {
            return Ok(());
        }
        self.values = self.values.saturating_add(readings.len() as u64);
        if let Some(rows) = &mut self.output.rows {
            // A session begins with its start, so it is known before any value.
            rows.write(readings, self.feed.start_utc_ns().unwrap_or(0))?;
        }
        for of in readings {
            if self.output.shown != Shown::Nothing {
                self.table.take(&reading(of));
            }
        }
        self.page.changed.get_or_insert(self.since.elapsed());
        Ok(())
    }

    fn end(&mut self, ended: Ended) -> anyhow::Result<Ended> {
        let rest = self.choice.rest();
        self.pass_on(&rest)?;
        Ok(ended)
    }

    /// Does what a key asks.
    fn press(&mut self, key: Key) {
        match key {
            Key::Quit => self.interrupt.ask(),
            Key::Pause if self.live.frozen.take().is_none() => {
                let (table, title, notes) = (self.table.clone(), self.title(), self.noted());
                self.live.frozen = Some(Frozen { table, title: format!("paused · {title}"), notes });
            }
            _ => {}
        }
        self.live.press(key);
    }

    /// Draws the page if it is time to.
    fn show(&mut self, screen: &Screen) -> anyhow::Result<()> {
        let (now, size) = (self.since.elapsed(), screen::size());
        let quiet = self.received.elapsed() >= LOOK;
        if !self.live.is_changed && !self.page.is_due(now, size, quiet) {
            return Ok(());
        }
        self.page = Page { drawn: Some(Drawn { at: now, size }), changed: None };
        let page = self.lines(size.columns, Some(size.rows));
        self.live.drawn(&page);
        screen.show(&page.lines)?;
        Ok(())
    }

    fn lines(&self, columns: usize, rows: Option<usize>) -> text::counters::Page {
        let view = self.live.view;
        let footer = rows.and_then(|_| self.live.footer(columns));
        let footer = footer.as_deref();
        if let Some(Frozen { table, title, notes }) = self.live.frozen.as_ref().filter(|_| rows.is_some()) {
            return table.page(Frame { columns, rows, title, notes, view, footer });
        }
        let notes = self.noted();
        let title = self.title();
        let ending = format!("{title} · Ctrl-C ends");
        let has_room = rows.is_some() && footer.is_none() && ending.chars().count() <= columns;
        let title = if has_room { ending } else { title };
        self.table.page(Frame { columns, rows, title: &title, notes: &notes, view, footer })
    }

    fn noted(&self) -> Vec<String> {
        self.notes.lines(self.feed.lost(), self.feed.left_out().saturating_add(self.table.left_out()))
    }

    fn title(&self) -> String {
        let time = Timestamp::try_from(base::time::calendar());
        let time = time.map(|time| time.strftime("%H:%M:%S UTC").to_string()).unwrap_or_default();
        text::counters::title(&target::process(self.subject), self.since.elapsed(), &time)
    }

    /// Prints the last page, which stays on the terminal, and says how the session ended.
    fn close(&self, ended: Ended) -> anyhow::Result<()> {
        let mut out = terminal::stdout();
        if self.output.shown != Shown::Nothing && self.values > 0 {
            let columns = match self.output.shown {
                Shown::Refreshed => screen::size().columns,
                Shown::Nothing | Shown::Once => terminal::columns().unwrap_or(WIDTH),
            };
            for line in self.lines(columns, None).lines {
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        let how = match ended {
            Ended::Asked => "",
            Ended::Unanswered => {
                "; the runtime did not end its session in time, and will end it with its next event"
            }
            Ended::Subject if self.is_gone() => "; the process ended",
            Ended::Subject => "; the runtime ended the session",
        };
        let (process, watched) = (target::process(self.subject), self.since.elapsed());
        let summary = text::counters::summary(&process, watched, self.values, self.feed.lost()) + how;
        match self.output.shown {
            Shown::Refreshed => writeln!(out, "{summary}")?,
            Shown::Nothing | Shown::Once if ended != Ended::Asked || self.feed.lost() > 0 => {
                terminal::say(&summary);
            }
            Shown::Nothing | Shown::Once => {}
        }
        out.flush()?;
        if self.values == 0 && !self.interrupt.is_raised() {
            let why = match ended {
                Ended::Subject if self.is_gone() => "the process ended before a value came",
                Ended::Subject => "the runtime ended the session before a value came",
                Ended::Asked | Ended::Unanswered => "no value came",
            };
            terminal::say(&format!("nothing was watched: {why}"));
        }
        spreadsheet::warn(self.output.rows.as_ref().map_or(0, Stream::guarded));
        Ok(())
    }

    /// Whether the process has ended. Waits a moment for one that is ending.
    fn is_gone(&self) -> bool {
        let Some(pid) = self.subject.pid else { return true };
        let proc = host::Proc::live();
        let deadline = Deadline::after(Duration::from_secs(1));
        loop {
            let stat = proc.stat(pid).ok();
            let is_there = stat
                .is_some_and(|stat| Some(stat.start_ticks) == self.subject.start_ticks && stat.state != 'Z');
            if !is_there || !deadline.pause(LOOK) {
                return !is_there;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_waits_until_all_values_of_an_interval_are_there() {
        let [small, large] = [80, 140].map(|columns| Size { columns, rows: 24 });
        let at = Duration::from_millis;
        let page = Page { drawn: Some(Drawn { at: at(1000), size: small }), changed: Some(at(1100)) };
        assert!(!page.is_due(at(1200), small, false));
        assert!(page.is_due(at(1200), small, true));
        assert!(page.is_due(at(1400), small, false));
        assert!(page.is_due(at(1200), large, false));
        assert!(!Page { changed: None, ..page }.is_due(at(1900), small, true));
    }

    #[test]
    fn the_form_follows_the_name() {
        let form = |name: &str| form_of(Path::new(name));
        assert_eq!(
            ["a.csv", "a.json", "a.ndjson", "a"].map(form),
            [Form::Csv, Form::Json, Form::Json, Form::Csv]
        );
    }
}
