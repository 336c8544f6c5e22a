//! Damage that did not stop a reader: what it was, how often it occurred, and where first.
//!
//! A reader notes here what it had to leave out, and continues. The list cannot grow without limit: it has one entry per
//! kind of damage, and the kinds are constants in the code.

/// An event whose kind has no readable description, so nothing is known about the event.
pub const NOT_DESCRIBED: &str = "event of a kind that is not described";
/// A description that cannot be read. All events of its kind are lost with it.
pub const DESCRIPTION: &str = "description of a kind of event damaged";
/// A description with the number of another one. This happens only if a part of the file is in it twice.
pub const DESCRIBED_TWICE: &str = "two kinds of events with one number: the first is kept";
/// Events whose sequence numbers are out of order. They are read, but how many are missing is uncertain.
pub const STEPS_BACK: &str = "sequence number steps back";
/// Compressed data that is not read after the damage in it.
pub const PACKING: &str = "compressed data damaged: the rest was not read";

/// One kind of damage, or one kind of remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What was wrong, in words for whoever reads the report.
    pub what: &'static str,
    /// How often it occurred.
    pub count: u64,
    /// Offset of the first occurrence, in the decompressed stream.
    pub first_offset: u64,
    /// What it means for the data.
    pub harm: Harm,
}

/// Whether data is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Something could not be read, or differs from what was written.
    Lost,
    /// Nothing is lost; this is a remark.
    None,
}

/// All damage that a reader noted, in the order of first occurrence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DamageLog {
    kinds: Vec<Damage>,
}

impl DamageLog {
    /// Counts damage at `offset`.
    pub fn note(&mut self, what: &'static str, offset: u64) {
        self.add(&Damage { what, count: 1, first_offset: offset, harm: Harm::Lost });
    }

    /// Counts something at `offset` that is notable but not damage.
    pub fn remark(&mut self, what: &'static str, offset: u64) {
        self.add(&Damage { what, count: 1, first_offset: offset, harm: Harm::None });
    }

    /// Whether there is any damage. Remarks do not count.
    pub fn has_damage(&self) -> bool {
        self.kinds.iter().any(|kind| kind.harm == Harm::Lost)
    }

    /// How often damage of any kind occurred.
    pub fn lost(&self) -> u64 {
        let lost = self.kinds.iter().filter(|kind| kind.harm == Harm::Lost);
        lost.fold(0, |sum, kind| sum.saturating_add(kind.count))
    }

    /// How often one kind of damage or remark occurred.
    pub fn count(&self, what: &str) -> u64 {
        self.kinds.iter().find(|kind| kind.what == what).map_or(0, |kind| kind.count)
    }

    /// Adds damage that was counted elsewhere.
    pub fn add(&mut self, damage: &Damage) {
        match self.kinds.iter_mut().find(|kind| kind.what == damage.what) {
            Some(kind) => kind.count = kind.count.saturating_add(damage.count),
            None => self.kinds.push(damage.clone()),
        }
    }

    /// The kinds of damage and of remarks, in the order of first occurrence.
    pub fn kinds(&self) -> &[Damage] {
        &self.kinds
    }

    /// Whether there is neither damage nor a remark.
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
        assert!(log.has_damage());
        assert_eq!(
            log.kinds(),
            [
                Damage { what: "event cut short", count: 2, first_offset: 40, harm: Harm::Lost },
                Damage { what: "unknown block", count: 1, first_offset: 50, harm: Harm::Lost },
            ]
        );
    }

    #[test]
    fn a_remark_is_not_damage() {
        let mut log = DamageLog::default();
        log.remark("an end without its start", 7);
        assert!(!log.has_damage() && !log.is_empty());
    }
}
