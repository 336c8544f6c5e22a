//! `complete`: what fits at the end of a command line, for our completion scripts.
//!
//! The first line says what follows, and so do scripts that an earlier version has installed, so it must stay as it is:
//! `words` has one word per line, for zsh and fish with a tab and a description; `recordings` and `paths` let the shell
//! complete those. An error prints nothing, which scripts take for `paths`.
//!
//! clap_complete's engine reads the command line. We do not use its scripts: in bash they expand patterns in what is
//! offered, insert names of files without quoting them, and do not complete `--option=value`; and they change between versions.

use super::candidates::{Paths, with_paths};
use crate::terminal;
use base::steering::printable;
use clap::ValueEnum;
use clap_complete::engine::{self, CompletionCandidate};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;

/// Prints what fits at the end of a command line, for completion scripts
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell that asks
    shell: Asking,
    /// The words are listed in a terminal of this many columns, and not inserted
    #[arg(long, value_name = "COLUMNS")]
    listed: Option<usize>,
    /// The words of the command line. The last one is completed
    #[arg(last = true, value_name = "WORD")]
    words: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Asking {
    Bash,
    Zsh,
    Fish,
}

/// Completes a command line of `program`, which has all commands and options.
pub(crate) fn run(args: &Args, program: clap::Command) -> anyhow::Result<ExitCode> {
    let words = match args.shell {
        Asking::Bash => joined(&args.words),
        Asking::Zsh | Asking::Fish => args.words.clone(),
    };
    let fitting = match fitting(program, words) {
        Fitting::Paths(paths) => format!("{paths}\n"),
        Fitting::Words(words) => {
            let lines: Vec<String> = match (args.shell, args.listed) {
                (Asking::Bash, None) => words.into_iter().map(|word| word.text).collect(),
                (Asking::Bash, Some(columns)) => listed(&words, columns),
                _ => words.into_iter().map(|word| format!("{}\t{}", word.text, word.about)).collect(),
            };
            ["words".to_owned()].into_iter().chain(lines).fold(String::new(), |all, line| all + &line + "\n")
        }
    };
    terminal::rows().write_all(fitting.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What fits.
#[derive(Debug, PartialEq, Eq)]
enum Fitting {
    Words(Vec<Word>),
    /// Paths, by their name in the protocol.
    Paths(&'static str),
}

/// A word that fits.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// A line without characters that control a terminal.
    about: String,
}

/// The words of bash, which splits `--option=value` into three. It inserts what we offer in place of the value alone, as if
/// that were a word of its own.
fn joined(words: &[OsString]) -> Vec<OsString> {
    words.iter().filter(|word| *word != "=").cloned().collect()
}

/// What fits. `--option=value` is completed as the two words that it means.
fn fitting(program: clap::Command, mut words: Vec<OsString>) -> Fitting {
    let both = words
        .last()
        .and_then(|word| word.to_str()?.split_once('='))
        .filter(|(name, _)| name.starts_with("--"));
    let Some((option, value)) = both.map(|(option, value)| (option.to_owned(), value.to_owned())) else {
        return fitting_word(program, words);
    };
    words.pop();
    words.extend([OsString::from(&option), OsString::from(value)]);
    match fitting_word(program, words) {
        Fitting::Words(found) => Fitting::Words(
            found.into_iter().map(|word| Word { text: format!("{option}={}", word.text), ..word }).collect(),
        ),
        paths @ Fitting::Paths(_) => paths,
    }
}

fn fitting_word(program: clap::Command, words: Vec<OsString>) -> Fitting {
    let Some(last) = words.last().cloned() else { return Fitting::Words(Vec::new()) };
    let (at, is_behind_dashes) =
        (words.len().saturating_sub(1), words.iter().rev().skip(1).any(|word| word == "--"));
    let mut program = with_paths(program);
    let mut found = engine::complete(&mut program, words, at, None).unwrap_or_default();
    // The engine takes the program to start for an argument that may stand anywhere.
    found.retain(|candidate| is_behind_dashes || Paths::of(candidate) != Some(Paths::Command));
    match found.iter().find_map(Paths::of) {
        Some(Paths::Recording) if !is_option(&last) => return Fitting::Paths("recordings"),
        Some(Paths::Any | Paths::Command) if !is_option(&last) => return Fitting::Paths("paths"),
        _ => {}
    }
    let mut words: Vec<Word> = found
        .iter()
        .filter(|of| Paths::of(of).is_none() && !of.is_hide_set())
        .filter_map(|of| Word::of(of, &last))
        .collect();
    words.retain(|word| !word.repeats());
    // Options are offered if the word begins as one, or if there is nothing else.
    if !is_option(&last) && words.iter().any(|word| !word.text.starts_with('-')) {
        words.retain(|word| !word.text.starts_with('-'));
    }
    Fitting::Words(words)
}

/// Whether a word is an option, or the beginning of one.
fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"-") && !word.as_encoded_bytes().contains(&b'=')
}

impl Word {
    /// `None` if what is added to the typed word could mean something to a shell, so that it is safe to insert without quotes.
    fn of(candidate: &CompletionCandidate, typed: &OsStr) -> Option<Self> {
        let text = candidate.get_value().to_str()?;
        let added = typed.to_str().and_then(|typed| text.strip_prefix(typed)).unwrap_or(text);
        let is_safe = |c: char| c.is_alphanumeric() || "._-+,=".contains(c);
        if !added.chars().all(is_safe) || text.contains(char::is_control) {
            return None;
        }
        let text = text.to_owned();
        let about = candidate.get_help().map(ToString::to_string).unwrap_or_default();
        let about = printable(about.lines().next().unwrap_or_default()).replace('\t', " ");
        Some(Self { text, about })
    }

    /// Whether it ends a list, such as `gc,cpu`, with what is in it already.
    fn repeats(&self) -> bool {
        let list = self.text.rsplit('=').next().unwrap_or_default().rsplit_once(',');
        list.is_some_and(|(before, last)| before.split(',').any(|word| word == last))
    }
}

/// The lines of a list, with descriptions in brackets if there is room for them. A single word is inserted, so it has none.
/// Options have none either: their descriptions are sentences, and `--help` has room for those.
fn listed(words: &[Word], columns: usize) -> Vec<String> {
    let has_room =
        words.len() > 1 && words.iter().all(|word| !word.text.starts_with('-') && !word.about.is_empty());
    let longest = words.iter().map(|word| word.text.chars().count()).max().unwrap_or_default();
    let line = |word: &Word| {
        let start = format!("{:longest$}  ", word.text);
        // Two brackets, and one column that stays free.
        let room = columns.saturating_sub(longest.saturating_add(5));
        if !has_room || room < 10 {
            return word.text.clone();
        }
        let is_cut = word.about.chars().count() > room;
        let about: String =
            word.about.chars().take(if is_cut { room.saturating_sub(1) } else { room }).collect();
        format!("{start}({about}{})", if is_cut { "…" } else { "" })
    };
    words.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};
    use clap_complete::engine::ArgValueCandidates;

    #[test]
    fn a_word_that_means_something_to_a_shell_is_never_offered() {
        let check = |word: &'static str, typed: &str, expected: &[&str]| {
            let one = ArgValueCandidates::new(move || vec![CompletionCandidate::new(word)]);
            let program = Command::new("casebook").disable_help_flag(true).arg(Arg::new("word").add(one));
            let Fitting::Words(words) = fitting(program, vec!["casebook".into(), typed.into()]) else {
                panic!("paths")
            };
            let texts: Vec<String> = words.into_iter().map(|word| word.text).collect();
            assert_eq!(texts, expected, "{word:?}");
        };
        for word in ["a b", "$(x)", "a;b", "a\nb", "'a'", "a*", "~a", "a\\", "a\u{202e}"] {
            check(word, "", &[]);
        }
        check("a-1,b=2", "", &["a-1,b=2"]);
        // What the user has typed is theirs.
        check("select * from gc", "select * from g", &["select * from gc"]);
        check("select * from $(x)", "select * from ", &[]);
    }

    #[test]
    fn an_option_and_its_value_in_one_word_are_completed_as_two() {
        let format = Arg::new("format").long("format").value_parser(["text", "json"]);
        let file = Arg::new("file").add(ArgValueCandidates::new(|| vec![CompletionCandidate::new("a-file")]));
        let program = Command::new("casebook").disable_help_flag(true).arg(format).arg(file);
        let Fitting::Words(words) = fitting(program, vec!["casebook".into(), "--format=j".into()]) else {
            panic!("paths")
        };
        assert_eq!(words.into_iter().map(|word| word.text).collect::<Vec<_>>(), ["--format=json"]);
    }

    #[test]
    fn a_list_fits_the_terminal() {
        let word = |text: &str, about: &str| Word { text: text.to_owned(), about: about.to_owned() };
        let words = [word("7", "Orders, .NET 10.0.1"), word("4711", "Billing")];
        assert_eq!(listed(&words, 80), ["7     (Orders, .NET 10.0.1)", "4711  (Billing)"]);
        assert_eq!(listed(&words, 20), ["7     (Orders, .N…)", "4711  (Billing)"]);
        assert_eq!(listed(&words, 12), ["7", "4711"]);
        assert_eq!(listed(&words[..1], 80), ["7"]);
        assert_eq!(listed(&[word("--all", "All"), word("--per", "Per")], 80), ["--all", "--per"]);
    }
}
