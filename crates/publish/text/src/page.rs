//! A page of text for a terminal: labelled lines, tables and sparklines, no wider than its [`Width`].
//!
//! Texts come from recordings, which anyone may have written, so none of them may move the cursor or set a colour.

use crate::sparkline::{fitted, sparkline};
use crate::width::Width;
use anstyle::{AnsiColor, Style};
use report::unit::show;
use report::{Figure, List, Part, Series, ShownColumn};

/// The width of labels; content begins behind them.
pub(crate) const LABEL: usize = 12;
const HEADING: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

/// How much a text asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// No attention.
    Plain,
    /// Nothing to do.
    Good,
    /// Worth a look.
    Warning,
    /// Needs action.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default().bold(),
            Self::Warning => WARNING.bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// A page under construction, with its colours.
#[derive(Debug, Default)]
pub(crate) struct Page {
    text: String,
    width: Width,
}

/// The indent of a name below its values.
const INDENT: usize = 2;
/// A name with less room beside its values gets its own lines below them.
const MIN_NAME: usize = 20;
/// A line over time with less room beside its words gets its own line above them.
const MIN_COURSE: usize = 24;

/// How a table shows a name that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Cut.
    Cut,
    /// Whole, below the values.
    Whole,
}

impl Page {
    /// An empty page.
    pub(crate) fn new(width: Width) -> Self {
        Self { text: String::new(), width }
    }

    /// The room beside labels for a line of a table.
    pub(crate) fn room(&self) -> usize {
        self.width.columns() - LABEL
    }

    /// The room beside labels for a line of prose.
    fn prose(&self) -> usize {
        self.width.prose() - LABEL
    }

    /// The finished page.
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// A line in bold.
    pub(crate) fn title(&mut self, text: &str) {
        self.push(&format!("{HEADING}{}{HEADING:#}", cut(&printable(text), self.width.columns())));
    }

    /// A file's name in bold. The end of a path says more than its beginning.
    pub(crate) fn file(&mut self, name: &str) {
        self.title(&keep_end(&printable(name), self.width.columns()));
    }

    /// An empty line.
    pub(crate) fn gap(&mut self) {
        self.push("");
    }

    /// Text with a label, over as many lines as it needs.
    pub(crate) fn line(&mut self, label: &str, text: &str) {
        self.labelled(label, text, HEADING, Style::new());
    }

    /// Text that must not be overlooked.
    pub(crate) fn warning(&mut self, label: &str, text: &str) {
        self.labelled(label, text, WARNING, WARNING);
    }

    /// Bold text in a tone, with a label.
    pub(crate) fn block(&mut self, label: &str, tone: Tone, text: &str) {
        self.labelled(label, text, tone.style(), tone.style());
    }

    /// A coloured word in front of a text in bold.
    pub(crate) fn badge(&mut self, word: &str, tone: Tone, text: &str) {
        self.labelled(word, text, tone.style(), HEADING);
    }

    /// Short values, aligned to the right, each followed by words. Prints nothing without values.
    pub(crate) fn pairs(&mut self, label: &str, pairs: Vec<(String, String)>) {
        let width = pairs.iter().map(|(value, _)| value.chars().count()).max().unwrap_or(0);
        for (at, (value, words)) in pairs.into_iter().enumerate() {
            let left = self.prose().saturating_sub(width + 2);
            let words = printable(&words);
            for (row, words) in wrap(&words, left).iter().enumerate() {
                let (label, value) = match (at, row) {
                    (0, 0) => (label, value.as_str()),
                    (_, 0) => ("", value.as_str()),
                    _ => ("", ""),
                };
                let line = format!("{value:>width$}  {words}");
                self.push(&format!("{HEADING}{:<LABEL$}{HEADING:#}{}", printable(label), printable(&line)));
            }
        }
    }

    /// Texts with a dot in front of each.
    pub(crate) fn items(&mut self, label: &str, items: &[String]) {
        for (at, item) in items.iter().enumerate() {
            for (row, line) in wrap(&printable(item), self.prose() - 2).iter().enumerate() {
                let label = if (at, row) == (0, 0) { label } else { "" };
                let dot = if row == 0 { "•" } else { " " };
                self.push(&format!("{HEADING}{label:<LABEL$}{HEADING:#}{dot} {line}"));
            }
        }
    }

    /// A faint line.
    pub(crate) fn hint(&mut self, text: &str) {
        let faint = Style::new().dimmed();
        for line in wrap(&printable(text), self.width.prose()) {
            self.push(&format!("{faint}{line}{faint:#}"));
        }
    }

    /// A faint command to copy. In several lines, it is still one command for a shell; a word that is longer than a line stays
    /// whole, since it would be another one if it were shortened.
    pub(crate) fn command(&mut self, words: &[&str]) {
        let faint = Style::new().dimmed();
        let mut lines = vec![String::new()];
        for word in words {
            let Some(last) = lines.last_mut() else { break };
            let joined = format!("{last}{}{}", if last.is_empty() { "" } else { " " }, printable(word));
            // Two characters are for the backslash.
            if last.is_empty() || joined.chars().count() + 2 <= self.width.columns() {
                *last = joined;
            } else {
                last.push_str(" \\");
                lines.push(format!("  {}", printable(word)));
            }
        }
        for line in lines {
            self.push(&format!("{faint}{line}{faint:#}"));
        }
    }

    /// The figures of a part that have a value, each in its own words, in which `{}` is the value.
    pub(crate) fn figures(&mut self, label: &str, part: &Part, words: &[(&str, &str)]) {
        let mut last_source = None;
        let shown = words.iter().filter_map(|(name, words)| {
            let figure = part.figures.iter().find(|figure| figure.name == *name)?;
            let words = counted(&with_others(part, words)?, &show(figure.value?, figure.unit));
            // Neighbouring figures from the same source name it once.
            let source = figure.source.filter(|source| last_source.replace(*source) != Some(*source));
            Some(marked(&Figure { source, ..figure.clone() }, words))
        });
        let shown: Vec<String> = shown.collect();
        if !shown.is_empty() {
            self.line(label, &shown.join(" · "));
        }
    }

    /// All figures of a part that have a value, with their names. Prints nothing without values.
    pub(crate) fn all_figures(&mut self, part: &Part) {
        let named =
            |of: &Figure| Some(marked(of, counted(&format!("{{}} {}", of.name), &show(of.value?, of.unit))));
        let shown: Vec<String> = part.figures.iter().filter_map(named).collect();
        if !shown.is_empty() {
            self.line(part.id, &shown.join(" · "));
        }
    }

    /// How a value of a part changes over time. Prints nothing if it is always zero.
    pub(crate) fn course(&mut self, part: &Part, name: &str) {
        let Some(series) = part.course(name) else { return };
        let most = series.values.iter().flatten().copied().fold(0.0, f64::max);
        if most > 0.0 {
            let words = format!("{}, max {}", about(series.about), show(most, series.unit));
            self.over_time("", series, &words);
        }
    }

    /// The same, with the name of the series as a label.
    pub(crate) fn series(&mut self, series: &Series) {
        let most = series.values.iter().flatten().copied().fold(0.0, f64::max);
        if most > 0.0 {
            let words = format!("max {}: {}", show(most, series.unit), about(series.about));
            self.over_time(series.name, series, &words);
        }
    }

    /// Values over time beside their words, or above them if the room is too narrow for both.
    fn over_time(&mut self, label: &str, series: &Series, words: &str) {
        let room = self.room();
        let beside = room.saturating_sub(words.chars().count() + 2);
        // Not wrapped, since that would remove blanks, which are missing values.
        if beside >= MIN_COURSE.min(series.values.len()) {
            let line = sparkline(&fitted(&series.values, beside));
            return self.line_as(label, &format!("{line}  {words}"), Style::new());
        }
        self.line_as(label, &sparkline(&fitted(&series.values, room)), Style::new());
        self.line("", words);
    }

    /// The first rows of a part's list, values before names.
    pub(crate) fn list(&mut self, part: &Part, name: &str, rows: usize) {
        if let Some(list) = part.list(name).filter(|list| !list.rows.is_empty()) {
            self.table("", list, rows, Names::Cut);
            // A list that is shown whole says how many rows it was made without.
            if rows >= list.rows.len() {
                self.more(list.more);
            }
        }
    }

    /// How many rows are not listed, if any.
    pub(crate) fn more(&mut self, rows: usize) {
        if rows > 0 {
            self.line("", &format!("… {rows} more"));
        }
    }

    /// The first rows of a list below its headings, values before names. The label is in the line of the headings.
    pub(crate) fn table(&mut self, label: &str, list: &List, rows: usize, names: Names) {
        let columns: Vec<Vec<String>> = list.shown().iter().map(|column| cells(list, column, rows)).collect();
        let widths: Vec<usize> = columns
            .iter()
            .map(|cells| cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let all = std::iter::once(list.about).chain(list.rows.iter().take(rows).map(|row| row.name.as_str()));
        // A narrow page has the names below the values, whichever way a wide one shows them.
        let beside = self.room().saturating_sub(widths.iter().map(|width| width + 2).sum());
        let of_name = if beside < MIN_NAME { self.room() - INDENT } else { beside };
        for (at, name) in all.enumerate() {
            let (label, style) = if at == 0 { (label, Style::new().dimmed()) } else { ("", Style::new()) };
            let name = if at == 0 { about(name) } else { name.to_owned() };
            let tagged = with_tags(&name);
            let name = match names {
                Names::Whole => name,
                // Its tags are what tells it from its neighbours.
                Names::Cut if tagged.is_some() => tagged.unwrap_or(name),
                Names::Cut if at == 0 => cut_words(&name, of_name),
                // The end of a frame's name says more than its beginning.
                Names::Cut => cut_name(&name, of_name),
            };
            let cells = columns.iter().map(|cells| cells.get(at).map_or("", String::as_str));
            self.row_of_table(label, cells.zip(widths.iter().copied()), &name, style);
        }
    }

    /// Values and a name; what has no room beside the others is in further lines.
    fn row_of_table<'a>(
        &mut self,
        label: &str,
        cells: impl Iterator<Item = (&'a str, usize)>,
        name: &str,
        style: Style,
    ) {
        let (room, mut label, mut line) = (self.room(), label, String::new());
        for (cell, width) in cells {
            if !line.is_empty() && line.chars().count() + width > room {
                self.line_as(std::mem::take(&mut label), line.trim_end(), style);
                line.clear();
            }
            line.extend([format!("{cell:>width$}  ")]);
        }
        if line.chars().count() + name.chars().count() <= room {
            return self.line_as(label, &(line + name), style);
        }
        self.line_as(label, line.trim_end(), style);
        for more in wrap(name, room - INDENT) {
            self.line_as("", &format!("{:INDENT$}{more}", ""), style);
        }
    }

    /// The names of a part's list with their first values, in one line. `said` says a name in words.
    pub(crate) fn row(&mut self, words: &str, part: &Part, name: &str, said: impl Fn(&str) -> &str) {
        let Some(list) = part.list(name).filter(|list| !list.rows.is_empty()) else { return };
        let unit = list.columns.first().map_or("", |column| column.unit);
        let shown = list.rows.iter().filter_map(|row| {
            let value = row.values.first().copied().flatten()?;
            Some(format!("{} {}", said(&row.name), show(value, unit)))
        });
        let mut shown: Vec<String> = shown.collect();
        if list.more > 0 {
            shown.push(format!("{} more", list.more));
        }
        self.line("", &format!("{words} {}", shown.join(" · ")));
    }

    fn labelled(&mut self, label: &str, text: &str, of_label: Style, of_text: Style) {
        let label = printable(label);
        for (at, line) in wrap(&printable(text), self.prose()).iter().enumerate() {
            let label = if at == 0 { label.as_str() } else { "" };
            self.push(&format!("{of_label}{label:<LABEL$}{of_label:#}{of_text}{line}{of_text:#}"));
        }
    }

    /// A line that fits as it is: its blanks are kept.
    pub(crate) fn line_as(&mut self, label: &str, text: &str, style: Style) {
        let (label, text) = (printable(label), printable(text));
        self.push(&format!("{HEADING}{label:<LABEL$}{HEADING:#}{style}{text}{style:#}"));
    }

    /// A line without room for a label.
    pub(crate) fn bare(&mut self, text: &str) {
        self.push(&printable(text));
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// The heading of a column, then its values.
fn cells(list: &List, column: &ShownColumn, rows: usize) -> Vec<String> {
    let rows = list.rows.iter().take(rows);
    let values = rows.map(|row| column.text(row).unwrap_or_else(|| "–".to_owned()));
    std::iter::once(column.name.to_owned()).chain(values).collect()
}

/// Replaces characters that control a terminal or change the direction of text by spaces.
pub fn printable(text: &str) -> String {
    base::steering::printable(text).into_owned()
}

/// Words in which each `{name}` is replaced by that figure of the part. `None` if such a figure has no value, if that of a
/// `{!name}` has one, or if that of a `{+name}` is not above 0; these two leave no words.
fn with_others(part: &Part, words: &str) -> Option<String> {
    let Some((before, rest)) = words.split_once('{').filter(|(_, rest)| !rest.starts_with('}')) else {
        // No `{name}`, or `{}` comes before it: keep `{}` and go on behind it.
        let Some((before, rest)) = words.split_once("{}") else { return Some(words.to_owned()) };
        return Some(format!("{before}{{}}{}", with_others(part, rest)?));
    };
    let (name, rest) = rest.split_once('}')?;
    let conditions = [
        ("!", part.value(name.trim_start_matches('!')).is_none()),
        ("+", part.value(name.trim_start_matches('+')) > Some(0.0)),
    ];
    if let Some((_, holds)) = conditions.into_iter().find(|(sign, _)| name.starts_with(sign)) {
        return if holds { with_others(part, rest).map(|rest| format!("{before}{rest}")) } else { None };
    }
    let figure = part.figures.iter().find(|figure| figure.name == name)?;
    Some(format!("{before}{}{}", show(figure.value?, figure.unit), with_others(part, rest)?))
}

/// Words with their number. Behind a 1, the noun becomes singular.
fn counted(words: &str, number: &str) -> String {
    let Some((before, after)) = words.split_once("{} ").filter(|_| number == "1") else {
        return words.replace("{}", number);
    };
    let (noun, rest) = after.split_at(after.find(' ').unwrap_or(after.len()));
    format!("{before}1 {}{rest}", noun.strip_suffix('s').unwrap_or(noun))
}

/// A sentence for the middle of a line: without its capital letter, unless it begins with an abbreviation such as CPU.
pub(crate) fn about(text: &str) -> String {
    let mut chars = text.chars();
    if chars.clone().nth(1).is_some_and(char::is_uppercase) {
        return text.to_owned();
    }
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Text cut to a width; `…` replaces what is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The name of a meter with its tags in words: `requests {"route":"/a"}` becomes `requests route=/a`. `None` of other names.
fn with_tags(name: &str) -> Option<String> {
    let (name, tags) = name.split_at(name.find(" {\"")?);
    let tags: serde_json::Map<String, serde_json::Value> = serde_json::from_str(tags).ok()?;
    let tags = tags.iter().map(|(key, value)| match value {
        serde_json::Value::String(text) => format!(" {key}={text}"),
        other => format!(" {key}={other}"),
    });
    Some(std::iter::once(name.to_owned()).chain(tags).collect())
}

/// A method's name without its signature. If that is still too long, its beginning is cut.
fn cut_name(name: &str, width: usize) -> String {
    let bare = match name.split_once('(') {
        Some((bare, _)) if name.contains('!') => bare,
        _ => name,
    };
    keep_end(bare, width)
}

/// Text cut at its beginning, since the end of a name says more; behind a separator, if one is near.
pub(crate) fn keep_end(text: &str, width: usize) -> String {
    /// So much of what would fit may be left out for that.
    const NEAR: usize = 3;
    let len = text.chars().count();
    if len <= width {
        return text.to_owned();
    }
    let room = width.max(1) - 1;
    let tail: String = text.chars().skip(len - room).collect();
    let separator = tail.find(['.', '!', '+', '/']).filter(|at| *at < tail.len() / NEAR);
    let kept = separator.map_or(tail.as_str(), |at| tail.get(at + 1..).unwrap_or_default());
    format!("…{kept}")
}

/// Breaks text into lines at spaces. A word longer than a line is cut at its beginning, since such words are names.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in words(text) {
        let word = keep_end(&word, width);
        let Some(last) = lines.last_mut() else { break };
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > width {
            lines.push(word);
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(&word);
    }
    lines
}

/// The words of a text. A number and its unit are one.
fn words(text: &str) -> Vec<String> {
    const UNITS: [&str; 11] = ["%", "ns", "µs", "ms", "s", "min", "B", "kB", "MB", "GB", "MB/s"];
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_end_matches(|c: char| ".,;:)".contains(c));
        match words.last_mut().filter(|last| last.ends_with(|c: char| c.is_ascii_digit())) {
            Some(number) if UNITS.contains(&bare) => number.extend([" ", word]),
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// Text cut behind a word.
fn cut_words(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let first = wrap(text, width.saturating_sub(2)).swap_remove(0);
    let first = first.trim_end_matches(|c: char| ".,;:".contains(c));
    if first.starts_with('…') { cut(text, width) } else { format!("{first} …") }
}

/// Text in lines of a width; all but the first are indented.
pub(crate) fn hanging(text: &str, width: usize, indent: usize) -> String {
    let (head, rest) = text.split_at(text.len() - text.trim_start().len());
    if text.chars().count() <= width {
        return text.to_owned();
    }
    // The first line has its own indent, so the text is wrapped as if all lines had the larger one.
    let first = indent.max(head.len());
    let lines = wrap(rest, width.saturating_sub(first));
    let lines = lines.into_iter().enumerate().map(|(at, line)| match at {
        0 => format!("{head}{line}"),
        _ => format!("{:first$}{line}", ""),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The words of a figure with its source, and with a mark if it is partial.
pub(crate) fn marked(figure: &Figure, words: String) -> String {
    match (figure.partial, figure.source) {
        (false, None) => words,
        (true, None) => format!("{words} (partial)"),
        (false, Some(source)) => format!("{words} (by {source})"),
        (true, Some(source)) => format!("{words} (by {source}, partial)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::{ListColumn, Row};

    #[test]
    fn figures_from_two_sources_say_which_one_each_is_from() {
        let mut part = Part::new("locks");
        for (name, value) in [("events", 1.4), ("longest", 5.0), ("samples", 1.46)] {
            part.figure(name, Some(value), "", "");
        }
        part.counted_by(&["events", "longest"], "events");
        part.counted_by(&["samples"], "samples");
        part.mark_partial_of(&["samples"]);
        let mut page = Page::default();
        page.figures("", &part, &[("events", "{}"), ("longest", "longest {}"), ("samples", "{} waiting")]);
        let text = page.into_text();
        assert!(
            text.trim().ends_with("1.40 (by events) · longest 5 · 1.46 waiting (by samples, partial)"),
            "{text}"
        );
    }

    #[test]
    fn words_may_depend_on_another_figure() {
        let mut part = Part::new("gc");
        part.figure("rate", Some(8.0), "1/s", "");
        part.figure("within", Some(1.5), "ms", "");
        part.figure("none", Some(0.0), "", "");
        let check = |words, expected| assert_eq!(with_others(&part, words).as_deref(), expected, "{words}");
        check("{!within}{} on average", None);
        check("{!lost}{} on average", Some("{} on average"));
        check("{+none}{} induced", None);
        check("{+lost}{} induced", None);
        check("{+rate}{} induced in {within}", Some("{} induced in 1.50 ms"));
    }

    #[test]
    fn a_long_name_keeps_its_end_and_loses_its_signature() {
        assert_eq!(cut_name("Shop!Orders.Price(int32,class System.String)", 40), "Shop!Orders.Price");
        assert_eq!(cut_name("Shop!Orders.Price(int32)", 8), "…Price");
        assert_eq!(cut_name("GET /orders/(all)", 40), "GET /orders/(all)");
        let tagged = with_tags("Hosting http.duration {\"method\":\"GET\",\"status\":200}");
        assert_eq!(tagged.as_deref(), Some("Hosting http.duration method=GET status=200"));
        assert_eq!(with_tags("Shop!Orders.Price(int32)"), None);
    }

    #[test]
    fn lines_end_between_words_and_not_between_a_number_and_its_unit() {
        let check = |text: &str, width, expected: &[&str]| assert_eq!(wrap(text, width), expected, "{text}");
        check("about 12.5 % of 8 ms, all", 10, &["about", "12.5 % of", "8 ms, all"]);
        check("in Shop!Orders.Price now", 10, &["in", "…ers.Price", "now"]);
        assert_eq!(cut_words("types, by bytes allocated", 11), "types, by …");
        assert_eq!(cut_words("types, by bytes", 9), "types …");
        assert_eq!(cut_words("allocations", 5), "allo…");
    }

    #[test]
    fn a_narrow_page_has_names_below_their_values_and_shorter_lines_over_time() {
        let list = List {
            name: "routes",
            about: "Routes, the slowest first",
            columns: &[ListColumn { name: "p50", unit: "ms" }, ListColumn { name: "p99", unit: "ms" }],
            rows: vec![Row { name: "/orders/{id}/lines".to_owned(), values: vec![Some(12.0), Some(99.5)] }],
            more: 0,
        };
        let values = (0..40).map(|at| Some(f64::from(at % 4))).collect();
        let series = Series { name: "began", unit: "", about: "Requests that began per bar", values };
        let shown = |columns| {
            let mut page = Page::new(Width::of(columns));
            page.table("", &list, 3, Names::Cut);
            page.series(&series);
            anstream::adapter::strip_str(&page.into_text()).to_string()
        };
        let wide = "
              p50      p99  routes, the slowest first
            12 ms  99.5 ms  /orders/{id}/lines
began       ▁▃▆█▁▃▆█▁▃▆█▁▃▆█▁▃▆█▁▃▆█▁▃▆█▁▃▆█▁▃▆█▁▃▆█
            max 3: requests that began per bar
";
        assert_eq!(shown(60), wide.trim_start_matches('\n'));
        let narrow = "
              p50      p99
              routes, the slowest first
            12 ms  99.5 ms
              /orders/{id}/lines
began       ▃█▃█▃█▃█▃█▃█▃█▃█▃█▃█
            max 3: requests that began
            per bar
";
        assert_eq!(shown(40), narrow.trim_start_matches('\n'));
    }

    #[test]
    fn a_command_in_several_lines_is_still_one_command() {
        let mut page = Page::new(Width::of(40));
        page.command(&["casebook explain", &"x".repeat(50), "--format json", "| jq ."]);
        let text = anstream::adapter::strip_str(&page.into_text()).to_string();
        let expected = format!("casebook explain \\\n  {} \\\n  --format json | jq .\n", "x".repeat(50));
        assert_eq!(text, expected);
    }

    #[test]
    fn one_is_no_plural() {
        let check = |words, number, expected: &str| assert_eq!(counted(words, number), expected);
        check("{} adjustments", "1", "1 adjustment");
        check("{} samples of threads", "1", "1 sample of threads");
        check("{} samples of threads", "12", "12 samples of threads");
        check("{} threads at the start", "1", "1 thread at the start");
        check("gen0 {}", "1", "gen0 1");
    }

    #[test]
    fn a_recording_cannot_steer_the_terminal() {
        let mut page = Page::default();
        let text = "a\u{1b}]0;b\u{7}\r\nc\u{9b}2J\u{202e}d";
        page.title(text);
        page.line(text, text);
        page.warning(text, text);
        page.line_as("", text, Style::new());
        // The page's own colours are the only sequences in it.
        let own = anstream::adapter::strip_str(&page.into_text()).to_string();
        assert_eq!(own.lines().count(), 4, "{own}");
        assert!(!own.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{own:?}");
        assert!(own.contains("]0;b"), "{own:?}");
    }

    #[test]
    fn no_line_is_wider_than_the_page() {
        let mut page = Page::default();
        page.line("label", &"word ".repeat(60));
        page.line("label", &"x".repeat(300));
        page.title(&"y".repeat(300));
        let text = anstream::adapter::strip_str(&page.into_text()).to_string();
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(100));
    }
}
