//! Ranges of a sorted column, found by bisection.

/// Rows from `start` up to `end`, without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first row.
    pub start: usize,
    /// The row behind the last one.
    pub end: usize,
}

/// The rows of an ascending column whose values are at least `from` and at most `to`.
pub fn sorted_range(ascending: &[i64], from: i64, to: i64) -> Range {
    let start = ascending.partition_point(|value| *value < from);
    let end = ascending.partition_point(|value| *value <= to);
    Range { start, end: end.max(start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let column = [1, 3, 3, 5, 9];
        assert_eq!(sorted_range(&column, 3, 5), Range { start: 1, end: 4 });
        assert_eq!(sorted_range(&column, 6, 4), Range { start: 4, end: 4 });
        assert_eq!(sorted_range(&column, i64::MIN, i64::MAX), Range { start: 0, end: 5 });
    }
}
