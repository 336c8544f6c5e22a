//! Values of counters as rows, as they come: CSV, or one JSON object per line.

use crate::spreadsheet::Raw;
use crate::terminal;
use import::CounterReading;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sql::{AnswerColumn, Cell, Rows};
use std::io::Write;

const COLUMNS: [&str; 7] = ["ts", "provider", "name", "unit", "kind", "value", "tags"];

/// The form of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Json,
}

/// Where rows go.
pub(super) struct Stream {
    out: Box<dyn Write>,
    form: Form,
    csv: Raw,
    has_header: bool,
    /// How many texts got an apostrophe.
    guarded: u64,
}

#[derive(Serialize)]
struct Row<'a> {
    ts: &'a str,
    provider: &'a str,
    name: &'a str,
    unit: &'a str,
    kind: &'a str,
    /// `null` if it is NaN or infinite.
    value: f64,
    tags: Value,
}

impl Stream {
    /// JSON is screened here. CSV is not, so `out` must not be an unscreened terminal.
    pub(super) fn new(out: Box<dyn Write>, form: Form, csv: Raw) -> Self {
        Self { out, form, csv, has_header: false, guarded: 0 }
    }

    /// How many texts got an apostrophe.
    pub(super) fn guarded(&self) -> u64 {
        self.guarded
    }

    /// Writes a batch and flushes it. `start_ns` is when the session began, in nanoseconds since 1970.
    pub(super) fn write(&mut self, readings: &[CounterReading], start_ns: i128) -> anyhow::Result<()> {
        let mut batch = Vec::new();
        match self.form {
            Form::Csv => self.csv(&mut batch, readings, start_ns)?,
            Form::Json => json(&mut batch, readings, start_ns)?,
        }
        self.has_header = true;
        self.out.write_all(&batch)?;
        self.out.flush()?;
        Ok(())
    }

    fn csv(&mut self, out: &mut Vec<u8>, readings: &[CounterReading], start_ns: i128) -> anyhow::Result<()> {
        let mut rows = self.csv.rows(out);
        if !self.has_header {
            let column = |name: &str| AnswerColumn { name: name.to_owned(), kind: None, unit: String::new() };
            rows.begin(&COLUMNS.map(column))?;
        }
        for of in readings {
            let text = |text: &str| Cell::Text(text.to_owned());
            let value = if of.value.is_finite() { Cell::Real(of.value) } else { Cell::Null };
            let texts = [&of.provider, &of.name, &of.unit].map(|of| text(of));
            let [provider, name, unit] = texts;
            rows.row(vec![
                text(&time(start_ns, of.ts_ns)),
                provider,
                name,
                unit,
                text(&of.kind),
                value,
                text(&of.tags),
            ])?;
        }
        self.guarded = self.guarded.saturating_add(rows.guarded());
        Ok(())
    }
}

fn json(out: &mut Vec<u8>, readings: &[CounterReading], start_ns: i128) -> anyhow::Result<()> {
    for of in readings {
        let CounterReading { provider, name, unit, kind, value, .. } = of;
        let row = Row {
            ts: &time(start_ns, of.ts_ns),
            provider,
            name,
            unit,
            kind,
            value: *value,
            tags: serde_json::from_str(&of.tags).unwrap_or_default(),
        };
        serde_json::to_writer(terminal::as_json(&mut *out), &row)?;
        out.push(b'\n');
    }
    Ok(())
}

/// RFC 3339 in UTC, to the millisecond.
fn time(start_ns: i128, since_ns: i64) -> String {
    let at = Timestamp::from_nanosecond(start_ns.saturating_add(i128::from(since_ns)));
    // A damaged time that no calendar has is an empty text.
    at.map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use import::CounterSource;
    use std::sync::{Arc, Mutex};

    /// An output that a test can look into.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn reading(name: &str, value: f64, tags: &str) -> CounterReading {
        CounterReading {
            ts_ns: 1_500_000_000,
            source: CounterSource::Meter,
            provider: "My.Meter".to_owned(),
            name: name.to_owned(),
            unit: "{thing}".to_owned(),
            kind: "value".into(),
            value,
            tags: tags.to_owned(),
            is_change: false,
        }
    }

    /// Writes batches. Returns how many texts got an apostrophe.
    fn check(form: Form, csv: Raw, batches: &[&[CounterReading]], expected: &str) -> u64 {
        let kept = Kept::default();
        let mut stream = Stream::new(Box::new(kept.clone()), form, csv);
        for batch in batches {
            stream.write(batch, 1_764_000_000_000_000_000).unwrap();
        }
        assert_eq!(String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(), expected);
        stream.guarded()
    }

    #[test]
    fn csv_has_one_header_and_quotes_what_needs_it() {
        let one = [reading("plain", 1.5, "{}")];
        let two = [reading("a,\"b\"\nc", f64::NAN, r#"{"k":"v"}"#)];
        check(
            Form::Csv,
            Raw::default(),
            &[&one, &two],
            "ts,provider,name,unit,kind,value,tags\r\n\
             2025-11-24T16:00:01.500Z,My.Meter,plain,{thing},value,1.5,{}\r\n\
             2025-11-24T16:00:01.500Z,My.Meter,\"a,\"\"b\"\"\nc\",{thing},value,,\"{\"\"k\"\":\"\"v\"\"}\"\r\n",
        );
    }

    #[test]
    fn json_is_one_object_per_line_with_tags_as_an_object() {
        check(
            Form::Json,
            Raw::default(),
            &[&[reading("a\nb", 2.0, r#"{"route":"/x","code":"200"}"#), reading("n", f64::NAN, "{}")]],
            "{\"ts\":\"2025-11-24T16:00:01.500Z\",\"provider\":\"My.Meter\",\"name\":\"a\\nb\",\"unit\":\"{thing}\",\
             \"kind\":\"value\",\"value\":2.0,\"tags\":{\"route\":\"/x\",\"code\":\"200\"}}\n\
             {\"ts\":\"2025-11-24T16:00:01.500Z\",\"provider\":\"My.Meter\",\"name\":\"n\",\"unit\":\"{thing}\",\
             \"kind\":\"value\",\"value\":null,\"tags\":{}}\n",
        );
    }

    #[test]
    fn a_name_of_a_service_does_not_run_as_a_formula_in_a_spreadsheet() {
        let hostile = [reading("=cmd|' /C calc'!A0", -1.5, "{}")];
        let guarded = check(
            Form::Csv,
            Raw::default(),
            &[&hostile],
            "ts,provider,name,unit,kind,value,tags\r\n\
             2025-11-24T16:00:01.500Z,My.Meter,'=cmd|' /C calc'!A0,{thing},value,-1.5,{}\r\n",
        );
        assert_eq!(guarded, 1);
    }
}
