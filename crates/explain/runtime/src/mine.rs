//! What users say is their own code, if the names of modules do not show it.
//!
//! They give patterns with `*` and `?` for the name of a module, a namespace or a type. Case does not matter.

/// The patterns of a user's own code. Without patterns, all code is theirs that is neither the runtime's nor a known package's.
///
/// A pattern that matches no method of a recording is ignored for that recording, and the reader sees a note
/// (`StackIndex::unmatched`). Otherwise one mistyped letter would leave the user without any code, and silence every rule
/// that looks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MyCode {
    patterns: Vec<String>,
    /// Whether the patterns are settings for recordings of many services.
    is_for_all: bool,
}

/// Why a text is not a pattern of names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamePatternError {
    /// It is empty.
    #[error(
        "'' is not a pattern: expected the name of a module, namespace or type, in which * and ? stand for anything"
    )]
    Empty,
    /// It has a character that no name has.
    #[error(
        "'{pattern}' is not a pattern: no name of a module, namespace or type has a '{character}'; * and ? stand for anything"
    )]
    Character {
        /// The pattern.
        pattern: String,
        /// The character.
        character: char,
    },
    /// No name is as long.
    #[error("'{begin}…' is not a pattern: it has {len} bytes, and names have at most {LONGEST}")]
    TooLong {
        /// Its first characters.
        begin: String,
        /// Its bytes.
        len: usize,
    },
}

/// The longest pattern, in bytes.
const LONGEST: usize = 1024;
/// Characters that no name of a module, namespace or type has. They are signs of another kind of pattern.
const IN_NO_NAME: &str = r#"[](){}!/\"';:^,"#;
/// How many characters of a longer pattern a message shows.
const SHOWN: usize = 40;

impl MyCode {
    /// Takes patterns such as `Store.*`.
    ///
    /// # Errors
    /// If a pattern is empty, too long, or has a character that no name has.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, NamePatternError> {
        let checked = patterns.iter().map(|pattern| {
            let pattern = pattern.as_ref().trim();
            if pattern.is_empty() {
                return Err(NamePatternError::Empty);
            }
            if pattern.len() > LONGEST {
                let begin = pattern.chars().take(SHOWN).collect();
                return Err(NamePatternError::TooLong { begin, len: pattern.len() });
            }
            if let Some(character) = pattern.chars().find(|of| of.is_control() || IN_NO_NAME.contains(*of)) {
                return Err(NamePatternError::Character { pattern: pattern.to_owned(), character });
            }
            Ok(pattern.to_owned())
        });
        Ok(Self { patterns: checked.collect::<Result<_, _>>()?, is_for_all: false })
    }

    /// Makes the patterns settings for recordings of many services. A pattern for another service is then not a mistake.
    #[must_use]
    pub fn for_all(self) -> Self {
        Self { is_for_all: true, ..self }
    }

    /// The patterns that match a method, and notes on the others. `methods` are the module and the type of each method.
    pub(crate) fn matching<'a>(
        &self,
        methods: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Vec<String>) {
        if self.is_empty() {
            return (Self::default(), Vec::new());
        }
        // Many methods share a type.
        let mut types: Vec<(&str, &str)> = methods.collect();
        types.sort_unstable();
        types.dedup();
        let (matching, others): (Vec<_>, Vec<_>) = self.patterns.iter().cloned().partition(|pattern| {
            let one = Self { patterns: vec![pattern.clone()], is_for_all: false };
            types.iter().any(|(module, class)| one.has(module, class))
        });
        // A recording without methods cannot match any pattern, and needs none.
        let says_nothing = types.is_empty() || self.is_for_all && !matching.is_empty();
        let notes = others.into_iter().filter(|_| !says_nothing).map(|pattern| {
            let option = if self.is_for_all { "my in config.toml:" } else { "--my" };
            format!("{option} '{pattern}' matches no method of this recording and is ignored")
        });
        let mut notes: Vec<String> = notes.collect();
        if matching.is_empty()
            && let Some(last) = notes.last_mut()
        {
            last.push_str("; your code is taken to be whatever is neither .NET's nor a known package's");
        }
        (Self { patterns: matching, is_for_all: self.is_for_all }, notes)
    }

    /// Whether the user gave no patterns.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a method of this module and type matches. `Store.*` includes `Store` itself.
    pub(crate) fn has(&self, module: &str, class: &str) -> bool {
        let class = class.split('[').next().unwrap_or(class).to_lowercase();
        let outer = class.split('+').next().unwrap_or(&class);
        let namespace = outer.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let module = module.to_lowercase();
        let names = [module.as_str(), namespace, outer, class.as_str()];
        self.patterns.iter().any(|pattern| {
            let pattern = pattern.to_lowercase();
            let whole = pattern.strip_suffix(".*").unwrap_or(&pattern);
            names.iter().any(|name| !name.is_empty() && (glob(&pattern, name) || glob(whole, name)))
        })
    }
}

/// Whether a pattern matches a name. `*` stands for any text and `?` for one character.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // The place of the last `*`, and how far into the name it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(of) if *of == '?' || name.get(seen) == Some(of) => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((of, reach)) = star else { return false };
                star = Some((of, reach + 1));
                at = of + 1;
                seen = reach + 1;
            }
        }
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|of| *of == '*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_of_a_module_a_namespace_or_a_type() {
        let check = |pattern: &str, module, class, expected| {
            let mine = MyCode::new(&[pattern]).unwrap();
            assert_eq!(mine.has(module, class), expected, "{pattern}: {module}!{class}");
        };
        check("Store.*", "Store", "Program+<>c", true);
        check("store.*", "Store.Api", "Web.Cart", true);
        check("Store.*", "Shop", "Store.Billing.Cart`1[System.Int32]", true);
        check("Store.*", "Storeome", "Storeome.Cart", false);
        check("Shop.Cart", "Web", "Shop.Cart+<AddAsync>d__3", true);
        check("Sh?p", "Web", "Shop.Cart", true);
        check("*.Jobs.*", "Web", "Shop.Jobs.Nightly", true);
        check("*.Jobs.*", "Web", "Shop.Cart", false);
    }

    #[test]
    fn a_pattern_that_repeats_itself_ends_soon() {
        assert!(!glob(&"*a".repeat(200), &"a".repeat(190).replace("aa", "ab")));
    }

    #[test]
    fn a_pattern_without_a_method_is_ignored_and_the_reader_sees_why() {
        let methods = [("Shop", "Shop.Cart"), ("System.Private.CoreLib", "System.String")];
        let check = |mine: MyCode, expected: &[&str], says: &[&str]| {
            let (of, notes) = mine.matching(methods.into_iter());
            assert_eq!(of.patterns, expected);
            let said =
                notes.len() == says.len() && notes.iter().zip(says).all(|(of, says)| of.contains(says));
            assert!(said, "{notes:?}");
        };
        let mine = |patterns: &[&str]| MyCode::new(patterns).unwrap();
        check(mine(&["Shop.*"]), &["Shop.*"], &[]);
        check(mine(&["Nope.*", "Shop.*"]), &["Shop.*"], &["--my 'Nope.*' matches no method"]);
        check(mine(&["Nope.*"]), &[], &["is ignored; your code is taken to be whatever"]);
        check(mine(&["Nope.*", "Shop.*"]).for_all(), &["Shop.*"], &[]);
        check(mine(&["Nope.*"]).for_all(), &[], &["my in config.toml: 'Nope.*'"]);
        assert_eq!(mine(&["Nope.*"]).matching(std::iter::empty()).1, [""; 0]);
    }

    #[test]
    fn a_pattern_of_another_kind_is_refused() {
        for pattern in ["[", "^Shop", "Shop!Cart", "Shop/Cart", "Shop.(Cart|Order)"] {
            let error = MyCode::new(&[pattern]).unwrap_err().to_string();
            assert!(error.contains("no name of a module"), "{pattern}: {error}");
        }
        let names = ["Shop.Cart`1", "<Main>$", "clo@5-1", "A+<<Run>g__Local|0_1>d", "Shop Api", "?", "*"];
        assert!(MyCode::new(&names).is_ok());
    }

    #[test]
    fn an_empty_pattern_is_refused() {
        assert!(MyCode::new(&[" "]).unwrap_err().to_string().contains("is not a pattern"));
        let long = MyCode::new(&["x".repeat(10_000)]).unwrap_err().to_string();
        assert!(long.contains("10000 bytes") && long.len() < 200, "{long}");
    }
}
