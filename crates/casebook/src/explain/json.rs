//! The recording as one JSON document, in the shape that scripts rely on.

use model::Trace;
use report::{Finding, List, Part, Report};
use serde_json::{Map, Value, json};

/// The document.
pub(super) fn document(recording: &Trace, report: &Report, parts: &[Part]) -> Value {
    let lost = &recording.lost;
    let kinds = lost.damage.kinds().iter();
    let kinds =
        kinds.map(|kind| json!({"what": kind.what, "count": kind.count, "first_offset": kind.first_offset}));
    let files = lost
        .files
        .iter()
        .map(|file| json!({"what": format!("{} {}", file.file, file.what), "count": 1, "first_offset": 0}));
    let damage: Vec<Value> = kinds.chain(files).collect();
    let figures: Map<String, Value> = parts.iter().map(|part| (part.id.to_owned(), figures(part))).collect();
    let findings: Vec<Value> = report.findings.iter().map(finding).collect();
    let not_checked: Vec<Value> =
        report.not_checked.iter().map(|rule| json!({"id": rule.id, "needs": rule.needs})).collect();
    json!({
        "exhibit": exhibit(recording),
        "loss": {
            "events_lost": recording.missing.events,
            "truncated_at": lost.truncated_at,
            "damage": damage,
            "no_rundown": recording.missing.no_rundown,
            "frames": recording.missing.frames,
            "unnamed_frames": recording.missing.unnamed_frames,
        },
        "findings": findings,
        "checked": report.checked,
        "not_checked": not_checked,
        "figures": figures,
    })
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
        "evidence": evidence.collect::<Vec<_>>(),
        "why": finding.why,
        "try": finding.tries,
        "verify": finding.verify,
    })
}

fn exhibit(recording: &Trace) -> Value {
    let exhibit = &recording.exhibit;
    json!({
        "kind": model::Kind::Trace.name(),
        "file": exhibit.file,
        "runtime": exhibit.runtime,
        "pid": exhibit.pid,
        "name": exhibit.name,
        "container": exhibit.container,
        "profile": recording.session.profile,
        "state": exhibit.state,
        "start_utc": exhibit.start_utc,
        "duration_ns": exhibit.duration_ns,
        "observed_ns": {
            "events": runtime::observed_ns(recording, "events"),
            "samples": runtime::observed_ns(recording, "samples"),
        },
        "os": exhibit.os,
        "arch": exhibit.arch,
        "command_line": exhibit.command_line,
        "processors": exhibit.processors,
        "server_gc": recording.session.server_gc,
        "streams": recording.session.streams,
        "bytes": exhibit.bytes,
        "format_version": recording.session.format_version,
    })
}

fn figures(part: &Part) -> Value {
    let figures = part.figures.iter().map(|figure| {
        json!({"name": figure.name, "value": figure.value, "unit": figure.unit, "about": figure.about})
    });
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

    #[test]
    fn a_recording_without_anything_has_the_whole_shape_and_no_number_out_of_nothing() {
        let recording = Trace::default();
        let document = document(&recording, &findings::explain(&recording), &runtime::parts(&recording));
        for key in ["exhibit", "loss", "findings", "checked", "not_checked", "figures"] {
            assert!(document.get(key).is_some(), "{key}");
        }
        assert_eq!(document["loss"]["truncated_at"], Value::Null);
        assert_eq!(document["loss"]["damage"], json!([]));
        let gc = &document["figures"]["gc"];
        assert_eq!(
            gc["figures"][0],
            json!({"name": "count", "value": null, "unit": "", "about": "Collections"})
        );
    }
}
