//! The program: flags and glue, with one module per command. What it prints comes from the libraries.

#[cfg(target_env = "musl")]
mod allocator;
mod browser;
mod capacity;
mod completions;
mod config;
#[cfg(all(target_arch = "x86_64", any(test, all(target_env = "musl", not(debug_assertions)))))]
mod copying;
mod counters;
mod demo;
mod diff;
mod duration;
mod enter;
mod explain;
mod export;
mod format;
mod guard;
mod help;
mod interrupt;
mod key_file;
mod load;
mod manual;
mod mine;
mod number;
mod open;
mod outputs;
mod profile;
mod progress;
mod ps;
mod query;
mod reading;
mod record;
mod serving;
mod size;
mod spreadsheet;
mod stacks;
mod stopping;
mod tables;
mod target;
mod terminal;
mod threads;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use config::Config;
use std::io::Write;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Examples:
  casebook ps                            # find the process
  casebook record -p 4711 -d 10s -o slow # record it for 10 s
  casebook explain slow                  # what is wrong with it
  casebook open slow                     # the same as pages in the browser

Exit codes: 0 for success, 1 if --fail-on matched, 2 for failure.";

/// Records what a running .NET service does, and says what is wrong with it.
#[derive(Debug, Parser)]
#[command(name = "casebook", version)]
#[command(after_help = AFTER_HELP)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// How to show progress on standard error
    #[arg(long, global = true, value_enum, value_name = "FORM", default_value_t)]
    progress: progress::Form,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ps(ps::Args),
    Record(record::Args),
    Counters(counters::Args),
    Stacks(stacks::Args),
    Explain(explain::Args),
    Open(open::Args),
    Diff(diff::Args),
    Load(Box<load::Args>),
    Capacity(Box<capacity::Args>),
    Query(query::Args),
    Export(export::Args),
    Tables(tables::Args),
    Demo(demo::Args),
    Config(config::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Guard(guard::Args),
    #[command(hide = true)]
    Complete(completions::complete::Args),
    #[command(hide = true)]
    Manual(manual::Args),
}

/// The stack of the thread that runs a command. The main thread may have less, by `ulimit -s`.
const STACK_BYTES: usize = 8 << 20;

fn main() -> ExitCode {
    let thread = std::thread::Builder::new().name("casebook".to_owned()).stack_size(STACK_BYTES);
    match thread.spawn(run) {
        Ok(running) => running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        // No memory for such a stack: the main thread has to do.
        Err(_) => run(),
    }
}

fn run() -> ExitCode {
    // A write beyond `ulimit -f` then returns an error, as on a full disk, instead of killing us.
    interrupt::survive([signal_hook::consts::SIGXFSZ]);
    let config = config::read();
    if let Ok(config) = &config {
        config.apply_colours();
    }
    config::leave_colours_unforced();
    let mut program = help::fitted(number::negative_is_a_value(Args::command()), terminal::width());
    let parsed = program.try_get_matches_from_mut(std::env::args_os());
    let parsed = parsed.and_then(|parsed| Args::from_arg_matches(&parsed));
    let args = match parsed.map_err(|error| error.format(&mut program)) {
        Ok(args) => args,
        Err(error) => return not_parsed(&without_misleading_tip(error)),
    };
    progress::write_as(args.progress);
    let result = execute(args.command, config);
    match result {
        Ok(code) => code,
        // The reader of our output has closed it, as in `casebook … | head`: not a failure.
        Err(error) if terminal::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::say_failure(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn execute(command: Command, config: anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    // What a shell or a recording starts must not fail over a setting.
    let is_needed = !matches!(
        command,
        Command::Guard(_) | Command::Completions(_) | Command::Complete(_) | Command::Manual(_)
    );
    let config = if is_needed { config? } else { Config::default() };
    match command {
        Command::Ps(args) => ps::run(&args),
        Command::Stacks(args) => stacks::run(&args),
        Command::Record(args) => record::run(args, &config),
        Command::Counters(args) => counters::run(&args),
        Command::Guard(args) => Ok(guard::run(&args)),
        Command::Explain(args) => explain::run(&args, &config),
        Command::Open(args) => open::run(&args, &config),
        Command::Demo(args) => demo::run(&args),
        Command::Config(args) => config::run(&args, &config),
        Command::Diff(args) => diff::run(&args, &config),
        Command::Load(args) => load::run(*args, &config),
        Command::Capacity(args) => capacity::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Export(args) => export::run(&args, &config),
        Command::Tables(args) => tables::run(&args),
        Command::Completions(args) => completions::run(&args, Args::command()),
        Command::Complete(args) => completions::complete::run(&args, Args::command()),
        Command::Manual(args) => manual::run(&args, Args::command()),
    }
}

/// Removes the tip to pass an unknown option behind `--`: there, `record` would start a program of that name, `query` would
/// read it as SQL, and all others as a file.
fn without_misleading_tip(mut error: clap::Error) -> clap::Error {
    if error.kind() == clap::error::ErrorKind::UnknownArgument {
        error.remove(clap::error::ContextKind::Suggested);
    }
    error
}

/// Prints help, or what is wrong with the arguments. They may hold file names that someone else chose.
fn not_parsed(error: &clap::Error) -> ExitCode {
    let steers = std::env::args_os().any(|word| word.to_string_lossy().contains(base::steering::steers));
    if !steers {
        if error.use_stderr() {
            terminal::say_wrong_arguments(&error.render().ansi().to_string());
            return ExitCode::from(2);
        }
        error.exit();
    }
    // Printed without colours: their sequences look the same as those in a name.
    drop(terminal::stderr().write_all(error.to_string().as_bytes()));
    ExitCode::from(2)
}
