//! Suggestions for a mistyped name.

/// Limit on the suggestions.
const MOST: usize = 3;
/// Limit on the characters of a name that are compared, since the work grows with their square.
const MAX_CHARACTERS: usize = 200;

/// The candidates that are similar to a name, the most similar first. Letter case does not count. A candidate is similar
/// if it differs in up to a third of the name's characters, or one of the two contains the other.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = letters(name);
    let text: String = wanted.iter().collect();
    let mut near: Vec<(usize, &str)> = Vec::new();
    for candidate in candidates {
        let other = letters(candidate);
        let distance = distance(&wanted, &other);
        let other: String = other.iter().collect();
        let is_part = !text.is_empty() && (other.contains(&text) || text.contains(&other));
        if is_part || distance.saturating_mul(3) <= wanted.len() {
            near.push((distance, candidate));
        }
    }
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(MOST).map(|(_, candidate)| candidate).collect()
}

fn letters(name: &str) -> Vec<char> {
    name.to_lowercase().chars().take(MAX_CHARACTERS).collect()
}

/// The Levenshtein distance: how many characters must be replaced, inserted or removed.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, left) in one.iter().enumerate() {
        let mut before = at;
        let mut last = at.saturating_add(1);
        let mut next = vec![last];
        for (right, above) in other.iter().zip(row.iter().skip(1)) {
            let replaced = before.saturating_add(usize::from(left != right));
            last = replaced.min(above.saturating_add(1)).min(last.saturating_add(1));
            next.push(last);
            before = *above;
        }
        row = next;
    }
    // A row has one entry more than `other`, so it is never empty.
    row.last().copied().unwrap_or(one.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &[&str]) {
        let names = ["GC/Start", "GC/Stop", "GC/HeapStats", "Method/Load", "Exception/Start"];
        assert_eq!(nearest(name, names), expected, "{name}");
    }

    #[test]
    fn a_mistyped_name_finds_the_intended_one() {
        check("GC/Strat", &["GC/Start"]);
        check("gc/heapstat", &["GC/HeapStats"]);
        check("GCStart", &["GC/Start"]);
        check("Exception", &["Exception/Start"]);
        check("Sockets", &[]);
        check("", &[]);
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        let of = |one: &str, other: &str| distance(&letters(one), &letters(other));
        assert_eq!([of("kitten", "sitting"), of("", "abc"), of("abc", ""), of("a", "a")], [3, 3, 3, 0]);
    }
}
