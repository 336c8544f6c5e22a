//! What a user says is their own code, where the names of modules do not tell.
//!
//! Patterns with `*` and `?` over the name of a module, a namespace or a type; case does not matter.

/// The user's own word on what is theirs. Without patterns, whatever is neither the runtime's nor a known package's is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MyCode {
    patterns: Vec<String>,
}

/// A pattern that stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoPattern {
    /// It is empty.
    #[error(
        "'' is no pattern: expected the name of a module, namespace or type, in which * and ? stand for anything"
    )]
    Empty,
    /// No name is as long.
    #[error("'{begin}…' is no pattern: it has {len} bytes, and a name has at most {LONGEST}")]
    TooLong {
        /// Its first characters.
        begin: String,
        /// Its bytes.
        len: usize,
    },
}

/// Longer patterns are no names.
const LONGEST: usize = 1024;
/// Characters of a longer one that a message shows.
const SHOWN: usize = 40;

impl MyCode {
    /// Takes patterns such as `Store.*`.
    ///
    /// # Errors
    /// If one is empty or longer than any name.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, NoPattern> {
        let checked = patterns.iter().map(|pattern| {
            let pattern = pattern.as_ref().trim();
            if pattern.is_empty() {
                return Err(NoPattern::Empty);
            }
            if pattern.len() > LONGEST {
                let begin = pattern.chars().take(SHOWN).collect();
                return Err(NoPattern::TooLong { begin, len: pattern.len() });
            }
            Ok(pattern.to_lowercase())
        });
        Ok(Self { patterns: checked.collect::<Result<_, _>>()? })
    }

    /// Whether the user said nothing.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a method of this module and type is the user's. `Store.*` includes `Store` itself.
    pub(crate) fn has(&self, module: &str, class: &str) -> bool {
        let class = class.split('[').next().unwrap_or(class).to_lowercase();
        let outer = class.split('+').next().unwrap_or(&class);
        let namespace = outer.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let module = module.to_lowercase();
        let names = [module.as_str(), namespace, outer, class.as_str()];
        self.patterns.iter().any(|pattern| {
            let whole = pattern.strip_suffix(".*").unwrap_or(pattern);
            names.iter().any(|name| !name.is_empty() && (glob(pattern, name) || glob(whole, name)))
        })
    }
}

/// Whether a name is the pattern's, in which `*` stands for any text and `?` for one character.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where the last `*` stands, and up to where of the name it reaches so far.
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
    fn an_empty_pattern_is_refused() {
        assert!(MyCode::new(&[" "]).unwrap_err().to_string().contains("is no pattern"));
        let long = MyCode::new(&["x".repeat(10_000)]).unwrap_err().to_string();
        assert!(long.contains("10000 bytes") && long.len() < 200, "{long}");
    }
}
