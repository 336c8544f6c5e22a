//! Rows of counters as they come: CSV, or a JSON object a line.

use import::CounterReading;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sql::output::Csv;
use sql::{AnswerColumn, Cell, Rows};
use std::io::Write;

const COLUMNS: [&str; 7] = ["ts", "provider", "name", "unit", "kind", "value", "tags"];

/// Forms of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Csv,
    Json,
}

/// Where rows go.
pub(super) struct Stream {
    out: Box<dyn Write>,
    form: Form,
    begun: bool,
    /// Whether it is a terminal, which no text may steer.
    is_terminal: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    ts: &'a str,
    provider: &'a str,
    name: &'a str,
    unit: &'a str,
    kind: &'a str,
    /// Null where it is no number.
    value: f64,
    tags: Value,
}

impl Stream {
    pub(super) fn new(out: Box<dyn Write>, form: Form, is_terminal: bool) -> Self {
        Self { out, form, begun: false, is_terminal }
    }

    /// Writes a batch, and hands it on at once; `start_ns` is when the session began, in nanoseconds since 1970.
    pub(super) fn write(&mut self, readings: &[CounterReading], start_ns: i128) -> anyhow::Result<()> {
        let mut batch = Vec::new();
        match self.form {
            Form::Csv => csv(&mut batch, readings, start_ns, !self.begun)?,
            Form::Json => json(&mut batch, readings, start_ns)?,
        }
        self.begun = true;
        if self.is_terminal {
            let text = String::from_utf8_lossy(&batch).into_owned();
            batch = text
                .lines()
                .flat_map(|line| [text::printable(line), "\n".to_owned()])
                .collect::<String>()
                .into_bytes();
        }
        self.out.write_all(&batch)?;
        self.out.flush()?;
        Ok(())
    }
}

fn csv(out: &mut Vec<u8>, readings: &[CounterReading], start_ns: i128, begin: bool) -> anyhow::Result<()> {
    let mut rows = Csv::new(out);
    if begin {
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
    Ok(())
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
        serde_json::to_writer(&mut *out, &row)?;
        out.push(b'\n');
    }
    Ok(())
}

/// RFC 3339 in UTC, to the millisecond.
fn time(start_ns: i128, since_ns: i64) -> String {
    let at = Timestamp::from_nanosecond(start_ns.saturating_add(i128::from(since_ns)));
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

    fn check(form: Form, is_terminal: bool, batches: &[&[CounterReading]], expected: &str) {
        let kept = Kept::default();
        let mut stream = Stream::new(Box::new(kept.clone()), form, is_terminal);
        for batch in batches {
            stream.write(batch, 1_764_000_000_000_000_000).unwrap();
        }
        assert_eq!(String::from_utf8(kept.0.lock().unwrap().clone()).unwrap(), expected);
    }

    #[test]
    fn csv_has_one_header_and_quotes_what_needs_it() {
        let one = [reading("plain", 1.5, "{}")];
        let two = [reading("a,\"b\"\nc", f64::NAN, r#"{"k":"v"}"#)];
        check(
            Form::Csv,
            false,
            &[&one, &two],
            "ts,provider,name,unit,kind,value,tags\r\n\
             2025-11-24T16:00:01.500Z,My.Meter,plain,{thing},value,1.5,{}\r\n\
             2025-11-24T16:00:01.500Z,My.Meter,\"a,\"\"b\"\"\nc\",{thing},value,,\"{\"\"k\"\":\"\"v\"\"}\"\r\n",
        );
    }

    #[test]
    fn json_is_an_object_a_line_with_tags_as_an_object() {
        check(
            Form::Json,
            false,
            &[&[reading("a\nb", 2.0, r#"{"route":"/x","code":"200"}"#), reading("n", f64::NAN, "{}")]],
            "{\"ts\":\"2025-11-24T16:00:01.500Z\",\"provider\":\"My.Meter\",\"name\":\"a\\nb\",\"unit\":\"{thing}\",\
             \"kind\":\"value\",\"value\":2.0,\"tags\":{\"route\":\"/x\",\"code\":\"200\"}}\n\
             {\"ts\":\"2025-11-24T16:00:01.500Z\",\"provider\":\"My.Meter\",\"name\":\"n\",\"unit\":\"{thing}\",\
             \"kind\":\"value\",\"value\":null,\"tags\":{}}\n",
        );
    }

    #[test]
    fn a_name_does_not_steer_the_terminal() {
        let hostile = [reading("a\u{1b}]0;b\u{7}\u{202e}c\u{9b}2J", 1.0, "{}")];
        for form in [Form::Csv, Form::Json] {
            let kept = Kept::default();
            Stream::new(Box::new(kept.clone()), form, true).write(&hostile, 0).unwrap();
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert!(!text.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{text:?}");
        }
    }
}
