//! The comparison as one JSON document, in the shape that scripts rely on.

use model::{Kind, Trace};
use report::{Better, Change, Diff};
use serde_json::{Value, json};

/// The document.
pub fn document(before: &Trace, after: &Trace, diff: &Diff) -> Value {
    let changes: Vec<Value> = diff.rows.iter().map(change).collect();
    let not_compared: Vec<Value> =
        diff.not_compared.iter().map(|of| json!({"what": of.what, "why": of.why})).collect();
    let left_out: Vec<Value> =
        diff.left_out.iter().map(|(rows, what)| json!({"rows": rows, "what": what})).collect();
    let requests = |of: fn((f64, f64)) -> f64| diff.requests.map(of);
    json!({
        "kind": Kind::Trace.name(),
        "per": diff.basis.name(),
        "before": side(before, diff.observed_ns.0, requests(|of| of.0), diff.pieces.0),
        "after": side(after, diff.observed_ns.1, requests(|of| of.1), diff.pieces.1),
        "caveats": diff.caveats,
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
        "processors": exhibit.processors,
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

fn change(row: &Change) -> Value {
    let better = match row.better {
        Better::Lower => Some("lower"),
        Better::Higher => Some("higher"),
        Better::Neither => None,
    };
    json!({
        "subject": row.subject.name(),
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
        "impact": row.impact,
        "better": better,
        "shares": row.shares.map(|(before, after)| json!({"before": before, "after": after})),
        "table": row.table,
        "metric": row.metric,
        "method": row.method,
        "type": row.class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::diff::{Options, Side};
    use report::Basis;
    use runtime::StackIndex;

    #[test]
    fn two_recordings_without_anything_have_the_whole_shape() {
        let (recording, report) = (Trace::default(), report::Report::default());
        let index = StackIndex::new(&recording);
        let side = Side { recording: &recording, index: &index, report: &report, range: None };
        let diff = ::diff::compare(&side, &side, &Options { basis: Basis::Request });
        let document = document(&recording, &recording, &diff);
        for key in ["kind", "per", "before", "after", "caveats", "changes", "not_compared", "left_out"] {
            assert!(document.get(key).is_some(), "{key}");
        }
        assert_eq!(document["per"], "duration");
        assert_eq!(document["changes"], json!([]));
        assert_eq!(document["before"]["observed_ns"], 0);
    }
}
