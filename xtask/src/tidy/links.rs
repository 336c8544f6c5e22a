//! The links of Markdown files: a relative one must point to a file or folder of the tree.
//!
//! Addresses with a scheme and anchors within a page are not followed. Links within code, fenced or inline, are left out.

use super::problem::Problem;
use std::collections::BTreeSet;

/// Every relative link that points to nothing among the files of the tree.
pub(super) fn check(path: &str, markdown: &str, files: &BTreeSet<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (target, line) in targets(markdown) {
        let Some(relative) = relative_path(&target) else { continue };
        let fault = match resolve(path, &relative) {
            Some(resolved) if is_there(&resolved, files) => continue,
            Some(_) => "which is not there",
            None => "outside the tree",
        };
        problems.push(Problem::new(path, line, format!("links to {target}, {fault}")));
    }
    problems
}

/// What the text links to, with the line of each link.
fn targets(markdown: &str) -> Vec<(String, usize)> {
    let mut targets = Vec::new();
    let mut fence: Option<&str> = None;
    for (line, number) in markdown.lines().zip(1..) {
        let marker = fence_marker(line);
        match (fence, marker) {
            (None, Some(_)) => fence = marker,
            (Some(open), Some(close)) if close.starts_with(open) && line.trim() == close => fence = None,
            (Some(_), _) => {}
            (None, None) => targets.extend(targets_of_line(line).into_iter().map(|target| (target, number))),
        }
    }
    targets
}

/// The run of three or more backticks or tildes that opens or closes a fenced block.
fn fence_marker(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let first = line.chars().next().filter(|first| matches!(first, '`' | '~'))?;
    let rest = line.trim_start_matches(first);
    let (marker, _) = line.split_at(line.len() - rest.len());
    // Backticks after the run make it code within a line.
    (marker.len() >= 3 && !(first == '`' && rest.contains('`'))).then_some(marker)
}

fn targets_of_line(line: &str) -> Vec<String> {
    let line = without_code(line);
    let mut targets: Vec<String> = Vec::new();
    targets.extend(line.split("](").skip(1).filter_map(|rest| first_word(inside_parentheses(rest))));
    for attribute in ["src=\"", "href=\""] {
        targets.extend(
            line.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned),
        );
    }
    targets.extend(definition(&line));
    targets
}

/// The target of `[label]: target`; `[^1]: text` is a footnote.
fn definition(line: &str) -> Option<String> {
    let (label, rest) = line.trim_start().strip_prefix('[')?.split_once("]:")?;
    if label.starts_with('^') || label.contains(']') {
        return None;
    }
    first_word(rest)
}

/// The text up to the parenthesis that closes the one before it.
fn inside_parentheses(text: &str) -> &str {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.split_at(at).0;
        }
    }
    text
}

/// The target without its title: `<a b.md> "title"` or `a.md "title"`.
fn first_word(text: &str) -> Option<String> {
    let text = text.trim();
    match text.strip_prefix('<') {
        Some(rest) => rest.split('>').next().map(str::to_owned),
        None => text.split_whitespace().next().map(str::to_owned),
    }
}

/// The line with its code blanked: what stands between two runs of equally many backticks.
fn without_code(line: &str) -> String {
    let mut kept = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('`') {
        let (before, from_run) = rest.split_at(at);
        let after_run = from_run.trim_start_matches('`');
        let (run, _) = from_run.split_at(from_run.len() - after_run.len());
        kept.push_str(before);
        rest = if let Some(end) = end_of_code(after_run, run.len()) {
            after_run.split_at(end).1
        } else {
            kept.push_str(run);
            after_run
        };
    }
    kept + rest
}

/// Where the text goes on behind the next run of exactly so many backticks.
fn end_of_code(text: &str, backticks: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        let (_, rest) = text.split_at(at);
        at += rest.find('`')?;
        let (_, from_run) = text.split_at(at);
        let run = from_run.len() - from_run.trim_start_matches('`').len();
        at += run;
        if run == backticks {
            return Some(at);
        }
    }
}

/// The path of a relative link; none where it has a scheme or is an anchor alone.
fn relative_path(target: &str) -> Option<String> {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    let is_elsewhere = path.is_empty() || path.starts_with("//") || first.contains(':');
    (!is_elsewhere).then(|| path.replace("%20", " "))
}

/// The path from the root of the tree that a link in a file means; none where it leads out of the tree.
fn resolve(file: &str, link: &str) -> Option<String> {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let start = if link.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(link.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a path is a file of the tree or a folder above one.
fn is_there(path: &str, files: &BTreeSet<String>) -> bool {
    if path.is_empty() || files.contains(path) {
        return true;
    }
    let inside = format!("{path}/");
    files.range(inside.clone()..).next().is_some_and(|file| file.starts_with(&inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with `README.md`, `docs/tables.md` and `docs/my page.md`; the text is that of `docs/index.md`.
    fn check_page(markdown: &str, expected: &[&str]) {
        let files = ["README.md", "docs/tables.md", "docs/my page.md"].map(str::to_owned).into();
        let problems: Vec<String> =
            check("docs/index.md", markdown, &files).iter().map(ToString::to_string).collect();
        assert_eq!(problems, expected, "{markdown}");
    }

    #[test]
    fn links_to_files_and_folders() {
        check_page(
            "[a](tables.md), ![b](../README.md \"title\") and [c](/docs/) or [d](./tables.md#gc)",
            &[],
        );
        check_page("[a](my%20page.md) [b](<my page.md>)", &[]);
        check_page("[root](..)", &[]);
        check_page("# a\n[b](gone.md)", &["docs/index.md:2: links to gone.md, which is not there"]);
        check_page("[a](tables)", &["docs/index.md:1: links to tables, which is not there"]);
        check_page("[a](../../x.md)", &["docs/index.md:1: links to ../../x.md, outside the tree"]);
    }

    #[test]
    fn other_ways_to_link() {
        check_page("[a]: gone.md", &["docs/index.md:1: links to gone.md, which is not there"]);
        check_page("<img src=\"gone.svg\">", &["docs/index.md:1: links to gone.svg, which is not there"]);
        check_page("[^1]: a footnote", &[]);
        check_page("[a](gone_(1).md)", &["docs/index.md:1: links to gone_(1).md, which is not there"]);
    }

    #[test]
    fn addresses_are_not_followed() {
        check_page("[a](https://example.org/x) [b](mailto:a@example.org) [c](#top) [d](//example.org)", &[]);
    }

    #[test]
    fn code_is_no_link() {
        check_page("`[a](gone.md)` and ``[b](`gone.md)``", &[]);
        check_page("```md\n[a](gone.md)\n```", &[]);
        check_page("````md\n```\n[a](gone.md)\n```\n````", &[]);
        check_page("a ` alone [b](gone.md)", &["docs/index.md:1: links to gone.md, which is not there"]);
        check_page("~~~\n~~~\n[b](gone.md)", &["docs/index.md:3: links to gone.md, which is not there"]);
    }
}
