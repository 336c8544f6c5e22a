//! Our own prose for a terminal: messages, and the description of the rules without the marks of Markdown.

use crate::Width;
use crate::page::{hanging, wrap};

/// The lines of a page, wrapped. A row of a table becomes its first cell with the others below it, each with its column's name.
pub fn shown(markdown: &str, width: Width) -> String {
    let width = width.prose();
    let mut columns: Vec<String> = Vec::new();
    let mut text = String::new();
    for line in markdown.lines() {
        if !line.starts_with('|') {
            columns.clear();
        }
        let line = without_markup(line);
        let shown = if let Some(row) = line.strip_prefix('|') {
            let cells: Vec<String> =
                row.trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
            if line.starts_with("|---") {
                continue;
            }
            if columns.is_empty() {
                columns = cells;
                continue;
            }
            row_of(&cells, &columns, width)
        } else if line.starts_with("- ") {
            hanging(&line, width, 2)
        } else {
            wrap(&line, width).join("\n")
        };
        text.extend([&shown, "\n"]);
    }
    text
}

/// A message in lines of at most so many columns, broken at blanks; what continues a line is indented. A word that is longer,
/// such as a path, stays whole. Escape sequences of colours take no column.
pub fn message(text: &str, columns: usize) -> String {
    text.lines().map(|line| broken(line, columns)).collect::<Vec<_>>().join("\n")
}

fn broken(line: &str, columns: usize) -> String {
    if visible(line) <= columns {
        return line.to_owned();
    }
    let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
    let (mut out, mut used) = (indent.to_owned(), indent.len());
    for (at, word) in rest.split(' ').enumerate() {
        let width = visible(word);
        let is_too_long = indent.len() + 2 + width > columns;
        if at > 0 && used + 1 + width > columns && !is_too_long {
            out.extend(["\n", indent, "  "]);
            used = indent.len() + 2;
        } else if at > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += width;
    }
    out
}

/// How many columns a text takes.
fn visible(text: &str) -> usize {
    let (mut count, mut is_escape) = (0, false);
    for c in text.chars() {
        match c {
            '\u{1b}' => is_escape = true,
            _ if is_escape => is_escape = !c.is_ascii_alphabetic(),
            _ => count += 1,
        }
    }
    count
}

fn row_of(cells: &[String], columns: &[String], width: usize) -> String {
    let lines = cells.iter().zip(columns).enumerate().map(|(at, (cell, column))| match at {
        0 => hanging(&format!("- {cell}"), width, 2),
        _ => hanging(&format!("  {column}: {cell}"), width, 4),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A line without the marks of headings, of bold text, and of links.
fn without_markup(line: &str) -> String {
    let (mut text, mut rest) = (String::new(), line.trim_start_matches('#').trim_start());
    while let Some((before, link)) = rest.split_once('[') {
        let parts = link.split_once("](").and_then(|(name, rest)| Some((name, rest.split_once(')')?.1)));
        // An array's brackets are no link.
        (text, rest) = match parts.filter(|(name, _)| !name.contains(']')) {
            Some((name, after)) => (text + before + name, after),
            None => (text + before + "[", link),
        };
    }
    text.push_str(rest);
    text.replace("**", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_wrapped_and_its_markup_is_gone() {
        let page = "## lock\n\n**Silent** if [a](#a), `List[]` or [b](#b) is found here.\n\n| measured | threshold |\n|---|---|\n\
                    | waiting threads | 12 % |\n\n- One lock per key, or data that is owned by one thread\n";
        let expected = "lock\n\nSilent if a, `List[]` or b is found\nhere.\n\n- waiting threads\n  threshold: 12 %\n\n\
                        - One lock per key, or data that is\n  owned by one thread\n";
        assert_eq!(shown(page, Width::of(40)), expected);
    }

    #[test]
    fn a_message_is_broken_at_blanks_and_a_long_word_stays_whole() {
        let check = |text: &str, expected: &str| assert_eq!(message(text, 20), expected);
        check("short", "short");
        check("no such column: nme; gc has number", "no such column: nme;\n  gc has number");
        check("cannot read a/path/that/is/rather/long now", "cannot read a/path/that/is/rather/long\n  now");
        check("  • one and two and three\nnext", "  • one and two and\n    three\nnext");
        check("\u{1b}[31mred\u{1b}[0m 1234567890123456", "\u{1b}[31mred\u{1b}[0m 1234567890123456");
    }
}
