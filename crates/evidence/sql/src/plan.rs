//! What SQLite asks of a table, as planned once and read back at every start of a scan.
//!
//! A plan is a text, since SQLite keeps it between planning and running: two ASCII characters a comparison, the
//! operator and the column's number counted from `0`.

/// The most columns a plan can name; a comparison of a later column is left to SQLite.
const MAX_COLUMNS: usize = 70;

/// Stands in a plan for the column `file` of tables of several files.
pub(crate) const FILE: usize = MAX_COLUMNS + 1;

/// A comparison that can be pushed down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    In,
    Gt,
    Ge,
    Lt,
    Le,
    IsNull,
    NotNull,
}

impl Op {
    const ALL: [(Self, u8); 8] = [
        (Self::Eq, b'='),
        (Self::In, b'i'),
        (Self::Gt, b'>'),
        (Self::Ge, b'g'),
        (Self::Lt, b'<'),
        (Self::Le, b'l'),
        (Self::IsNull, b'n'),
        (Self::NotNull, b'v'),
    ];

    fn code(self) -> u8 {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or(b'?', |(_, code)| *code)
    }
}

/// A comparison of a column with a value that comes when the scan starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) op: Op,
    pub(crate) column: usize,
}

impl Term {
    /// A comparison, if a plan can name its column.
    pub(crate) fn new(op: Op, column: usize) -> Option<Self> {
        (column < MAX_COLUMNS).then_some(Self { op, column })
    }

    /// Appends it to a plan.
    pub(crate) fn write(self, plan: &mut String) {
        let column = u8::try_from(self.column).unwrap_or(u8::MAX);
        plan.push(char::from(self.op.code()));
        plan.push(char::from(b'0'.saturating_add(column)));
    }
}

/// The comparisons of a plan, in the order of their values.
pub(crate) fn terms(plan: &str) -> impl Iterator<Item = Term> + '_ {
    plan.as_bytes().chunks_exact(2).filter_map(|pair| {
        let (op, _) = Op::ALL.iter().find(|(_, code)| Some(code) == pair.first())?;
        let column = pair.get(1)?.checked_sub(b'0')?;
        Some(Term { op: *op, column: usize::from(column) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let mut plan = String::new();
        let mut written = Vec::new();
        for (at, (op, _)) in Op::ALL.iter().enumerate() {
            let term = Term::new(*op, at * 9).unwrap();
            term.write(&mut plan);
            written.push(term);
        }
        assert!(plan.is_ascii());
        assert_eq!(terms(&plan).collect::<Vec<_>>(), written);
        assert_eq!(Term::new(Op::Eq, MAX_COLUMNS), None);
    }
}
