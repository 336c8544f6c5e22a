//! A recording from its beginning to its end.
//!
//! ```text
//!  measure the subject ─▶ main session ─▶ (resume) ─▶ names, bursts, host ─▶ … ─▶ stop ─▶ rundown ─▶ exhibit.toml
//!                              ▲   │
//!                              └───┘ with `keep`: a new segment, the oldest goes
//! ```

mod keeping;

use crate::bursts;
use crate::cost::{Cost, cpu_limit, measure_before, own_cpu_ns, processors};
use crate::error::Error;
use crate::file::{Written, hashed};
use crate::options::{Control, Ended, Options, Outcome, Progress, Stage};
use crate::output::{Ground, Names, check_room};
use crate::profile::{Shape, first_uses};
use crate::provenance;
use crate::pump::{End, Facts, Reader, Reserve, Role};
use crate::room::{Limits, Room, check_disk};
use crate::segments::{Place, Segment, SegmentEnd, segment_length, take_names};
use crate::subject::{Subject, buffer};
use crate::tables::{self, Tables, monotonic_ns, reading_every};
use base::time::{Deadline, Patience, Stopwatch};
use dotnet_ipc::session::{FULL_RUNDOWN, NAMES_RUNDOWN, Request, Session, Starter};
use exhibit::{Exhibit, Folder, Roomy};
use host::Proc;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the main session has to begin.
const BEGIN: Duration = Duration::from_secs(10);
/// How often everything is looked after.
const TICK: Duration = Duration::from_millis(100);
/// How long the names that were asked for at the beginning may take once the recording has ended.
const NAMES_PATIENCE: Duration = Duration::from_secs(30);
/// How long a burst may take to end before the main session is ended all the same.
const BURST_PATIENCE: Duration = Duration::from_secs(2);
/// How often its end is looked for.
const LAST_LOOK: Duration = Duration::from_millis(5);
/// How long a process whose sessions have ended may still be there.
const GOES_WITHIN: Duration = Duration::from_secs(1);
/// A clock that is further ahead than this is another one.
const SAME_CLOCK_NS: i64 = 2_000_000_000;

/// Makes readers for sessions.
pub type MakeReader = Arc<dyn Fn(Role) -> Box<dyn Reader> + Send + Sync>;

/// Records a subject until its time is over, it ends, or it is asked to stop.
///
/// A subject that is suspended at its start is resumed once the main session has begun, and also where it could not
/// begin.
pub fn record(
    subject: &Subject,
    options: &Options,
    control: &Control,
    make_reader: &MakeReader,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let proc = Proc::live();
    let resume = |notes: &mut Vec<String>| resume(subject, control, notes);
    let checked = check_room(&options.out, options.shape, options.force, options.rules)
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

/// Lets a suspended subject run.
fn resume(subject: &Subject, control: &Control, notes: &mut Vec<String>) {
    let patience = Patience::unless(&control.abandon, Deadline::after(BEGIN));
    if subject.suspended
        && let Err(error) = dotnet_ipc::process::resume(&subject.endpoint, patience)
    {
        notes.push(format!("the subject could not be resumed: {error}"));
    }
}

/// What is written while it is recorded.
struct Recorder<'a> {
    subject: &'a Subject,
    options: &'a Options,
    control: &'a Control,
    proc: Proc,
    make_reader: &'a MakeReader,
    /// The folder of the recording, or the one that its file lies in.
    folder: Folder,
    /// What its files may take of the disk.
    room: Arc<Room>,
    names: Names,
    exhibit: Option<Exhibit>,
    /// The file that `exhibit` is written to.
    exhibit_file: Option<Roomy>,
    /// What was there before, until this recording takes its place.
    ground: Option<Ground>,
    starter: Starter,
    request: Request,
    /// The numbers of the segments that are kept, each with when it began; the last one is being written.
    kept: VecDeque<(u32, i64)>,
    main: Segment,
    /// Names of what is used first while it is recorded.
    first_uses: Option<Segment>,
    main_begun: Stopwatch,
    begun: Stopwatch,
    /// Sessions that were told to end: segments, and those of names.
    ending: Vec<(Stopwatch, Segment)>,
    bursts: Option<Beside>,
    tables: Option<Tables>,
    /// When the host was read last, and how long that lasts.
    last_reading: Option<(Stopwatch, Duration)>,
    cpu_begun: Option<u64>,
    own_cpu_begun: Option<u64>,
    written: Vec<Written>,
    /// Of all sessions that have ended, and their bytes.
    facts: Facts,
    bytes: u64,
    notes: Vec<String>,
    copies: Vec<PathBuf>,
    /// When it was told to end.
    stopped_ns: i64,
    /// Descriptors that are given back for the end, whatever else has taken all others.
    reserve: Option<Reserve>,
}

/// The thread that takes bursts.
struct Beside {
    state: Arc<bursts::State>,
    file: Arc<Mutex<bursts::BurstFile>>,
    thread: JoinHandle<()>,
}

impl<'a> Recorder<'a> {
    fn begin(
        subject: &'a Subject,
        options: &'a Options,
        control: &'a Control,
        proc: &Proc,
        make_reader: &'a MakeReader,
    ) -> Result<Self, Error> {
        if let Some(pid) = subject.pid.filter(|_| !subject.is_there(proc)) {
            return Err(Error::Gone(pid));
        }
        let rundown = match options.shape {
            Shape::OneFile => FULL_RUNDOWN,
            // A segment has its names from its beginning.
            Shape::Folder if options.keep.is_some() => 0,
            Shape::Folder => NAMES_RUNDOWN,
        };
        let buffer_megabytes = options.buffer_megabytes.unwrap_or_else(|| buffer(subject, proc));
        let request = Request { providers: options.plan.main.clone(), buffer_megabytes, rundown };
        let names = Names::new(options.keep.is_some());
        let exhibit = match options.shape {
            Shape::OneFile => None,
            Shape::Folder => Some(provenance::begun(options, subject)?),
        };
        // The session comes last: whatever the files do, the subject is not bothered, and an earlier recording stays until
        // the new one has begun.
        let (ground, begun) = Ground::prepare(options, names, exhibit.as_ref())?;
        let reserve = Some(Reserve::take().map_err(Error::Descriptors)?);
        let patience = Patience::unless(&control.stop, Deadline::after(BEGIN));
        let session = Session::start(&subject.endpoint, &request, patience)?;
        let starter = session.starter();
        control.begun.store(true, Ordering::Release);
        let main = Segment::into_file(session, begun.trace, make_reader(Role::Main))?;
        let (folder, room) = (ground.folder.clone(), Arc::clone(&ground.room));
        Ok(Self {
            subject,
            options,
            control,
            proc: proc.clone(),
            make_reader,
            folder,
            room,
            names,
            exhibit,
            exhibit_file: begun.exhibit,
            ground: Some(ground),
            starter,
            request,
            kept: VecDeque::from([(1, monotonic_ns())]),
            main,
            first_uses: None,
            main_begun: Stopwatch::start(),
            begun: Stopwatch::start(),
            ending: Vec::new(),
            bursts: None,
            tables: None,
            last_reading: None,
            cpu_begun: subject.cpu_ns(proc),
            own_cpu_begun: own_cpu_ns(proc),
            written: Vec::new(),
            facts: Facts::default(),
            bytes: 0,
            notes: Vec::new(),
            copies: Vec::new(),
            stopped_ns: monotonic_ns(),
            reserve,
        })
    }

    /// Takes the place of an earlier recording as soon as there is something to open in its stead.
    fn take_place(&mut self) -> Result<(), Error> {
        let Some(ground) = self.ground.take() else { return Ok(()) };
        if ground.is_over_another() {
            let patience = self.patience();
            while !self.main.gauge.is_readable() && !self.main.gauge.has_ended() && patience.pause(LAST_LOOK)
            {
            }
        }
        let kept = if !ground.is_over_another() || self.main.gauge.is_readable() {
            ground.keep()
        } else if self.control.stop.load(Ordering::Acquire) {
            Err(Error::NotBegun)
        } else {
            Err(Error::NothingCame)
        };
        kept.map_err(|error| {
            // A session that is abandoned ends when its connection is closed.
            self.main.abandon();
            let end = self.main.join();
            end.and_then(|end| end.end.err()).unwrap_or(error)
        })
    }

    /// Begins what lies beside the main session. What of it fails is told, and ends nothing.
    fn begin_beside(&mut self) {
        if self.options.shape == Shape::OneFile {
            return;
        }
        self.begin_first_uses(1);
        if !self.subject.suspended {
            self.take_names(1);
        }
        if self.subject.pid.is_none() {
            self.notes.push(
                "the process is not known here by its number: nothing of the host is recorded".to_owned(),
            );
        }
        if let Some(pid) = self.subject.pid {
            match Tables::create(&self.folder, &self.proc, pid, self.subject.start_ticks) {
                Ok(tables) => {
                    self.room.recount(0, tables.bytes());
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

    /// Notes that a part of the recording failed. That nobody waits for it any more, or that the disk is full, is said of
    /// the whole recording.
    fn fail(&mut self, what: &str, error: &Error) {
        self.room.note(error);
        if !error.is_called_off() && !error.is_full() {
            self.notes.push(format!("{what}: {error}"));
        }
    }

    /// Begins the session of what is used first, and ends the one before it.
    fn begin_first_uses(&mut self, segment: u32) {
        let request = Request { providers: first_uses(), rundown: 0, ..self.request };
        let begun = self.starter.start(&request, self.patience()).map_err(Error::from);
        let name = self.names.first_uses(segment);
        let next = begun.and_then(|session| {
            let reader = (self.make_reader)(Role::Names);
            Segment::begin(session, &self.folder, name.as_ref(), &self.room, reader)
        });
        let next = match next {
            Ok(next) => Some(next),
            Err(error) => {
                self.fail("names of what is used first are not taken", &error);
                None
            }
        };
        let last = std::mem::replace(&mut self.first_uses, next);
        self.end_beside(last);
    }

    /// A session that begins now has so long, unless the recording is asked to end.
    fn patience(&self) -> Patience<'a> {
        Patience::unless(&self.control.stop, Deadline::after(BEGIN))
    }

    /// Tells a session beside the main one to end.
    fn end_beside(&mut self, session: Option<Segment>) {
        let Some(session) = session else { return };
        if session.stop().is_err() {
            session.abandon();
        }
        self.ending.push((Stopwatch::start(), session));
    }

    fn take_names(&mut self, segment: u32) {
        let reader = (self.make_reader)(Role::Names);
        let name = self.names.names(segment);
        let to = Place { folder: &self.folder, name: &name, room: &self.room };
        let (buffer, stop) = (self.request.buffer_megabytes, &self.control.stop);
        match take_names(&self.starter, buffer, &to, stop, reader) {
            Ok(names) => self.ending.push((Stopwatch::start(), names)),
            Err(error) => self.fail("names could not be taken early", &error),
        }
    }

    fn begin_bursts(&mut self) -> Result<(), Error> {
        let Some(bursts) = self.options.plan.bursts.clone() else { return Ok(()) };
        let file =
            Arc::new(Mutex::new(bursts::BurstFile::new(&self.folder, self.names.samples(1), &self.room)));
        let state = Arc::new(bursts::State::default());
        let (shared_file, shared_state) = (Arc::clone(&file), Arc::clone(&state));
        let (starter, buffer) = (self.starter.clone(), self.request.buffer_megabytes);
        let make_reader = Arc::clone(self.make_reader);
        let thread = std::thread::Builder::new().name("bursts".to_owned());
        let thread = thread.spawn(move || {
            let make = || make_reader(Role::Burst);
            bursts::run(&bursts, buffer, &starter, &shared_file, &make, &shared_state);
        });
        self.bursts = Some(Beside { state, file, thread: thread.map_err(Error::Thread)? });
        Ok(())
    }

    /// Reads the host when it is time.
    fn read_host(&mut self) {
        let Some(tables) = &mut self.tables else { return };
        if self.room.is_over() || self.last_reading.is_some_and(|(last, every)| last.elapsed() < every) {
            return;
        }
        let threads =
            self.subject.pid.and_then(|pid| self.proc.stat(pid).ok()).map_or(0, |stat| stat.threads);
        self.last_reading = Some((Stopwatch::start(), reading_every(threads as usize)));
        // A subject in a namespace of time has a clock of its own.
        if let Some(start_ns) = self.main.gauge.facts().start_ns {
            let began = self.kept.back().map_or(start_ns, |(_, began)| *began);
            let ahead = start_ns.saturating_sub(began);
            tables.set_ahead(if ahead.saturating_abs() > SAME_CLOCK_NS { ahead } else { 0 });
        }
        let (before, read) = (tables.bytes(), tables.read());
        self.room.recount(before, tables.bytes());
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
                return match self.room.full() {
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
        let bursts = self.bursts.as_ref().map(|bursts| bursts.state.told());
        // The event may have come to a segment that ends already.
        let ends = self.facts.ends
            || self.main.gauge.facts().ends
            || self.ending.iter().any(|(_, segment)| segment.gauge.facts().ends)
            || bursts.is_some_and(|told| told.facts.ends);
        match () {
            () if self.room.full().is_some() => self.room.full().map(Ended::Full),
            // Also where the disk is full, which shows when the session is put away.
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
        let bursts = self.bursts.as_ref().map(|bursts| bursts.state.told()).unwrap_or_default();
        facts.add(&bursts.facts);
        let bytes = bytes.saturating_add(bursts.bytes);
        let copies = self.copies.len();
        Progress { stage, elapsed, bytes, events: facts.events, lost: facts.lost, copies }
    }

    /// Puts away the sessions that have ended.
    fn gather(&mut self) {
        for (since, mut segment) in std::mem::take(&mut self.ending) {
            if segment.gauge.has_ended() {
                if let Some(end) = segment.join() {
                    self.put_away(end);
                }
            } else {
                self.ending.push((since, segment));
            }
        }
    }

    /// Notes what is less than asked for; what was noted already is not said twice.
    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Counts a session that has ended. Gives what went wrong with it.
    fn put_away(&mut self, end: SegmentEnd) -> Option<String> {
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

    /// The host's tables, if they are written.
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
        // Whoever asks to stop from now on does not want to wait.
        control.stop.store(true, Ordering::Release);
        self.last_reading = None;
        self.read_host();
        let mut cost = self.cost(before);
        let stopping = Stopwatch::start();
        if let Some(bursts) = &self.bursts {
            bursts.state.stop.store(true, Ordering::Release);
            // A runtime does one thing at a time: a burst would go on while the main session's names are sent.
            let deadline = Deadline::after(BURST_PATIENCE);
            while !bursts.thread.is_finished() && deadline.pause(LAST_LOOK) {
                progress(self.progress(Stage::Ending, stopping.elapsed()));
            }
        }
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
        let ended = self.end_main(control).unwrap_or(ended).with(self.facts.events);
        let ended = match (ended, self.room.full()) {
            // What came last did not fit any more.
            (Ended::Duration | Ended::Asked | Ended::Event, Some(full)) if self.room.ran_out() => {
                Ended::Full(full)
            }
            (ended, _) => ended,
        };
        self.forget_at_end();
        self.finish_cost(&mut cost, duration);
        self.notes.extend(self.limits().iter().flat_map(Limits::notes));
        self.written.sort_by(|one, other| one.name.cmp(&other.name));
        let tables: Vec<Written> = self.table_names().filter_map(|name| hashed(&self.folder, name)).collect();
        self.written.extend(tables);
        if let Some((mut exhibit, file)) = self.exhibit.take().zip(self.exhibit_file.take()) {
            let limits = self.limits();
            let described = provenance::end(&mut exhibit, &ended.words(), cost, limits, &self.written);
            if let Err(error) = described.and_then(|()| Ok(exhibit.replace_in(&self.folder, &file)?)) {
                self.notes.push(error.to_string());
            }
        }
        let kept_ns = self.kept.front().map(|(_, began)| self.stopped_ns.saturating_sub(*began));
        Outcome {
            files: self.written,
            ended,
            duration,
            kept: kept_ns.and_then(|ns| u64::try_from(ns).ok()).map_or(duration, Duration::from_nanos),
            bytes: self.bytes,
            events: self.facts.events,
            lost: self.facts.lost,
            left_out: self.room.left_out(),
            held_back: self.starter.held_back(),
            cost,
            notes: self.notes,
            copies: self.copies,
        }
    }

    /// Waits while the runtime sends; whoever asks twice to stop does not wait.
    fn wait_for_end(&mut self, since: Stopwatch, control: &Control, progress: &mut dyn FnMut(Progress)) {
        let bursts_run = |bursts: &Option<Beside>| bursts.as_ref().is_some_and(|of| !of.thread.is_finished());
        while !self.main.gauge.has_ended() || bursts_run(&self.bursts) || !self.ending.is_empty() {
            progress(self.progress(Stage::Ending, since.elapsed()));
            if control.abandon.load(Ordering::Acquire) {
                self.main.abandon();
                self.ending.iter().for_each(|(_, segment)| segment.abandon());
                if let Some(bursts) = &self.bursts {
                    bursts.state.abandon();
                }
            }
            for (begun, segment) in &self.ending {
                if begun.elapsed() > NAMES_PATIENCE && self.main.gauge.has_ended() {
                    segment.abandon();
                }
            }
            self.gather();
            std::thread::sleep(TICK);
        }
    }

    fn end_bursts(&mut self, cost: &mut Cost, duration: Duration) {
        let Some(Beside { state, file, thread }) = self.bursts.take() else { return };
        if thread.join().is_err() {
            self.notes.push("the thread that takes samples panicked".to_owned());
        }
        let told = state.told();
        self.facts.add(&told.facts);
        self.bytes = self.bytes.saturating_add(told.bytes);
        if duration > Duration::ZERO {
            cost.sampled_share = (told.sampled.as_secs_f64() / duration.as_secs_f64()).min(1.0);
        }
        if told.failed > 0 {
            let problem = told.problem.unwrap_or_default();
            self.notes
                .push(format!("{} of {} bursts of samples failed: {problem}", told.failed, told.bursts));
        }
        // The thread has ended, and with it the other handle of the file.
        let Some(file) = Arc::into_inner(file) else { return };
        match file.into_inner().unwrap_or_else(PoisonError::into_inner).finish() {
            Ok(written) => self.written.extend(written),
            Err(error) => self.notes.push(error.to_string()),
        }
    }

    /// Puts away the main session. Gives how the recording ended where that is otherwise than was thought.
    fn end_main(&mut self, control: &Control) -> Option<Ended> {
        self.gather();
        let end = self.main.join()?;
        let (is_whole, is_abandoned) = (end.facts.is_whole, matches!(end.end, Ok(End::Abandoned)));
        let is_full = matches!(end.end, Ok(End::Full));
        let problem = self.put_away(end);
        match problem {
            Some(problem) => Some(Ended::Failed(problem)),
            None if is_full => self.room.full().map(Ended::Full),
            None if is_abandoned && control.abandon.load(Ordering::Acquire) => None,
            None if is_abandoned => {
                Some(Ended::Failed("the runtime did not answer when it was to end the session".to_owned()))
            }
            None if is_whole => None,
            None if self.subject_goes() => Some(Ended::SubjectEnded),
            None => Some(Ended::Failed("the session broke off".to_owned())),
        }
    }

    /// Whether the subject has ended, or does within a moment: its sessions end before it does.
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

    /// What was not recorded since a limit was reached.
    fn limits(&self) -> Option<Limits> {
        Limits::of(&self.room, self.starter.held_back())
    }

    fn cost(&self, before: Option<f64>) -> Cost {
        let lasted = self.begun.elapsed();
        let during = self.cpu_begun.zip(self.subject.cpu_ns(&self.proc));
        let limit = self.subject.pid.and_then(|pid| cpu_limit(&self.proc, pid));
        Cost {
            cpu_before: before,
            cpu_during: during.and_then(|(from, to)| processors(to.saturating_sub(from), lasted)),
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
            // More than all of the time is not what the sampler did, but what a peer wrote.
            cost.sampler_stopped_share = (self.facts.samples > 0 && stopped <= 1.0).then_some(stopped);
        }
        let own = self.own_cpu_begun.zip(own_cpu_ns(&self.proc));
        cost.recorder_cpu =
            own.and_then(|(from, to)| processors(to.saturating_sub(from), self.begun.elapsed()));
    }
}
