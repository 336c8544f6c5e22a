//! Names that are nearly another: what somebody who mistyped a name may have meant.

/// Names that are offered at most.
const MOST: usize = 3;
/// Characters of a name that are compared; longer names are cut.
const MOST_CHARACTERS: usize = 200;

/// The candidates that are nearest to a name, letter case aside, the nearest first; only such as differ in at most a third
/// of its characters, or contain it, or are contained in it.
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
    name.to_lowercase().chars().take(MOST_CHARACTERS).collect()
}

/// Levenshtein's distance: characters that are to be replaced, put in or taken out.
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
    fn mistyped_names_find_what_was_meant() {
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
