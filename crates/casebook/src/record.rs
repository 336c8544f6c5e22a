//! `casebook record`: records what a process does, into a folder or one file.

use crate::completions::candidates;
use crate::config::{self, Config};
use crate::format::{Format, print_json};
use crate::interrupt::Interrupt;
use crate::outputs::Outputs;
use crate::target::Target;
use crate::{duration, profile, terminal};
use crate::{number, size};
use anyhow::{Context, bail, ensure};
use base::time::Deadline;
use dotnet_ipc::session::Provider;
use import::{Alongside, EventName};
use recorder::profile::parse_provider;
use recorder::{
    Ended, Launched, MakeReader, Outcome, OutputShape, Plan, Profile, Progress, RecordOptions, Subject,
};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

mod along;
mod beside;
mod document;
mod said;

pub(crate) use beside::{Beside, Recorded, Wanted};

use along::Along;

/// How long the runtime has to answer a command that is not part of the recording.
const ANSWER: Duration = Duration::from_secs(5);

const AFTER_HELP: &str = "\
Examples:
  casebook record -p 4711 -d 10s             # into NAME-4711-20261124T101500Z/
  casebook record --name Orders              # until Ctrl-C
  casebook record -p 4711 --profile requests -d 30s -o slow
  casebook record -p 4711 --keep 60s         # the last minute before Ctrl-C
  casebook record -p 4711 --keep 60s \\
    --stop-on Microsoft-Windows-DotNETRuntime/GC/Start
  casebook record --profile startup -- dotnet Orders.dll
  casebook record -p 4711 -d 10s -o orders.nettrace   # one file for other tools
  casebook explain slow                      # what is wrong

Profiles, and how much of its throughput each costs a service that uses all its \
CPU cores (others pay less):
  default    5 %  what most questions need: events, and samples in short bursts
  light      3 %  GC, locks, exceptions, thread pool, counters; no samples, so most checks cannot run
  cpu       23 %  continuous samples, to find methods that use little CPU
  requests  18 %  each request and each call that it makes, samples in bursts
  logs      30 %  the same, and every log line
  startup   23 %  everything from the first instruction; with `-- COMMAND`
The result says what the recording cost this process.

Ctrl-C or SIGTERM ends a recording cleanly: it then still fetches the names of methods. Press Ctrl-C again to stop without \
them. A recording also ends cleanly if it reaches --max-size, or if less than 5 % of the disk is free (less than 1 GB on a \
disk of more than 20 GB).

With --keep, SIGUSR1 copies what is kept to OUT-1/, and the recording goes on. If the recorder is killed, what it \
recorded can still be opened. A folder keeps the names of methods; a single file loses them, because they come last.

The defaults of -d, --profile, --provider, --buffer and --max-size can be set: see `casebook config --help`.";

/// Record what a process does: events, samples, method names, and host metrics
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// How long to record: 500ms, 10s, 2m or 1h; a number alone is in seconds [default: until Ctrl-C]
    #[arg(short, long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// The folder to write, or one file if it ends in .nettrace or .nettrace.zst [default: NAME-PID-UTC/]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// What to record: default, light, cpu, requests, logs or startup; see below [default: the profile named default]
    #[arg(long, value_name = "PROFILE", value_parser = profile::parse, add = candidates::profiles())]
    profile: Option<Profile>,
    /// Add a provider, or replace the profile's provider of that name: NAME:KEYWORDS:LEVEL:ARGUMENTS (repeatable)
    #[arg(long, value_name = "PROVIDER", value_parser = parse_provider)]
    provider: Vec<Provider>,
    /// End at this event, named as in the table `events`
    #[arg(long, value_name = "PROVIDER/EVENT")]
    stop_on: Option<String>,
    /// Keep only the last TIME before -d, --stop-on or Ctrl-C ends the recording. What is kept may be longer than TIME, by a
    /// quarter or by 2 s, whichever is more
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    keep: Option<Duration>,
    /// Have the runtime write /tmp/perf-PID.map meanwhile, for native profilers such as perf (.NET 8 and later)
    #[arg(long)]
    perf_map: bool,
    /// How much memory the runtime may use for events that are not read yet [default: 256, or a sixteenth of the memory limit of
    /// the process's control group if that is less]
    #[arg(long, value_name = "MEGABYTES", value_parser = number::megabytes)]
    buffer: Option<u32>,
    /// The maximum size on the disk; the recording ends when it has reached this size [default: 32GB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    max_size: Option<u64>,
    /// Overwrite an earlier recording
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    outputs: Outputs,
    /// How to print the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// A program to start and record from its first instruction. Its standard input is empty. When the recording ends it
    /// gets SIGTERM and has 10 s to end; processes that are still running then are listed and left alone
    #[arg(last = true, value_name = "COMMAND", add = candidates::command())]
    command: Vec<OsString>,
}

impl Args {
    /// Those of a command line; all other options have their defaults.
    fn of_words(words: impl Iterator<Item = OsString>) -> anyhow::Result<Self> {
        let command = <Self as clap::Args>::augment_args(clap::Command::new("record"));
        let matches = command.try_get_matches_from(std::iter::once(OsString::from("record")).chain(words))?;
        Ok(<Self as clap::FromArgMatches>::from_arg_matches(&matches)?)
    }

    fn profile(&self) -> Profile {
        self.profile.unwrap_or(Profile::Default)
    }

    /// Fills in what the configuration says and the command line does not.
    fn or(mut self, defaults: &config::Record) -> Self {
        // Whoever starts a program, waits for an event or keeps the last minute expects no other end.
        let is_open_ended = self.command.is_empty() && self.stop_on.is_none() && self.keep.is_none();
        let duration = defaults.duration.as_ref().map(|given| given.value).filter(|_| is_open_ended);
        self.duration = self.duration.or(duration);
        self.profile = self.profile.or(defaults.profile.as_ref().map(|given| given.value));
        self.buffer = self.buffer.or(defaults.buffer.as_ref().map(|given| given.value));
        self.max_size = self.max_size.or(defaults.max_size.as_ref().map(|given| given.value));
        // Those of the command line come last, where they replace others of the same name.
        let providers = defaults.provider.iter().flat_map(|given| given.value.clone());
        self.provider = providers.chain(self.provider).collect();
        self
    }
}

pub(crate) fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    run_as(&args.or(&config.record))
}

fn run_as(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        !args.target.is_named() || args.command.is_empty(),
        "name a process or a program to start, not both"
    );
    ensure!(
        args.target.is_named() || !args.command.is_empty(),
        "name a process (-p PID, --name NAME, --diagnostic-port SOCKET), or a program to start (-- COMMAND); \
         `casebook ps` lists processes"
    );
    let plan_of_folder = plan(args, OutputShape::Folder);
    let stop_on = args.stop_on.as_deref().map(EventName::parse).transpose()?;
    // A mistake in -o shows before a process is looked for or a program is started.
    if let Some(out) = &args.output {
        anyhow::ensure!(
            !crate::outputs::is_stdout(out),
            "a recording is not written to standard output: name a folder, or a file that ends in .nettrace"
        );
        recorder::check_place(out, OutputShape::of(out), args.force, args.outputs.rules())?;
    }
    let interrupt = Interrupt::catch()?;
    warn_of_cost(args);
    let mut launched = launch(args, &interrupt)?;
    let recorded = of_subject(args, plan_of_folder, stop_on, &interrupt, &mut launched);
    // Also after a failure: a program that was started for the recording ends with it.
    if let Some(launched) = launched {
        interrupt.waits_for(&format!("the command (process {}) to end, up to 10 s", launched.command()));
        said::say_how_command_ended(&launched.end());
    }
    interrupt.done();
    recorded
}

/// Records a process for some time with a profile into a folder, and prints the result.
pub(crate) fn of_process(
    pid: u32,
    duration: &str,
    profile: &str,
    out: &Path,
    outputs: Outputs,
) -> anyhow::Result<ExitCode> {
    let words = [OsString::from("-p"), pid.to_string().into(), "-d".into(), duration.into()];
    let rest = [OsString::from("--profile"), profile.into(), "-o".into(), out.into()];
    let args = Args::of_words(words.into_iter().chain(rest))?;
    run_as(&Args { outputs, ..args })
}

/// A process that is to be recorded while the caller does something else.
#[derive(Debug)]
pub(crate) struct Found {
    args: Args,
    subject: Subject,
    command: String,
}

/// Finds it and asks its runtime about it.
pub(crate) fn found(wanted: Wanted, config: &Config) -> anyhow::Result<Found> {
    let Wanted { process, profile, command, outputs } = wanted;
    let args = Args { profile, outputs, ..Args::of_words(std::iter::empty())? }.or(&config.record);
    // The caller ends it.
    let args = Args { duration: None, ..args };
    let subject = Target::of(process).find(args.outputs.rules(), &|| true)?;
    warn_of_cost(&args);
    Ok(Found { args, subject, command })
}

/// Begins to record it into a folder, which must not exist: see [`Beside::begin`].
pub(crate) fn beside(found: Found, out: PathBuf, interrupt: &Arc<Interrupt>) -> anyhow::Result<Beside> {
    let Found { args, subject, command } = found;
    let shape = OutputShape::Folder;
    Beside::begin(subject, options(&args, out, shape, plan(&args, shape), command), interrupt)
}

/// Finds the process, records it and shows the result.
fn of_subject(
    args: &Args,
    plan_of_folder: Plan,
    stop_on: Option<EventName>,
    interrupt: &Interrupt,
    launched: &mut Option<Launched>,
) -> anyhow::Result<ExitCode> {
    interrupt.waits_for("the runtime to say what it is");
    let subject = match launched {
        Some(launched) => subject_of(launched)?,
        None => args.target.find(args.outputs.rules(), &|| !interrupt.is_raised())?,
    };
    let out = args.output.clone().unwrap_or_else(|| default_name(&subject));
    let shape = OutputShape::of(&out);
    ensure!(
        args.keep.is_none() || shape == OutputShape::Folder,
        "--keep needs a folder, since a single file holds one session only"
    );
    let plan = if shape == OutputShape::OneFile { plan(args, shape) } else { plan_of_folder };
    let command = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let options = options(args, out, shape, plan, command.collect::<Vec<_>>().join(" "));
    let mut outcome = record(args, &subject, &options, stop_on, interrupt, launched)?;
    if let Ended::Full(full) = &outcome.ended {
        terminal::say(&format!("the recording ended early: {}", full.words()));
    }
    if let Some(event) = args.stop_on.as_ref().filter(|_| outcome.ended != Ended::Event) {
        outcome.notes.push(format!(
            "{event} did not come; `select distinct provider, name from events` lists what did"
        ));
    }
    show(args, &subject, &options, &outcome)?;
    Ok(if matches!(outcome.ended, Ended::Failed(_)) { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

fn options(args: &Args, out: PathBuf, shape: OutputShape, plan: Plan, command: String) -> RecordOptions {
    RecordOptions {
        out,
        shape,
        plan,
        profile: args.profile().name().to_owned(),
        duration: args.duration,
        keep: args.keep,
        most_bytes: args.max_size.unwrap_or(recorder::MAX_BYTES),
        force: args.force,
        rules: args.outputs.rules(),
        buffer_megabytes: args.buffer,
        tool: format!("casebook {}", env!("CARGO_PKG_VERSION")),
        command,
    }
}

fn plan(args: &Args, shape: OutputShape) -> Plan {
    let mut plan = args.profile().plan(shape);
    args.provider.iter().for_each(|provider| plan.set(provider));
    plan
}

fn warn_of_cost(args: &Args) {
    if args.profile().is_dear() {
        terminal::say(&format!(
            "the profile {} costs a service that uses all its CPU cores about {:.0} % of its throughput (default: {:.0} %)",
            args.profile().name(),
            args.profile().cost() * 100.0,
            Profile::Default.cost() * 100.0
        ));
    }
}

/// Starts the command, if there is one.
fn launch(args: &Args, interrupt: &Interrupt) -> anyhow::Result<Option<Launched>> {
    if args.command.is_empty() {
        return Ok(None);
    }
    // From here on there is a program that has to be ended, or at least resumed.
    interrupt.keeps();
    interrupt.waits_for("a .NET runtime in the program");
    let program = args.command.first().map(|word| word.to_string_lossy()).unwrap_or_default();
    terminal::say(&format!("starting {program} and waiting for its .NET runtime"));
    // The program's output must not mix with our JSON document.
    let stdout = if args.format == Format::Json { terminal::for_child() } else { Stdio::inherit() };
    let mut guard = std::process::Command::new(std::env::current_exe().context("cannot find this program")?);
    guard.args(["guard", "--"]);
    Ok(Some(recorder::launch(&args.command, stdout, guard, &mut || !interrupt.is_raised())?))
}

fn subject_of(launched: &Launched) -> anyhow::Result<Subject> {
    let endpoint = launched.found.endpoint();
    let info = dotnet_ipc::process::ProcessInfo::ask(&endpoint, Deadline::after(ANSWER))?;
    let proc = host::Proc::live();
    Ok(Subject::new(&proc, Some(launched.found.pid), Some(&info), endpoint, true))
}

fn record(
    args: &Args,
    subject: &Subject,
    options: &RecordOptions,
    stop_on: Option<EventName>,
    interrupt: &Interrupt,
    launched: &mut Option<Launched>,
) -> anyhow::Result<Outcome> {
    if args.perf_map {
        let enabled = dotnet_ipc::process::enable_perf_map(&subject.endpoint, Deadline::after(ANSWER));
        enabled.context("the runtime cannot write /tmp/perf-PID.map")?;
    }
    let mut silence = stop_on.as_ref().map(|event| Silence::new(event, &options.plan));
    let heard = silence.as_ref().map(|of| Arc::clone(&of.heard)).unwrap_or_default();
    let make_reader: MakeReader = Arc::new(move |_role| {
        Box::new(Along { reader: Alongside::new(stop_on.clone()), heard: Arc::clone(&heard) })
    });
    let mut line = said::Line::new(options);
    interrupt.waits_for("the runtime to begin a session, up to 10 s");
    let outcome = recorder::record(subject, options, &interrupt.control, &make_reader, &mut |progress| {
        interrupt.waits_for(said::waited_for(&progress));
        if let Some(launched) = launched.as_mut().filter(|_| progress.stage == recorder::Stage::Recording) {
            launched.release();
        }
        line.show(&progress);
        if Silence::is_late(&progress) {
            silence.take().iter().for_each(Silence::say);
        }
    });
    terminal::clear_progress();
    if args.perf_map {
        interrupt.waits_for("the runtime to finish /tmp/perf-PID.map, up to 5 s");
        // Fails if the process has ended. It then writes no more either.
        drop(dotnet_ipc::process::disable_perf_map(&subject.endpoint, Deadline::after(ANSWER)));
    }
    match outcome {
        Err(recorder::Error::Gone(pid)) => bail!("process {pid} has ended"),
        outcome => Ok(outcome?),
    }
}

/// Warns if the provider that --stop-on names sends nothing.
struct Silence {
    provider: String,
    /// Whether the recording asks for its events.
    is_asked: bool,
    heard: Arc<AtomicBool>,
}

impl Silence {
    /// How long to wait before the warning. The event may still come after that.
    const PATIENCE: Duration = Duration::from_secs(2);

    fn new(event: &EventName, plan: &Plan) -> Self {
        let in_bursts = plan.bursts.iter().flat_map(|bursts| &bursts.providers);
        let is_asked =
            plan.main.iter().chain(in_bursts).any(|of| of.name.eq_ignore_ascii_case(event.provider()));
        Self { provider: event.provider().to_owned(), is_asked, heard: Arc::default() }
    }

    fn is_late(progress: &Progress) -> bool {
        progress.stage == recorder::Stage::Recording && progress.elapsed >= Self::PATIENCE
    }

    fn say(&self) {
        if !self.heard.load(Ordering::Acquire) {
            terminal::say(&self.words());
        }
    }

    fn words(&self) -> String {
        let provider = &self.provider;
        if self.is_asked {
            format!(
                "nothing from {provider} yet: no event source has that name, or it was not used yet; still waiting"
            )
        } else {
            format!("{provider} is not recorded, so its event will not come: add `--provider {provider}`")
        }
    }
}

/// `NAME-PID-UTC`, in characters that every file system allows.
fn default_name(subject: &Subject) -> PathBuf {
    let is_usual = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    // A name that begins with `-` would pass for an option, and one that begins with `.` is hidden.
    let name = subject.name.trim_start_matches(['-', '.']).chars();
    let name: String = name.map(|char| if is_usual(char) { char } else { '_' }).take(80).collect();
    let name = if name.is_empty() { "dotnet".to_owned() } else { name };
    let pid = subject.pid.map_or(subject.container_pid, u64::from);
    let time = jiff::Timestamp::try_from(base::time::calendar())
        .map(|time| time.strftime("%Y%m%dT%H%M%SZ").to_string())
        .unwrap_or_default();
    let base = format!("{name}-{pid}-{time}");
    // Two recordings may begin in the same second. If all names are taken, the recorder refuses the first.
    let names = std::iter::once(base.clone()).chain((2..100).map(|number| format!("{base}-{number}")));
    let free = names.map(PathBuf::from).find(|path| path.symlink_metadata().is_err());
    free.unwrap_or_else(|| PathBuf::from(base))
}

fn show(args: &Args, subject: &Subject, options: &RecordOptions, outcome: &Outcome) -> anyhow::Result<()> {
    if args.format == Format::Text {
        return Ok(terminal::print(&said::result(subject, options, outcome))?);
    }
    print_json(&document::document(options, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dotnet_ipc::Endpoint;

    #[test]
    fn a_process_names_no_folder_that_is_hidden_or_passes_for_an_option() {
        let check = |name: &str, expected: &str| {
            let named = Subject {
                name: name.to_owned(),
                ..Subject::new(&host::Proc::live(), None, None, Endpoint::named("x"), false)
            };
            let path = default_name(&named);
            let found = path.to_str().unwrap().to_owned();
            assert!(found.starts_with(expected), "{name}: {found}");
        };
        check("orders", "orders-");
        check("-rf", "rf-");
        check(".-.bashrc", "bashrc-");
        check("--", "dotnet-");
        check("..", "dotnet-");
        check("a/../b\u{202e}", "a_.._b_-");
    }

    #[test]
    fn a_provider_that_is_not_recorded_is_not_confused_with_a_silent_one() {
        let check = |event: &str, expected: &str| {
            let plan = Profile::Default.plan(OutputShape::Folder);
            let words = Silence::new(&EventName::parse(event).unwrap(), &plan).words();
            assert!(words.contains(expected), "{words}");
        };
        check("My-Source/Failed", "add `--provider My-Source`");
        check("microsoft-windows-dotnetruntime/GC/Start", "still waiting");
        check("Microsoft-DotNETCore-SampleProfiler/Thread/Sample", "still waiting");
    }
}
