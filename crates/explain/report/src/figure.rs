//! Figures, lists and series: what a part consists of.

use crate::unit::range;

/// How many rows a list keeps.
const LIST_ROWS: usize = 10;

/// One number.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name within the part.
    pub name: &'static str,
    /// Its value. `None` if the exhibit cannot give it.
    pub value: Option<f64>,
    /// Its unit: `ms`, `B`, `B/s`, `1/s`, `share` (of 1), or empty for a count.
    pub unit: &'static str,
    /// What it means.
    pub about: &'static str,
    /// Whether something is missing from it because a limit of the runtime was reached.
    pub partial: bool,
    /// What counted it, if a recording may have the same quantity from several sources.
    pub source: Option<&'static str>,
}

/// A column of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListColumn {
    /// Its name.
    pub name: &'static str,
    /// Its unit, as of a figure.
    pub unit: &'static str,
}

/// A row of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The name of what the values are of.
    pub name: String,
    /// A value for each column.
    pub values: Vec<Option<f64>>,
}

/// A list of methods, types or routes, the largest by the first column.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Its name within the part.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// The columns after the name.
    pub columns: &'static [ListColumn],
    /// Its rows, the largest first.
    pub rows: Vec<Row>,
    /// How many rows are left out.
    pub more: usize,
}

/// A value over the recording, in pieces of equal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name within the part.
    pub name: &'static str,
    /// Unit of the values, as of a figure.
    pub unit: &'static str,
    /// What a value is.
    pub about: &'static str,
    /// The values. `None` for a piece without one.
    pub values: Vec<Option<f64>>,
}

/// The figures of one part of the subject.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Its id: `gc`, `cpu` …
    pub id: &'static str,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Its lists.
    pub lists: Vec<List>,
    /// Its values over time.
    pub series: Vec<Series>,
    /// What is missing from the exhibit, and what to do about it.
    pub missing: Vec<&'static str>,
}

impl Part {
    /// An empty part.
    pub fn new(id: &'static str) -> Self {
        Self { id, ..Self::default() }
    }

    /// Adds a figure. A value that is not finite counts as missing.
    pub fn figure(
        &mut self,
        name: &'static str,
        value: Option<f64>,
        unit: &'static str,
        about: &'static str,
    ) {
        // An empty sum is -0.0, and so is a share of it. Adding 0.0 removes the sign.
        let value = value.filter(|value| value.is_finite()).map(|value| value + 0.0);
        self.figures.push(Figure { name, value, unit, about, partial: false, source: None });
    }

    /// Marks all figures as partial, and says why.
    pub fn mark_partial(&mut self, why: &'static str) {
        self.figures.iter_mut().for_each(|figure| figure.partial = figure.value.is_some());
        self.missing.push(why);
    }

    /// Marks a figure as complete.
    pub fn mark_whole(&mut self, name: &str) {
        let named = self.figures.iter_mut().filter(|figure| figure.name == name);
        named.for_each(|figure| figure.partial = false);
    }

    /// Marks figures as partial, by their names.
    pub fn mark_partial_of(&mut self, names: &[&str]) {
        let named = self.figures.iter_mut().filter(|figure| names.contains(&figure.name));
        named.for_each(|figure| figure.partial = figure.value.is_some());
    }

    /// Sets what counted some figures, by their names.
    pub fn counted_by(&mut self, names: &[&str], source: &'static str) {
        let named = self.figures.iter_mut().filter(|figure| names.contains(&figure.name));
        named.for_each(|figure| figure.source = Some(source));
    }

    /// The value of a figure, by its name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name)?.value
    }

    /// A list, by its name.
    pub fn list(&self, name: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.name == name)
    }

    /// A series, by its name.
    pub fn course(&self, name: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.name == name)
    }
}

impl List {
    /// A list of the ten largest rows by the first column. Equal rows are ordered by name.
    pub fn ranked(
        name: &'static str,
        about: &'static str,
        columns: &'static [ListColumn],
        mut rows: Vec<Row>,
    ) -> Self {
        let key = |row: &Row| row.values.first().copied().flatten().unwrap_or(f64::MIN);
        rows.sort_by(|a, b| key(b).total_cmp(&key(a)).then_with(|| a.name.cmp(&b.name)));
        let more = rows.len().saturating_sub(LIST_ROWS);
        rows.truncate(LIST_ROWS);
        Self { name, about, columns, rows, more }
    }

    /// The columns that readers see. The bounds of a quantity (`p99 ≥` followed by `p99 ≤`) are one column.
    pub fn shown(&self) -> Vec<ShownColumn> {
        let mut shown: Vec<ShownColumn> = Vec::new();
        for (at, column) in self.columns.iter().enumerate() {
            let lower = shown.last_mut().filter(|last| last.lower().is_some_and(|of| column.is_upper(of)));
            match lower {
                Some(lower) => (lower.name, lower.upper) = (column.quantity(), Some(at)),
                None => shown.push(ShownColumn { name: column.name, unit: column.unit, at, upper: None }),
            }
        }
        shown
    }
}

impl ListColumn {
    /// The name without the sign of an upper bound.
    fn quantity(&self) -> &'static str {
        self.name.trim_end_matches(" ≤")
    }

    fn is_upper(&self, lower: &str) -> bool {
        self.name.strip_suffix(" ≤") == Some(lower)
    }
}

/// A column of a list that readers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownColumn {
    /// Its name.
    pub name: &'static str,
    unit: &'static str,
    /// The place of the value, or of the lower bound.
    at: usize,
    upper: Option<usize>,
}

impl ShownColumn {
    /// The quantity of a lower bound. `None` for other columns.
    fn lower(&self) -> Option<&'static str> {
        self.name.strip_suffix(" ≥").filter(|_| self.upper.is_none())
    }

    /// The number by which the column is sorted: the value, or the lower bound.
    pub fn number(&self, row: &Row) -> Option<f64> {
        row.values.get(self.at).copied().flatten()
    }

    /// The value, or both bounds (`80.7–214 ms`). `None` if the row has none.
    pub fn text(&self, row: &Row) -> Option<String> {
        let low = self.number(row)?;
        let high = self.upper.and_then(|at| *row.values.get(at)?);
        Some(range(low, high.unwrap_or(low), self.unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_less_than_nothing() {
        let mut part = Part::new("gc");
        part.figure("pause.total", Some(-0.0), "ms", "");
        assert!(part.value("pause.total").is_some_and(f64::is_sign_positive));
    }

    #[test]
    fn a_list_keeps_its_largest_rows_and_says_how_many_it_left_off() {
        let rows =
            (0..12).map(|n| Row { name: format!("{n:02}"), values: vec![Some(f64::from(n / 2))] }).collect();
        let list = List::ranked("l", "", &[ListColumn { name: "n", unit: "" }], rows);
        let names: Vec<_> = list.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["10", "11", "08", "09", "06", "07", "04", "05", "02", "03"]);
        assert_eq!(list.more, 2);
    }

    #[test]
    fn bounds_are_one_column_and_never_read_as_two_figures() {
        let column = |name, unit| ListColumn { name, unit };
        let columns: &'static [ListColumn] =
            Box::leak(Box::new([column("p99 ≥", "ms"), column("p99 ≤", "ms"), column("rate", "1/s")]));
        let row = |low, high| Row { name: String::new(), values: vec![Some(low), high, None] };
        let list = List { name: "l", about: "", columns, rows: Vec::new(), more: 0 };
        let shown = list.shown();
        assert_eq!(shown.iter().map(|column| column.name).collect::<Vec<_>>(), ["p99", "rate"]);
        let texts = [
            (row(80.7, Some(214.0)), "80.7–214 ms"),
            (row(0.5, Some(2.0)), "500 µs – 2 ms"),
            (row(1.0, Some(1.0)), "1 ms"),
            (row(1.0, None), "1 ms"),
        ];
        for (row, text) in texts {
            assert_eq!(shown[0].text(&row).as_deref(), Some(text));
            assert_eq!(shown[1].text(&row), None);
        }
    }
}
