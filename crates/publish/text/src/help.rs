//! The texts that follow the options in the help of a command: examples and lists, fitted to a width.
//!
//! Whoever copies an example gets the same command at any width. Paragraphs are left to whoever prints the help, since
//! that wraps them anyway.

use crate::Width;
use crate::page::hanging;

/// The indent of what continues a command.
const INDENT: usize = 4;

/// The text with no line of an example or a list wider than `width`, unless a single word is.
///
/// A comment behind a command that has no room is above it. A command goes on behind a backslash, or without one within
/// quotes, where a line end is a blank to SQL and `jq`. A line of a list goes on below its last column.
pub fn fitted(text: &str, width: Width) -> String {
    let width = width.prose();
    let (mut lines, mut quote, mut continues) = (Vec::new(), None, false);
    for line in text.lines() {
        let is_command = quote.is_some() || continues || line.trim_start().starts_with("casebook ");
        let fits = line.chars().count() <= width;
        if is_command {
            let (command, comment) = without_comment(line);
            if let Some(comment) = comment.filter(|_| !fits) {
                lines.push(hanging(&format!("{}# {comment}", indent(line)), width, INDENT));
            }
            let broken = broken(command, width, &mut quote);
            lines.push(if fits { line.to_owned() } else { broken });
        } else if line.starts_with(' ') && !fits {
            // The last column begins behind the last gap.
            let column =
                line.rfind("  ").map_or(0, |at| line.get(..at).unwrap_or_default().chars().count() + 2);
            lines.push(in_column(line, column, width));
        } else {
            lines.push(line.to_owned());
        }
        continues = is_command && line.ends_with('\\');
    }
    lines.join("\n")
}

fn indent(line: &str) -> &str {
    line.get(..line.len() - line.trim_start().len()).unwrap_or_default()
}

/// A command and what is said behind it.
fn without_comment(line: &str) -> (&str, Option<&str>) {
    match line.split_once(" # ") {
        Some((command, comment)) => (command.trim_end(), Some(comment)),
        None => (line, None),
    }
}

/// A line of a list whose last column begins at `column`, where the rest of it goes on.
fn in_column(line: &str, column: usize, width: usize) -> String {
    let at = line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    let (head, last) = line.split_at(at);
    let rest = crate::page::wrap(last, width.saturating_sub(column));
    format!("{head}{}", rest.join(&format!("\n{:column$}", "")))
}

/// A command in lines of `width`. `quote` is the quote that is open at its beginning, and then that at its end.
fn broken(line: &str, width: usize, quote: &mut Option<char>) -> String {
    let (command, end) = line.strip_suffix(" \\").map_or((line, ""), |command| (command, " \\"));
    let indent = indent(line);
    let (mut lines, mut last) = (Vec::new(), indent.to_owned());
    let mut words = command.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_first = last.trim_start().is_empty();
        // Room for a backslash, unless nothing follows.
        let reserved = if words.peek().is_some() { 2 } else { end.len() };
        if !is_first && last.chars().count() + 1 + word.chars().count() + reserved > width {
            let backslash = if quote.is_some() { "" } else { " \\" };
            lines.push(last + backslash);
            last = format!("{:1$}{word}", "", INDENT.max(indent.len()));
        } else {
            last.extend([if is_first { "" } else { " " }, word]);
        }
        for c in word.chars().filter(|c| ['\'', '"'].contains(c)) {
            *quote = match *quote {
                Some(open) if open == c => None,
                None => Some(c),
                open => open,
            };
        }
    }
    lines.push(last + end);
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_and_lists_fit_and_commands_stay_the_same_to_a_shell() {
        let check = |text: &str, expected: &str| assert_eq!(fitted(text, Width::of(40)), expected);
        check("Examples:\n  casebook ps   # all", "Examples:\n  casebook ps   # all");
        check(
            "  casebook record -p 4711 --keep 60s      # the last minute",
            "  # the last minute\n  casebook record -p 4711 --keep 60s",
        );
        check(
            "  casebook record -p 4711 --keep 60s --stop-on GC/Start \\\n    | sort",
            "  casebook record -p 4711 --keep 60s \\\n    --stop-on GC/Start \\\n    | sort",
        );
        check(
            "  casebook query slow 'select count(*) as n from samples\n    where a = 1' -o a.csv --limit 1000000000",
            "  casebook query slow 'select count(*)\n    as n from samples\n    where a = 1' -o a.csv --limit \\\n    1000000000",
        );
        check(
            "  light   3 %  GC, locks, exceptions and threads",
            "  light   3 %  GC, locks, exceptions and\n               threads",
        );
    }
}
