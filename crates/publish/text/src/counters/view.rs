//! What the user of a live page chose: the order of the rows, and which of them are seen. Also the line that names the keys.

use crate::page::cut;

/// The order of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By provider and name, in groups.
    #[default]
    Name,
    /// By the latest rate or value, the largest first. Rows of the same measure stand together.
    Value,
    /// By how much the values grew over the shown time, the strongest growth first.
    Growth,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Name, Self::Value, Self::Growth];

    fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Value => "value",
            Self::Growth => "growth",
        }
    }

    /// The next order, or with `back` the one before.
    #[must_use]
    pub fn next(self, back: bool) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        let step = if back { Self::ALL.len() - 1 } else { 1 };
        Self::ALL.get((at + step) % Self::ALL.len()).copied().unwrap_or_default()
    }
}

/// The order of the rows, and how far the page is scrolled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// The order.
    pub sort: Sort,
    /// Whether the order is reversed.
    pub reversed: bool,
    /// How many steps the page is scrolled. Sorted by name, the page at 0 has the most telling rows of each provider, and at 1
    /// the first of all rows.
    pub scroll: usize,
}

/// A page in lines with their colours, and how far it can be scrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The lines.
    pub lines: Vec<String>,
    /// How far it is scrolled: what was asked for, or less.
    pub scroll: usize,
    /// How far it can be scrolled. 0 if all rows fit.
    pub end: usize,
    /// How many lines there are for rows.
    pub room: usize,
}

/// The line that names the keys, as much of it as fits: what is least needed is left out first.
pub fn keys(view: View, is_paused: bool, columns: usize) -> String {
    let order = if view.reversed { " (reversed)" } else { "" };
    // With how much each is needed: the highest goes first.
    let parts = [
        (0, "q quit".to_owned()),
        (1, if is_paused { "space resume" } else { "space pause" }.to_owned()),
        (2, format!("s sort: {}{order}", view.sort.name())),
        (4, "r reverse".to_owned()),
        (3, "↑↓ scroll".to_owned()),
    ];
    let most = (0..parts.len()).rev().map(|most| {
        let kept = parts.iter().filter(|(need, _)| *need <= most).map(|(_, part)| part.as_str());
        kept.collect::<Vec<_>>().join("  ")
    });
    let fitting = most.into_iter().find(|line| line.chars().count() <= columns);
    fitting.unwrap_or_else(|| cut("q quit", columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_fit_the_terminal() {
        let check = |columns, expected: &str| assert_eq!(keys(View::default(), false, columns), expected);
        check(80, "q quit  space pause  s sort: name  r reverse  ↑↓ scroll");
        check(50, "q quit  space pause  s sort: name  ↑↓ scroll");
        check(40, "q quit  space pause  s sort: name");
        check(4, "q q…");
        let view = View { sort: Sort::Growth, reversed: true, scroll: 3 };
        assert_eq!(
            keys(view, true, 80),
            "q quit  space resume  s sort: growth (reversed)  r reverse  ↑↓ scroll"
        );
        for columns in 0..100 {
            assert!(keys(view, true, columns).chars().count() <= columns.max(1));
        }
    }

    #[test]
    fn the_orders_go_round() {
        assert_eq!(Sort::Name.next(false), Sort::Value);
        assert_eq!(Sort::Name.next(true), Sort::Growth);
        assert_eq!(Sort::Growth.next(false), Sort::Name);
    }
}
