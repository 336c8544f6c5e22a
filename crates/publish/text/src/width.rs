//! How wide a page may be.

/// The width of a page in characters, between [`Width::MIN`] and [`Width::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width(usize);

impl Width {
    /// Labels and values have no room in less.
    pub const MIN: usize = 40;
    /// Values are hard to follow across more.
    pub const MAX: usize = 160;
    /// The longest line of prose. Longer ones are hard to read.
    const PROSE: usize = 120;

    /// The width of a terminal with so many columns. Outside the limits, the nearest width that is allowed.
    pub fn of(columns: usize) -> Self {
        Self(columns.clamp(Self::MIN, Self::MAX))
    }

    /// How many characters a line of a table has.
    pub fn columns(self) -> usize {
        self.0
    }

    /// How many characters a line of prose has.
    pub fn prose(self) -> usize {
        self.0.min(Self::PROSE)
    }
}

/// The width where no terminal has another.
impl Default for Width {
    fn default() -> Self {
        Self(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_stays_within_its_limits_and_prose_stops_growing_first() {
        let check = |columns, expected: (usize, usize)| {
            let width = Width::of(columns);
            assert_eq!((width.columns(), width.prose()), expected, "{columns}");
        };
        check(0, (40, 40));
        check(80, (80, 80));
        check(140, (140, 120));
        check(usize::MAX, (160, 120));
    }
}
