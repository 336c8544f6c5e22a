//! `casebook load`: requests to a service at a given rate, and what became of each.

mod connecting;
mod form;
mod import;
mod merge;
mod progress;
mod recorded;
pub(crate) mod scenario;

use crate::completions::candidates;
use crate::config::Config;
use crate::format::print_json;
use crate::interrupt::Interrupt;
use crate::outputs::{Outputs, is_stdout};
use crate::record::{Beside, Recorded, Wanted};
use crate::target;
use crate::{duration, profile, terminal};
use anyhow::{Context, anyhow, bail};
use connecting::{Connecting, MAX_CONNECTIONS};
use exhibit::Rules;
use form::Format;
use load::{
    Abort, Drive, Kept, KeptError, Latencies, Loaded, Objective, Plan, Prospects, Run, Schedule, Second,
    Target, Verdict, Watcher,
};
use merge::Merge;
use progress::Progress;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

const AFTER_HELP: &str = "\
Examples:
  casebook load http://127.0.0.1:5080/pay --rate 200 -d 30s        # 200 requests per second
  casebook load http://127.0.0.1:5080/ --rate 100..1000 -d 1m      # a rate that grows
  casebook load http://127.0.0.1:5080/ --users 20 --think 500ms    # 20 users who wait for each answer
  casebook load http://127.0.0.1:5080/ -d 10s                      # as fast as possible
  casebook load http://127.0.0.1:5080/ --rate 200 --slo 'p99<50ms' # exit code 1 if it takes longer
  casebook load http://127.0.0.1:5080/ --rate 200 -o before        # keep it: casebook open before
  casebook load --scenario shop.toml --rate 50                     # several requests and flows: docs/load.md
  casebook load import session.har -o shop.toml                    # a scenario of what a browser or curl asked
  casebook load http://127.0.0.1:5080/ --rate 200 -o before --record Orders  # and record the service meanwhile
  casebook load http://shop:5080/ --rate 9000 --worker 1/3 -o a    # a third, on each of three machines
  casebook load --merge a b c -o all                               # what the three measured together

Each planned request is accounted for: planned = answered + failed + timed out + never sent. Latencies count from when a
request was due, and beside it from when it was sent.

Exit codes: 0 if the run was made, whatever became of its requests; 1 if an objective (--slo) is missed or --abort ended the run;
2 if it could not be made.";

/// Put load on a service, and measure how long its answers take
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where requests go to: http://HOST[:PORT]/PATH. With --scenario, http://HOST[:PORT]
    #[arg(required_unless_present_any = ["scenario", "merge"])]
    url: Option<String>,
    /// Send the requests of a scenario file, with its weights, values and checks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["method", "headers", "data", "data_file", "worker", "merge"])]
    scenario: Option<PathBuf>,
    /// Requests per second: 200, steps `100,200,400` of equal length, or `100..1000` for a rate that changes evenly. Without
    /// it, --users or as fast as possible
    #[arg(long, value_name = "RATE", value_parser = rate, conflicts_with = "users")]
    rate: Option<Rate>,
    /// Send at random times, as many independent users would, instead of evenly
    #[arg(long, requires = "rate", conflicts_with = "users")]
    poisson: bool,
    /// The seed of random times, and of what a scenario chooses
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send at the times in a file: a number of seconds since the beginning in each line, in ascending order
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "users"])]
    arrivals: Option<PathBuf>,
    /// A closed loop: so many users, who each wait for the answer before they ask again
    #[arg(long, value_name = "N", conflicts_with = "connections", value_parser = clap::value_parser!(u32).range(1..=MAX_CONNECTIONS))]
    users: Option<u32>,
    /// How long a user waits between an answer and the next request
    #[arg(long, value_name = "TIME", value_parser = duration::parse, requires = "users", conflicts_with_all = ["rate", "arrivals"])]
    think: Option<Duration>,
    /// How long requests are sent [default: 10s, or until the last of --arrivals]
    #[arg(short, long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// How long requests are sent before anything is measured
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    warmup: Option<Duration>,
    #[command(flatten)]
    connecting: Connecting,
    /// How many threads send
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long = "method", alias = "request", value_name = "METHOD")]
    method: Option<String>,
    /// A header, as `Name: value`. May be given several times
    #[arg(short = 'H', long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The body of each request
    #[arg(long, value_name = "TEXT", conflicts_with = "data_file")]
    data: Option<String>,
    /// A file with the body of each request
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    /// How long a request may take. One that takes longer counts as timed out, with that time
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "10s")]
    timeout: Duration,
    /// An objective to meet: p99<50ms, mean<20ms, errors<0.1%, rate>=190. The exit code is 1 if one is missed. May be given several times
    #[arg(long = "slo", value_name = "OBJECTIVE")]
    objectives: Vec<Objective>,
    /// End the run as soon as an objective cannot be met any more, or --rate cannot be reached. The exit code is then 1
    #[arg(long)]
    abort: bool,
    /// Keep the run as a folder, which every other command can read
    #[arg(short, long, value_name = "OUT", value_parser = folder)]
    output: Option<PathBuf>,
    /// Record this .NET process on this machine during the run and its warm-up: the run is then in OUT/load, the recording in
    /// OUT/trace, and `casebook open OUT` shows both on one time axis. A word is taken for its name
    #[arg(long, value_name = "PID", value_parser = target::chosen, requires = "output", add = candidates::pids(target::is_name))]
    record: Option<target::Chosen>,
    /// What to record, see `casebook record --help` [default: the profile named default]
    #[arg(long, value_name = "PROFILE", value_parser = profile::parse, requires = "record", add = candidates::profiles())]
    record_profile: Option<recorder::Profile>,
    /// Send only one part of N of the requests of --rate or --arrivals: 1/3, 2/3 and 3/3 on three machines are the whole
    #[arg(long, value_name = "I/N", value_parser = worker)]
    worker: Option<(u32, u32)>,
    /// Begin at a time, such as 2026-12-01T09:00:00Z, so that several generators begin together
    #[arg(long, value_name = "TIME", value_parser = start_at)]
    start_at: Option<SystemTime>,
    /// Add kept runs instead of running: their counts and histograms, so that percentiles are those of all requests
    #[arg(long, value_name = "RUN", num_args = 1.., conflicts_with_all = ["url", "worker", "start_at", "requests", "abort", "record"])]
    merge: Vec<PathBuf>,
    /// Keep each request too, as a table `requests`: when it was due, sent, answered, and what became of it
    #[arg(long, requires = "output")]
    requests: bool,
    #[command(flatten)]
    outputs: Outputs,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Import(import::Args),
}

/// Who keeps a run.
const TOOL: &str = concat!("casebook ", env!("CARGO_PKG_VERSION"));
/// Files that are open besides connections.
const OTHER_FILES: u64 = 64;
/// How long requests are sent unless the user says otherwise.
const DURATION: Duration = Duration::from_secs(10);
/// How long before --start-at connections are opened.
const BEFORE_START: Duration = Duration::from_secs(3);
/// How often to look whether the command is asked to end while it waits.
const LOOK: Duration = Duration::from_millis(100);
/// The last time at which a request may be due.
const LAST_ARRIVAL: Duration = Duration::from_hours(1_000);
/// What stands for a header or a body in a kept run.
const HIDDEN: &str = "…";
/// The most requests per second that a run may ask for.
const MAX_RATE: f64 = 10_000_000.0;

/// What `--rate` says.
#[derive(Debug, Clone, PartialEq)]
enum Rate {
    Constant(f64),
    Steps(Vec<f64>),
    Ramp(f64, f64),
}

fn rate(text: &str) -> Result<Rate, String> {
    let invalid =
        || format!("`{text}` is not a rate: expected 200, 100,200,400 or 100..1000, in requests per second");
    let number = |text: &str| {
        let rate: f64 = text.trim().trim_end_matches("/s").parse().map_err(|_no_number| invalid())?;
        let is_valid = rate.is_finite() && (0.0..=MAX_RATE).contains(&rate);
        if is_valid { Ok(rate) } else { Err(invalid()) }
    };
    let rate = if let Some((from, to)) = text.split_once("..") {
        Rate::Ramp(number(from)?, number(to)?)
    } else if text.contains(',') {
        Rate::Steps(text.split(',').map(number).collect::<Result<_, _>>()?)
    } else {
        Rate::Constant(number(text)?)
    };
    let is_nothing = match &rate {
        Rate::Constant(rate) => *rate <= 0.0,
        Rate::Ramp(from, to) => from + to <= 0.0,
        Rate::Steps(rates) => rates.iter().sum::<f64>() <= 0.0,
    };
    if is_nothing { Err(format!("`{text}` asks for no requests at all")) } else { Ok(rate) }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once(':').ok_or_else(|| format!("`{text}` is not a header: expected `Name: value`"))?;
    let (name, value) = (name.trim(), value.trim());
    let is_token = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    let has_control = value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f);
    if is_token && !has_control {
        Ok((name.to_owned(), value.to_owned()))
    } else {
        Err(format!("`{text}` is not a valid header"))
    }
}

/// The part of a schedule: `2/3`.
fn worker(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
    parts.filter(|(number, of)| (1..=*of).contains(number) && *of <= load::MAX_WORKERS).ok_or_else(|| {
        format!("`{text}` is not a part: expected 1/3, 2/3 or 3/3, of up to {} parts", load::MAX_WORKERS)
    })
}

/// A time in RFC 3339.
fn start_at(text: &str) -> Result<SystemTime, String> {
    load::utc(text).ok_or_else(|| format!("`{text}` is not a time such as 2026-12-01T09:00:00Z"))
}

/// A folder that a run is kept in.
fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if is_stdout(&path) {
        return Err(
            "a run is kept as a folder, which needs a name. For its figures on standard output: --format json"
                .to_owned(),
        );
    }
    Ok(path)
}

/// Waits until connections should be opened for a run that begins at a time, as long as the command is not asked to end.
fn wait_for(start: SystemTime, stop: &AtomicBool) {
    if let Ok(late) = base::time::calendar().duration_since(start) {
        terminal::say(&format!("--start-at was {:.1} s ago: the run begins at once", late.as_secs_f64()));
    }
    // What is left then is for opening connections, which must not be idle for long.
    let until = start.checked_sub(BEFORE_START).unwrap_or(start);
    let left = || until.duration_since(base::time::calendar()).ok().filter(|left| !left.is_zero());
    while let Some(left) = left().filter(|_| !stop.load(Ordering::Acquire)) {
        if terminal::is_stderr() {
            terminal::show_progress(&format!("begins in {} s", left.as_secs()));
        }
        std::thread::sleep(left.min(LOOK));
    }
}

pub(crate) fn run(mut args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    if let Some(Command::Import(args)) = args.command {
        return import::run(&args);
    }
    if !args.merge.is_empty() {
        return add_runs(&args);
    }
    let loaded = with_scenario(&mut args)?;
    let (format, warmup, rules, aborts) = (args.format, args.warmup, args.outputs.rules(), args.abort);
    let start_at = args.start_at;
    let (objectives, output, requests) = (args.objectives.clone(), args.output.clone(), args.requests);
    let wanted = args.record.clone().map(|process| Wanted {
        process,
        profile: args.record_profile,
        command: command(std::env::args_os()),
        outputs: args.outputs,
    });
    let plan = plan(args, loaded)?;
    more_files(plan.connections);
    let interrupt = Interrupt::catch()?;
    // What was measured until then is reported.
    interrupt.keeps();
    let stop = &interrupt.control.stop;
    let recording = match (&output, wanted) {
        (Some(out), Some(wanted)) => Some(recorded::begin(wanted, out, rules, config, &interrupt)?),
        _ => None,
    };
    interrupt.waits_for("the last answers");
    let place =
        output.as_ref().map(|out| if recording.is_some() { out.join(recorded::LOAD) } else { out.clone() });
    let mut kept = place.map(|place| keep(&place, rules, &plan, requests)).transpose()?;
    let before = warmup.map(|duration| warm_up(&plan, duration, stop)).transpose()?;
    if let Some(at) = start_at {
        wait_for(at, stop);
    }
    let mut shown = Shown {
        progress: Progress::new("load", &plan),
        kept: kept.as_mut(),
        prospects: Some(Watched {
            prospects: Prospects::new(&plan, &objectives),
            end: plan.duration,
            stop,
            aborts,
            abort: None,
        }),
        start_at,
    };
    let run = load::run(&plan, stop, &mut shown)?;
    let abort = shown.prospects.and_then(|of| of.abort);
    let run = Run { abort, ..run };
    terminal::clear_progress();
    // The last request is accounted for.
    recording.iter().for_each(Beside::stop);
    let verdicts: Vec<(&Objective, Verdict)> =
        objectives.iter().map(|of| (of, of.verdict(&plan, &run))).collect();
    let mut document = load::document(&plan, &run, before.as_ref().map(|(plan, run)| (plan, run)), &verdicts);
    // What was measured is printed even if it cannot be kept.
    let is_kept = kept.map_or(Ok(()), |kept| kept.finish(&document, run.ended()));
    // What was measured is kept, whatever becomes of the recording.
    let recorded = recording.map(|recording| recorded::end(recording, &interrupt)).transpose()?;
    if let Some(recorded) = &recorded {
        document["recording"] = recorded.json()?;
    }
    match format {
        Format::Json => print_json(&document)?,
        Format::Prometheus => terminal::print(&text::load::prometheus(&plan, &run, &verdicts))?,
        Format::Text => {
            let (warmup, out) = (
                before.as_ref().map(|(_, run)| run),
                output.as_ref().filter(|_| is_kept.is_ok()).map(|of| of.display().to_string()),
            );
            let (plan, run, verdicts, out) = (&plan, &run, verdicts.as_slice(), out.as_deref());
            print_page(&text::load::Shown { plan, run, warmup, verdicts, out }, recorded.as_ref())?;
        }
    }
    is_kept?;
    if recorded.is_some_and(|recorded| recorded.is_failed()) {
        return Ok(ExitCode::from(2));
    }
    let is_missed =
        run.abort.is_some() || verdicts.iter().any(|(_, verdict)| !matches!(verdict, Verdict::Met(_)));
    Ok(if is_missed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Creates the folder in which a run is kept.
fn keep(place: &Path, rules: Rules, plan: &Plan, requests: bool) -> Result<Kept, KeptError> {
    let kept = Kept::create(place, rules, plan, TOOL.to_owned(), command(std::env::args_os()))?;
    if requests { kept.with_requests() } else { Ok(kept) }
}

/// Adds the runs that the user named.
fn add_runs(args: &Args) -> anyhow::Result<ExitCode> {
    merge::run(&Merge {
        runs: &args.merge,
        out: args.output.as_deref(),
        rules: args.outputs.rules(),
        objectives: &args.objectives,
        format: args.format,
        command: command(std::env::args_os()),
    })
}

/// Runs a plan before anything is measured.
fn warm_up(plan: &Plan, duration: Duration, stop: &AtomicBool) -> anyhow::Result<(Plan, Run)> {
    let plan = Plan { duration, ..plan.clone() };
    let mut shown =
        Shown { progress: Progress::new("warm-up", &plan), kept: None, prospects: None, start_at: None };
    let run = load::run(&plan, stop, &mut shown)?;
    Ok((plan, run))
}

fn print_page(shown: &text::load::Shown<'_>, recorded: Option<&Recorded>) -> anyhow::Result<()> {
    if let Some(recorded) = recorded {
        terminal::print(&format!("{}\n", recorded.text()))?;
    }
    Ok(terminal::print(&text::load::page(shown, terminal::width()))?)
}

/// The times in a file, in nanoseconds.
fn arrivals(file: &Path) -> anyhow::Result<Vec<u64>> {
    let said = || file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", said()))?;
    let mut times: Vec<u64> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at = Duration::try_from_secs_f64(line.trim().parse().unwrap_or(f64::NAN)).ok();
        let at = at.filter(|at| *at <= LAST_ARRIVAL).map(duration::nanos);
        let in_order = at.filter(|at| times.last().is_none_or(|last| last <= at));
        let Some(at) = in_order else {
            bail!(
                "{}, line {}: `{line}` is not a number of seconds since the beginning, in ascending order and at most {} h",
                said(),
                number + 1,
                LAST_ARRIVAL.as_secs() / 3600
            );
        };
        times.push(at);
    }
    if times.is_empty() {
        bail!("{} has no times", said())
    }
    Ok(times)
}

/// Raises the limit of open files as far as this user may, if that many connections need it. If it is not enough, connections that
/// cannot be opened are counted.
fn more_files(connections: u32) {
    let wanted = u64::from(connections).saturating_add(OTHER_FILES);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let files = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..limit });
        if raised.is_err() || files < wanted {
            terminal::say(&format!(
                "this user may open {files} files, which is too few for {connections} connections: raise the limit (ulimit -n)"
            ));
        }
    }
}

/// The command line, without headers and bodies: they may hold secrets, and a kept run is shown to others.
fn command(words: impl Iterator<Item = OsString>) -> String {
    let is_secret = |word: &str| ["-H", "--header", "--data"].contains(&word);
    let mut hides = false;
    let shown = words.map(|word| {
        let word = word.to_string_lossy().into_owned();
        let hidden = match word.split_once('=') {
            _ if hides => Some(HIDDEN.to_owned()),
            Some((option, _)) if is_secret(option) => Some(format!("{option}={HIDDEN}")),
            _ if word.starts_with("-H") && word.len() > 2 => Some(format!("-H{HIDDEN}")),
            _ => None,
        };
        hides = !hides && is_secret(&word);
        hidden.unwrap_or(word)
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// Reads the scenario, if there is one. Options that the command line does not have are set from it.
fn with_scenario(args: &mut Args) -> anyhow::Result<Option<Loaded>> {
    let Some(path) = args.scenario.clone() else { return Ok(None) };
    let loaded = scenario::read(&path, args.url.as_deref(), args.seed)?;
    let in_file = |error: String| anyhow!("{}: {error}", path.display());
    let has_drive = args.rate.is_some() || args.users.is_some() || args.arrivals.is_some();
    if let Some(text) = loaded.rate.as_deref().filter(|_| !has_drive) {
        args.rate = Some(rate(text).map_err(in_file)?);
    }
    if args.duration.is_none() {
        args.duration = loaded.duration.as_deref().map(duration::parse).transpose().map_err(in_file)?;
    }
    if args.objectives.is_empty() {
        let parsed = loaded.slo.iter().map(|text| text.parse::<Objective>());
        args.objectives = parsed.collect::<Result<_, _>>().map_err(|error| in_file(error.to_string()))?;
    }
    args.connecting.yes_this_host.extend(loaded.allow.iter().cloned());
    Ok(Some(loaded))
}

fn plan(args: Args, loaded: Option<Loaded>) -> anyhow::Result<Plan> {
    let (target, scenario) = match loaded {
        Some(of) => (of.target, Some(Arc::new(of.scenario))),
        None => (Target::parse(&args.url.context("expected a URL, or --scenario FILE")?)?, None),
    };
    let target = args.connecting.target(target)?;
    let body = match (args.data, args.data_file) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(file)) => {
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?
        }
        (None, None) => Vec::new(),
    };
    let method = args.method.unwrap_or_else(|| if body.is_empty() { "GET" } else { "POST" }.to_owned());
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
        bail!("`{method}` is not a method: expected GET, POST or another word");
    }
    let arrivals = args.arrivals.as_deref().map(arrivals).transpose()?;
    let last = arrivals.as_ref().and_then(|times| times.last()).map(|last| Duration::from_nanos(last + 1));
    let duration = args.duration.or(last).unwrap_or(DURATION);
    let drive = match (args.rate, args.users) {
        _ if arrivals.is_some() => {
            Drive::Schedule(Schedule::Replay { times_ns: arrivals.unwrap_or_default() })
        }
        (Some(Rate::Constant(rate)), _) if args.poisson => {
            Drive::Schedule(Schedule::Poisson { rate, seed: args.seed })
        }
        (Some(_), _) if args.poisson => bail!("--poisson takes one rate, not several"),
        (Some(Rate::Constant(rate)), _) => Drive::Schedule(Schedule::Constant { rate }),
        (Some(Rate::Steps(rates)), _) => Drive::Schedule(Schedule::Steps { rates }),
        (Some(Rate::Ramp(from, to)), _) => Drive::Schedule(Schedule::Ramp { from, to }),
        (None, Some(users)) => Drive::Users { users, think: args.think.unwrap_or_default() },
        (None, None) => Drive::Max,
    };
    let drive = match (args.worker, drive) {
        (Some((number, parts)), Drive::Schedule(of)) => {
            Drive::Schedule(Schedule::Part { of: Box::new(of), number, parts })
        }
        (Some(_), _) => bail!("--worker takes a part of a schedule: it needs --rate or --arrivals"),
        (None, drive) => drive,
    };
    Ok(Plan {
        target,
        protocol: args.connecting.protocol(),
        method,
        headers: args.headers,
        body,
        scenario,
        drive,
        duration,
        connections: args.users.unwrap_or(args.connecting.connections),
        threads: usize::from(args.threads),
        timeout: args.timeout,
        keeps_alive: !args.connecting.no_keepalive,
        trust: args.connecting.trust(),
    })
}

/// Keeps a run, and shows how far it is.
struct Shown<'a> {
    progress: Progress<'a>,
    kept: Option<&'a mut Kept>,
    prospects: Option<Watched<'a>>,
    start_at: Option<SystemTime>,
}

/// Says when a run makes no sense any more.
struct Watched<'a> {
    prospects: Prospects<'a>,
    /// When the last request is due. What is lost after it stands in the result.
    end: Duration,
    /// Ends the run.
    stop: &'a AtomicBool,
    /// Whether it is ended then.
    aborts: bool,
    /// Why it was ended.
    abort: Option<Abort>,
}

impl Watched<'_> {
    fn take(&mut self, second: &Second, latencies: &Latencies) {
        let at = Duration::from_nanos(second.ts_ns.saturating_add(second.dur_ns));
        // A run that is ending already, by a signal or by us, has no prospects.
        if at >= self.end || self.stop.load(Ordering::Acquire) {
            return;
        }
        for lost in self.prospects.take(second, latencies) {
            terminal::say(&format!("after {} s: {}", at.as_secs(), lost.reason.words()));
            if self.aborts && !self.stop.swap(true, Ordering::AcqRel) {
                self.abort = Some(lost);
            }
        }
    }
}

impl Watcher for Shown<'_> {
    fn begun(&mut self, at: SystemTime) {
        if let Some(kept) = &mut self.kept {
            kept.begin(at);
        }
    }

    fn interval(&mut self, second: &Second, latencies: &Latencies) {
        if let Some(kept) = self.kept.as_mut().filter(|kept| kept.failure().is_none()) {
            kept.add(second, latencies);
            if let Some(error) = kept.failure() {
                terminal::say(&format!("the run goes on, but cannot be kept any more: {error}"));
            }
        }
        if let Some(prospects) = &mut self.prospects {
            prospects.take(second, latencies);
        }
        self.progress.show(second, latencies);
    }

    fn start_at(&self) -> Option<SystemTime> {
        self.start_at
    }

    fn requests(&self) -> Option<load::Requests> {
        self.kept.as_ref().and_then(|kept| kept.requests())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!(rate("200"), Ok(Rate::Constant(200.0)));
        assert_eq!(rate("0.5/s"), Ok(Rate::Constant(0.5)));
        assert_eq!(rate("100,0,400"), Ok(Rate::Steps(vec![100.0, 0.0, 400.0])));
        assert_eq!(rate("0..50"), Ok(Rate::Ramp(0.0, 50.0)));
        for text in ["", "0", "-1", "nan", "inf", "1e9", "0..0", "1,,2", "0,0", "1..2..3", "many"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_kept_command_line_has_no_headers_and_no_body() {
        let words = [
            "casebook",
            "load",
            "http://a/",
            "-H",
            "A: secret",
            "--rate",
            "5",
            "--header=B: secret",
            "-HC: secret",
            "--data",
            "secret",
        ];
        let shown = command(words.into_iter().map(OsString::from));
        assert_eq!(shown, "casebook load http://a/ -H … --rate 5 --header=… -H… --data …");
    }

    #[test]
    fn arrivals_are_seconds_in_ascending_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("times");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            arrivals(&file)
        };
        assert_eq!(read("0\n0.5\n0.5\n 2e0\n").unwrap(), [0, 500_000_000, 500_000_000, 2_000_000_000]);
        for text in ["", "1\n0.5\n", "one\n", "-1\n", "nan\n", "1e300\n", "0\n\n1\n"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn headers_are_read_and_cannot_add_lines() {
        assert_eq!(header("X-A:  b: c "), Ok(("X-A".to_owned(), "b: c".to_owned())));
        for text in ["", "X", ": a", "X Y: a", "X: a\r\nB: c", "X: a\n"] {
            assert!(header(text).is_err() || text == "X: a\n", "{text:?}");
        }
    }
}
