//! The comparison as one JSON document, whose structure scripts rely on.

use model::{Kind, Trace};
use report::{Better, Change, Diff, FindingChange, FindingState, Measured, Severity};
use serde_json::{Value, json};

/// The document.
pub fn document(before: &Trace, after: &Trace, diff: &Diff) -> Value {
    let numbered = diff.rows.iter().enumerate();
    let changes: Vec<Value> = numbered.map(|(at, row)| change(row, diff.first.contains(&at))).collect();
    let findings = |state: FindingState| -> Vec<Value> {
        diff.findings.iter().filter(|of| of.state == state).map(finding).collect()
    };
    let not_compared: Vec<Value> =
        diff.not_compared.iter().map(|of| json!({"what": of.what, "why": of.why})).collect();
    let left_out: Vec<Value> =
        diff.left_out.iter().map(|(rows, what)| json!({"rows": rows, "what": what})).collect();
    let requests = |of: fn((f64, f64)) -> f64| diff.requests.map(of);
    json!({
        "kind": Kind::Trace.name(),
        "verdict": diff.verdict().name(),
        "summary": diff.summary,
        "per": diff.basis.name(),
        "comparisons": diff.comparisons,
        "before": side(before, diff.observed_ns.0, requests(|of| of.0), diff.pieces.0),
        "after": side(after, diff.observed_ns.1, requests(|of| of.1), diff.pieces.1),
        "caveats": diff.caveats,
        "findings": {
            "gone": findings(FindingState::Gone),
            "stayed": findings(FindingState::Stayed),
            "new": findings(FindingState::New),
        },
        "changes": changes,
        "not_compared": not_compared,
        "left_out": left_out,
    })
}

fn side(recording: &Trace, observed_ns: i64, requests: Option<f64>, pieces: usize) -> Value {
    let exhibit = &recording.exhibit;
    json!({
        "file": exhibit.file,
        "name": exhibit.name,
        "runtime": exhibit.runtime,
        "processors": exhibit.cores,
        "server_gc": recording.session.server_gc,
        "profile": recording.session.profile,
        "start_utc": exhibit.start_utc,
        "duration_ns": exhibit.duration_ns,
        "observed_ns": observed_ns,
        "requests": requests,
        "pieces": pieces,
        "events_lost": recording.missing.events,
    })
}

fn finding(of: &FindingChange) -> Value {
    let severity = |of: Option<Severity>| of.map(Severity::name);
    let measured = |of: &Option<Measured>| {
        of.as_ref()
            .map(|of| json!({"name": of.name, "value": of.value, "unit": of.unit, "threshold": of.threshold}))
    };
    json!({
        "id": of.id,
        "title": of.title,
        "severity": {"before": severity(of.severity.0), "after": severity(of.severity.1)},
        "measured": {"before": measured(&of.measured.0), "after": measured(&of.measured.1)},
        "reason": of.reason,
    })
}

/// A row; `first` if it is one of those to read first.
fn change(row: &Change, first: bool) -> Value {
    let better = match row.better {
        Better::Lower => Some("lower"),
        Better::Higher => Some("higher"),
        Better::Neither => None,
    };
    json!({
        "subject": row.subject.name(),
        "group": row.group().name(),
        "first": first,
        "measure": row.measure,
        "name": row.name,
        "unit": row.unit,
        "before": row.before,
        "after": row.after,
        "difference": row.difference(),
        "ratio": row.ratio(),
        "interval": row.interval.map(|(low, high)| json!({"low": low, "high": high})),
        "p": row.p,
        "verdict": row.verdict.name(),
        "reason": row.reason,
        "impact": row.impact,
        "better": better,
        "shares": row.shares.map(|(before, after)| json!({"before": before, "after": after})),
        "table": row.table,
        "metric": row.metric,
        "method": row.method,
        "is_handler": row.is_handler,
        "type": row.class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::diff::Side;
    use report::Basis;
    use runtime::{HandlerNames, StackIndex};

    #[test]
    fn two_recordings_without_anything_have_the_whole_shape() {
        let (recording, report) = (Trace::default(), report::Report::default());
        let index = StackIndex::new(&recording);
        let handlers = &HandlerNames::default();
        let side = Side { recording: &recording, index: &index, handlers, report: &report, range: None };
        let diff = ::diff::compare(&side, &side, Basis::Request);
        let document = document(&recording, &recording, &diff);
        for key in [
            "kind",
            "verdict",
            "summary",
            "findings",
            "per",
            "before",
            "after",
            "caveats",
            "changes",
            "not_compared",
            "left_out",
        ] {
            assert!(document.get(key).is_some(), "{key}");
        }
        assert_eq!(document["per"], "duration");
        assert_eq!(document["changes"], json!([]));
        assert_eq!(document["before"]["observed_ns"], 0);
    }
}
