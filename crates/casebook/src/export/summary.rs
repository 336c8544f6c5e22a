//! What was exported and what was not: a short table on standard error, or a JSON document.

use super::to::To;
use crate::progress::{self, Form};
use crate::terminal;
use base::number::grouped;
use export::{Count, Why, Written};
use model::Kind;
use serde::Serialize;
use text::exported::Row;

/// An export that is complete.
pub(super) struct Exported<'a> {
    pub(super) place: &'a str,
    pub(super) to: To,
    pub(super) kind: Kind,
    pub(super) written: &'a Written,
}

#[derive(Serialize)]
pub(super) struct Document<'a> {
    out: &'a str,
    format: &'static str,
    /// All files together.
    bytes: u64,
    contains: Vec<Entry>,
    left_out: Vec<LeftOut>,
}

#[derive(Serialize)]
struct Entry {
    what: String,
    /// `null` if words alone say it.
    count: Option<u64>,
}

#[derive(Serialize)]
struct LeftOut {
    #[serde(flatten)]
    entry: Entry,
    why: &'static str,
}

/// What is not in the file, for one reason: its word in JSON, and its label in the table.
const REASONS: [(Why, &str, &str); 4] = [
    (Why::Missing, "missing-in-recording", "missing"),
    (Why::Cut, "cut", "left out"),
    (Why::OtherKind, "other-metric", "--metric"),
    (Why::NoPlace, "no-place-in-format", "no place"),
];

impl Exported<'_> {
    /// Prints how to look at it, what it contains and what is not in it.
    pub(super) fn say(&self) {
        terminal::say(&format!("wrote {}; {}", self.place, self.to.viewer()));
        let groups = self.groups();
        if progress::form() == Form::Json {
            // For programs, a sentence for each group.
            for (label, rows) in groups.iter().filter(|(_, rows)| !rows.is_empty()) {
                let rows: Vec<String> = rows.iter().map(words).collect();
                terminal::say(&format!("{label}: {}", rows.join("; ")));
            }
        } else {
            terminal::say_lines(|width| text::exported::table(&groups, width));
        }
    }

    fn groups(&self) -> Vec<(&'static str, Vec<Row>)> {
        let mut contains = Vec::new();
        if self.to.is_folder() && !self.written.holds.is_empty() {
            let rows = self.written.holds.iter().map(|of| of.count).sum();
            contains.push(Row { count: Some(rows), what: "rows in all".to_owned() });
        }
        contains.extend(self.contains().into_iter().map(|Entry { what, count }| {
            // The words of a count are in the singular for one.
            let of_one =
                count.filter(|count| *count == 1).map(|count| Count { what: what.clone(), count }.words());
            let what = of_one.and_then(|words| Some(words.split_once(' ')?.1.to_owned())).unwrap_or(what);
            Row { count, what }
        }));
        let mut groups = vec![("contains", contains)];
        if self.to == To::Html {
            let rest = "what the page itself says it leaves out".to_owned();
            let words = [self.not_on_page().to_owned(), rest].map(|what| Row { count: None, what });
            groups.push(("not in it", words.to_vec()));
        }
        for (why, _, label) in REASONS {
            let left = self.written.left_out.iter().filter(|left| left.why == why);
            let row = |left: &export::LeftOut| match why {
                Why::NoPlace => Row { count: left.count, what: format!("rows of the table {}", left.what) },
                // Its number is within its words.
                _ => Row { count: None, what: left.what.clone() },
            };
            groups.push((label, left.map(row).collect()));
        }
        groups
    }

    /// The same as a JSON document.
    pub(super) fn document(&self, bytes: u64) -> Document<'_> {
        let mut left_out = Vec::new();
        if self.to == To::Html {
            let entry = Entry { what: self.not_on_page().to_owned(), count: None };
            left_out.push(LeftOut { entry, why: "no-place-in-format" });
        }
        for (reason, why, _) in REASONS {
            let left = self.written.left_out.iter().filter(|left| left.why == reason);
            left_out.extend(
                left.map(|left| LeftOut { entry: Entry { what: left.what.clone(), count: left.count }, why }),
            );
        }
        Document { out: self.place, format: self.to.name(), bytes, contains: self.contains(), left_out }
    }

    fn contains(&self) -> Vec<Entry> {
        let words = |what: &str| Entry { what: what.to_owned(), count: None };
        if self.to == To::Html {
            let parts = match self.kind {
                Kind::Trace => "the verdict, findings, time line, flame graphs",
                Kind::Bench => "figures, charts",
                Kind::Load => "the verdict, findings, time line, charts",
            };
            return vec![words(parts), words("the first rows of each table")];
        }
        if self.written.holds.is_empty() {
            return vec![words("nothing: the recording has nothing that this format shows")];
        }
        let of_table = if self.to.is_folder() { "rows of the table " } else { "" };
        let entry = |of: &Count| Entry { what: format!("{of_table}{}", of.what), count: Some(of.count) };
        let mut holds: Vec<&Count> = self.written.holds.iter().collect();
        // All samples come before those that are parts of them.
        holds.sort_by_key(|of| (!of.what.ends_with("samples"), of.what != "samples"));
        holds.into_iter().map(entry).collect()
    }

    fn not_on_page(&self) -> &'static str {
        match self.kind {
            Kind::Trace => "SQL, search patterns, time ranges",
            Kind::Bench => "SQL",
            Kind::Load => "SQL, time ranges",
        }
    }
}

fn words(Row { count, what }: &Row) -> String {
    count.map_or_else(|| what.clone(), |count| format!("{} {what}", grouped(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(to: To, written: &Written, expected: &[(&str, Option<u64>, &str)]) {
        let groups = Exported { place: "t", to, kind: Kind::Trace, written }.groups();
        let rows = groups.iter().flat_map(|(label, rows)| {
            rows.iter().map(|row| (*label, row.count, row.what.as_str())).collect::<Vec<_>>()
        });
        assert_eq!(rows.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_in_it_comes_first_then_what_is_not_by_reason() {
        let count = |what: &str, count| Count { what: what.to_owned(), count };
        let left = |what: &str, count, why| export::LeftOut { what: what.to_owned(), count, why };
        let written = Written {
            samples: 1_200,
            holds: vec![count("running samples", 4), count("exceptions", 1), count("samples", 1_200)],
            left_out: vec![left("logs", Some(3), Why::NoPlace), left("the end", None, Why::Missing)],
        };
        check(
            To::Firefox,
            &written,
            &[
                ("contains", Some(1_200), "samples"),
                ("contains", Some(4), "running samples"),
                ("contains", Some(1), "exception"),
                ("missing", None, "the end"),
                ("no place", Some(3), "rows of the table logs"),
            ],
        );
        let tables = Written { holds: vec![count("gc", 1), count("jit", 9)], ..Written::default() };
        let expected = [
            ("contains", Some(10), "rows in all"),
            ("contains", Some(1), "row of the table gc"),
            ("contains", Some(9), "rows of the table jit"),
        ];
        check(To::Csv, &tables, &expected);
        let nothing = "nothing: the recording has nothing that this format shows";
        check(To::Folded, &Written::default(), &[("contains", None, nothing)]);
        check(
            To::Html,
            &Written::default(),
            &[
                ("contains", None, "the verdict, findings, time line, flame graphs"),
                ("contains", None, "the first rows of each table"),
                ("not in it", None, "SQL, search patterns, time ranges"),
                ("not in it", None, "what the page itself says it leaves out"),
            ],
        );
    }
}
