//! The catalogue of rules: what it holds, and that it is whole.

use findings::{RULES, Rule};

/// What `explain --format json` promises to know.
const IDS: [&str; 32] = [
    "sync-over-async",
    "blocking-call-on-pool",
    "threadpool-queue-flood",
    "thread-per-request",
    "lock-contention",
    "async-lock",
    "deadlock",
    "cpu-hot-path",
    "busy-thread",
    "regex-backtracking",
    "gc-pauses",
    "gc-induced",
    "gc-gen2-churn",
    "loh-churn",
    "high-allocation-rate",
    "heap-growth",
    "pinning",
    "finalizer-backlog",
    "exceptions",
    "jit-churn",
    "startup-jit",
    "db-n-plus-one",
    "db-pool-exhausted",
    "slow-dependency",
    "http-client-per-request",
    "chatty-calls",
    "logging-flood",
    "cpu-limited",
    "memory-limit",
    "native-memory-growth",
    "descriptor-growth",
    "startup-config",
];

fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}

#[test]
fn the_rules_are_those_that_scripts_rely_on_each_once() {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids, IDS);
}

#[test]
fn every_rule_says_what_it_measures_how_it_comes_about_and_what_to_do() {
    for rule in RULES {
        let texts = [rule.about, rule.silent, rule.why, rule.verify, rule.places_of];
        assert!(texts.iter().all(|text| !text.trim().is_empty()), "{}: an empty text", rule.id);
        assert!(!rule.tries.is_empty() && rule.tries.iter().all(|text| !text.is_empty()), "{}", rule.id);
        assert!(!rule.needs.is_empty() && !rule.thresholds.is_empty(), "{}", rule.id);
        for threshold in rule.thresholds {
            assert!(threshold.value > 0.0 && threshold.value.is_finite(), "{}: {}", rule.id, threshold.name);
            assert!(!threshold.name.is_empty(), "{}: a threshold without a name", rule.id);
            assert!(threshold.source.len() > 10, "{}: {} has no source", rule.id, threshold.name);
            assert!(["", "ms", "s", "B", "B/s", "1/s", "share"].contains(&threshold.unit), "{}", rule.id);
        }
    }
}

#[test]
fn what_rules_name_is_there() {
    for rule in RULES {
        for id in rule.before.iter().chain(rule.absorbs) {
            assert!(self::rule(id).is_some(), "{} names {id}, which is not a rule", rule.id);
            assert_ne!(*id, rule.id);
        }
        for id in rule.leaves_to().filter(|text| text.contains('-')) {
            assert!(self::rule(id).is_some(), "{} says {id}, which is not a rule", rule.id);
        }
    }
}

/// The way back to a rule along `before`, if there is one.
fn circle(start: &'static str, at: &'static str, way: &mut Vec<&'static str>) -> bool {
    way.push(at);
    for next in rule(at).map_or([].as_slice(), |rule| rule.before) {
        if *next == start || (!way.contains(next) && circle(start, next, way)) {
            return true;
        }
    }
    // Kept on the way: what leads nowhere is not tried twice.
    false
}

#[test]
fn no_harm_stands_behind_itself() {
    for rule in RULES {
        let mut way = Vec::new();
        assert!(!circle(rule.id, rule.id, &mut way), "a circle through {}: {way:?}", rule.id);
    }
}

#[test]
fn the_page_has_a_section_for_every_rule() {
    let page = findings::markdown();
    for id in IDS {
        assert_eq!(page.matches(&format!("\n## {id}\n")).count(), 1, "{id}");
    }
}
