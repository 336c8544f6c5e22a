//! A recording, from its beginning to its end.
//!
//! ```text
//!  measure the subject ─▶ main session ─▶ (resume) ─▶ names, bursts, host ─▶ … ─▶ stop ─▶ rundown ─▶ exhibit.toml
//!                              ▲   │
//!                              └───┘ with `keep`: a new segment begins, the oldest is removed
//! ```

mod keeping;

use crate::budget::{DiskBudget, LimitsReached, check_disk};
use crate::bursts;
use crate::control::{Control, Progress, Stage};
use crate::cost::{Cost, cores_used, cpu_limit, measure_before, own_cpu_ns};
use crate::error::Error;
use crate::file::{Written, hashed};
use crate::options::{Ended, Outcome, RecordOptions};
use crate::output::{Names, Preparation, check_place};
use crate::profile::{OutputShape, first_uses};
use crate::provenance;
use crate::pump::{End, Reader, Reserve, Role, SessionFacts};
use crate::segments::{Destination, Segment, SegmentEnd, segment_length, take_names};
use crate::subject::{Subject, buffer};
use crate::tables::{self, Tables, monotonic_ns, reading_every};
use base::time::{Deadline, Patience, Stopwatch};
use dotnet_ipc::session::{FULL_RUNDOWN, NAMES_RUNDOWN, Request, Session, Starter};
use exhibit::{Folder, Manifest, ManifestFile};
use host::Proc;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the main session may take to begin.
const BEGIN: Duration = Duration::from_secs(10);
/// How often everything is checked.
const TICK: Duration = Duration::from_millis(100);
/// How long the method names that were asked for at the beginning may still take once the recording has ended.
const NAMES_PATIENCE: Duration = Duration::from_secs(30);
/// How long the end of the main session waits for a burst to end.
const BURST_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is checked whether something has ended that is about to end.
const LAST_LOOK: Duration = Duration::from_millis(5);
/// How long a process may still exist after its sessions have ended.
const GOES_WITHIN: Duration = Duration::from_secs(1);
/// A clock that differs from ours by more than this is a different clock.
const SAME_CLOCK_NS: i64 = 2_000_000_000;

/// Creates readers of sessions.
pub type MakeReader = Arc<dyn Fn(Role) -> Box<dyn Reader> + Send + Sync>;

/// Records a subject until the duration is over, the subject ends, or the recording is asked to stop.
///
/// A subject that is suspended at its start is resumed once the main session has begun, or has failed to begin.
pub fn record(
    subject: &Subject,
    options: &RecordOptions,
    control: &Control,
    make_reader: &MakeReader,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let proc = Proc::live();
    let resume = |notes: &mut Vec<String>| resume(subject, control, notes);
    // Whatever can be refused is checked before the subject is disturbed.
    let checked = check_place(&options.out, options.shape, options.force, options.rules)
        .and_then(|()| check_disk(&options.out, options.most_bytes));
    if let Err(error) = checked {
        resume(&mut Vec::new());
        return Err(error);
    }
    let before = measure_before(subject, &proc, control, progress);
    if !subject.suspended && control.stop.load(Ordering::Acquire) {
        return Err(Error::NotBegun);
    }
    let mut recorder = match Recorder::begin(subject, options, control, &proc, make_reader) {
        Ok(recorder) => recorder,
        Err(error) => {
            resume(&mut Vec::new());
            return Err(error.of_beginning());
        }
    };
    resume(&mut recorder.notes);
    recorder.take_place().map_err(Error::of_beginning)?;
    recorder.begin_beside();
    let ended = recorder.until_end(control, progress);
    Ok(recorder.end(ended, before, control, progress))
}

/// Resumes a suspended subject.
fn resume(subject: &Subject, control: &Control, notes: &mut Vec<String>) {
    let patience = Patience::unless(&control.abandon, Deadline::after(BEGIN));
    if subject.suspended
        && let Err(error) = dotnet_ipc::process::resume(&subject.endpoint, patience)
    {
        notes.push(format!("the subject could not be resumed: {error}"));
    }
}

/// A recording under way.
struct Recorder<'a> {
    subject: &'a Subject,
    options: &'a RecordOptions,
    control: &'a Control,
    proc: Proc,
    make_reader: &'a MakeReader,
    /// The folder of the recording, or the folder that its file lies in.
    folder: Folder,
    /// How much of the disk its files may take.
    budget: Arc<DiskBudget>,
    names: Names,
    manifest: Option<Manifest>,
    /// The file that `manifest` is written to.
    manifest_file: Option<ManifestFile>,
    /// The prepared output, until it is kept.
    prepared: Option<Preparation>,
    starter: Starter,
    request: Request,
    /// The segments that are kept. The last one is being written.
    kept: VecDeque<KeptSegment>,
    main: Segment,
    /// The session of methods that are used for the first time.
    first_uses: Option<Segment>,
    main_begun: Stopwatch,
    begun: Stopwatch,
    /// Sessions that were asked to end: segments, and sessions of method names.
    ending: Vec<Ending>,
    bursts: Option<BurstThread>,
    tables: Option<Tables>,
    /// When the next reading of the host is due; `None` if it is due now.
    reading_due: Option<Deadline>,
    cpu_begun: Option<u64>,
    own_cpu_begun: Option<u64>,
    written: Vec<Written>,
    /// The sums of all sessions that have ended.
    facts: SessionFacts,
    bytes: u64,
    notes: Vec<String>,
    copies: Vec<PathBuf>,
    /// When the recording was stopped.
    stopped_ns: i64,
    /// File descriptors that are freed for the end of the recording.
    reserve: Option<Reserve>,
}

/// A segment that is kept, complete or being written.
#[derive(Debug, Clone, Copy)]
struct KeptSegment {
    number: u32,
    began_ns: i64,
}

/// A session that was asked to end.
struct Ending {
    since: Stopwatch,
    session: Segment,
}

/// The thread that takes bursts.
struct BurstThread {
    state: Arc<bursts::State>,
    file: Arc<Mutex<bursts::BurstFile>>,
    thread: JoinHandle<()>,
}

impl<'a> Recorder<'a> {
    fn begin(
        subject: &'a Subject,
        options: &'a RecordOptions,
        control: &'a Control,
        proc: &Proc,
        make_reader: &'a MakeReader,
    ) -> Result<Self, Error> {
        if let Some(pid) = subject.pid.filter(|_| !subject.is_there(proc)) {
            return Err(Error::Gone(pid));
        }
        let rundown = match options.shape {
            OutputShape::OneFile => FULL_RUNDOWN,
            // A segment gets its method names when it begins.
            OutputShape::Folder if options.keep.is_some() => 0,
            OutputShape::Folder => NAMES_RUNDOWN,
        };
        let buffer_megabytes = options.buffer_megabytes.unwrap_or_else(|| buffer(subject, proc));
        let request = Request { providers: options.plan.main.clone(), buffer_megabytes, rundown };
        let names = Names::new(options.keep.is_some());
        let manifest = match options.shape {
            OutputShape::OneFile => None,
            OutputShape::Folder => Some(provenance::begun(options, subject)?),
        };
        // The session comes last: if the files cannot be created, the subject is not disturbed. An earlier recording stays until
        // the new one has begun.
        let (prepared, files) = Preparation::prepare(options, names, manifest.as_ref())?;
        let reserve = Some(Reserve::take().map_err(Error::Descriptors)?);
        let patience = Patience::unless(&control.stop, Deadline::after(BEGIN));
        let session = Session::start(&subject.endpoint, &request, patience)?;
        let starter = session.starter();
        control.begun.store(true, Ordering::Release);
        let main = Segment::into_file(session, files.trace, make_reader(Role::Main))?;
        let (folder, budget) = (prepared.folder.clone(), Arc::clone(&prepared.budget));
        Ok(Self {
            subject,
            options,
            control,
            proc: proc.clone(),
            make_reader,
            folder,
            budget,
            names,
            manifest,
            manifest_file: files.manifest,
            prepared: Some(prepared),
            starter,
            request,
            kept: VecDeque::from([KeptSegment { number: 1, began_ns: monotonic_ns() }]),
            main,
            first_uses: None,
            main_begun: Stopwatch::start(),
            begun: Stopwatch::start(),
            ending: Vec::new(),
            bursts: None,
            tables: None,
            reading_due: None,
            cpu_begun: subject.cpu_ns(proc),
            own_cpu_begun: own_cpu_ns(proc),
            written: Vec::new(),
            facts: SessionFacts::default(),
            bytes: 0,
            notes: Vec::new(),
            copies: Vec::new(),
            stopped_ns: monotonic_ns(),
            reserve,
        })
    }

    /// Takes the place of an earlier recording as soon as the new one can be opened.
    fn take_place(&mut self) -> Result<(), Error> {
        let Some(prepared) = self.prepared.take() else { return Ok(()) };
        // Until the header of its trace is on the disk, the new recording could not be opened.
        if prepared.replaces_another() {
            let patience = self.patience();
            while !self.main.gauge.is_readable() && !self.main.gauge.has_ended() && patience.pause(LAST_LOOK)
            {
            }
        }
        let kept = if !prepared.replaces_another() || self.main.gauge.is_readable() {
            prepared.keep()
        } else if self.control.stop.load(Ordering::Acquire) {
            Err(Error::NotBegun)
        } else {
            Err(Error::NothingCame)
        };
        kept.map_err(|error| {
            // Closing the connection ends the session.
            self.main.abandon();
            let end = self.main.join();
            end.and_then(|end| end.end.err()).unwrap_or(error)
        })
    }

    /// Begins everything beside the main session. If a part fails, that is noted, and the recording goes on.
    fn begin_beside(&mut self) {
        if self.options.shape == OutputShape::OneFile {
            return;
        }
        self.begin_first_uses(1);
        // A subject that was suspended until now has no methods to name yet.
        if !self.subject.suspended {
            self.take_names(1);
        }
        if self.subject.pid.is_none() {
            self.notes.push(
                "the process id is not known in our namespace, so the host's tables are not recorded"
                    .to_owned(),
            );
        }
        if let Some(pid) = self.subject.pid {
            match Tables::create(&self.folder, &self.proc, pid, self.subject.start_ticks) {
                Ok(tables) => {
                    self.budget.recount(0, tables.bytes());
                    self.tables = Some(tables);
                }
                Err(error) => {
                    self.fail(
                        "the host's tables cannot be written",
                        &Error::write(self.folder.path())(error),
                    );
                }
            }
        }
        self.read_host();
        if self.options.plan.bursts.is_some()
            && let Err(error) = self.begin_bursts()
        {
            self.fail("no samples are taken", &error);
        }
    }

    /// Notes that a part of the recording failed. If the recording was stopped or the disk is full, nothing is noted, since
    /// that is reported of the whole recording.
    fn fail(&mut self, what: &str, error: &Error) {
        self.budget.note(error);
        if !error.is_called_off() && !error.is_full() {
            self.notes.push(format!("{what}: {error}"));
        }
    }

    /// Begins the session of methods that are used for the first time, and ends the one of the segment before.
    fn begin_first_uses(&mut self, segment: u32) {
        let request = Request { providers: first_uses(), rundown: 0, ..self.request };
        let begun = self.starter.start(&request, self.patience()).map_err(Error::from);
        let name = self.names.first_uses(segment);
        let next = begun.and_then(|session| {
            let reader = (self.make_reader)(Role::Names);
            Segment::begin(session, &self.folder, name.as_ref(), &self.budget, reader)
        });
        let next = match next {
            Ok(next) => Some(next),
            Err(error) => {
                self.fail("the names of methods that are used for the first time are not taken", &error);
                None
            }
        };
        let last = std::mem::replace(&mut self.first_uses, next);
        self.end_beside(last);
    }

    /// How long a session may take to begin, unless the recording is asked to stop.
    fn patience(&self) -> Patience<'a> {
        Patience::unless(&self.control.stop, Deadline::after(BEGIN))
    }

    /// Asks a session beside the main one to end.
    fn end_beside(&mut self, session: Option<Segment>) {
        let Some(session) = session else { return };
        if session.stop().is_err() {
            session.abandon();
        }
        self.let_end(session);
    }

    /// Leaves a session that was asked to end to [`Self::gather`].
    fn let_end(&mut self, session: Segment) {
        self.ending.push(Ending { since: Stopwatch::start(), session });
    }

    fn take_names(&mut self, segment: u32) {
        let reader = (self.make_reader)(Role::Names);
        let name = self.names.names(segment);
        let to = Destination { folder: &self.folder, name: &name, budget: &self.budget };
        let (buffer, stop) = (self.request.buffer_megabytes, &self.control.stop);
        match take_names(&self.starter, buffer, &to, stop, reader) {
            Ok(names) => self.let_end(names),
            Err(error) => self.fail("the method names could not be taken early", &error),
        }
    }

    fn begin_bursts(&mut self) -> Result<(), Error> {
        let Some(bursts) = self.options.plan.bursts.clone() else { return Ok(()) };
        let file =
            Arc::new(Mutex::new(bursts::BurstFile::new(&self.folder, self.names.samples(1), &self.budget)));
        let state = Arc::new(bursts::State::default());
        let (shared_file, shared_state) = (Arc::clone(&file), Arc::clone(&state));
        let (starter, buffer) = (self.starter.clone(), self.request.buffer_megabytes);
        let make_reader = Arc::clone(self.make_reader);
        let thread = std::thread::Builder::new().name("bursts".to_owned());
        let thread = thread.spawn(move || {
            let make = || make_reader(Role::Burst);
            bursts::run(&bursts, buffer, &starter, &shared_file, &make, &shared_state);
        });
        self.bursts = Some(BurstThread { state, file, thread: thread.map_err(Error::Thread)? });
        Ok(())
    }

    /// Reads the host if a reading is due.
    fn read_host(&mut self) {
        let Some(tables) = &mut self.tables else { return };
        if self.budget.is_over() || self.reading_due.is_some_and(|due| !due.is_past()) {
            return;
        }
        // A process that cannot be read is read as often as one with few threads.
        let threads =
            self.subject.pid.and_then(|pid| self.proc.stat(pid).ok()).map_or(0, |stat| stat.threads);
        self.reading_due = Some(Deadline::after(reading_every(threads as usize)));
        // A subject in a time namespace has a clock of its own. The tables use the subject's clock, as its sessions do.
        if let Some(start_ns) = self.main.gauge.facts().start_ns {
            let began = self.kept.back().map_or(start_ns, |segment| segment.began_ns);
            let ahead = start_ns.saturating_sub(began);
            tables.set_ahead(if ahead.saturating_abs() > SAME_CLOCK_NS { ahead } else { 0 });
        }
        let (before, read) = (tables.bytes(), tables.read());
        self.budget.recount(before, tables.bytes());
        if let Err(error) = read {
            tables.end();
            self.fail("the host's tables end early", &Error::write(self.folder.path())(error));
        }
    }

    /// Records until something ends it.
    fn until_end(&mut self, control: &Control, progress: &mut dyn FnMut(Progress)) -> Ended {
        loop {
            progress(self.progress(Stage::Recording, self.begun.elapsed()));
            self.read_host();
            self.gather();
            if control.copy.swap(false, Ordering::AcqRel) {
                self.copy();
            }
            if let Some(ended) = self.ended(control) {
                return ended;
            }
            let segment = self.options.keep.map(segment_length);
            if segment.is_some_and(|length| self.main_begun.elapsed() >= length)
                && let Err(error) = self.rotate()
            {
                return match self.budget.limit() {
                    Some(full) => Ended::Full(full),
                    None if error.is_called_off() => Ended::Asked,
                    None => Ended::Failed(error.to_string()),
                };
            }
            std::thread::sleep(self.left().min(TICK));
        }
    }

    fn left(&self) -> Duration {
        self.options.duration.map_or(Duration::MAX, |duration| duration.saturating_sub(self.begun.elapsed()))
    }

    fn ended(&self, control: &Control) -> Option<Ended> {
        let bursts = self.bursts.as_ref().map(|bursts| bursts.state.tally());
        // The event may have come to a segment that is ending already.
        let ends = self.facts.ends
            || self.main.gauge.facts().ends
            || self.ending.iter().any(|ending| ending.session.gauge.facts().ends)
            || bursts.is_some_and(|tally| tally.facts.ends);
        match () {
            () if self.budget.limit().is_some() => self.budget.limit().map(Ended::Full),
            // The session may also have ended because the disk is full; `end_main` finds that out.
            () if self.main.gauge.has_ended() => Some(Ended::SubjectEnded),
            () if ends => Some(Ended::Event),
            () if control.stop.load(Ordering::Acquire) => Some(Ended::Asked),
            () if self.left().is_zero() => Some(Ended::Duration),
            () => None,
        }
    }

    fn progress(&self, stage: Stage, elapsed: Duration) -> Progress {
        let mut facts = self.facts;
        facts.add(&self.main.gauge.facts());
        let bytes = self.bytes.saturating_add(self.main.gauge.bytes.load(Ordering::Relaxed));
        let bursts = self.bursts.as_ref().map(|bursts| bursts.state.tally()).unwrap_or_default();
        facts.add(&bursts.facts);
        let bytes = bytes.saturating_add(bursts.bytes);
        let copies = self.copies.len();
        Progress { stage, elapsed, bytes, events: facts.events, lost: facts.lost, copies }
    }

    /// Counts the sessions that have ended, and drops them.
    fn gather(&mut self) {
        for mut ending in std::mem::take(&mut self.ending) {
            if !ending.session.gauge.has_ended() {
                self.ending.push(ending);
            } else if let Some(end) = ending.session.join() {
                self.count(end);
            }
        }
    }

    /// Notes what is missing compared to the request, once.
    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Counts a session that has ended. Returns what went wrong with it, if anything did.
    fn count(&mut self, end: SegmentEnd) -> Option<String> {
        self.facts.add(&end.facts);
        self.bytes = self.bytes.saturating_add(end.bytes);
        self.written.extend(end.written);
        match end.end {
            Ok(End::Closed | End::Full) => None,
            Ok(End::Abandoned) => {
                self.note("the runtime did not end a session in time: its connection was closed".to_owned());
                None
            }
            Err(error) => {
                self.note(error.to_string());
                Some(error.to_string())
            }
        }
    }

    /// The names of the host's tables, if they are written.
    fn table_names(&self) -> impl Iterator<Item = &'static str> {
        self.tables.iter().flat_map(|_| tables::FILES)
    }

    /// Ends all sessions and writes what is known at the end.
    fn end(
        mut self,
        ended: Ended,
        before: Option<f64>,
        control: &Control,
        progress: &mut dyn FnMut(Progress),
    ) -> Outcome {
        let duration = self.begun.elapsed();
        self.stopped_ns = monotonic_ns();
        // From now on, asking to stop means not to wait.
        control.stop.store(true, Ordering::Release);
        self.reading_due = None;
        self.read_host();
        // Measured before the runtime sends method names, which would count as a cost of recording.
        let mut cost = self.cost(before);
        let stopping = Stopwatch::start();
        if let Some(bursts) = &self.bursts {
            bursts.state.stop.store(true, Ordering::Release);
            // The runtime ends one session at a time: while it sends the names of the main session, a burst would go on.
            let deadline = Deadline::after(BURST_PATIENCE);
            while !bursts.thread.is_finished() && deadline.pause(LAST_LOOK) {
                progress(self.progress(Stage::Ending, stopping.elapsed()));
            }
        }
        // Ending sessions takes connections, for which the descriptors were reserved.
        self.reserve = None;
        let first_uses = self.first_uses.take();
        self.end_beside(first_uses);
        if let Err(error) = self.main.stop() {
            self.notes.push(error.to_string());
            self.main.abandon();
        }
        self.wait_for_end(stopping, control, progress);
        cost.rundown_seconds = stopping.elapsed().as_secs_f64();
        self.end_bursts(&mut cost, duration);
        let ended = self.end_main(control).unwrap_or(ended).with_events(self.facts.events);
        let ended = match (ended, self.budget.limit()) {
            // The last bytes did not fit.
            (Ended::Duration | Ended::Asked | Ended::Event, Some(full)) if self.budget.ran_out() => {
                Ended::Full(full)
            }
            (ended, _) => ended,
        };
        self.remove_at_end();
        self.finish_cost(&mut cost, duration);
        self.notes.extend(self.limits().iter().flat_map(LimitsReached::notes));
        // `exhibit.toml` lists the sessions by name, then the tables.
        self.written.sort_by(|one, other| one.name.cmp(&other.name));
        let tables: Vec<Written> = self.table_names().filter_map(|name| hashed(&self.folder, name)).collect();
        self.written.extend(tables);
        if let Some((mut manifest, file)) = self.manifest.take().zip(self.manifest_file.take()) {
            let limits = self.limits();
            let described = provenance::end(&mut manifest, &ended.words(), cost, limits, &self.written);
            if let Err(error) = described.and_then(|()| Ok(manifest.replace_in(&self.folder, &file)?)) {
                self.notes.push(error.to_string());
            }
        }
        let kept_ns = self.kept.front().map(|first| self.stopped_ns.saturating_sub(first.began_ns));
        Outcome {
            files: self.written,
            ended,
            duration,
            kept: kept_ns.and_then(|ns| u64::try_from(ns).ok()).map_or(duration, Duration::from_nanos),
            bytes: self.bytes,
            events: self.facts.events,
            lost: self.facts.lost,
            left_out: self.budget.left_out(),
            held_back: self.starter.held_back(),
            cost,
            notes: self.notes,
            copies: self.copies,
        }
    }

    /// Waits while the runtime sends the rest, unless the recording is asked to stop again.
    fn wait_for_end(&mut self, since: Stopwatch, control: &Control, progress: &mut dyn FnMut(Progress)) {
        let bursts_run =
            |bursts: &Option<BurstThread>| bursts.as_ref().is_some_and(|of| !of.thread.is_finished());
        while !self.main.gauge.has_ended() || bursts_run(&self.bursts) || !self.ending.is_empty() {
            progress(self.progress(Stage::Ending, since.elapsed()));
            if control.abandon.load(Ordering::Acquire) {
                self.main.abandon();
                self.ending.iter().for_each(|ending| ending.session.abandon());
                if let Some(bursts) = &self.bursts {
                    bursts.state.abandon();
                }
            }
            for Ending { since, session } in &self.ending {
                if since.elapsed() > NAMES_PATIENCE && self.main.gauge.has_ended() {
                    session.abandon();
                }
            }
            self.gather();
            std::thread::sleep(TICK);
        }
    }

    fn end_bursts(&mut self, cost: &mut Cost, duration: Duration) {
        let Some(BurstThread { state, file, thread }) = self.bursts.take() else { return };
        if thread.join().is_err() {
            self.notes.push("the thread that takes samples panicked".to_owned());
        }
        let tally = state.tally();
        self.facts.add(&tally.facts);
        self.bytes = self.bytes.saturating_add(tally.bytes);
        if duration > Duration::ZERO {
            cost.sampled_share = (tally.sampled.as_secs_f64() / duration.as_secs_f64()).min(1.0);
        }
        if tally.failed > 0 {
            let problem = tally.problem.unwrap_or_default();
            self.notes
                .push(format!("{} of {} bursts of samples failed: {problem}", tally.failed, tally.bursts));
        }
        // The thread has ended, so this is the last handle of the file.
        let Some(file) = Arc::into_inner(file) else { return };
        match file.into_inner().unwrap_or_else(PoisonError::into_inner).finish() {
            Ok(written) => self.written.extend(written),
            Err(error) => self.notes.push(error.to_string()),
        }
    }

    /// Waits for the main session to end. Returns how the recording ended, if the session shows that it ended otherwise.
    fn end_main(&mut self, control: &Control) -> Option<Ended> {
        self.gather();
        let end = self.main.join()?;
        let (is_whole, is_abandoned) = (end.facts.is_whole, matches!(end.end, Ok(End::Abandoned)));
        let is_full = matches!(end.end, Ok(End::Full));
        let problem = self.count(end);
        match problem {
            Some(problem) => Some(Ended::Failed(problem)),
            None if is_full => self.budget.limit().map(Ended::Full),
            None if is_abandoned && control.abandon.load(Ordering::Acquire) => None,
            None if is_abandoned => {
                Some(Ended::Failed("the runtime did not answer when it was to end the session".to_owned()))
            }
            None if is_whole => None,
            None if self.subject_goes() => Some(Ended::SubjectEnded),
            None => Some(Ended::Failed("the session broke off".to_owned())),
        }
    }

    /// Whether the subject has ended, or is about to: its sessions end a moment before the process does.
    fn subject_goes(&self) -> bool {
        let deadline = Deadline::after(GOES_WITHIN);
        loop {
            if self.subject.pid.is_none() || !self.subject.is_there(&self.proc) {
                return true;
            }
            if !deadline.pause(LAST_LOOK) {
                return false;
            }
        }
    }

    /// What was not recorded because a limit was reached.
    fn limits(&self) -> Option<LimitsReached> {
        LimitsReached::of(&self.budget, self.starter.held_back())
    }

    fn cost(&self, before: Option<f64>) -> Cost {
        let lasted = self.begun.elapsed();
        let during = self.cpu_begun.zip(self.subject.cpu_ns(&self.proc));
        let limit = self.subject.pid.and_then(|pid| cpu_limit(&self.proc, pid));
        Cost {
            cpu_before: before,
            cpu_during: during.and_then(|(from, to)| cores_used(to.saturating_sub(from), lasted)),
            cpu_limit: limit,
            saturated: before.zip(limit).is_some_and(|(before, limit)| before > limit * 0.9),
            ..Cost::default()
        }
    }

    fn finish_cost(&self, cost: &mut Cost, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let samples_always = self.options.plan.main.contains(&crate::profile::sampler());
        if samples_always {
            cost.sampled_share = 1.0;
        }
        cost.events_lost = self.facts.lost;
        if seconds > 0.0 {
            cost.bytes_per_second = self.bytes as f64 / seconds;
            let stopped = self.facts.sampler_stopped_ns as f64 / 1e9 / seconds;
            // More than all of the time is impossible: a hostile peer has sent it.
            cost.sampler_stopped_share = (self.facts.samples > 0 && stopped <= 1.0).then_some(stopped);
        }
        let own = self.own_cpu_begun.zip(own_cpu_ns(&self.proc));
        cost.recorder_cpu =
            own.and_then(|(from, to)| cores_used(to.saturating_sub(from), self.begun.elapsed()));
    }
}
