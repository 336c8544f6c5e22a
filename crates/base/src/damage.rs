//! Damage that a reader survived: what it was, how often, and where it was seen first.
//!
//! A reader notes here what it had to leave out and goes on. The list is bounded, since the kinds are constants of
//! the code and each stands in it once.

/// One kind of damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What was wrong, in words for the reader of the report.
    pub what: &'static str,
    /// How often it was met.
    pub count: u64,
    /// Offset of the first place, in the decompressed stream.
    pub first_offset: u64,
}

/// All damage met by a reader, in the order of first sight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DamageLog {
    kinds: Vec<Damage>,
}

impl DamageLog {
    /// Counts one more of `what`, seen at `offset`.
    pub fn note(&mut self, what: &'static str, offset: u64) {
        self.add(&Damage { what, count: 1, first_offset: offset });
    }

    /// Adds a count of damage that was kept elsewhere.
    pub fn add(&mut self, damage: &Damage) {
        match self.kinds.iter_mut().find(|kind| kind.what == damage.what) {
            Some(kind) => kind.count = kind.count.saturating_add(damage.count),
            None => self.kinds.push(damage.clone()),
        }
    }

    /// The kinds of damage, in the order in which each was met first.
    pub fn kinds(&self) -> &[Damage] {
        &self.kinds
    }

    /// Whether nothing was damaged.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_damage_is_counted_and_keeps_its_first_place() {
        let mut log = DamageLog::default();
        log.note("event cut short", 40);
        log.note("unknown block", 50);
        log.note("event cut short", 90);
        assert_eq!(
            log.kinds(),
            [
                Damage { what: "event cut short", count: 2, first_offset: 40 },
                Damage { what: "unknown block", count: 1, first_offset: 50 },
            ]
        );
    }
}
