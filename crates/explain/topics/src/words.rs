//! Numbers in sentences, with suitable units, and nouns in singular or plural.

/// A value with its unit, as in figures. A value too small to show is `less than` something.
pub(crate) fn said(value: f64, unit: &str) -> String {
    let value = value + 0.0;
    let shown = if unit == "share" { value * 100.0 } else { value };
    let smallest = match unit {
        "ms" | "B" | "B/s" => 0.0,
        _ => 0.005,
    };
    if shown > 0.0 && shown < smallest {
        return format!("less than {}", report::unit::show(if unit == "share" { 1e-4 } else { 0.01 }, unit));
    }
    report::unit::show(value, unit)
}

/// A time in milliseconds.
pub(crate) fn ms(value: f64) -> String {
    said(value, "ms")
}

/// An amount of memory.
pub(crate) fn bytes(value: f64) -> String {
    said(value, "B")
}

/// A part of a whole.
pub(crate) fn share(value: f64) -> String {
    said(value, "share")
}

/// A number.
pub(crate) fn number(value: f64) -> String {
    said(value, "")
}

/// A number with its noun: `no collections`, `1 collection`, `49 collections`.
pub(crate) fn counted(count: f64, one: &str, many: &str) -> String {
    if count.abs() < 1e-9 {
        return format!("no {many}");
    }
    format!("{} {}", number(count), if is_one(count) { one } else { many })
}

/// Whether a count needs the singular.
pub(crate) fn is_one(count: f64) -> bool {
    (count - 1.0).abs() < 1e-9
}

/// `was` or `were`.
pub(crate) fn was(count: f64) -> &'static str {
    if is_one(count) { "was" } else { "were" }
}

/// A list in words: `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A sentence, if there is a value.
pub(crate) fn when(value: Option<f64>, sentence: impl FnOnce(f64) -> String) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, sentence)
}

/// A sentence, if something holds.
pub(crate) fn only(holds: bool, sentence: impl FnOnce() -> String) -> String {
    if holds { sentence() } else { String::new() }
}

/// A sentence as it stands.
pub(crate) fn plain(sentence: &str) -> String {
    sentence.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_follows_its_number() {
        let check = |count, expected: &str| assert_eq!(counted(count, "collection", "collections"), expected);
        check(0.0, "no collections");
        check(1.0, "1 collection");
        check(1.5, "1.50 collections");
        check(2_000.0, "2,000 collections");
    }

    #[test]
    fn what_is_too_small_to_show_is_not_shown_as_nothing() {
        assert_eq!(share(0.000_001), "less than 0.01 %");
        assert_eq!(share(-0.0), "0 %");
        assert_eq!(number(0.001), "less than 0.01");
        assert_eq!(ms(0.0), "0 ms");
    }

    #[test]
    fn things_are_put_together_as_in_a_sentence() {
        let list = |items: &[&str]| listed(&items.iter().map(|of| (*of).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            [list(&[]), list(&["a"]), list(&["a", "b"]), list(&["a", "b", "c"])],
            ["", "a", "a and b", "a, b and c"]
        );
    }
}
