//! A walk over the rows of a table that pass its comparisons, without keeping them.
//!
//! Rows are found in the cheapest way there is: by number, by bisection of an ascending column, by an order made for
//! repeated look-ups, and else one after the other. They come in the order of their numbers in every case.

use crate::filter::{Bounds, Operand, Ready, Test, bounds, key, ready};
use crate::index::{Index, Indexes};
use crate::plan::{Op, Term};
use model::{Column, Table, Value};
use std::ops::Range;
use std::sync::Arc;

/// Up to so many rows a look-up scans, rather than counting towards an order.
const FEW: usize = 16;

/// The walk; it stands on a row unless it is at its end.
pub(crate) struct Scan<'a> {
    table: Table<'a>,
    indexes: &'a Indexes,
    tests: Vec<Test<'a>>,
    index: Option<Arc<Index>>,
    /// Rows still to be seen, or places in `index` if there is one.
    left: Range<usize>,
    row: usize,
    done: bool,
}

impl<'a> Scan<'a> {
    /// A walk that has not begun.
    pub(crate) fn new(table: Table<'a>, indexes: &'a Indexes) -> Self {
        Self { table, indexes, tests: Vec::new(), index: None, left: 0..0, row: 0, done: true }
    }

    /// Begins anew, with these comparisons.
    pub(crate) fn start(&mut self, terms: &[(Term, Operand<'_>)]) {
        self.tests.clear();
        self.index = None;
        self.left = 0..self.table.rows;
        self.done = false;
        for (term, operand) in terms {
            self.narrow(*term, operand);
        }
        let mut looked_up = None;
        for (at, (term, operand)) in terms.iter().enumerate() {
            if looked_up.is_none() && self.look_up(*term, operand) {
                looked_up = Some(at);
            }
        }
        for (at, (term, operand)) in terms.iter().enumerate() {
            if self.left.is_empty() {
                break;
            }
            if looked_up != Some(at) && !self.is_range(*term) {
                self.test(*term, operand);
            }
        }
        self.advance();
    }

    /// Whether a range of rows, or SQLite, decides a comparison wholly.
    fn is_range(&self, term: Term) -> bool {
        let range_op = matches!(term.op, Op::Eq | Op::Gt | Op::Ge | Op::Lt | Op::Le);
        match self.table.columns.get(term.column) {
            None | Some(Column::Row) => range_op || term.op == Op::In,
            Some(Column::Int(_)) => range_op && self.table.ascending == Some(term.column),
            Some(_) => false,
        }
    }

    fn narrow(&mut self, term: Term, operand: &Operand<'_>) {
        if !self.is_range(term) {
            return;
        }
        let (Operand::One(value), Some(column)) = (operand, self.table.columns.get(term.column)) else {
            return;
        };
        let Bounds::Within(low, high) = bounds(term.op, value) else { return };
        let range = match column {
            Column::Int(list) if low <= high => {
                let range = model::sorted_range(list, low.max(model::NO_INT.saturating_add(1)), high);
                range.start..range.end
            }
            Column::Row if low <= high && high >= 0 => {
                // Rows beyond any index do not exist.
                let start = usize::try_from(low.max(0)).unwrap_or(usize::MAX);
                start..usize::try_from(high).unwrap_or(usize::MAX).saturating_add(1)
            }
            _ => 0..0,
        };
        let start = self.left.start.max(range.start);
        self.left = start..self.left.end.min(range.end).max(start);
    }

    fn look_up(&mut self, term: Term, operand: &Operand<'_>) -> bool {
        if term.op != Op::Eq || self.left.len() <= FEW || self.is_range(term) {
            return false;
        }
        let Some(column) = self.table.columns.get(term.column) else { return false };
        let Some(key) = key(column, operand) else { return false };
        let Some(index) = self.indexes.looked_up(term.column, column, self.table.rows) else { return false };
        self.left = index.places(key, &self.left);
        self.index = Some(index);
        true
    }

    fn test(&mut self, term: Term, operand: &Operand<'_>) {
        let Some(column) = self.table.columns.get(term.column) else { return };
        match ready(*column, term.op, operand) {
            Ready::All => {}
            Ready::Nothing => self.left = 0..0,
            Ready::Try(test) => self.tests.push(test),
        }
    }

    /// Goes to the next row that passes.
    #[inline]
    pub(crate) fn advance(&mut self) {
        for place in self.left.by_ref() {
            let row = self.index.as_ref().map_or(place, |index| index.row(place));
            if self.tests.iter().all(|test| test.passes(row)) {
                self.row = row;
                return;
            }
        }
        self.done = true;
    }

    /// Whether all rows were read.
    pub(crate) fn done(&self) -> bool {
        self.done
    }

    /// The number of the row.
    pub(crate) fn row(&self) -> usize {
        self.row
    }

    /// A column of the table.
    #[inline]
    pub(crate) fn column(&self, number: usize) -> Option<Column<'a>> {
        self.table.columns.get(number).copied()
    }

    /// A value of the row.
    pub(crate) fn value(&self, number: usize) -> Value<'a> {
        self.column(number).map_or(Value::Null, |column| column.value(self.row))
    }
}
