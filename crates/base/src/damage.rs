//! Damage that a reader survived: what it was, how often, and where it was seen first.
//!
//! A reader notes here what it had to leave out and goes on. The list is bounded, since the kinds are constants of
//! the code and each stands in it once.

/// An event whose kind has no description that can be read: nothing of it is known.
pub const NOT_DESCRIBED: &str = "event of a kind that is not described";
/// A description that cannot be read: all events of its kind are lost with it.
pub const DESCRIPTION: &str = "description of a kind of event damaged";
/// A description with the number of another: only a part of the file that stands in it twice has one.
pub const DESCRIBED_TWICE: &str = "two kinds of events with one number: the first is kept";
/// Events whose numbers are out of order. They are read; only how many are missing is uncertain.
pub const STEPS_BACK: &str = "sequence number steps back";
/// Packed data that goes on behind the damage, unread.
pub const PACKING: &str = "packed data damaged: the rest was not read";

/// One kind of damage, or of remark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What was wrong, in words for the reader of the report.
    pub what: &'static str,
    /// How often it was met.
    pub count: u64,
    /// Offset of the first place, in the decompressed stream.
    pub first_offset: u64,
    /// What it means for the data.
    pub harm: Harm,
}

/// What a note of a reader means for the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Something could not be read, or is not as it was written.
    Lost,
    /// Nothing is lost: the reader remarks on what it read.
    None,
}

/// All damage met by a reader, in the order of first sight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DamageLog {
    kinds: Vec<Damage>,
}

impl DamageLog {
    /// Counts one more of `what`, seen at `offset`.
    pub fn note(&mut self, what: &'static str, offset: u64) {
        self.add(&Damage { what, count: 1, first_offset: offset, harm: Harm::Lost });
    }

    /// Counts one more of `what`, which is remarkable and no damage.
    pub fn remark(&mut self, what: &'static str, offset: u64) {
        self.add(&Damage { what, count: 1, first_offset: offset, harm: Harm::None });
    }

    /// Whether anything in it is damage, and not a remark.
    pub fn has_damage(&self) -> bool {
        self.kinds.iter().any(|kind| kind.harm == Harm::Lost)
    }

    /// How often something was lost, whatever it was.
    pub fn lost(&self) -> u64 {
        let lost = self.kinds.iter().filter(|kind| kind.harm == Harm::Lost);
        lost.fold(0, |sum, kind| sum.saturating_add(kind.count))
    }

    /// How often damage of a kind was met.
    pub fn count(&self, what: &str) -> u64 {
        self.kinds.iter().find(|kind| kind.what == what).map_or(0, |kind| kind.count)
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
    fn a_remark_is_no_damage() {
        let mut log = DamageLog::default();
        log.remark("an end without its start", 7);
        assert!(!log.has_damage() && !log.is_empty());
    }
}
