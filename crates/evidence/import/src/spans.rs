//! Spans and log lines: what libraries say of their work, as texts.
//!
//! A span comes with its stop event as a list of key and value, all of them texts (`Id`, `ParentId`, `DisplayName`,
//! `Kind`, `Duration`, `Tags`); the list is read in place, since a busy service sends thousands a second.

use crate::builder::{Builder, Seen};
use base::bytes::{Cursor, ReadError, utf16_text};
use model::{LogRow, NO_INT, SpanRow, Sym};

/// The arguments of a span's stop, as far as they are looked at.
#[derive(Debug, Default)]
struct Arguments {
    source: String,
    activity_name: String,
    id: String,
    parent_id: String,
    display_name: String,
    kind: String,
    duration: String,
    tags: String,
}

impl Builder {
    pub(crate) fn span(&mut self, seen: &Seen<'_>) {
        let Ok(arguments) = read_arguments(Cursor::new(seen.payload, 0)) else {
            self.note_damage("span that cannot be read", 0);
            return;
        };
        if arguments.id.is_empty() && arguments.duration.is_empty() {
            return;
        }
        let (trace_id, span_id) = w3c(&arguments.id);
        let (_, parent_id) = w3c(&arguments.parent_id);
        let dur_ns = duration_ns(&arguments.duration);
        let tags = tag_pairs(&arguments.tags);
        let strings = &mut self.recording.strings;
        let name = if arguments.display_name.is_empty() {
            &arguments.activity_name
        } else {
            &arguments.display_name
        };
        let mut text = |text: &str| if text.is_empty() { Sym::NONE } else { strings.intern(text) };
        let row = SpanRow {
            start_ns: seen.ns.saturating_sub(dur_ns.unwrap_or(0)),
            dur_ns: dur_ns.unwrap_or(NO_INT),
            source: text(&arguments.source),
            name: text(name),
            kind: text(&arguments.kind),
            span_id: text(span_id),
            parent_id: text(parent_id),
            trace_id: text(trace_id),
            tags: text(&tags_json(&tags)),
        };
        self.recording.spans.push(row);
        if arguments.activity_name == "Microsoft.AspNetCore.Hosting.HttpRequestIn" {
            let tag = |name: &str| tags.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
            let status = tag("http.response.status_code").and_then(|status| status.parse().ok());
            self.request_span(seen, tag("http.route"), status, row.trace_id);
        }
    }

    pub(crate) fn log(&mut self, seen: &Seen<'_>) {
        const LEVELS: [&str; 6] = ["Trace", "Debug", "Information", "Warning", "Error", "Critical"];
        let level = seen.fields().int("Level").and_then(|level| LEVELS.get(usize::try_from(level).ok()?));
        let trace_id = seen.fields().text("ActivityTraceId").filter(|id| !id.is_empty());
        let row = LogRow {
            ts_ns: seen.ns,
            level: level.map_or(Sym::NONE, |level| self.recording.strings.intern(level)),
            logger: self.text(seen, "LoggerName"),
            message: self.text(seen, "FormattedMessage"),
            template: Sym::NONE,
            trace_id: trace_id.map_or(Sym::NONE, |id| self.recording.strings.intern(&id)),
        };
        self.recording.logs.push(row);
    }
}

fn read_arguments(mut cursor: Cursor<'_>) -> Result<Arguments, ReadError> {
    let mut arguments = Arguments::default();
    utf16_text(cursor.utf16z("SourceName")?, &mut arguments.source);
    utf16_text(cursor.utf16z("ActivityName")?, &mut arguments.activity_name);
    let count = cursor.u16("Arguments count")?;
    let mut key = String::new();
    for _ in 0..count {
        utf16_text(cursor.utf16z("Arguments Key")?, &mut key);
        let value = cursor.utf16z("Arguments Value")?;
        let place = match key.as_str() {
            "Id" => &mut arguments.id,
            "ParentId" => &mut arguments.parent_id,
            "DisplayName" => &mut arguments.display_name,
            "Kind" => &mut arguments.kind,
            "Duration" => &mut arguments.duration,
            "Tags" => &mut arguments.tags,
            _ => continue,
        };
        utf16_text(value, place);
    }
    Ok(arguments)
}

/// Trace and span of a W3C id, `00-TRACE-SPAN-01`.
fn w3c(id: &str) -> (&str, &str) {
    let mut parts = id.split('-').skip(1);
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

/// Nanoseconds of a .NET time span, `[d.]hh:mm:ss[.fffffff]`.
fn duration_ns(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let number = |text: &str| text.parse::<i64>().ok();
    let whole = ((number(days)?.checked_mul(24)?.checked_add(number(hours)?)?).checked_mul(60)?)
        .checked_add(number(minutes)?)?
        .checked_mul(60)?
        .checked_add(number(seconds)?)?;
    let nanos = format!("{fraction:0<9}").get(..9).and_then(number)?;
    whole.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// `[key, value],[key, value]` as pairs.
fn tag_pairs(text: &str) -> Vec<(&str, &str)> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or_default();
    inner.split("],[").filter_map(|pair| pair.split_once(", ")).collect()
}

/// The tags as a JSON object, in their order.
fn tags_json(pairs: &[(&str, &str)]) -> String {
    let mut text = String::from("{");
    for (key, value) in pairs {
        let separator = if text.len() > 1 { "," } else { "" };
        // Texts always can be written as JSON.
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        text.extend([separator, quoted(key).as_str(), ":", quoted(value).as_str()]);
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_of_dotnet() {
        assert_eq!(duration_ns("00:00:00.0032748"), Some(3_274_800));
        assert_eq!(duration_ns("00:00:00"), Some(0));
        assert_eq!(duration_ns("1.02:03:04.5"), Some(93_784_500_000_000));
        assert_eq!(duration_ns("soon"), None);
    }

    #[test]
    fn tags_of_a_span() {
        assert_eq!(tag_pairs("[a, 1],[b, x, y]"), [("a", "1"), ("b", "x, y")]);
        assert_eq!(tag_pairs(""), []);
    }
}
