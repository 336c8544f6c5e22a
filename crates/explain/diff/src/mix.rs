//! Whether both recordings have the same mix of requests: the share of each route in all requests.
//!
//! Means and quantiles of all requests can be compared only if the mix is the same. If it changed, the summary says so first.

use base::number::count;
use report::unit::show;
use std::collections::{BTreeMap, BTreeSet};

/// The mix changed if at least this share of all requests moved to other routes, besides what chance moves.
const CHANGED: f64 = 0.2;
/// A route is named if its share moved by at least this.
const NAMED: f64 = 0.05;
/// How many routes are named.
const MAX_NAMED: usize = 3;

/// The number of requests of each route.
pub(crate) type Counts<'a> = BTreeMap<&'a str, f64>;

/// A route, and its share of all requests before and after.
struct Moved<'a> {
    name: &'a str,
    from: f64,
    to: f64,
}

impl Moved<'_> {
    fn by(&self) -> f64 {
        (self.to - self.from).abs()
    }
}

/// The routes whose share moved most, if the mix changed: `/a 2.60 % → 89.8 %, /b 97.4 % → 0 %`.
///
/// The measure is the share of requests that must go to other routes to make both mixes equal (the total variation
/// distance). Chance alone moves about the square root of routes over requests, so many paths with few requests each are
/// not a change.
pub(crate) fn changed(before: &Counts<'_>, after: &Counts<'_>) -> Option<String> {
    let all = |counts: &Counts<'_>| counts.values().sum::<f64>();
    let (all_before, all_after) = (all(before), all(after));
    if all_before <= 0.0 || all_after <= 0.0 {
        return None;
    }
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    // A recording has no requests of a route that it does not have.
    let share = |counts: &Counts<'_>, name: &str, all: f64| counts.get(name).copied().unwrap_or(0.0) / all;
    let moved = names.iter().map(|name| Moved {
        name,
        from: share(before, name, all_before),
        to: share(after, name, all_after),
    });
    let mut moved: Vec<Moved<'_>> = moved.collect();
    let distance = moved.iter().map(Moved::by).sum::<f64>() / 2.0;
    let chance = (count(moved.len()) * (1.0 / all_before + 1.0 / all_after)).sqrt();
    if !distance.is_finite() || distance < CHANGED + chance {
        return None;
    }
    moved.retain(|route| route.by() >= NAMED);
    moved.sort_by(|a, b| b.by().total_cmp(&a.by()).then_with(|| a.name.cmp(b.name)));
    let shown = |share: f64| if share == 0.0 { "0 %".to_owned() } else { show(share, "share") };
    let further = moved.len().saturating_sub(MAX_NAMED);
    let mut words: Vec<String> = moved
        .iter()
        .take(MAX_NAMED)
        .map(|Moved { name, from, to }| format!("{name} {} → {}", shown(*from), shown(*to)))
        .collect();
    if words.is_empty() {
        words.push("many routes by a little each".to_owned());
    }
    if further > 0 {
        words.push(format!("{further} more"));
    }
    Some(words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_moved_to_other_routes_are_reported_and_chance_is_not() {
        let check =
            |before: &[(&'static str, f64)], after: &[(&'static str, f64)], expected: Option<&str>| {
                let counts = |of: &[(&'static str, f64)]| of.iter().copied().collect::<Counts<'_>>();
                assert_eq!(changed(&counts(before), &counts(after)).as_deref(), expected);
            };
        let moved = "/slow 97.4 % → 0 %, /health 2.60 % → 90 %, /other 0 % → 10 %";
        let before = [("/health", 26.0), ("/slow", 974.0)];
        check(&before, &[("/health", 9_000.0), ("/other", 1_000.0)], Some(moved));
        check(&before, &[("/health", 300.0), ("/slow", 9_700.0)], None);
        check(&[("/a", 6.0), ("/b", 3.0)], &[("/a", 3.0), ("/b", 6.0)], None);
        check(&[], &[("/a", 3_000.0)], None);
        let names: Vec<String> = (0..1_000).map(|at| format!("/item/{at}")).collect();
        let half = |from: usize| names.iter().skip(from).step_by(2).map(|of| (of.as_str(), 1.0)).collect();
        let (even, odd): (Counts<'_>, Counts<'_>) = (half(0), half(1));
        assert_eq!(changed(&even, &odd), None, "each path has an id of its own");
    }
}
