//! What fits at options and arguments, beyond what clap knows from their values.

use super::processes::{self, Process};
use clap::ValueHint;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use model::Kind;
use recorder::Profile;
use std::collections::BTreeMap;
use std::ffi::OsStr;

/// What the shell completes itself. It knows better than we do how a path is quoted, and what `~` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paths {
    /// Any path.
    Any,
    /// A recording, benchmark results, or a folder.
    Recording,
    /// A program and its arguments, which stand behind `--`.
    Command,
}

impl Paths {
    const ALL: [Self; 3] = [Self::Any, Self::Recording, Self::Command];

    /// The id of the candidate that stands for all paths.
    fn id(self) -> &'static str {
        match self {
            Self::Any => "paths",
            Self::Recording => "recordings",
            Self::Command => "command",
        }
    }

    /// What a candidate stands for; `None` if it is a word.
    pub(super) fn of(candidate: &CompletionCandidate) -> Option<Self> {
        let id = candidate.get_id()?;
        Self::ALL.into_iter().find(|paths| paths.id() == id)
    }

    fn candidate(self) -> CompletionCandidate {
        CompletionCandidate::new("").id(Some(self.id().to_owned()))
    }

    fn completer(self) -> ArgValueCompleter {
        ArgValueCompleter::new(move |_: &OsStr| vec![self.candidate()])
    }
}

/// Recordings, and folders that may hold some.
pub(crate) fn recordings() -> ArgValueCompleter {
    Paths::Recording.completer()
}

/// Recordings, and behind them SQL, which has spaces in it: the tables that it reads.
pub(crate) fn recordings_and_sql() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| match word.to_str() {
        Some(sql) if sql.contains(char::is_whitespace) => tables(sql),
        _ => vec![Paths::Recording.candidate()],
    })
}

/// The SQL with the name of a table at its end, if that is what it lacks.
fn tables(sql: &str) -> Vec<CompletionCandidate> {
    let (before, table) = sql.rsplit_once(char::is_whitespace).unwrap_or_default();
    let keyword = before.split_whitespace().next_back().unwrap_or_default();
    // Shells give a meaning to a backslash within quotes. Behind a dot is a table of one of several recordings.
    if !["from", "join"].iter().any(|of| keyword.eq_ignore_ascii_case(of)) || sql.contains('\\') {
        return Vec::new();
    }
    let start = table.rsplit('.').next().unwrap_or_default();
    let specs = Kind::ALL.iter().flat_map(|kind| kind.catalogue());
    let named: BTreeMap<&str, &str> = specs.map(|spec| (spec.name, spec.about)).collect();
    let rest = |name: &'static str| name.strip_prefix(start);
    let fitting = named
        .into_iter()
        .filter_map(|(name, about)| rest(name).map(|rest| described(format!("{sql}{rest}"), about)));
    fitting.collect()
}

/// Programs to start.
pub(crate) fn command() -> ArgValueCompleter {
    Paths::Command.completer()
}

/// Lets the shell complete every other path of a command and of all commands in it.
pub(super) fn with_paths(command: clap::Command) -> clap::Command {
    let by_shell = |arg: clap::Arg| {
        let is_known = arg.get::<ArgValueCompleter>().is_some();
        if is_known || arg.get_value_hint() != ValueHint::AnyPath {
            arg
        } else {
            arg.add(Paths::Any.completer())
        }
    };
    command.mut_args(by_shell).mut_subcommands(with_paths)
}

/// The numbers of processes for `-p`, or their names once the word is one.
pub(crate) fn pids(is_name: fn(&str) -> bool) -> ArgValueCompleter {
    ArgValueCompleter::new(move |word: &OsStr| {
        let (word, processes) = (word.to_string_lossy(), processes::reachable());
        if is_name(&word) {
            return names_of(&processes, &word);
        }
        let numbers = processes.iter().map(|process| described(process.pid.to_string(), &about(process)));
        numbers.filter(|number| number.get_value().to_string_lossy().starts_with(&*word)).collect()
    })
}

/// The names of processes.
pub(crate) fn names() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| names_of(&processes::reachable(), &word.to_string_lossy()))
}

/// The names that begin with a word, as `--name` compares them: without regard to case.
fn names_of(processes: &[Process], word: &str) -> Vec<CompletionCandidate> {
    let word = word.to_lowercase();
    let mut of_name: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for process in processes {
        if is_safe_name(&process.name) && process.name.to_lowercase().starts_with(&word) {
            of_name.entry(&process.name).or_default().push(process.pid);
        }
    }
    let described = of_name.into_iter().map(|(name, pids)| {
        let about = match pids.as_slice() {
            [pid] => format!("process {pid}"),
            more => format!("{} processes: choose one with -p", more.len()),
        };
        described(name, &about)
    });
    described.collect()
}

/// The profiles of `record`.
pub(crate) fn profiles() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let about = |profile: Profile| format!("costs {:.0} %: {}", profile.cost() * 100.0, profile.about());
        Profile::ALL.map(|profile| described(profile.name(), &about(profile))).into()
    })
}

fn described(word: impl Into<String>, about: &str) -> CompletionCandidate {
    CompletionCandidate::new(word.into()).help(Some(about.to_owned().into()))
}

fn about(process: &Process) -> String {
    let name = harmless(&process.name);
    process.runtime.as_ref().map_or(name.clone(), |runtime| format!("{name}, .NET {}", harmless(runtime)))
}

/// Longest text of a process that is shown or offered, in characters.
const MAX_TEXT: usize = 60;

/// Whether a name can be inserted into a command line. Whoever starts a process chooses its name, so only names pass that
/// mean nothing to any shell, and that no shell has to quote.
fn is_safe_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        && name.chars().count() <= MAX_TEXT
        && name.chars().all(|c| c.is_alphanumeric() || "._-+".contains(c))
}

/// A text of a process that is shown, but not inserted: without all that means anything to a terminal or a shell.
fn harmless(text: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || " ._-+,/()".contains(c) { c } else { '?' };
    text.chars().take(MAX_TEXT).map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str) -> Process {
        Process { pid, name: name.to_owned(), runtime: Some("10.0.1".to_owned()) }
    }

    #[test]
    fn names_are_compared_as_the_option_does_and_say_what_they_choose() {
        let processes = [process(7, "Orders"), process(9, "Orders"), process(8, "Billing")];
        let check = |word: &str, expected: &[(&str, &str)]| {
            let found: Vec<_> = names_of(&processes, word)
                .iter()
                .map(|of| (of.get_value().to_string_lossy().into_owned(), of.get_help().unwrap().to_string()))
                .collect();
            let expected: Vec<_> = expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(found, expected, "{word}");
        };
        let orders = ("Orders", "2 processes: choose one with -p");
        check("", &[("Billing", "process 8"), orders]);
        check("ord", &[orders]);
        check("x", &[]);
    }

    #[test]
    fn sql_is_completed_where_a_table_is_named() {
        let check = |sql: &str, expected: &[&str]| {
            let found: Vec<_> =
                tables(sql).iter().map(|of| of.get_value().to_string_lossy().into_owned()).collect();
            assert_eq!(found, expected, "{sql}");
        };
        check("select * from sampl", &["select * from samples"]);
        check("select 1 FROM\n a.sampl", &["select 1 FROM\n a.samples"]);
        check("select 1 from gc join except", &["select 1 from gc join exceptions"]);
        check("select sampl", &[]);
        check("select '\\' from sampl", &[]);
        assert!(tables("select * from ").len() > 20);
    }

    #[test]
    fn a_name_that_means_something_to_a_shell_is_not_offered_and_shown_without_it() {
        for name in [
            "$(touch x)",
            "`touch x`",
            "a;b",
            "a b",
            "a'b",
            "a\"b",
            "a\nb",
            "a\u{1b}[2Jb",
            "-o",
            "--name",
            "a*",
            "~root",
            "!!",
            "a:b",
            "a=b",
            "a\\b",
            "",
            ".hidden",
            "a|b",
            "a&b",
            "<(x)",
            "{a,b}",
            "a\u{202e}b",
            "#a",
        ] {
            assert!(!is_safe_name(name), "{name:?}");
            let shown = about(&process(7, name));
            assert!(
                !shown.contains([
                    '$', '`', ';', '\'', '"', '\n', '\u{1b}', '*', '~', '!', '\\', '|', '&', '<', '\u{202e}'
                ]),
                "{shown}"
            );
        }
        for name in ["Orders", "my-app_2.Api", "Größe", "7zip", "C++"] {
            assert!(is_safe_name(name), "{name}");
        }
        assert_eq!(about(&process(7, "Orders $(id)")), "Orders ?(id), .NET 10.0.1");
    }
}
