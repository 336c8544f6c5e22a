//! The explanation of an exhibit as one JSON document, whose structure scripts rely on.
//!
//! The document is the same for every kind of evidence; a trace has a few more fields.

use model::{Evidence, Trace};
use report::{Explanation, Figure, Finding, List, Part, Severity};
use serde_json::{Map, Value, json};

/// The document.
pub fn document(evidence: &Evidence, explanation: &Explanation) -> Value {
    let Explanation { report, parts, .. } = explanation;
    let trace = evidence.as_trace();
    let figures: Map<String, Value> = parts.iter().map(|part| (part.id.to_owned(), figures(part))).collect();
    let findings: Vec<Value> = report.findings.iter().map(finding).collect();
    let not_checked: Vec<Value> =
        report.not_checked.iter().map(|rule| json!({"id": rule.id, "needs": rule.needs})).collect();
    let mut document = json!({
        "exhibit": exhibit(evidence, trace),
        "loss": loss(evidence, trace),
        "findings": findings,
        "checked": report.checked,
        "not_checked": not_checked,
        "figures": figures,
    });
    // A kind of evidence without rules has none.
    if let Some(verdict) = &explanation.verdict {
        document["verdict"] = json!({
            "state": verdict.state.name(),
            "text": verdict.text,
            "severity": verdict.severity.map(Severity::name),
            "passed": verdict.passed,
            "could_not_run": verdict.could_not_run,
            "notes": verdict.notes,
        });
    }
    document
}

/// Fields of an object, in the order in which they are added.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    /// Adds the fields of an object.
    fn add(&mut self, object: Value) {
        if let Value::Object(fields) = object {
            self.0.extend(fields);
        }
    }

    /// Adds fields that only a trace has.
    fn add_of(&mut self, trace: Option<&Trace>, object: impl FnOnce(&Trace) -> Value) {
        if let Some(trace) = trace {
            self.add(object(trace));
        }
    }
}

fn exhibit(evidence: &Evidence, trace: Option<&Trace>) -> Map<String, Value> {
    let exhibit = evidence.exhibit();
    let mut fields = Fields::default();
    fields.add(json!({
        "kind": evidence.kind().name(),
        "file": exhibit.file,
        "runtime": exhibit.runtime,
        "pid": exhibit.pid,
        "name": exhibit.name,
        "container": exhibit.container,
    }));
    fields.add_of(trace, |trace| {
        let text = |sym| trace.strings.get(sym);
        let others = runtime::other_processes(trace);
        let others = others.iter().map(|row| {
            json!({"pid": row.process, "name": text(row.name), "samples": row.samples, "events": row.events})
        });
        json!({"other_processes": others.collect::<Vec<_>>(), "profile": trace.session.profile})
    });
    // A kind of evidence may have no time; unknown values are null.
    let has_time = trace.is_some() || exhibit.duration_ns > 0;
    let start = (trace.is_some() || !exhibit.start_utc.is_empty()).then_some(&exhibit.start_utc);
    fields.add(json!({
        "state": exhibit.state,
        "start_utc": start,
        "duration_ns": has_time.then_some(exhibit.duration_ns),
    }));
    fields.add_of(trace, |trace| {
        json!({
            "observed_ns": {
                "events": runtime::observed_ns(trace, "events"),
                "samples": runtime::observed_ns(trace, "samples"),
            },
        })
    });
    fields.add(json!({
        "os": exhibit.os,
        "arch": exhibit.arch,
        "command_line": exhibit.command_line,
        "processors": exhibit.cores,
    }));
    fields.add_of(
        trace,
        |trace| json!({"server_gc": trace.session.server_gc, "streams": trace.session.streams}),
    );
    fields.add(json!({"bytes": exhibit.bytes}));
    fields.add_of(trace, |trace| json!({"format_version": trace.session.format_version}));
    fields.0
}

fn loss(evidence: &Evidence, trace: Option<&Trace>) -> Map<String, Value> {
    let lost = evidence.lost();
    let kinds = lost.damage.kinds().iter();
    let kinds =
        kinds.map(|kind| json!({"what": kind.what, "count": kind.count, "first_offset": kind.first_offset}));
    let files = lost
        .files
        .iter()
        .map(|file| json!({"what": format!("{} {}", file.file, file.what), "count": 1, "first_offset": 0}));
    let damage: Vec<Value> = kinds.chain(files).collect();
    let mut fields = Fields::default();
    fields.add_of(trace, |trace| json!({"events_lost": trace.missing.events}));
    fields.add(json!({"truncated_at": lost.truncated_at, "damage": damage}));
    fields.add_of(trace, |trace| {
        json!({
            "early_ends": early_ends(trace),
            "no_rundown": trace.missing.no_rundown,
            "frames": trace.missing.frames,
            "unnamed_frames": trace.missing.unnamed_frames,
            "limits": limits(trace),
        })
    });
    fields.0
}

fn early_ends(trace: &Trace) -> Vec<Value> {
    let ends = trace.missing.early_ends.iter().map(
        |end| json!({"file": end.file, "ts_ns": end.at_ns, "offset": end.offset, "in_names": end.in_names}),
    );
    ends.collect()
}

fn limits(trace: &Trace) -> Vec<Value> {
    let limits = trace.missing.limits.all().iter().map(|of| {
        let mut object = json!({"what": of.kind.name(), "count": of.count, "limit": of.limit});
        if let Some(samples) = of.samples {
            object["samples"] = samples.into();
        }
        if let Some(text) = &of.text {
            object["text"] = text.as_str().into();
        }
        object
    });
    limits.collect()
}

fn finding(finding: &Finding) -> Value {
    let measured = finding
        .measured
        .iter()
        .map(|of| json!({"name": of.name, "value": of.value, "unit": of.unit, "threshold": of.threshold}));
    let places =
        finding.places.iter().map(|of| json!({"frame": of.frame, "share": of.share, "request": of.request}));
    let evidence = finding.evidence.iter().map(|of| {
        json!({
            "table": of.table,
            "sql": of.sql,
            "rows": of.rows,
            "first_ts_ns": of.first_ts_ns,
            "last_ts_ns": of.last_ts_ns,
        })
    });
    json!({
        "id": finding.id,
        "title": finding.title,
        "severity": finding.severity.name(),
        "follows": finding.follows,
        "score": finding.score,
        "measured": measured.collect::<Vec<_>>(),
        "where": places.collect::<Vec<_>>(),
        "where_of": finding.places_of,
        "evidence": evidence.collect::<Vec<_>>(),
        "why": finding.why,
        "try": finding.tries,
        "verify": finding.verify,
    })
}

/// A figure. `partial` and `source` are only present if they say something.
pub(crate) fn figure(of: &Figure) -> Value {
    let mut object = json!({"name": of.name, "value": of.value, "unit": of.unit, "about": of.about});
    if of.partial {
        object["partial"] = Value::Bool(true);
    }
    if let Some(source) = of.source {
        object["source"] = source.into();
    }
    object
}

fn figures(part: &Part) -> Value {
    let figures = part.figures.iter().map(figure);
    let figures: Vec<Value> = figures.collect();
    let lists: Vec<Value> = part.lists.iter().map(list).collect();
    json!({"figures": figures, "lists": lists, "missing": part.missing})
}

fn list(list: &List) -> Value {
    let columns = list.columns.iter().map(|column| json!({"name": column.name, "unit": column.unit}));
    let columns: Vec<Value> = columns.collect();
    let rows: Vec<Value> =
        list.rows.iter().map(|row| json!({"name": row.name, "values": row.values})).collect();
    json!({"name": list.name, "about": list.about, "columns": columns, "rows": rows, "more": list.more})
}

#[cfg(test)]
mod tests {
    use super::*;

    use model::Bench;
    use runtime::StackIndex;

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_recording_without_anything_has_the_whole_shape_and_no_number_out_of_nothing() {
        let evidence = Evidence::from(Trace::default());
        let trace = evidence.clone().into_trace().unwrap();
        let document = document(&evidence, &findings::explanation(&trace, &StackIndex::new(&trace)));
        assert_eq!(
            keys(&document),
            ["exhibit", "loss", "findings", "checked", "not_checked", "figures", "verdict"]
        );
        assert_eq!(
            keys(&document["exhibit"]),
            [
                "kind",
                "file",
                "runtime",
                "pid",
                "name",
                "container",
                "other_processes",
                "profile",
                "state",
                "start_utc",
                "duration_ns",
                "observed_ns",
                "os",
                "arch",
                "command_line",
                "processors",
                "server_gc",
                "streams",
                "bytes",
                "format_version"
            ]
        );
        assert_eq!(
            keys(&document["loss"]),
            [
                "events_lost",
                "truncated_at",
                "damage",
                "early_ends",
                "no_rundown",
                "frames",
                "unnamed_frames",
                "limits"
            ]
        );
        assert_eq!(document["loss"]["truncated_at"], Value::Null);
        assert_eq!(document["loss"]["damage"], json!([]));
        let gc = &document["figures"]["gc"];
        assert_eq!(
            gc["figures"][0],
            json!({"name": "count", "value": null, "unit": "", "about": "Collections"})
        );
    }

    #[test]
    fn a_kind_without_rules_has_what_every_kind_has_and_empty_lists() {
        let mut bench = Bench::default();
        bench.exhibit.file = "results.json".to_owned();
        let part = Part::new("benchmarks");
        let explanation = Explanation { parts: vec![part], ..Explanation::default() };
        let document = document(&bench.into(), &explanation);
        let expected = json!({
            "exhibit": {
                "kind": "bench",
                "file": "results.json",
                "runtime": null,
                "pid": null,
                "name": null,
                "container": null,
                "state": null,
                "start_utc": null,
                "duration_ns": null,
                "os": null,
                "arch": null,
                "command_line": null,
                "processors": null,
                "bytes": 0,
            },
            "loss": {"truncated_at": null, "damage": []},
            "findings": [],
            "checked": [],
            "not_checked": [],
            "figures": {"benchmarks": {"figures": [], "lists": [], "missing": []}},
        });
        assert_eq!(document, expected);
    }
}
