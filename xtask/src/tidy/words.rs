//! Words that people must not have to decode: what plain English says instead.
//!
//! They are looked for in everything: prose, comments, texts of the program and names in code. Words that stand for
//! something else now and then are excused by what stands beside them.

use super::problem::Problem;

/// A phrase that must not be used.
struct Phrase {
    words: &'static str,
    instead: &'static str,
    /// Texts that end just before the phrase, and make it mean something else.
    fine_after: &'static [&'static str],
    /// Texts that begin just after it.
    fine_before: &'static [&'static str],
}

const fn phrase(words: &'static str, instead: &'static str) -> Phrase {
    Phrase { words, instead, fine_after: &[], fine_before: &[] }
}

const PHRASES: [Phrase; 10] = [
    phrase("told", "reported, recorded or said"),
    phrase("stood still", "paused or stopped"),
    phrase("stands still", "is paused or stopped"),
    phrase("stand still", "are paused or stopped"),
    Phrase {
        fine_after: &["there ", "There ", "there\u{a0}"],
        fine_before: &[" longer", " more", " later", " less"],
        ..phrase("is no", "is not a, or has no")
    },
    phrase("the collector", "the GC"),
    Phrase {
        fine_after: &["available_", "\"", "`"],
        fine_before: &["\"", "`"],
        ..phrase("processors", "CPU cores")
    },
    Phrase {
        fine_after: &[
            "within ", "about ", "after ", "of ", "half ", "than ", "over ", "for ", "in ", "every ", "as ",
            "is ", "lasts ", "avoid ",
        ],
        fine_before: &[" one", " time", " later", " signal", " parse", " session", " thread", " file"],
        ..phrase("a second", "per second")
    },
    phrase("mended", "fixed"),
    phrase("at most\"", "max, as a label"),
];

/// The phrases in a text.
pub(super) fn check(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for phrase in PHRASES.iter().filter(|phrase| phrase.is_in(line)) {
            let what = format!("\"{}\": write {}", phrase.words, phrase.instead);
            problems.push(Problem::new(path, number, what));
        }
    }
    problems
}

impl Phrase {
    fn is_in(&self, line: &str) -> bool {
        let is_word = |side: Option<char>| side.is_some_and(|of| of.is_alphanumeric() || of == '_');
        line.match_indices(self.words).any(|(at, found)| {
            let before = line.get(..at).unwrap_or_default();
            let after = line.get(at + found.len()..).unwrap_or_default();
            let is_part = is_word(before.chars().next_back())
                || (!found.ends_with('"') && is_word(after.chars().next()));
            let is_fine = self.fine_after.iter().any(|fine| before.ends_with(fine))
                || self.fine_before.iter().any(|fine| after.starts_with(fine));
            !is_part && !is_fine
        })
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_phrase_is_found_as_a_word_with_its_place_and_what_to_write() {
        let found = check("a.md", "fine\nit was told so, and mended\n");
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let told = "a.md:2: \"told\": write reported, recorded or said";
        assert_eq!(found, [told, "a.md:2: \"mended\": write fixed"]);
        for is_fine in ["foretold", "untold_bytes", "amended", "this note", "at most 3", "told_bytes"] {
            assert_eq!(check("a.rs", is_fine), [], "{is_fine}");
        }
    }

    #[test]
    fn what_stands_beside_a_phrase_may_excuse_it() {
        let fine = [
            "within a second",
            "a second thread",
            "there is no limit",
            "it is no longer read",
            "available_processors",
            "the column `processors`",
        ];
        for text in fine {
            assert_eq!(check("a.rs", text), [], "{text}");
        }
        for text in ["10 requests a second", "this is no recording", "4 processors", "(\"at most\", 3)"] {
            assert_eq!(check("a.rs", text).len(), 1, "{text}");
        }
    }
}
