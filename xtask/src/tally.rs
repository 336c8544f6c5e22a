//! Counting what was checked: passed, failed, skipped.
//!
//! A skipped test returns early and passes as far as Cargo can tell, so each one is taken off the passed ones again: a
//! run that tested little must not look like one that tested all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The sums of a run.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Adds other sums to these.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Counts tests that said why they were skipped, of those that count as passed so far.
    pub(crate) fn take_skips(&mut self, skips: &Skips) {
        self.passed = self.passed.saturating_sub(skips.count());
        self.skipped += skips.count();
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Reads `test result: ok. 5 passed; 0 failed; 1 ignored; …`, the last line of every test program.
pub(crate) fn test_result(line: &str) -> Option<Tally> {
    let rest = line.strip_prefix("test result: ")?;
    Some(Tally {
        passed: counted(rest, "passed")?,
        failed: counted(rest, "failed")?,
        skipped: counted(rest, "ignored")?,
    })
}

/// Reads `5 passed, 0 failed`, the last line of the checks that are scripts.
pub(crate) fn script_result(line: &str) -> Option<Tally> {
    Some(Tally { passed: counted(line, "passed")?, failed: counted(line, "failed")?, skipped: 0 })
}

/// The number before a word, in a text such as `ok. 5 passed; 0 failed`.
fn counted(text: &str, word: &str) -> Option<u64> {
    let mut before = "";
    for part in text.split([' ', ',', ';', '.']).filter(|part| !part.is_empty()) {
        if part == word {
            return before.parse().ok();
        }
        before = part;
    }
    None
}

/// The tests that noted that their ground is missing.
#[derive(Debug, Default)]
pub(crate) struct Skips {
    reasons: BTreeMap<String, BTreeSet<String>>, // the tests by reason; a test may note the same twice
}

impl Skips {
    /// Reads the notes, one `test: reason` a line.
    pub(crate) fn read(notes: &str) -> Self {
        let mut skips = Self::default();
        for line in notes.lines().filter(|line| !line.trim().is_empty()) {
            let (test, reason) = line.split_once(": ").unwrap_or((line, "no reason given"));
            skips.reasons.entry(reason.trim().to_owned()).or_default().insert(test.to_owned());
        }
        skips
    }

    /// How many tests there are.
    pub(crate) fn count(&self) -> u64 {
        let tests: BTreeSet<&String> = self.reasons.values().flatten().collect();
        tests.len() as u64
    }

    /// One line a reason with the number of its tests.
    pub(crate) fn by_reason(&self) -> impl Iterator<Item = String> {
        self.reasons.iter().map(|(reason, tests)| format!("{} skipped: {reason}", tests.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_test_program() {
        let check = |line: &str, expected: Option<(u64, u64, u64)>| {
            let expected = expected.map(|(passed, failed, skipped)| Tally { passed, failed, skipped });
            assert_eq!(test_result(line), expected, "{line}");
        };
        check(
            "test result: ok. 15 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            Some((15, 0, 2)),
        );
        check("test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured", Some((3, 1, 0)));
        check("test result: \u{1b}[32mok\u{1b}[m. 3 passed; 1 failed; 0 ignored", Some((3, 1, 0)));
        check("test tally::tests::the_line ... ok", None);
        check("test result: ok. many passed; 0 failed; 0 ignored", None);
    }

    #[test]
    fn the_line_of_a_script() {
        assert_eq!(script_result("12 passed, 3 failed"), Some(Tally { passed: 12, failed: 3, skipped: 0 }));
        assert_eq!(script_result("figures equal in 12 of 15"), None);
    }

    #[test]
    fn a_skipped_test_is_not_a_passed_one() {
        let notes = "import::reads: no captures\nimport::reads: no captures\nsql::joins: no captures\nproxy: no loopback\n";
        let skips = Skips::read(notes);
        assert_eq!(
            skips.by_reason().collect::<Vec<_>>(),
            ["2 skipped: no captures", "1 skipped: no loopback"]
        );
        let mut tally = Tally { passed: 10, failed: 0, skipped: 1 };
        tally.take_skips(&skips);
        assert_eq!(tally.to_string(), "7 passed, 0 failed, 4 skipped");
    }

    #[test]
    fn a_note_without_a_reason_counts() {
        let skips = Skips::read("lonely\n\n");
        assert_eq!(skips.by_reason().collect::<Vec<_>>(), ["1 skipped: no reason given"]);
    }
}
