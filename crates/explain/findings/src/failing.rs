//! Requests that fail: how many, where, and how.
//!
//! If no finding explains why they fail, the verdict is `unexplained`.

use crate::facts::{Facts, real_u64, wide};
use model::{NO_INT, REQUESTS_METER, Sym, Trace};
use runtime::{Failures, is_failed, metered, tag};
use std::collections::BTreeMap;

/// Requests fail if this share of all requests does.
pub(crate) const MANY: f64 = 0.05;
/// Or if this share of a route's requests does: among all requests, a failing route could go unnoticed.
pub(crate) const MANY_OF_ROUTE: f64 = 0.2;
/// Fewer failures mean nothing.
pub(crate) const FEWEST: f64 = 10.0;
/// An exception is named if this many were thrown per failed request.
const AS_OFTEN: f64 = 0.5;

/// Requests that fail.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failing {
    /// All requests, or those of the route.
    pub(crate) failures: Failures,
    /// The route that fails, if the service as a whole does not.
    pub(crate) of_route: Option<String>,
    /// The route with the most failures, and its share of them, if the service as a whole fails.
    pub(crate) worst: Option<(String, f64)>,
    /// Statuses, or the exceptions that ended them, the most frequent first.
    pub(crate) with: Vec<String>,
    /// The exception that was thrown most, and how often, if that was often enough to explain the failures.
    pub(crate) thrown: Option<(String, u64)>,
}

/// The failing requests, if there are many.
pub(crate) fn of(facts: &Facts<'_>) -> Option<Failing> {
    let is_many = |of: &Failures, share: f64| of.failed >= FEWEST && of.share() >= share;
    let known: Vec<(&String, Failures)> =
        facts.routes().iter().filter_map(|(name, work)| Some((name, work.failures?))).collect();
    let most = |least: f64| {
        let routes = known.iter().filter(|(_, of)| of.failed > 0.0 && of.share() >= least);
        routes.max_by(|a, b| a.1.failed.total_cmp(&b.1.failed)).copied()
    };
    let whole = runtime::failures(facts.recording).filter(|of| is_many(of, MANY));
    let (failures, of_route, worst) = if let Some(failures) = whole {
        let share = |of: Failures| (of.failed / failures.failed.max(1.0)).min(1.0);
        (failures, None, most(0.0).map(|(name, of)| (name.clone(), share(of))))
    } else {
        let (name, of) = most(MANY_OF_ROUTE).filter(|(_, of)| is_many(of, MANY_OF_ROUTE))?;
        (of, Some(name.clone()), None)
    };
    Some(Failing {
        with: reasons(facts.recording, of_route.as_deref()),
        thrown: thrown(facts, failures.failed),
        failures,
        of_route,
        worst,
    })
}

/// The statuses of the failed requests, or the exceptions that ended them.
fn reasons(recording: &Trace, route: Option<&str>) -> Vec<String> {
    let mut reasons: BTreeMap<String, f64> = BTreeMap::new();
    let is_wanted = |name: &str| route.is_none_or(|route| route == name);
    if recording.has_each_request() {
        let rows = &recording.requests;
        let mut statuses: BTreeMap<i64, f64> = BTreeMap::new();
        for row in (0..rows.start_ns.len()).filter_map(|at| rows.row(at)) {
            let name = if row.route == Sym::NONE { row.path } else { row.route };
            if row.status != NO_INT && row.status >= 500 && is_wanted(recording.strings.text(name)) {
                *statuses.entry(row.status).or_default() += 1.0;
            }
        }
        reasons.extend(statuses.into_iter().map(|(status, times)| (format!("status {status}"), times)));
    }
    if reasons.is_empty() {
        for of in metered(recording, REQUESTS_METER, "count") {
            let tag = |name: &str| tag(recording, of.tags, name);
            let failed = is_failed(recording, of.tags) == Some(true) && of.value > 0.0;
            if !failed || !is_wanted(tag("http.route").unwrap_or_default()) {
                continue;
            }
            // An error's type can be the status once more.
            let error = tag("error.type").filter(|error| error.contains('.'));
            let status = tag("http.response.status_code").map(|status| format!("status {status}"));
            if let Some(reason) = error.map(str::to_owned).or(status) {
                *reasons.entry(reason).or_default() += of.value;
            }
        }
    }
    let mut reasons: Vec<(String, f64)> = reasons.into_iter().collect();
    reasons.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    reasons.into_iter().map(|(reason, _)| reason).take(2).collect()
}

/// The exception that was thrown most, if that was about as often as requests failed.
fn thrown(facts: &Facts<'_>, failed: f64) -> Option<(String, u64)> {
    let mut types: BTreeMap<Sym, usize> = BTreeMap::new();
    for class in &facts.recording.exceptions.class {
        *types.entry(*class).or_default() += 1;
    }
    let (class, times) = types.into_iter().max_by_key(|(_, times)| *times)?;
    let times = wide(times);
    (real_u64(times) >= AS_OFTEN * failed).then(|| (facts.text(class).to_owned(), times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const REQUESTS: &str = "http.server.request.duration";

    fn served(parts: &[(&str, &str, f64)]) -> Scene {
        let mut scene = Scene::new();
        for (route, status, requests) in parts {
            let tags = format!(r#"{{"http.route":"{route}","http.response.status_code":"{status}"}}"#);
            scene.meter(REQUESTS, *requests, 0.1, &tags);
        }
        scene
    }

    #[test]
    fn a_service_that_answers_with_errors_is_no_all_clear_however_fast_it_does() {
        let failing = served(&[("/fail", "503", 6_857.0), ("/ok", "200", 892.0)]).facts(of).unwrap();
        assert!((failing.failures.share() - 0.885).abs() < 0.001, "{failing:?}");
        assert_eq!((failing.worst, failing.with), (Some(("/fail".into(), 1.0)), vec!["status 503".into()]));
    }

    #[test]
    fn a_route_that_fails_is_not_hidden_by_the_others() {
        let failing = served(&[("/fail", "500", 40.0), ("/ok", "200", 9_000.0)]).facts(of).unwrap();
        assert_eq!(failing.of_route.as_deref(), Some("/fail"));
    }

    #[test]
    fn a_few_failures_and_mistakes_of_clients_are_no_failing_service() {
        for parts in [
            [("/a", "404", 5_000.0), ("/a", "200", 1_000.0)],
            [("/a", "500", 9.0), ("/b", "200", 30.0)],
            [("/a", "500", 100.0), ("/a", "200", 9_000.0)],
        ] {
            assert_eq!(served(&parts).facts(of), None, "{parts:?}");
        }
    }

    #[test]
    fn the_exception_behind_failures_is_named_though_it_is_no_finding_of_its_own() {
        let mut scene = served(&[("/fail", "500", 20.0), ("/ok", "200", 90.0)]);
        (0..20).for_each(|at| scene.throws(at * 400, "Shop.Closed", "", &[WORK, CART]));
        let failing = scene.facts(of).unwrap();
        assert_eq!(failing.thrown, Some(("Shop.Closed".into(), 20)));
    }
}
