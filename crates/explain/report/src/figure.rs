//! What a part consists of: figures, lists and series.

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
    /// Whether something is known to be missing from it: a limit of the runtime was reached.
    pub partial: bool,
    /// What it was counted by, if a recording may have the same quantity from another source too.
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
    /// What the row is of.
    pub name: String,
    /// A value for each column.
    pub values: Vec<Option<f64>>,
}

/// The largest of something by the first column: methods, types, routes.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// Its name within the part.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// The columns after the name.
    pub columns: &'static [ListColumn],
    /// Its rows, largest first.
    pub rows: Vec<Row>,
    /// How many more rows there were.
    pub more: usize,
}

/// How a value changes over the recording, in pieces of equal length.
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

/// One part of the subject in figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Part {
    /// Which part: `gc`, `cpu` …
    pub id: &'static str,
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Its lists.
    pub lists: Vec<List>,
    /// Its values over time.
    pub series: Vec<Series>,
    /// What the exhibit does not give, and what to do about it.
    pub missing: Vec<&'static str>,
}

impl Part {
    /// A part without any figure yet.
    pub fn new(id: &'static str) -> Self {
        Self { id, ..Self::default() }
    }

    /// Adds a figure. A value that is not finite counts as none.
    pub fn figure(
        &mut self,
        name: &'static str,
        value: Option<f64>,
        unit: &'static str,
        about: &'static str,
    ) {
        // An empty sum is -0.0, and a share of it too: adding 0.0 removes the sign.
        let value = value.filter(|value| value.is_finite()).map(|value| value + 0.0);
        self.figures.push(Figure { name, value, unit, about, partial: false, source: None });
    }

    /// Marks all figures as partial, and says why.
    pub fn mark_partial(&mut self, why: &'static str) {
        self.figures.iter_mut().for_each(|figure| figure.partial = figure.value.is_some());
        self.missing.push(why);
    }

    /// Says of a figure that nothing is missing from it.
    pub fn mark_whole(&mut self, name: &str) {
        let named = self.figures.iter_mut().filter(|figure| figure.name == name);
        named.for_each(|figure| figure.partial = false);
    }

    /// Marks figures as partial, by their names.
    pub fn mark_partial_of(&mut self, names: &[&str]) {
        let named = self.figures.iter_mut().filter(|figure| names.contains(&figure.name));
        named.for_each(|figure| figure.partial = figure.value.is_some());
    }

    /// Says of figures what they were counted by, by their names.
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
    /// Keeps the ten largest rows by the first column; equal ones are ordered by name.
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
}
