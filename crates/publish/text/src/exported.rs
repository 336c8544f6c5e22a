//! What an export contains and what it does not, as a short table.

use crate::page::Page;
use crate::width::Width;
use base::number::grouped;

/// Things of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// How many. `None` if words alone say it.
    pub count: Option<u64>,
    /// What they are.
    pub what: String,
}

/// The table: a label for each group of rows. A group without rows is left out.
pub fn table(groups: &[(&str, Vec<Row>)], width: Width) -> String {
    let mut page = Page::new(width);
    for (label, rows) in groups {
        if rows.iter().all(|row| row.count.is_none()) {
            page.items(label, &rows.iter().map(|row| row.what.clone()).collect::<Vec<_>>());
        } else {
            let pair = |row: &Row| (row.count.map_or_else(String::new, grouped), row.what.clone());
            page.pairs(label, rows.iter().map(pair).collect());
        }
    }
    page.into_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_aligned_and_a_text_of_the_recording_does_not_steer() {
        let row = |count, what: &str| Row { count, what: what.to_owned() };
        let groups = [
            ("contains", vec![row(Some(64_244), "samples"), row(Some(7), "exceptions")]),
            ("missing", vec![row(None, "the names of 5 frames\u{1b}[2J in samples")]),
            ("no place", Vec::new()),
        ];
        let text = table(&groups, Width::of(40));
        let expected = "\
contains    64,244  samples
                 7  exceptions
missing     • the names of 5 frames [2J
              in samples
";
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
    }
}
