//! Our own Markdown for a terminal: the description of the rules, in lines of its width and without markup.

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
}
