//! `counters`: what counters and meters of a process say, while it runs.
//!
//! A session streams into a [`CounterFeed`]; what it gives goes to a page on the terminal that is written over, or as
//! rows to whatever reads them. Every wait has a limit, and the terminal is given back whatever ends the command.

use crate::interrupt::Interrupt;
use crate::outputs::{MaxSize, Outputs, Waiting};
use crate::stopping::{self, Stopping};
use crate::target::Target;
use crate::{duration, spreadsheet, target, terminal};
use anyhow::{Context, ensure};
use ask::{Choice, Named, Wanted};
use base::time::{Deadline, Patience, Stopwatch};
use dotnet_ipc::session::{Received, Request, Session};
use import::CounterFeed;
use jiff::Timestamp;
use notes::{Notes, Place};
use recorder::{Reserve, Subject};
use screen::{Screen, Size};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;
use stream::{Form, Stream};
use text::counters::{Frame, Reading, Table};

mod ask;
mod notes;
mod screen;
mod stream;

/// How long a runtime has to start a session, or to be resumed.
const BEGIN: Duration = Duration::from_secs(10);
/// How long a runtime has to end a session: when the time is over, and when a signal came.
const END: Duration = Duration::from_secs(4);
const END_ASKED: Duration = Duration::from_millis(700);
/// How long after its time the first collection of meters may take.
const COLLECTION: Duration = Duration::from_secs(1);
/// How often signals, the terminal's size and the time are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often the page is shown anew though nothing came.
const REFRESH: Duration = Duration::from_secs(1);
/// How long what came is put together before it is shown.
const SETTLE: Duration = Duration::from_millis(300);
/// The runtime's metrics take no shorter interval.
const SHORTEST: Duration = Duration::from_millis(100);
/// What the runtime keeps of events until they are read: a counter's event has a few hundred bytes.
const BUFFER_MEGABYTES: u32 = 16;
/// What is read of the session per second: 1,000 series published every 100 ms, the most that a runtime is asked for, are
/// 5 MB.
const MOST_PER_SECOND: u64 = 16 << 20;
/// How often the disk is looked at that rows are written to.
const LOOK_AT_DISK: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "\
Without --counters: the runtime, ASP.NET Core and Kestrel, the HTTP client, and Npgsql.
A name may be that of a meter or of an event source; both are asked.

Examples:
  casebook counters -p 4711                                   a page on the terminal, until Ctrl-C
  casebook counters --name Orders -d 1m -o orders.csv         the page, and every value in a file
  casebook counters -p 4711 --counters 'System.Runtime[dotnet.gc.pause.time],MyCompany.Orders'
  casebook counters -p 4711 --format json | jq -c 'select(.name == \"dotnet.exceptions\")'
  casebook counters -p 4711 -d 30s --format table             the last values, once";

/// Live counters and meters of a process
///
/// On a terminal a page that is refreshed in place: counters as their rate with the total beside it, gauges as their value,
/// histograms as the rate of measurements with p50, p95 and p99 of the last interval, each with its course. Elsewhere one
/// row a value, as CSV: ts, provider, name, unit, kind, value, tags.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// How long to watch; until Ctrl-C where it is not given
    #[arg(short, long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Which counters: PROVIDER[name,name],PROVIDER,…
    #[arg(long, value_name = "PROVIDERS", value_parser = ask::parse)]
    counters: Option<Named>,
    /// How often values are published
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration::parse)]
    interval: Duration,
    /// How to print; without it a page on a terminal, else CSV
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the rows to a file as they come, as CSV, or as JSON where its name ends so
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    size: MaxSize,
    #[command(flatten)]
    csv: spreadsheet::Raw,
}

/// Forms of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A page, refreshed in place on a terminal and printed once elsewhere
    Table,
    /// A line a value
    Csv,
    /// An object a line
    Json,
}

/// Watches.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        args.target.is_named(),
        "name a process: -p PID, --name NAME or --diagnostic-port SOCKET; `casebook ps` lists them"
    );
    ensure!(
        args.interval >= SHORTEST,
        "--interval is {} ms, and a runtime publishes every 100 ms at most",
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
    // A signal before the first value is no failure: whoever sent it saw that none was there.
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
    let session = Session::start_at_rate(&subject.endpoint, &request, MOST_PER_SECOND, patience())
        .with_context(|| format!("cannot watch {}", named(subject)))?;
    if subject.suspended {
        dotnet_ipc::process::resume(&subject.endpoint, patience())
            .with_context(|| format!("{} waits at its start and cannot be resumed", named(subject)))?;
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

/// What is seen of the values beside their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// A page that is refreshed on the terminal.
    Refreshed,
    /// The last page.
    Once,
}

/// Where the values go.
struct Output {
    rows: Option<Stream>,
    shown: Shown,
}

impl Output {
    fn of(args: &Args) -> anyhow::Result<Self> {
        let is_terminal = screen::can_be_written_over();
        let page = if is_terminal { Shown::Refreshed } else { Shown::Nothing };
        let file = args.output.as_deref().filter(|path| *path != Path::new("-"));
        let form = match args.format {
            Some(Format::Csv) => Some(Form::Csv),
            Some(Format::Json) => Some(Form::Json),
            Some(Format::Table) | None => None,
        };
        if let Some(path) = file {
            let waiting = Waiting::for_reader(path)?;
            let out = exhibit::create_growing(path, args.size.rules(args.outputs))?;
            drop(waiting);
            let rows = Stream::new(Box::new(out), form.unwrap_or_else(|| form_of(path)), args.csv);
            let shown = if args.format == Some(Format::Table) && !is_terminal { Shown::Once } else { page };
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

/// The form that a file's ending stands for.
fn form_of(path: &Path) -> Form {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("json" | "jsonl" | "ndjson") => Form::Json,
        _ => Form::Csv,
    }
}

/// Why watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The time was over, or a signal came.
    Asked,
    /// The same, but the runtime did not end its session in time.
    Unanswered,
    /// The process or its runtime ended the session.
    Subject,
}

/// Watching, from the session's start to its end.
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
    /// Values that were shown.
    values: u64,
    /// When the page was shown, and since when it is to be shown anew.
    page: Page,
}

/// The state of the page on the terminal.
#[derive(Debug, Default)]
struct Page {
    shown: Option<(Duration, Size)>,
    changed: Option<Duration>,
}

impl Page {
    /// Whether it is time to show it; `quiet` says that nothing comes at the moment.
    fn is_due(&self, now: Duration, size: Size, quiet: bool) -> bool {
        let Some((shown, of_size)) = self.shown else { return true };
        let settled = self.changed.is_some_and(|changed| quiet || now.saturating_sub(changed) >= SETTLE);
        settled || of_size != size || now.saturating_sub(shown) >= REFRESH
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
        let interval_ns = i64::try_from(args.interval.as_nanos()).unwrap_or(i64::MAX);
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
            table: Table::new(interval_ns),
            notes,
            since: Stopwatch::start(),
            looked_at_disk: Stopwatch::start(),
            values: 0,
            page: Page::default(),
        }
    }

    fn run(&mut self, mut session: Session, reserve: Reserve) -> anyhow::Result<Ended> {
        let mut reserve = Some(reserve);
        let screen = match self.output.shown {
            Shown::Refreshed => {
                self.interrupt.gives_back(screen::give_back);
                Some(Screen::enter()?)
            }
            Shown::Nothing | Shown::Once => None,
        };
        if let Some(rows) = &mut self.output.rows {
            rows.write(&[], 0)?;
        }
        let mut buffer = vec![0; 1 << 16];
        let mut stopping: Option<Stopping> = None;
        loop {
            let received = session.read(&mut buffer, LOOK)?;
            match received {
                Received::Bytes(len) => self.feed.take(buffer.get(..len).unwrap_or_default())?,
                Received::Nothing => {}
                Received::End => break,
            }
            self.hand_on()?;
            let (asked, again) =
                (self.interrupt.is_raised(), self.interrupt.control.abandon.load(Ordering::Acquire));
            let is_over = self.args.duration.is_some_and(|of| self.since.elapsed() >= of);
            match &mut stopping {
                Some(stopping) if again || stopping.deadline.is_past() => {
                    return self.end(Ended::Unanswered);
                }
                Some(stopping) => stopping.ensure_told()?,
                None if asked || is_over || self.is_disk_full() => {
                    self.interrupt.waits_for("the runtime to end its session");
                    // Around the first collection of meters the runtime is not told at once: closing the connection
                    // instead would end the session in the very moment that must be avoided.
                    let collects = self.since.elapsed() < self.args.interval.saturating_add(COLLECTION);
                    let deadline = Deadline::after(if asked && !collects { END_ASKED } else { END });
                    let reserve = reserve.take().map_or_else(stopping::reserve, Ok)?;
                    stopping = Some(stopping::stop(&session, reserve, deadline)?);
                }
                None => {}
            }
            if let Some(screen) = &screen {
                self.show(screen, received == Received::Nothing)?;
            }
        }
        let Some(stopping) = stopping else { return self.end(Ended::Subject) };
        stopping.wait();
        self.end(Ended::Asked)
    }

    /// Whether the disk that rows are written to has no more room; says so once.
    fn is_disk_full(&mut self) -> bool {
        let Some(path) = self.args.output.as_deref().filter(|path| *path != Path::new("-")) else {
            return false;
        };
        if self.looked_at_disk.elapsed() < LOOK_AT_DISK {
            return false;
        }
        self.looked_at_disk = Stopwatch::start();
        let full = recorder::disk_full(path);
        if let Some(full) = full {
            notes::say(&format!("the watching ends early: {}", full.words()));
        }
        full.is_some()
    }

    /// Passes on what came.
    fn hand_on(&mut self) -> anyhow::Result<()> {
        let readings = self.feed.readings();
        if !readings.is_empty() {
            self.notes.lives();
        }
        // Also what is held back until it is known whether a meter of that name answers.
        for of in readings.iter().filter(|of| self.choice.wants(of)) {
            self.notes.heard(&of.provider);
        }
        let shown = self.choice.pass(readings);
        self.pass_on(&shown)?;
        for note in self.feed.notes() {
            self.notes.tell_of(&note);
        }
        // The first values come an interval after the session began.
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

    fn show(&mut self, screen: &Screen, quiet: bool) -> anyhow::Result<()> {
        let (now, size) = (self.since.elapsed(), screen::size());
        if !self.page.is_due(now, size, quiet) {
            return Ok(());
        }
        self.page = Page { shown: Some((now, size)), changed: None };
        screen.show(&self.lines(size.columns, Some(size.rows)))?;
        Ok(())
    }

    fn lines(&self, columns: usize, rows: Option<usize>) -> Vec<String> {
        let notes =
            self.notes.lines(self.feed.lost(), self.feed.left_out().saturating_add(self.table.left_out()));
        let title = self.title();
        let ending = format!("{title} · Ctrl-C ends");
        let title = if rows.is_some() && ending.chars().count() <= columns { ending } else { title };
        self.table.lines(Frame { columns, rows, title: &title, notes: &notes })
    }

    fn title(&self) -> String {
        let time = Timestamp::try_from(base::time::calendar());
        let time = time.map(|time| time.strftime("%H:%M:%S UTC").to_string()).unwrap_or_default();
        text::counters::title(&target::process(self.subject), self.since.elapsed(), &time)
    }

    /// Prints what stays when the page is gone, and says how it ended.
    fn close(&self, ended: Ended) -> anyhow::Result<()> {
        let mut out = terminal::stdout();
        if self.output.shown != Shown::Nothing && self.values > 0 {
            const WIDE: usize = 160;
            let columns = if self.output.shown == Shown::Refreshed { screen::size().columns } else { WIDE };
            for line in self.lines(columns, None) {
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        let how = match ended {
            Ended::Asked => "",
            Ended::Unanswered => {
                "; the runtime did not end its session in time, and ends it with its next event"
            }
            Ended::Subject if self.is_gone() => "; the process ended",
            Ended::Subject => "; the runtime ended the session",
        };
        let (process, watched) = (target::process(self.subject), self.since.elapsed());
        let summary = text::counters::summary(&process, watched, self.values, self.feed.lost()) + how;
        match self.output.shown {
            Shown::Refreshed => writeln!(out, "{summary}")?,
            Shown::Nothing | Shown::Once if ended != Ended::Asked || self.feed.lost() > 0 => {
                notes::say(&summary);
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
            notes::say(&format!("nothing was watched: {why}"));
        }
        spreadsheet::tell(self.output.rows.as_ref().map_or(0, Stream::guarded));
        Ok(())
    }

    /// Whether the process is gone; one that is ending gets a moment.
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
    fn a_page_waits_until_a_batch_is_whole() {
        let [small, large] = [80, 140].map(|columns| Size { columns, rows: 24 });
        let at = Duration::from_millis;
        let page = Page { shown: Some((at(1000), small)), changed: Some(at(1100)) };
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
