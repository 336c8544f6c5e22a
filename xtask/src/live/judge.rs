//! What `casebook explain` says of a recording, held against a label.
//!
//! The rules are those of `../shared/check-captures`, with the verdict, notes and alternatives beside them.

use super::table::Label;
use serde_json::Value;

/// What is wrong with an explanation; nothing if it is right.
pub(super) fn faults(said: &Value, label: &Label) -> Vec<String> {
    let mut faults = of_notes(said, label);
    faults.extend(if label.healthy { of_healthy(said) } else { of_trouble(said, label) });
    faults
}

/// The ids of findings above `note`, most important first.
pub(super) fn heavy_ids(said: &Value) -> Vec<&str> {
    heavy(said).filter_map(|finding| finding["id"].as_str()).collect()
}

/// The verdict's state. Older programs say none: then a finding above `note` is a problem, and no finding an all-clear.
pub(super) fn state(said: &Value) -> &str {
    said["verdict"]["state"].as_str().unwrap_or(if heavy(said).next().is_some() {
        "problem"
    } else {
        "healthy"
    })
}

fn findings(said: &Value) -> impl Iterator<Item = &Value> {
    said["findings"].as_array().into_iter().flatten()
}

fn heavy(said: &Value) -> impl Iterator<Item = &Value> {
    findings(said).filter(|finding| finding["severity"] != "note")
}

fn of_notes(said: &Value, label: &Label) -> Vec<String> {
    let has = |id: &String| findings(said).any(|finding| finding["id"] == id.as_str());
    label.notes.iter().filter(|id| !has(id)).map(|id| format!("lacks the note {id}")).collect()
}

fn of_healthy(said: &Value) -> Vec<String> {
    let mut faults: Vec<String> =
        heavy_ids(said).iter().map(|id| format!("healthy, but says {id}")).collect();
    if faults.is_empty() && state(said) != "healthy" {
        faults.push(format!("healthy, but the verdict is {}", state(said)));
    }
    faults
}

fn of_trouble(said: &Value, label: &Label) -> Vec<String> {
    let ids = heavy_ids(said);
    let Some(&first) = ids.first() else { return of_silence(said, label) };
    let mut faults = Vec::new();
    if !label.first.iter().any(|id| id == first) {
        faults.push(format!("first is {first}; expected {}", label.first.join(" or ")));
    } else if label.first.first().is_some_and(|id| id == first) && !label.places.is_empty() {
        let said_places = places(said);
        if !label.places.iter().any(|place| said_places.contains(place.as_str())) {
            faults.push(format!("{first} does not name {}: {said_places:?}", label.places.join(" or ")));
        }
    }
    let says = |id: &String| ids.contains(&id.as_str());
    faults.extend(label.also.iter().filter(|id| !says(id)).map(|id| format!("lacks {id}")));
    let lacking = label.also_any.iter().filter(|any| !any.iter().any(says));
    faults.extend(lacking.map(|any| format!("lacks {}", any.join(" or "))));
    faults.extend(label.never.iter().filter(|id| says(id)).map(|id| format!("says {id}, which is wrong")));
    faults
}

/// Nothing above `note` was said of a service in trouble.
fn of_silence(said: &Value, label: &Label) -> Vec<String> {
    if !label.none_ok {
        return vec![format!("no finding ({}); expected {}", state(said), label.first.join(" or "))];
    }
    if label.states.iter().any(|one| one == state(said)) {
        return Vec::new();
    }
    vec![format!("the verdict is {}; expected {}", state(said), label.states.join(" or "))]
}

/// Frames and requests of the first finding.
fn places(said: &Value) -> String {
    let places = heavy(said).next().and_then(|first| first["where"].as_array()).into_iter().flatten();
    let words = places.flat_map(|place| [place["frame"].as_str(), place["request"].as_str()]);
    words.flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Label, faults};
    use serde_json::{Value, json};

    fn check(said: &Value, label: &Label, expected: &[&str]) {
        assert_eq!(faults(said, label), expected, "{said}");
    }

    fn said(state: &str, findings: &[(&str, &str, &str)]) -> Value {
        let findings: Vec<Value> = findings
            .iter()
            .map(|(id, severity, frame)| json!({"id": id, "severity": severity, "where": [{"frame": frame, "request": null}]}))
            .collect();
        json!({"verdict": {"state": state}, "findings": findings})
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn an_all_clear_for_a_service_in_trouble_is_wrong() {
        let gate = Label {
            first: words(&["async-lock"]),
            none_ok: true,
            states: words(&["unexplained"]),
            ..Label::default()
        };
        check(&said("unexplained", &[]), &gate, &[]);
        check(&said("healthy", &[]), &gate, &["the verdict is healthy; expected unexplained"]);
        let lock = Label { first: words(&["lock-contention"]), ..Label::default() };
        check(&said("unexplained", &[]), &lock, &["no finding (unexplained); expected lock-contention"]);
        check(&json!({"findings": []}), &lock, &["no finding (healthy); expected lock-contention"]);
    }

    #[test]
    fn a_finding_must_name_the_place_and_its_companions() {
        let label = Label {
            first: words(&["lock-contention", "gc-pauses"]),
            places: words(&["Board"]),
            also_any: vec![words(&["gc-pauses", "loh-churn"])],
            never: words(&["deadlock"]),
            ..Label::default()
        };
        let lock = ("lock-contention", "critical", "a!Board.Value");
        check(&said("problem", &[lock, ("loh-churn", "warning", "")]), &label, &[]);
        check(
            &said("problem", &[("lock-contention", "warning", "a!Other"), ("loh-churn", "note", "")]),
            &label,
            &["lock-contention does not name Board: \"a!Other\"", "lacks gc-pauses or loh-churn"],
        );
        check(
            &said("problem", &[("deadlock", "critical", ""), ("gc-pauses", "warning", "")]),
            &label,
            &["first is deadlock; expected lock-contention or gc-pauses", "says deadlock, which is wrong"],
        );
    }

    #[test]
    fn a_healthy_service_has_a_clean_verdict_and_the_notes_it_deserves() {
        let label = Label { healthy: true, notes: words(&["startup-config"]), ..Label::default() };
        check(&said("healthy", &[("startup-config", "note", "")]), &label, &[]);
        check(
            &said("unexplained", &[]),
            &label,
            &["lacks the note startup-config", "healthy, but the verdict is unexplained"],
        );
    }
}
